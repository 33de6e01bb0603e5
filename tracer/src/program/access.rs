//! What an instruction does with memory.
//!
//! Hides the decoder. Instructions of arm64 are not decoded.

use super::{Arch, GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, OpAccess};

/// The longest instruction of x86-64, in bytes.
const MAX_INSTRUCTION: usize = 15;

/// What an instruction does with the memory it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads it.
    Read,
    /// Writes it, and may read it too.
    Write,
    /// Reads some and writes other.
    Both,
}

impl GoBinary {
    /// What the instruction at `pc` does with memory; `None` if it touches none or is not known.
    #[must_use]
    pub fn access_at(&self, pc: VirtualAddress) -> Option<Access> {
        if self.arch() != Arch::X86_64 || !self.elf().is_code(pc) {
            return None;
        }
        let code = self.elf().bytes_from(pc)?;
        access(code.get(..MAX_INSTRUCTION).unwrap_or(code))
    }
}

/// What the first instruction of `code` does with memory.
fn access(code: &[u8]) -> Option<Access> {
    let mut instruction = Instruction::default();
    Decoder::new(64, code, DecoderOptions::NONE).decode_out(&mut instruction);
    if instruction.is_invalid() {
        return None;
    }
    let mut factory = InstructionInfoFactory::new();
    let touched = factory.info(&instruction).used_memory().iter();
    touched
        .filter_map(|memory| one(memory.access()))
        .reduce(
            |first, second| {
                if first == second { first } else { Access::Both }
            },
        )
}

fn one(access: OpAccess) -> Option<Access> {
    match access {
        OpAccess::Read | OpAccess::CondRead => Some(Access::Read),
        OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite => {
            Some(Access::Write)
        }
        OpAccess::None | OpAccess::NoMemAccess => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_are_told_apart() {
        let check = |code: &[u8], expected: Option<Access>| {
            assert_eq!(access(code), expected, "{code:02x?}");
        };
        check(&[0x48, 0x8b, 0x03], Some(Access::Read)); // mov (%rbx),%rax
        check(&[0x48, 0x89, 0x03], Some(Access::Write)); // mov %rax,(%rbx)
        check(&[0xc6, 0x00, 0x01], Some(Access::Write)); // movb $1,(%rax)
        check(&[0x48, 0x83, 0x00, 0x01], Some(Access::Write)); // addq $1,(%rax)
        check(&[0xf0, 0x48, 0x0f, 0xb1, 0x0b], Some(Access::Write)); // lock cmpxchg %rcx,(%rbx)
        check(&[0x84, 0x00], Some(Access::Read)); // test %al,(%rax), Go's check for nil
        check(&[0xc5, 0xfe, 0x7f, 0x07], Some(Access::Write)); // vmovdqu %ymm0,(%rdi)
        check(&[0xc5, 0xfe, 0x6f, 0x06], Some(Access::Read)); // vmovdqu (%rsi),%ymm0
        check(&[0xf3, 0x48, 0xa5], Some(Access::Both)); // rep movsq
        check(&[0xf3, 0x48, 0xab], Some(Access::Write)); // rep stosq
        check(&[0x55], Some(Access::Write)); // push %rbp
        check(&[0xc3], Some(Access::Read)); // ret
        check(&[0xe8, 0, 0, 0, 0], Some(Access::Write)); // call
        check(&[0xff, 0x12], Some(Access::Both)); // call *(%rdx)
    }

    #[test]
    fn what_touches_no_memory_is_neither() {
        for code in [
            &[0x48, 0x8d, 0x43, 0x08][..], // lea 8(%rbx),%rax
            &[0x0f, 0x1f, 0x40, 0x00],     // nopl 0(%rax)
            &[0x48, 0x01, 0xd8],           // add %rbx,%rax
            &[0x06],                       // not an instruction
            &[0x48, 0x8b],                 // cut off
            &[],
        ] {
            assert_eq!(access(code), None, "{code:02x?}");
        }
    }
}
