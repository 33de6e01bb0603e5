//! Counts each hit and each way to lose one, per CPU.

use crate::atomic;
use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_common::counter::{COUNTERS, Counter};

#[map(name = "COUNTERS")]
static COUNTERS_MAP: PerCpuArray<[u64; COUNTERS]> = PerCpuArray::with_max_entries(1, 0);

/// Adds one. Atomic although the slot belongs to this CPU: a preempted program may be between load and store.
#[inline(always)]
pub fn count(counter: Counter) {
    if let Some(counters) = COUNTERS_MAP.get_ptr_mut(0) {
        // SAFETY: the pointer is to a live map value of COUNTERS words, and `slot` is below COUNTERS by construction.
        unsafe { atomic::add(&raw mut (*counters)[counter.slot()], 1) };
    }
}
