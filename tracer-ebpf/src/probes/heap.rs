//! Samples of the heap: those of the runtime's own heap profiler, with the end of each sampled object, or one for each
//! span that was filled.
//!
//! The profiler has the stack already, in the bucket that it counts the object in; nothing is walked then. All records go
//! through one ring: an object is freed after it was sampled, and its address used again after that.

use crate::args::Registers;
use crate::counters::count;
use crate::goroutine::{self, Goroutine};
use crate::memory::read;
use crate::probes::cookie;
use crate::stack::AtProbe;
use crate::{emit, intern, scratch, settings, stack};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use tracer_common::counter::Counter;
use tracer_common::family::{Extra, Family};
use tracer_common::record::{HeapFreeRecord, HeapSampleRecord, RecordHeader};

/// Ring of all records of the heap.
const KEY: u64 = 0;

/// `runtime.bucket`, the same in every version: bytes of an object, frames, and from there on the frames themselves.
/// Source: `src/runtime/mprof.go`.
const BUCKET_SIZE: u64 = 32;
const BUCKET_FRAMES: u64 = 40;

/// Bytes of a page of the runtime on linux/amd64, `pageSize`.
const PAGE: u64 = 8192;

/// What is sampled.
struct Objects {
    address: u64,
    size: u64,
    count: u64,
}

#[uprobe]
pub fn heap_sample(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record_sample(&ctx);
    }
    0
}

/// `setprofilebucket(p, b)`, on the system stack.
#[inline(always)]
fn record_sample(ctx: &ProbeContext) {
    if !settings::records(Extra::Live) {
        return count(Counter::LivePaused);
    }
    count(Counter::HeapSamples);
    let regs = Registers::read(ctx);
    let bucket = regs.argument1;
    let Some(size) = read(bucket + BUCKET_SIZE) else {
        return count(Counter::HeapSamplesScratchBusy);
    };
    let Some(slot) = scratch::claim() else {
        return count(Counter::HeapSamplesScratchBusy);
    };
    let goroutine = goroutine::allocating(regs.goroutine, KEY, slot);
    let stack = stack::take(bucket + BUCKET_FRAMES, slot);
    let stack = stack.map(|stack| intern::of_goroutine(ctx, KEY, slot, stack, &goroutine));
    scratch::release(slot);
    let Some(stack) = stack else {
        return count(Counter::HeapSamplesScratchBusy);
    };
    let objects = Objects {
        address: regs.argument0,
        size,
        count: 1,
    };
    send(ctx, stack, objects, &goroutine);
}

#[uprobe]
pub fn heap_free(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record_free(&ctx);
    }
    0
}

/// `freeSpecial(s, p, size)`: most specials of a program without finalizers are the profiler's.
#[inline(always)]
fn record_free(ctx: &ProbeContext) {
    let regs = Registers::read(ctx);
    let layout = settings::special();
    let kind: Option<u8> = read(regs.argument0 + layout.kind);
    if kind.is_some_and(|kind| kind != layout.profile as u8) {
        return;
    }
    if !settings::records(Extra::Live) {
        return count(Counter::LivePaused);
    }
    count(Counter::HeapFrees);
    if kind.is_none() {
        return count(Counter::HeapFreesUnreadable);
    }
    let sent = emit::record(
        KEY,
        HeapFreeRecord {
            header: RecordHeader {
                kind: Family::HeapFree.kind(),
                row: cookie(ctx).row(),
                flags: 0,
                time: 0,
            },
            address: regs.argument1,
            time_ns: now(),
        },
    );
    if !sent {
        count(Counter::HeapFreesRingFull);
    }
}

#[uprobe]
pub fn span_refill(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        let regs = Registers::read(&ctx);
        // The span class has one byte; the rest of the register is not defined.
        let class = regs.argument1 & 0xff;
        let span = read(regs.argument0 + settings::span().mcache_alloc + 8 * class);
        record_filled(&ctx, &regs, span);
    }
    0
}

#[uprobe]
pub fn span_uncache(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        let regs = Registers::read(&ctx);
        record_filled(&ctx, &regs, Some(regs.argument1));
    }
    0
}

#[inline(always)]
fn record_filled(ctx: &ProbeContext, regs: &Registers, span: Option<u64>) {
    if !settings::records(Extra::Live) {
        return count(Counter::LivePaused);
    }
    match span.and_then(allocated) {
        Some(Objects { count: 0, .. }) => {}
        Some(objects) => record_span(ctx, regs, objects),
        None => {
            count(Counter::HeapSamples);
            count(Counter::HeapSamplesScratchBusy);
        }
    }
}

/// What was allocated from the span that `refill` gives back, as it counts it itself, in `totalAlloc` and
/// `smallAllocCount`: all slots that were taken since the span came to this mcache. For tiny objects those are blocks of 16
/// bytes; how many objects share them, `tinyAllocs`, is no part of bytes. The same in Go 1.19 to 1.27. The other way out
/// of an mcache, `releaseAll` at each cycle of the collector, gives back spans that are not full: what was taken from
/// these is not seen.
///
/// An mcache without a span has `emptymspan`, whose counts are 0.
#[inline(always)]
fn allocated(span: u64) -> Option<Objects> {
    let layout = settings::span();
    let allocated: u16 = read(span + layout.alloc_count)?;
    let before: u16 = read(span + layout.count_before)?;
    Some(Objects {
        address: 0,
        size: read(span + layout.elemsize)?,
        count: allocated.saturating_sub(before) as u64,
    })
}

#[uprobe]
pub fn span_large(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record_large(&ctx);
    }
    0
}

#[inline(always)]
fn record_large(ctx: &ProbeContext) {
    if !settings::records(Extra::Live) {
        return count(Counter::LivePaused);
    }
    let regs = Registers::read(ctx);
    // As `allocLarge` counts it; it fails where this would overflow.
    let objects = Objects {
        address: 0,
        size: regs.argument1.wrapping_add(PAGE - 1) & !(PAGE - 1),
        count: 1,
    };
    record_span(ctx, &regs, objects);
}

#[inline(always)]
fn record_span(ctx: &ProbeContext, regs: &Registers, objects: Objects) {
    count(Counter::HeapSamples);
    let Some(slot) = scratch::claim() else {
        return count(Counter::HeapSamplesScratchBusy);
    };
    let goroutine = goroutine::allocating(regs.goroutine, KEY, slot);
    let stack = stack::walk(regs, AtProbe(cookie(ctx)), slot);
    let stack = intern::of_goroutine(ctx, KEY, slot, stack, &goroutine);
    scratch::release(slot);
    send(ctx, stack, objects, &goroutine);
}

#[inline(always)]
fn send(ctx: &ProbeContext, stack: u64, objects: Objects, goroutine: &Goroutine) {
    let sent = emit::record(
        KEY,
        HeapSampleRecord {
            header: RecordHeader {
                kind: Family::HeapSample.kind(),
                row: cookie(ctx).row(),
                flags: 0,
                time: 0,
            },
            stack,
            address: objects.address,
            size: objects.size,
            objects: objects.count,
            time_ns: now(),
            goroutine_id: goroutine.id,
        },
    );
    if !sent {
        count(Counter::HeapSamplesRingFull);
    }
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper takes no argument and cannot fail.
    unsafe { bpf_ktime_get_ns() }
}
