//! The choice of the instruction to probe within a function.
//!
//! The first instruction of a Go function belongs to the stack check: it is single-stepped (two traps), and runs again
//! when the check grows the stack or yields. The site is therefore after the check, an instruction the kernel emulates
//! where there is one (`push %rbp`, a nop, a conditional branch; `branch_setup_xol_ops` and `push_setup_xol_ops` in
//! `arch/x86/kernel/uprobes.c`), and before the arguments leave their registers.

use crate::program::VirtualAddress;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter as _, Instruction, InstructionInfoFactory,
    IntelFormatter, Mnemonic, OpAccess, OpKind, Register,
};
use std::fmt;
use tracer_common::cookie::ArgumentIndex;

/// Instructions looked at before giving up.
const MAX_INSTRUCTIONS: usize = 24;

/// A place for a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Address of the instruction.
    pub address: VirtualAddress,
    /// Bytes from the start of the function.
    pub offset: u64,
    /// The probed instruction.
    pub instruction: String,
    /// How the kernel runs it.
    pub cost: CostClass,
    /// Whether the frame pointer is already the function's own.
    pub frame_set_up: bool,
    /// Why this place.
    pub reason: &'static str,
}

/// How the kernel runs the probed instruction, which decides what a hit costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostClass {
    /// Emulated in the trap handler: one trap.
    Emulated,
    /// Executed out of line under single-step: two traps.
    SingleStepped,
}

impl fmt::Display for CostClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CostClass::Emulated => "emulated",
            CostClass::SingleStepped => "single-stepped",
        })
    }
}

/// Why a function has no place for a probe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// The bytes are not a known prologue.
    #[error("its code does not start like a Go function: {found} at offset {offset}")]
    UnknownPrologue {
        /// The instruction that does not belong there.
        found: String,
        /// Where it is.
        offset: u64,
    },
    /// The code ends within the prologue.
    #[error("its code ends within the stack check")]
    TooShort,
}

/// Registers of the first two arguments, which an allocation's program reads.
pub(super) const TWO_ARGUMENTS: &[Register] = &[Register::RAX, Register::RBX];
/// Registers of the first three arguments.
pub(super) const THREE_ARGUMENTS: &[Register] = &[Register::RAX, Register::RBX, Register::RCX];

/// The general registers in the order of [`ArgumentIndex`]: those of Go's integer arguments
/// (`src/cmd/compile/abi-internal.md`), then the others as machine code numbers them, without the stack pointer.
const GENERAL: [Register; 15] = [
    Register::RAX,
    Register::RBX,
    Register::RCX,
    Register::RDI,
    Register::RSI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::RDX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// How a program finds the register; `None` if it is not a whole general one.
pub(super) fn argument_index(register: Register) -> Option<ArgumentIndex> {
    let index = GENERAL.iter().position(|general| *general == register)?;
    ArgumentIndex::new(index)
}

/// Chooses the site in a function that starts at `address` with the bytes `code`, where the registers `arguments` still
/// hold what it was called with.
///
/// # Errors
/// The code does not begin as a Go function does.
pub(super) fn choose(
    code: &[u8],
    address: VirtualAddress,
    arguments: &[Register],
) -> Result<Site, SiteError> {
    let start = address.0;
    let mut decoder = Decoder::with_ip(64, code, start, DecoderOptions::NONE);
    let after_check = skip_stack_check(&mut decoder, start)?;
    if after_check.mnemonic() == Mnemonic::Push && after_check.op0_register() == Register::RBP {
        return Ok(Site {
            address: VirtualAddress(after_check.ip()),
            offset: after_check.ip() - start,
            instruction: text(&after_check),
            cost: CostClass::Emulated,
            frame_set_up: false,
            reason: "first instruction after the stack check",
        });
    }
    Ok(
        emulated_after_frame(&mut decoder, &after_check, start, arguments).unwrap_or_else(|| Site {
            address: VirtualAddress(after_check.ip()),
            offset: after_check.ip() - start,
            instruction: text(&after_check),
            cost: CostClass::SingleStepped,
            frame_set_up: false,
            reason: "no instruction that the kernel emulates before the arguments are overwritten",
        }),
    )
}

/// Steps over the stack check and gives the first instruction after it. A function without a check (`nosplit`) starts
/// with `push %rbp`, up to Go 1.20 with `sub $N,%rsp`.
fn skip_stack_check(decoder: &mut Decoder<'_>, start: u64) -> Result<Instruction, SiteError> {
    for _ in 0..MAX_INSTRUCTIONS {
        if !decoder.can_decode() {
            return Err(SiteError::TooShort);
        }
        let instruction = decoder.decode();
        match instruction.mnemonic() {
            Mnemonic::Push if instruction.ip() == start => return Ok(instruction),
            Mnemonic::Sub
                if instruction.ip() == start && instruction.op0_register() == Register::RSP =>
            {
                return Ok(instruction);
            }
            // The check compares the stack pointer with `g.stackguard0`; large frames compute it in R12 first.
            Mnemonic::Cmp | Mnemonic::Lea | Mnemonic::Mov | Mnemonic::Sub | Mnemonic::Jb => {}
            Mnemonic::Jbe => {
                return if decoder.can_decode() {
                    Ok(decoder.decode())
                } else {
                    Err(SiteError::TooShort)
                };
            }
            _ => {
                let offset = instruction.ip() - start;
                return Err(SiteError::UnknownPrologue {
                    found: text(&instruction),
                    offset,
                });
            }
        }
    }
    Err(SiteError::TooShort)
}

/// Go up to 1.20 sets the frame up with `sub`, `mov`, `lea` and has no `push %rbp`: a nop behind them serves, or else the
/// first branch, which every path passes, if the arguments are still in their registers there.
fn emulated_after_frame(
    decoder: &mut Decoder<'_>,
    first: &Instruction,
    start: u64,
    arguments: &[Register],
) -> Option<Site> {
    let mut info = InstructionInfoFactory::new();
    let mut instruction = *first;
    let mut frame_set_up = false;
    for _ in 0..MAX_INSTRUCTIONS {
        let reason = match (instruction.mnemonic(), instruction.flow_control()) {
            (Mnemonic::Nop, _) => {
                Some("first nop after the frame is set up, arguments still in registers")
            }
            (_, FlowControl::ConditionalBranch) => {
                Some("first branch after the frame is set up, arguments still in registers")
            }
            _ => None,
        };
        if let Some(reason) = reason.filter(|_| frame_set_up) {
            return Some(Site {
                address: VirtualAddress(instruction.ip()),
                offset: instruction.ip() - start,
                instruction: text(&instruction),
                cost: CostClass::Emulated,
                frame_set_up,
                reason,
            });
        }
        let used = info.info(&instruction);
        let overwrites = used.used_registers().iter().any(|used| {
            matches!(
                used.access(),
                OpAccess::Write
                    | OpAccess::ReadWrite
                    | OpAccess::CondWrite
                    | OpAccess::ReadCondWrite
            ) && arguments.contains(&used.register().full_register())
        });
        if overwrites || instruction.flow_control() != FlowControl::Next || !decoder.can_decode() {
            return None;
        }
        frame_set_up |= sets_frame_pointer(&instruction);
        instruction = decoder.decode();
    }
    None
}

/// `lea N(%rsp),%rbp` or `mov %rsp,%rbp`.
fn sets_frame_pointer(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Lea | Mnemonic::Mov)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register() == Register::RBP
}

/// What `--explain` shows of an instruction; of a branch not where it leads.
fn text(instruction: &Instruction) -> String {
    if instruction.flow_control() == FlowControl::ConditionalBranch {
        return format!("{:?}", instruction.mnemonic()).to_lowercase();
    }
    let mut output = String::new();
    IntelFormatter::new().format(instruction, &mut output);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_registers_have_an_index_each_and_arguments_the_first() {
        let index = |register| argument_index(register).map(|index| usize::from(index.get()));
        for (number, register) in GENERAL.into_iter().enumerate() {
            assert_eq!(index(register), Some(number), "{register:?}");
        }
        assert_eq!(argument_index(Register::RBX), Some(ArgumentIndex::SECOND));
        let others = &GENERAL[9..];
        assert!(others.is_sorted_by_key(|register| register.number()));
        for none in [Register::RSP, Register::EAX, Register::XMM0] {
            assert_eq!(index(none), None, "{none:?}");
        }
    }

    fn chosen(code: &[u8]) -> Result<Site, SiteError> {
        choose(code, VirtualAddress(0x40_1000), TWO_ARGUMENTS)
    }

    /// `cmp 0x10(%r14),%rsp; jbe +0x70`.
    const SMALL_FRAME_CHECK: [u8; 6] = [0x49, 0x3b, 0x66, 0x10, 0x76, 0x70];

    #[test]
    fn push_after_a_small_frames_check() {
        let mut code = SMALL_FRAME_CHECK.to_vec();
        code.extend([0x55, 0x48, 0x89, 0xe5]);
        let site = chosen(&code).unwrap();
        assert_eq!(
            (site.offset, site.instruction.as_str(), site.cost),
            (6, "push rbp", CostClass::Emulated)
        );
        assert!(!site.frame_set_up);
    }

    #[test]
    fn push_after_a_large_frames_check() {
        // lea -0x10(%rsp),%r12; cmp 0x10(%r14),%r12; jbe (long); push %rbp
        let code = [
            0x4c, 0x8d, 0x64, 0x24, 0xf0, 0x4d, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x80, 0x01, 0x00,
            0x00, 0x55, 0x48, 0x89, 0xe5,
        ];
        assert_eq!(chosen(&code).unwrap().offset, 15);
    }

    #[test]
    fn push_at_once_without_a_check() {
        assert_eq!(chosen(&[0x55, 0x48, 0x89, 0xe5]).unwrap().offset, 0);
    }

    #[test]
    fn the_nop_of_go_1_19() {
        let mut code = SMALL_FRAME_CHECK.to_vec();
        // sub $0x78,%rsp; mov %rbp,0x70(%rsp); lea 0x70(%rsp),%rbp; nop
        code.extend([
            0x48, 0x83, 0xec, 0x78, 0x48, 0x89, 0x6c, 0x24, 0x70, 0x48, 0x8d, 0x6c, 0x24, 0x70,
            0x90,
        ]);
        let site = chosen(&code).unwrap();
        assert_eq!(
            (site.offset, site.cost, site.frame_set_up),
            (20, CostClass::Emulated, true)
        );
    }

    #[test]
    fn a_nop_behind_overwritten_arguments_is_not_used() {
        let mut code = SMALL_FRAME_CHECK.to_vec();
        // sub $0x78,%rsp; lea 0x70(%rsp),%rbp; mov %rcx,%rax; nop
        code.extend([
            0x48, 0x83, 0xec, 0x78, 0x48, 0x8d, 0x6c, 0x24, 0x70, 0x48, 0x89, 0xc8, 0x90,
        ]);
        let site = chosen(&code).unwrap();
        assert_eq!((site.offset, site.cost), (6, CostClass::SingleStepped));
    }

    /// `sub $0x38,%rsp; mov %rbp,0x30(%rsp); lea 0x30(%rsp),%rbp`.
    const OLD_FRAME: [u8; 14] = [
        0x48, 0x83, 0xec, 0x38, 0x48, 0x89, 0x6c, 0x24, 0x30, 0x48, 0x8d, 0x6c, 0x24, 0x30,
    ];

    #[test]
    fn the_first_branch_of_go_1_19() {
        // mov %rcx,0x40(%rsp); test %rbx,%rbx; je +0x10
        let body = [
            0x48, 0x89, 0x4c, 0x24, 0x40, 0x48, 0x85, 0xdb, 0x74, 0x10, 0x90,
        ];
        let code = [&SMALL_FRAME_CHECK[..], &OLD_FRAME, &body].concat();
        let site = chosen(&code).unwrap();
        assert_eq!(
            (site.offset, site.cost, site.frame_set_up),
            (28, CostClass::Emulated, true)
        );
    }

    #[test]
    fn the_third_argument_is_kept_if_it_is_asked_for() {
        // xor %ecx,%ecx; nop
        let code = [&SMALL_FRAME_CHECK[..], &OLD_FRAME, &[0x31, 0xc9, 0x90]].concat();
        let chosen = |arguments| {
            let site = choose(&code, VirtualAddress(0x40_1000), arguments).unwrap();
            (site.offset, site.cost)
        };
        assert_eq!(chosen(TWO_ARGUMENTS), (22, CostClass::Emulated));
        assert_eq!(chosen(THREE_ARGUMENTS), (6, CostClass::SingleStepped));
    }

    #[test]
    fn a_function_of_go_1_19_without_a_stack_check() {
        // lea 8(%rsp),%rax: the first argument is gone, before any nop
        let body = [0x48, 0x8d, 0x44, 0x24, 0x08, 0x90];
        let site = chosen(&[&OLD_FRAME[..], &body].concat()).unwrap();
        assert_eq!(
            (site.offset, site.cost, site.frame_set_up),
            (0, CostClass::SingleStepped, false)
        );
    }

    #[test]
    fn bytes_that_are_no_prologue_are_refused() {
        assert!(matches!(
            chosen(&[0xc3]),
            Err(SiteError::UnknownPrologue { offset: 0, .. })
        ));
        assert_eq!(chosen(&[]), Err(SiteError::TooShort));
        assert_eq!(chosen(&SMALL_FRAME_CHECK), Err(SiteError::TooShort));
    }
}
