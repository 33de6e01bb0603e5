//! The only file that touches the ring buffer.
//!
//! Nothing wakes user space: it polls on a short timer, because a wake-up for each event costs more than the event.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP, helpers::generated::bpf_ringbuf_output, macros::map, maps::RingBuf,
};
use tracer_common::limits::{DEFAULT_RING_BYTES, MAX_FRAMES};
use tracer_common::record::{KIND_STACK, STACK_HEADER_BYTES, StackRecord};

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(DEFAULT_RING_BYTES, 0);

/// Sends a record of fixed size; false if the ring is full.
#[inline(always)]
pub fn record<T: 'static>(record: T) -> bool {
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        return false;
    };
    entry.write(record);
    entry.submit(BPF_RB_NO_WAKEUP as u64);
    true
}

/// Sends a stack definition; false if the ring is full.
#[inline(always)]
pub fn stack(stack: &mut StackRecord) -> bool {
    stack.header.kind = KIND_STACK;
    stack.header.row = 0;
    stack.header.time = 0;
    // SAFETY: a field of a live map value. Volatile: see `stack::walk`.
    let depth = unsafe { (&raw const stack.depth).read_volatile() };
    if depth > MAX_FRAMES as u64 {
        return false;
    }
    let bytes = STACK_HEADER_BYTES as u64 + 8 * depth;
    let data = (&raw mut *stack).cast();
    // SAFETY: `data` has at least `bytes` initialized bytes: the map value is zeroed at creation.
    let result = unsafe {
        bpf_ringbuf_output(
            (&raw const EVENTS).cast_mut().cast(),
            data,
            bytes,
            BPF_RB_NO_WAKEUP as u64,
        )
    };
    result == 0
}
