//! Working memory of a hit: too large for the 512-byte program stack, so it is per-CPU and claimed for the time of one
//! walk.
//!
//! Since kernel 6.0 uprobe programs run preemptible: another thread of the target can hit a probe on the same CPU
//! while a program is in the middle of its walk. Each walk therefore claims one of a few slots.

use crate::atomic;
use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_common::limits::{CHUNK_BYTES, SCRATCH_SLOTS};
use tracer_common::record::StackRecord;

/// Words of the target's stack held at once.
pub const CHUNK_WORDS: usize = CHUNK_BYTES / 8;

/// Memory of one walk.
#[repr(C)]
pub struct Slot {
    claimed: u64,
    /// Where in the target `chunk` was read.
    pub chunk_base: u64,
    /// How many bytes of `chunk` are valid.
    pub chunk_bytes: u64,
    /// The frame that the walk has come to.
    pub frame_pointer: u64,
    /// Hash of the frames so far.
    pub hash: u64,
    /// A piece of the goroutine stack.
    pub chunk: [u64; CHUNK_WORDS],
    /// The stack as it would be sent.
    pub stack: StackRecord,
}

#[map]
static SCRATCH: PerCpuArray<[Slot; SCRATCH_SLOTS]> = PerCpuArray::with_max_entries(1, 0);

/// Gives a free slot of this CPU to `walk` and takes it back after; `None` if all are in use.
#[inline(always)]
pub fn with_slot<R>(walk: impl FnOnce(&mut Slot) -> R) -> Option<R> {
    let slots = SCRATCH.get_ptr_mut(0)?;
    let mut index = 0;
    while index < SCRATCH_SLOTS {
        // SAFETY: `slots` is a live map value and `index` is below SCRATCH_SLOTS.
        let slot = unsafe { &raw mut (*slots)[index] };
        // SAFETY: as above.
        let claimed = unsafe { &raw mut (*slot).claimed };
        // SAFETY: `claimed` is a word of a live map value.
        if unsafe { atomic::exchange(claimed, 1) } == 0 {
            // SAFETY: the claim makes this the only reference to the slot; `walk` leaves the claim word alone.
            let result = walk(unsafe { &mut *slot });
            // SAFETY: as above.
            unsafe { claimed.write_volatile(0) };
            return Some(result);
        }
        index += 1;
    }
    None
}
