//! Variables of the runtime in executables that have lost their symbols: by the code that uses them.
//!
//! Hides how code names a variable: on x86-64 by its distance from the instruction. Go's code for arm64 needs two
//! instructions for that, which nobody reads here: there is no variable without a symbol then.

use super::{Arch, GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, Instruction};

/// Bytes of a function that are searched. `gcMarkTermination`, the longest that is asked for, has 5 KiB.
const SEARCHED_BYTES: usize = 1 << 16;

impl GoBinary {
    /// The variables that the function of that name uses, in the order of its code and as often as it does; empty if
    /// there is no such function.
    pub(crate) fn variables_of(&self, function: &str) -> Vec<VirtualAddress> {
        let code = || {
            let function = self.function(function)?;
            let length = usize::try_from(function.size).ok()?.min(SEARCHED_BYTES);
            Some((self.code(function.address, length)?, function.address))
        };
        match code() {
            Some((code, address)) if self.arch() == Arch::X86_64 => {
                variables(code, address).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Addresses of the memory operands relative to the instruction pointer.
fn variables(code: &[u8], address: VirtualAddress) -> impl Iterator<Item = VirtualAddress> {
    let instructions = Decoder::with_ip(64, code, address.0, DecoderOptions::NONE).into_iter();
    let relative = instructions.filter(Instruction::is_ip_rel_memory_operand);
    relative.map(|instruction| VirtualAddress(instruction.ip_rel_memory_address()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_by_their_relative_addresses() {
        // push %rbp; mov 0x20(%rip),%rcx; mov 0x40(%rip),%rdx
        let code = [
            0x55, 0x48, 0x8b, 0x0d, 0x20, 0, 0, 0, 0x48, 0x8b, 0x15, 0x40, 0, 0, 0,
        ];
        let found: Vec<VirtualAddress> = variables(&code, VirtualAddress(0x1000)).collect();
        assert_eq!(
            found,
            [VirtualAddress(0x1008 + 0x20), VirtualAddress(0x100f + 0x40)]
        );
    }
}
