//! Variables of the runtime in executables that have lost their symbols: by the code that uses them.
//!
//! Hides how code names a variable: on x86-64 by its distance from the instruction. Go's code for arm64 needs two
//! instructions for that, which nobody reads here: there is no variable without a symbol then.

use super::{Arch, GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use std::collections::BTreeSet;

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

    /// The one place from which on the function of that name uses variables at each of `distances`, the fields of a
    /// struct for example; `None` if there is no such place, or more than one.
    pub(crate) fn place_of_variables(
        &self,
        function: &str,
        distances: &[u64],
    ) -> Option<VirtualAddress> {
        let used: BTreeSet<VirtualAddress> = self.variables_of(function).into_iter().collect();
        place(&used, distances)
    }
}

fn place(used: &BTreeSet<VirtualAddress>, distances: &[u64]) -> Option<VirtualAddress> {
    let (first, others) = distances.split_first()?;
    let starts = used
        .iter()
        .filter_map(|variable| variable.0.checked_sub(*first));
    let mut places = starts.filter(|start| {
        let mut others = others.iter();
        others.all(|distance| used.contains(&VirtualAddress(start.wrapping_add(*distance))))
    });
    match (places.next(), places.next()) {
        (Some(place), None) => Some(VirtualAddress(place)),
        _ => None,
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

    #[test]
    fn a_struct_is_found_by_its_fields_if_nothing_else_looks_like_it() {
        let check = |used: &[u64], expected: Option<u64>| {
            let used = used.iter().copied().map(VirtualAddress).collect();
            assert_eq!(place(&used, &[8, 16, 96]), expected.map(VirtualAddress));
        };
        check(&[0x1000, 0x1008, 0x1010, 0x1060, 0x2008], Some(0x1000));
        check(&[0x1008, 0x1010], None);
        check(&[0x1008, 0x1010, 0x1060, 0x2008, 0x2010, 0x2060], None);
        check(&[2, u64::MAX], None);
        check(&[], None);
    }
}
