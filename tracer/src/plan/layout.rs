//! Where the runtime of a Go version keeps what a capture reads of it: the state of its tiny allocator, its own count of
//! allocated bytes, the number of a goroutine.
//!
//! The running `g` leads to `m`, `p`, `mcache`, whose `tiny` block is shared by pointer-free objects of fewer than 16
//! bytes. Without it nobody can tell whether such an object takes a new block, and bytes would not add up to
//! `MemStats.TotalAlloc`. Source: DWARF of binaries built with each version; `src/runtime/mcache.go`, `runtime2.go`.

use crate::target::{GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions};

/// Bytes of a function to search for the variables it uses; those searched have fewer.
const SEARCHED_BYTES: usize = 512;

/// Byte offsets on the way from `g` to `mcache.tiny`; `mcache.tinyoffset` is the next word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TinyLayout {
    /// `g.m`.
    pub g_m: u64,
    /// `m.p`.
    pub m_p: u64,
    /// `p.mcache`.
    pub p_mcache: u64,
    /// `mcache.tiny`.
    pub mcache_tiny: u64,
}

/// The layout of Go 1.`minor`; that of the newest known version for a newer one.
pub(super) fn tiny(minor: u16) -> TinyLayout {
    TinyLayout {
        g_m: 48,
        m_p: if minor == 25 { 200 } else { 208 },
        p_mcache: if minor <= 22 { 64 } else { 56 },
        mcache_tiny: if minor <= 23 { 16 } else { 24 },
    }
}

/// Offset of `g.goid` in Go 1.`minor`; that of the newest known version for a newer one.
pub(super) fn g_goid(minor: u16) -> u64 {
    if matches!(minor, 23 | 24) { 160 } else { 152 }
}

/// The variable `runtime.mcache0`: by its symbol, else it is the first variable that `runtime.profilealloc` uses, in
/// the inlined `getMCache`.
pub(super) fn mcache0(binary: &GoBinary) -> Option<VirtualAddress> {
    let symbol = binary.variable("runtime.mcache0");
    symbol.or_else(|| with_variables_of(binary, "runtime.profilealloc", |used| used.next()))
}

/// The counter `runtime.gcController.totalAlloc`: bytes of all spans that were ever filled, and of large objects. The
/// variable is found by its symbol, else it is the lowest one that `runtime.gcControllerCommit` uses.
pub(super) fn total_alloc(binary: &GoBinary, minor: u16) -> Option<VirtualAddress> {
    let symbol = binary.variable("runtime.gcController");
    let lowest = || with_variables_of(binary, "runtime.gcControllerCommit", |used| used.min());
    let offset = if minor <= 20 { 328 } else { 296 };
    symbol
        .or_else(lowest)?
        .0
        .checked_add(offset)
        .map(VirtualAddress)
}

/// Chooses among the variables that a function uses, in the order of its code.
fn with_variables_of(
    binary: &GoBinary,
    name: &str,
    choose: impl FnOnce(&mut dyn Iterator<Item = VirtualAddress>) -> Option<VirtualAddress>,
) -> Option<VirtualAddress> {
    let function = binary.function(name)?;
    let len = usize::try_from(function.size).ok()?.min(SEARCHED_BYTES);
    let code = binary.code(function.address, len)?;
    choose(&mut variables(code, function.address))
}

/// Addresses of the memory operands relative to the instruction pointer.
fn variables(code: &[u8], address: VirtualAddress) -> impl Iterator<Item = VirtualAddress> {
    let instructions = Decoder::with_ip(64, code, address.0, DecoderOptions::NONE).into_iter();
    let relative = instructions.filter(iced_x86::Instruction::is_ip_rel_memory_operand);
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
