//! A call, and the constants that the code around it hands over.
//!
//! Hides the decoder and Go's register convention: arguments in RAX, RBX, RCX, RDI, RSI and more
//! (`src/cmd/compile/abi-internal.md`). Only what one way through the code leads to is a constant. Instructions of arm64
//! are not decoded.

use super::{Arch, GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory};
use iced_x86::{Mnemonic, OpAccess, OpKind, Register};

/// Registers of arguments, in order.
const ARGUMENTS: [Register; 5] = [
    Register::RAX,
    Register::RBX,
    Register::RCX,
    Register::RDI,
    Register::RSI,
];
/// General registers of x86-64.
const REGISTERS: usize = 16;
/// Most code that one budget covers: some seconds.
const MAX_CODE: u64 = 1 << 28;
/// Most code of one function that is looked at: generated ones may have a megabyte, and are decoded for every call in
/// them. A function that seems larger says nothing, and does not use up the budget of the others.
const MAX_FUNCTION: u64 = 4 << 20;

/// Bytes of code that may still be looked at, so that no binary makes it take minutes: a caller's whole code is decoded
/// for every call in it.
#[derive(Debug)]
pub struct CodeBudget(pub(super) u64);

impl Default for CodeBudget {
    fn default() -> Self {
        Self(MAX_CODE)
    }
}

/// What a register holds, if the code says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// The address of code or data of the executable.
    Address(VirtualAddress),
    /// A number.
    Number(u64),
}

/// A call of a function by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The function.
    pub(super) target: VirtualAddress,
    arguments: [Option<Constant>; ARGUMENTS.len()],
}

impl Call {
    /// The argument in the register of that number, from 0 on, if it is the address of something.
    pub(super) fn address(&self, number: usize) -> Option<VirtualAddress> {
        match self.argument(number)? {
            Constant::Address(address) => Some(address),
            Constant::Number(_) => None,
        }
    }

    /// The same, if it is a number.
    pub(super) fn number(&self, number: usize) -> Option<u64> {
        match self.argument(number)? {
            Constant::Number(value) => Some(value),
            Constant::Address(_) => None,
        }
    }

    fn argument(&self, number: usize) -> Option<Constant> {
        *self.arguments.get(number)?
    }
}

impl GoBinary {
    /// The call that returns to `return_address`; `None` if there is none, it is indirect, or the budget is used up.
    pub(super) fn call_before(
        &self,
        return_address: VirtualAddress,
        budget: &mut CodeBudget,
    ) -> Option<Call> {
        if self.arch() != Arch::X86_64 {
            return None;
        }
        let function = self.function_at(VirtualAddress(return_address.0.checked_sub(1)?))?;
        if function.size > MAX_FUNCTION {
            return None;
        }
        budget.0 = budget.0.checked_sub(function.size)?;
        let code = self.code(function.address, usize::try_from(function.size).ok()?)?;
        call(code, function.address, return_address)
    }
}

/// The call in the code of a function that returns to `return_address`.
fn call(code: &[u8], start: VirtualAddress, return_address: VirtualAddress) -> Option<Call> {
    let instructions = || Decoder::with_ip(64, code, start.0, DecoderOptions::NONE).into_iter();
    let mut targets: Vec<u64> = instructions().filter_map(|one| jump_target(&one)).collect();
    targets.sort_unstable();
    let mut registers = Registers::new();
    for instruction in instructions() {
        if targets.binary_search(&instruction.ip()).is_ok() {
            // Another way leads here, with other values. The targets of jump tables are not known; the compiler gives
            // each case a block of its own, which loads what it needs.
            registers.forget();
        }
        if instruction.next_ip() == return_address.0 {
            let near = instruction.op0_kind() == OpKind::NearBranch64;
            return (near && instruction.flow_control() == FlowControl::Call).then(|| Call {
                target: VirtualAddress(instruction.near_branch_target()),
                arguments: ARGUMENTS.map(|register| registers.get(register)),
            });
        }
        registers.step(&instruction);
    }
    None
}

/// Where a jump within a function leads to.
fn jump_target(instruction: &Instruction) -> Option<u64> {
    let jumps = matches!(
        instruction.flow_control(),
        FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch
    );
    jumps.then(|| instruction.near_branch_target())
}

/// What is known of the general registers on the way through the code.
struct Registers {
    values: [Option<Constant>; REGISTERS],
    info: InstructionInfoFactory,
}

impl Registers {
    fn new() -> Self {
        Self {
            values: [None; REGISTERS],
            info: InstructionInfoFactory::new(),
        }
    }

    fn forget(&mut self) {
        self.values = [None; REGISTERS];
    }

    fn get(&self, register: Register) -> Option<Constant> {
        *self.values.get(register.number())?
    }

    fn step(&mut self, instruction: &Instruction) {
        match instruction.flow_control() {
            FlowControl::Next | FlowControl::ConditionalBranch => {}
            // No Go function keeps a register for its caller; and behind a jump the code goes on from elsewhere.
            _ => return self.forget(),
        }
        let loaded = self.loaded(instruction);
        let used = self.info.info(instruction).used_registers().iter();
        let written = used.filter(|used| {
            used.register().is_gpr()
                && !matches!(used.access(), OpAccess::Read | OpAccess::CondRead)
        });
        for register in written {
            let number = register.register().full_register().number();
            if let Some(value) = self.values.get_mut(number) {
                *value = loaded;
            }
        }
    }

    /// The constant that the instruction loads into the only register it writes.
    fn loaded(&self, instruction: &Instruction) -> Option<Constant> {
        let (to, from) = (instruction.op0_register(), instruction.op1_register());
        if !to.is_gpr64() && !to.is_gpr32() {
            return None;
        }
        match instruction.mnemonic() {
            Mnemonic::Lea if to.is_gpr64() && instruction.is_ip_rel_memory_operand() => {
                let address = instruction.ip_rel_memory_address();
                Some(Constant::Address(VirtualAddress(address)))
            }
            // The assembler's form of zero.
            Mnemonic::Xor if to == from => Some(Constant::Number(0)),
            Mnemonic::Mov if to.is_gpr64() && from.is_gpr64() => self.get(from),
            Mnemonic::Mov => Some(Constant::Number(instruction.try_immediate(1).ok()?)),
            _ => None,
        }
    }
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
    /// What [`LOAD`] at the start loads.
    const LOADED: Option<u64> = Some(START.0 + 7 + 0x100);

    fn at_the_end_of(parts: &[&[u8]], behind: &[u8]) -> Option<Call> {
        let mut code = parts.concat();
        let end = VirtualAddress(START.0 + code.len() as u64);
        code.extend(behind);
        call(&code, START, end)
    }

    fn fifth(parts: &[&[u8]], behind: &[u8]) -> Option<u64> {
        let call = at_the_end_of(parts, behind)?;
        call.address(4).map(|address| address.0)
    }

    #[test]
    fn a_constant_in_an_argument_is_found() {
        let call = at_the_end_of(&[&LOAD, &OTHER, &CALL], &[]).unwrap();
        assert_eq!(call.address(4).map(|address| address.0), LOADED);
        assert_eq!(call.target, VirtualAddress(START.0 + 15 + 0x20));
        assert_eq!(
            (call.address(0), call.number(4), call.address(9)),
            (None, None, None)
        );
    }

    #[test]
    fn a_constant_is_followed_from_register_to_register() {
        let to_rax = [0x48, 0x89, 0xf0]; // mov %rsi,%rax
        let call = at_the_end_of(&[&LOAD, &to_rax, &OVERWRITTEN, &CALL], &[]).unwrap();
        assert_eq!(call.address(0).map(|address| address.0), LOADED);
        assert_eq!(call.address(4), None);
    }

    #[test]
    fn numbers_are_found_in_the_forms_that_the_compiler_uses() {
        let numbers = [
            &[0xb8, 0x60, 0, 0, 0][..],                  // mov $0x60,%eax
            &[0x31, 0xdb],                               // xor %ebx,%ebx
            &[0x48, 0xc7, 0xc1, 0xff, 0xff, 0xff, 0xff], // mov $-1,%rcx
            &CALL,
        ];
        let call = at_the_end_of(&numbers, &[]).unwrap();
        let found = [0, 1, 2, 3].map(|number| call.number(number));
        assert_eq!(found, [Some(0x60), Some(0), Some(u64::MAX), None]);
        assert_eq!(call.address(0), None);
    }

    #[test]
    fn what_is_no_constant_is_not_known() {
        let low_byte = [0x40, 0xb6, 1]; // mov $1,%sil
        assert_eq!(fifth(&[&LOAD, &OVERWRITTEN, &CALL], &[]), None);
        assert_eq!(fifth(&[&LOAD, &low_byte, &CALL], &[]), None);
        assert_eq!(fifth(&[&OTHER, &CALL], &[]), None);
        assert_eq!(fifth(&[&LOAD, &CALL, &CALL], &[]), None, "a call between");
        assert_eq!(
            fifth(&[&LOAD, &[0xeb, 0], &CALL], &[]),
            None,
            "a jump between"
        );
    }

    #[test]
    fn only_a_direct_call_is_one() {
        let indirect = [0xff, 0xd0]; // call *%rax
        assert_eq!(at_the_end_of(&[&LOAD, &OTHER], &[]), None);
        assert_eq!(at_the_end_of(&[&LOAD, &indirect], &[]), None);
        assert_eq!(at_the_end_of(&[&LOAD, &[0xe8, 0]], &[]), None, "cut off");
        assert_eq!(at_the_end_of(&[], &[]), None);
    }

    #[test]
    fn a_second_way_to_the_call_makes_it_unknown() {
        // A jump back to the call, from behind it: 7 to 14 are `OTHER` and the call, the jump has two bytes.
        let jump_to_the_call = [0xeb, 0xf9];
        assert_eq!(fifth(&[&LOAD, &OTHER, &CALL], &jump_to_the_call), None);
        let jump_to_the_load = [0xeb, 0xef];
        assert_eq!(fifth(&[&LOAD, &OTHER, &CALL], &jump_to_the_load), LOADED);
        // One that is not taken leaves one way only: je +0x20.
        assert_eq!(fifth(&[&LOAD, &[0x74, 0x20], &CALL], &[]), LOADED);
    }
}
