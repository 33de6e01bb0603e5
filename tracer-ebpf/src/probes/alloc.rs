//! Heap allocations: one hit, one record.
//!
//! Attached to the leaf set of the target's Go version, so that each allocation passes exactly one probed instruction.
//! Every leaf takes the size in its first and the type in its second argument.

use crate::args::Registers;
use crate::counters::{count, pass};
use crate::probes::cookie;
use crate::stack::AtProbe;
use crate::{dispatch, emit, intern, sampling, settings, tiny};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use tracer_common::cookie::AllocCookie;
use tracer_common::counter::Counter;
use tracer_common::family::Family;
use tracer_common::record::{
    AllocRecord, FLAG_TIMED, FLAG_WEIGHT_SHIFT, FLAG_WINDOW_SHIFT, RecordHeader, TIME_SHIFT,
};

#[uprobe]
pub fn alloc(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record(&ctx);
    }
    0
}

/// For a function that passes some allocations on to others, which are probed too. A program of its own: what the
/// verifier learns from the choice would have it check the walk of [`alloc`] several times.
#[uprobe]
pub fn alloc_dispatched(ctx: ProbeContext) -> u32 {
    if settings::recording()
        && dispatch::is_own(&Registers::read(&ctx), AllocCookie::of(cookie(&ctx)))
    {
        record(&ctx);
    }
    0
}

#[inline(always)]
fn record(ctx: &ProbeContext) {
    let regs = Registers::read(ctx);
    let cookie = cookie(ctx);
    pass(cookie.row());
    let size = regs.argument0;
    if size < settings::min_size() {
        return count(Counter::Filtered);
    }
    let state = settings::row(cookie.row());
    if !state.is_on() {
        return count(Counter::Paused);
    }
    let weight = sampling::weight_log2(size, state.distance_log2());
    if !sampling::chosen(weight) {
        return count(Counter::SampledOut);
    }
    let Some(stack) = intern::stack(ctx, &regs, AtProbe(cookie), regs.goroutine) else {
        return count(Counter::LostScratchBusy);
    };
    let (time, timed) = timestamp();
    let flags = timed
        | tiny::flag(&regs, AllocCookie::of(cookie).tiny())
        | (weight as u16) << FLAG_WEIGHT_SHIFT
        | (state.window_number() as u16) << FLAG_WINDOW_SHIFT;
    let sent = emit::record(
        regs.goroutine,
        AllocRecord {
            header: RecordHeader {
                kind: Family::Alloc.kind(),
                row: cookie.row(),
                flags,
                time,
            },
            stack,
            size,
            type_pointer: regs.argument1,
            goroutine: regs.goroutine,
        },
    );
    if !sent {
        count(Counter::LostRingFull);
    }
}

/// Time and flag of a record's header.
#[inline(always)]
fn timestamp() -> (u32, u16) {
    if !settings::timestamps() {
        return (0, 0);
    }
    // SAFETY: the helper takes no argument and cannot fail.
    let now = unsafe { bpf_ktime_get_ns() };
    ((now >> TIME_SHIFT) as u32, FLAG_TIMED)
}
