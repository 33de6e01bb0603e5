//! The type of a slice's elements, read off the code that calls the runtime to grow or copy the slice.
//!
//! The runtime drops the type of elements without pointers before it allocates (`growslice` in `src/runtime/slice.go`).
//! Its caller has it as a constant: `lea` of the type's descriptor into the argument's register, shortly before the
//! call. In generic code it may come from a dictionary instead; then it is not known.

use crate::target::{GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess};
use iced_x86::{FlowControl, Register};

/// Most code that is looked at in a capture, in bytes, so that no binary makes it take minutes: a caller's whole code is
/// decoded for every call in it.
pub(super) const MAX_CODE: u64 = 1 << 28;

/// The functions of the runtime that take the type of the elements of a slice.
pub(super) const GROW_OR_COPY: &[&str] = &[
    "runtime.growslice",
    "runtime.growsliceNoAlias",
    "runtime.growsliceBuf",
    "runtime.growsliceBufNoAlias",
    MAKE_AND_COPY,
];
const MAKE_AND_COPY: &str = "runtime.makeslicecopy";

/// The register in which one of [`GROW_OR_COPY`] takes it: its first argument, or, from Go 1.20 on, the fifth of those
/// that grow.
pub(super) fn register(function: &str, go_minor: u16) -> Register {
    if go_minor < 20 || function == MAKE_AND_COPY {
        Register::RAX
    } else {
        Register::RSI
    }
}

/// The descriptor that the call before `return_address` has in `register`. Takes the code it looks at off `code_left`,
/// and looks at no more.
pub(super) fn passed(
    binary: &GoBinary,
    return_address: VirtualAddress,
    register: Register,
    code_left: &mut u64,
) -> Option<VirtualAddress> {
    let function = binary.function_at(VirtualAddress(return_address.0.checked_sub(1)?))?;
    *code_left = code_left.checked_sub(function.size)?;
    let code = binary.code(function.address, usize::try_from(function.size).ok()?)?;
    constant(code, function.address, return_address, register)
}

/// The address that `register` holds at the call that returns to `return_address`, if one instruction on the only way
/// there loads it.
fn constant(
    code: &[u8],
    start: VirtualAddress,
    return_address: VirtualAddress,
    register: Register,
) -> Option<VirtualAddress> {
    let mut info = InstructionInfoFactory::new();
    let mut loaded: Option<Instruction> = None;
    let mut call = None;
    for instruction in Decoder::with_ip(64, code, start.0, DecoderOptions::NONE) {
        if instruction.next_ip() == return_address.0 {
            call = Some(instruction).filter(|call| call.flow_control() == FlowControl::Call);
            break;
        }
        let used = info.info(&instruction).used_registers().iter();
        let mut writes = used.filter(|used| {
            !matches!(used.access(), OpAccess::Read | OpAccess::CondRead)
                && used.register().full_register() == register
        });
        if instruction.flow_control() != FlowControl::Next {
            loaded = None;
        } else if writes.next().is_some() {
            loaded = Some(instruction).filter(loads_address);
        }
    }
    let (loaded, call) = (loaded?, call?);
    // A jump to between the two would come with another type.
    let jumped_over = Decoder::with_ip(64, code, start.0, DecoderOptions::NONE)
        .into_iter()
        .any(|jump| {
            (loaded.next_ip()..=call.ip()).contains(&jump.near_branch_target())
                && jump.flow_control() != FlowControl::Call
        });
    (!jumped_over).then(|| VirtualAddress(loaded.ip_rel_memory_address()))
}

/// `lea N(%rip),REGISTER`.
fn loads_address(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: VirtualAddress = VirtualAddress(0x1000);
    /// lea 0x100(%rip),%rsi
    const LOAD: [u8; 7] = [0x48, 0x8d, 0x35, 0, 1, 0, 0];
    /// mov %rdi,%rax
    const OTHER: [u8; 3] = [0x48, 0x89, 0xf8];
    /// mov %rdi,%rsi
    const OVERWRITTEN: [u8; 3] = [0x48, 0x89, 0xfe];
    /// call +0x20
    const CALL: [u8; 5] = [0xe8, 0x20, 0, 0, 0];

    fn at_the_end_of(parts: &[&[u8]], behind: &[u8]) -> Option<u64> {
        let mut code = parts.concat();
        let end = VirtualAddress(START.0 + code.len() as u64);
        code.extend(behind);
        constant(&code, START, end, Register::RSI).map(|address| address.0)
    }

    #[test]
    fn a_constant_in_the_argument_is_found() {
        assert_eq!(
            at_the_end_of(&[&LOAD, &OTHER, &CALL], &[]),
            Some(START.0 + 7 + 0x100)
        );
    }

    #[test]
    fn what_is_no_constant_is_not_known() {
        assert_eq!(at_the_end_of(&[&LOAD, &OVERWRITTEN, &CALL], &[]), None);
        assert_eq!(at_the_end_of(&[&OTHER, &CALL], &[]), None);
        assert_eq!(
            at_the_end_of(&[&LOAD, &CALL, &CALL], &[]),
            None,
            "a call between"
        );
        assert_eq!(at_the_end_of(&[&LOAD, &OTHER], &[]), None, "no call");
    }

    #[test]
    fn a_second_way_to_the_call_makes_it_unknown() {
        // A jump back to the call, from behind it: 7 to 14 are `OTHER` and the call, the jump has two bytes.
        let jump_to_the_call = [0xeb, 0xf9];
        assert_eq!(
            at_the_end_of(&[&LOAD, &OTHER, &CALL], &jump_to_the_call),
            None
        );
        let jump_to_the_load = [0xeb, 0xef];
        assert!(at_the_end_of(&[&LOAD, &OTHER, &CALL], &jump_to_the_load).is_some());
    }
}
