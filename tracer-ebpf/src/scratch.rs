//! Working memory of a hit: too large for the 512-byte program stack, so it is per-CPU and claimed for the time of one
//! walk.
//!
//! Since kernel 6.0 uprobe programs run preemptible: another thread of the target can hit a probe on the same CPU
//! while a program is in the middle of its walk. Each walk therefore claims one of a few slots.

use crate::atomic;
use aya_ebpf::{macros::map, maps::PerCpuArray};
use tracer_common::limits::{CHUNK_BYTES, SCRATCH_SLOTS};
use tracer_common::record::{LabelsRecord, StackRecord};

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
    /// How far labels have been read.
    pub label_walk: LabelWalk,
    /// A goroutine's labels as they would be sent.
    pub labels: LabelsRecord,
}

/// How far a walk over labels has come: all that it decides on, see `stack::other_frames`.
#[repr(C)]
pub struct LabelWalk {
    /// Address of the first key, and bytes to the next.
    pub keys: u64,
    pub stride: u64,
    /// Address of the first value.
    pub values: u64,
    /// Bit n: there is a label n.
    pub used: u64,
    /// Sum of the labels' hashes: the same set in another order is the same set, a map has no order.
    pub sum: u64,
    pub flags: u64,
}

#[map]
static SCRATCH: PerCpuArray<Slot> = PerCpuArray::with_max_entries(SCRATCH_SLOTS, 0);

/// A free slot of this CPU, to be given back with [`release`]; `None` if all are in use.
///
/// Not a closure around the walk: the compiler would make a function of it, and where the kernel guards returns against
/// speculation each one costs as much as several frames.
#[inline(always)]
pub fn claim() -> Option<&'static mut Slot> {
    for index in 0..SCRATCH_SLOTS {
        let slot = SCRATCH.get_ptr_mut(index)?;
        // SAFETY: `slot` is a live map value, and `claimed` is a word of it.
        if unsafe { atomic::exchange(&raw mut (*slot).claimed, 1) } == 0 {
            // SAFETY: the claim makes this the only reference to the slot.
            return Some(unsafe { &mut *slot });
        }
    }
    None
}

/// Gives a slot back.
#[inline(always)]
pub fn release(slot: &'static mut Slot) {
    // SAFETY: a field of a live map value.
    unsafe { (&raw mut slot.claimed).write_volatile(0) };
}

/// Reads a word of a slot. Volatile: the verifier then takes it for anything.
#[inline(always)]
pub fn get(word: *const u64) -> u64 {
    // SAFETY: callers give a field of a live map value.
    unsafe { word.read_volatile() }
}

/// Writes a word of a slot.
#[inline(always)]
pub fn set(word: *mut u64, value: u64) {
    // SAFETY: callers give a field of a live map value.
    unsafe { word.write_volatile(value) };
}
