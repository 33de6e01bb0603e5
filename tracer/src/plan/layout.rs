//! Where the runtime of a Go version keeps the state of its tiny allocator.
//!
//! The running `g` leads to `m`, `p`, `mcache`, whose `tiny` block is shared by pointer-free objects of fewer than 16
//! bytes. Without it nobody can tell whether such an object takes a new block, and bytes would not add up to
//! `MemStats.TotalAlloc`. Source: DWARF of binaries built with each version; `src/runtime/mcache.go`, `runtime2.go`.

use crate::target::{GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions};

/// Bytes of `runtime.profilealloc` to search; it has fewer.
const PROFILEALLOC_BYTES: usize = 512;

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

/// The variable `runtime.mcache0`: by its symbol, else it is the first variable that `runtime.profilealloc` reads, in
/// the inlined `getMCache`.
pub(super) fn mcache0(binary: &GoBinary) -> Option<VirtualAddress> {
    binary.variable("runtime.mcache0").or_else(|| {
        let function = binary.function("runtime.profilealloc")?;
        let len = usize::try_from(function.size).ok()?.min(PROFILEALLOC_BYTES);
        first_variable(binary.code(function.address, len)?, function.address)
    })
}

/// Address of the first memory operand relative to the instruction pointer.
fn first_variable(code: &[u8], address: VirtualAddress) -> Option<VirtualAddress> {
    let mut instructions = Decoder::with_ip(64, code, address.0, DecoderOptions::NONE).into_iter();
    let first = instructions.find(iced_x86::Instruction::is_ip_rel_memory_operand)?;
    Some(VirtualAddress(first.ip_rel_memory_address()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_is_found_by_its_relative_address() {
        // push %rbp; mov 0x20(%rip),%rcx; mov 0x40(%rip),%rdx
        let code = [
            0x55, 0x48, 0x8b, 0x0d, 0x20, 0, 0, 0, 0x48, 0x8b, 0x15, 0x40, 0, 0, 0,
        ];
        let expect = VirtualAddress(0x1000 + 8 + 0x20);
        assert_eq!(first_variable(&code, VirtualAddress(0x1000)), Some(expect));
        assert_eq!(first_variable(&[0x55, 0xc3], VirtualAddress(0x1000)), None);
    }
}
