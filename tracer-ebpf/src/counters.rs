//! Counts each hit and each way to lose one, per CPU.

use crate::atomic;
use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_common::counter::{Counter, MAP_PASSES, PASSES, SLOTS};

#[map(name = "COUNTERS")]
static COUNTERS_MAP: PerCpuArray<[u64; SLOTS]> = PerCpuArray::with_max_entries(1, 0);

/// Adds one.
#[inline(always)]
pub fn count(counter: Counter) {
    add_one(counter.slot());
}

/// Counts that a row was passed.
#[inline(always)]
pub fn pass(row: u8) {
    add_one(PASSES + row as usize);
}

/// Counts that a row of the plan's part about maps was passed.
#[inline(always)]
pub fn pass_map(row: u8) {
    add_one(MAP_PASSES + row as usize);
}

/// Atomic although the slot belongs to this CPU: a preempted program may be between load and store.
#[inline(always)]
fn add_one(slot: usize) {
    if let Some(counters) = COUNTERS_MAP.get_ptr_mut(0) {
        // SAFETY: the pointer is to a live map value of SLOTS words, and all callers give a slot below SLOTS.
        unsafe { atomic::add(&raw mut (*counters)[slot], 1) };
    }
}
