//! Where the runtime of a Go version keeps what a probe reads of it: the state of its tiny allocator, the number of a
//! goroutine.
//!
//! The running `g` leads to `m`, `p`, `mcache`, whose `tiny` block is shared by pointer-free objects of fewer than 16
//! bytes. Without it nobody can tell whether such an object takes a new block, and bytes would not add up to
//! `MemStats.TotalAlloc`. Source: DWARF of binaries built with each version; `src/runtime/mcache.go`, `runtime2.go`.

use crate::program::{GoBinary, VirtualAddress};

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
    symbol.or_else(|| binary.variables_of("runtime.profilealloc").first().copied())
}
