//! The only file that touches the ring buffers.
//!
//! Nothing wakes user space: it polls on a short timer, because a wake-up for each event costs more than the event.

use crate::settings;
use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP, helpers::generated::bpf_ringbuf_output, macros::map, maps::RingBuf,
};
use tracer_common::family::Family;
use tracer_common::limits::MAX_FRAMES;
use tracer_common::record::{STACK_HEADER_BYTES, StackRecord};

/// User space sets the size of each: see [`tracer_common::config::MAP_EVENTS`].
const ANY_SIZE: u32 = 1 << 16;

#[map]
static EVENTS_0: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);
#[map]
static EVENTS_1: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);
#[map]
static EVENTS_2: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);
#[map]
static EVENTS_3: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);
#[map]
static EVENTS_4: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);
#[map]
static EVENTS_5: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);
#[map]
static EVENTS_6: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);
#[map]
static EVENTS_7: RingBuf = RingBuf::with_byte_size(ANY_SIZE, 0);

/// The ring for all records that must keep their order: those of a goroutine, by the address of its `g`, or those about maps
/// of a type, by its address.
///
/// Not that of the CPU: a goroutine migrates, and what its resumption says is about the record before it; goroutines
/// share a map, and what one does to it is known by what the next finds. The verifier knows how many rings there are, and
/// leaves only the ways to these in the program.
#[inline(always)]
fn ring(key: u64) -> &'static RingBuf {
    // Fibonacci hashing: addresses differ in their middle bits.
    match (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) & (settings::rings() - 1) {
        0 => &EVENTS_0,
        1 => &EVENTS_1,
        2 => &EVENTS_2,
        3 => &EVENTS_3,
        4 => &EVENTS_4,
        5 => &EVENTS_5,
        6 => &EVENTS_6,
        _ => &EVENTS_7,
    }
}

/// Sends a record of fixed size through the ring of `key`; false if that is full.
#[inline(always)]
pub fn record<T: 'static>(key: u64, record: T) -> bool {
    let Some(mut entry) = ring(key).reserve::<T>(0) else {
        return false;
    };
    entry.write(record);
    entry.submit(BPF_RB_NO_WAKEUP as u64);
    true
}

/// The same, for a record too large for the program's stack: `complete` is given the record where it lies in the ring, to
/// write what `record` leaves out.
#[inline(always)]
pub fn record_with<T: 'static>(key: u64, record: T, complete: impl FnOnce(&mut T)) -> bool {
    let Some(mut entry) = ring(key).reserve::<T>(0) else {
        return false;
    };
    complete(entry.write(record));
    entry.submit(BPF_RB_NO_WAKEUP as u64);
    true
}

/// Sends a copy of a record in a map through the ring of `key`; false if that is full.
#[inline(always)]
pub fn copy<T: 'static>(key: u64, record: &T) -> bool {
    ring(key)
        .output::<T>(record, BPF_RB_NO_WAKEUP as u64)
        .is_ok()
}

/// Sends a stack definition through the ring of `key`; false if that is full.
#[inline(always)]
pub fn stack(key: u64, stack: &mut StackRecord) -> bool {
    stack.header.kind = Family::Stack.kind();
    stack.header.row = 0;
    stack.header.time = 0;
    // SAFETY: a field of a live map value. Volatile: see `stack::walk`.
    let depth = unsafe { (&raw const stack.depth).read_volatile() };
    if depth > MAX_FRAMES as u64 {
        return false;
    }
    let bytes = STACK_HEADER_BYTES as u64 + 8 * depth;
    let data = (&raw mut *stack).cast();
    let ring: *const RingBuf = ring(key);
    // SAFETY: `data` has at least `bytes` initialized bytes: the map value is zeroed at creation.
    let result =
        unsafe { bpf_ringbuf_output(ring.cast_mut().cast(), data, bytes, BPF_RB_NO_WAKEUP as u64) };
    result == 0
}
