//! The probes on the runtime's heap profiler, and those that stand in for it where it is off.
//!
//! Hides the names of the runtime's functions and the layouts that the kernel programs need. Source:
//! `src/runtime/mprof.go`, `mheap.go`, `mcache.go`.

use super::Site;
use crate::target::{FileOffset, GoBinary, VirtualAddress};

/// Where samples of the heap come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeapProbes {
    /// Nowhere.
    #[default]
    Off,
    /// The runtime's own heap profiler: what it samples, and what of that is freed.
    Profiler,
    /// Spans: what each was filled with when it is given back, and each large object.
    Spans,
}

/// Every probe that samples the heap.
#[derive(Clone, Debug, Default)]
pub struct HeapPlan {
    /// What is probed.
    pub probes: HeapProbes,
    /// One row for each probe; the position is the row number on the wire.
    pub rows: Vec<HeapRow>,
    /// Where the programs find what they read.
    pub layout: HeapLayout,
    /// What the probes do not see, each in words.
    pub skipped: Vec<String>,
}

/// One probe that samples the heap.
#[derive(Clone, Debug)]
pub struct HeapRow {
    /// Name of the function.
    pub function: String,
    /// Where it starts.
    pub address: VirtualAddress,
    /// Where the kernel puts the probe.
    pub offset: FileOffset,
    /// The chosen instruction.
    pub site: Site,
    /// What happens there.
    pub event: HeapEvent,
}

/// What happens at a probe that samples the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeapEvent {
    /// `setprofilebucket(address, bucket)`: the heap profiler has sampled an object.
    Sample,
    /// `freeSpecial(special, address, size)`: if the special is one of the heap profiler, an object that it had sampled is
    /// freed.
    Free,
    /// `(*mcache).refill(mcache, class)`: the span of that class is full.
    Refill,
    /// `(*mcache).allocLarge(mcache, size, noscan)`: an object of a span of its own.
    Large,
}

/// Byte offsets, and values, of one Go version; 0 where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapLayout {
    /// `m.curg`.
    pub m_curg: u64,
    /// `g.gopc`.
    pub g_gopc: u64,
    /// `g.labels`.
    pub g_labels: u64,
    /// What `g.labels` points to: one of the `LABELS_` constants of [`tracer_common::config`].
    pub labels_form: u64,
    /// `special.kind`.
    pub special_kind: u64,
    /// `_KindSpecialProfile`.
    pub special_profile: u64,
    /// `mcache.alloc`.
    pub mcache_alloc: u64,
    /// `mspan.allocCount`.
    pub span_alloc_count: u64,
    /// `mspan.allocCountBeforeCache`.
    pub span_count_before: u64,
    /// `mspan.elemsize`.
    pub span_elemsize: u64,
}

/// The plan for `probes`.
pub(super) fn plan(_binary: &GoBinary, probes: HeapProbes) -> HeapPlan {
    HeapPlan {
        probes,
        ..HeapPlan::default()
    }
}
