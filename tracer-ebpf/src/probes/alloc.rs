//! Heap allocations: one hit, one record.
//!
//! Attached to the leaf set of the target's Go version, so that each allocation passes exactly one probed instruction.
//! Every leaf takes the size in its first and the type in its second argument.

use crate::args::Registers;
use crate::counters::{count, pass};
use crate::{dispatch, emit, intern, sampling, scratch, settings, stack, tiny};
use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::{bpf_get_attach_cookie, generated::bpf_ktime_get_ns};
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use aya_log_ebpf::debug;
use tracer_common::config::Cookie;
use tracer_common::counter::Counter;
use tracer_common::record::{
    AllocRecord, FLAG_TIMED, FLAG_UNREADABLE, FLAG_WEIGHT_SHIFT, FLAG_WINDOW_SHIFT, KIND_ALLOC,
    RecordHeader, StackRecord, TIME_SHIFT,
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
    if settings::recording() && dispatch::is_own(&Registers::read(&ctx), cookie(&ctx)) {
        record(&ctx);
    }
    0
}

#[inline(always)]
fn cookie(ctx: &ProbeContext) -> Cookie {
    // SAFETY: the context is that of a uprobe program, for which the helper is allowed.
    Cookie(unsafe { bpf_get_attach_cookie(ctx.as_ptr()) })
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
    let Some(stack) = interned_stack(ctx, &regs, cookie) else {
        return count(Counter::LostScratchBusy);
    };
    let (time, timed) = timestamp();
    let flags = timed
        | tiny::flag(&regs, cookie.tiny())
        | (weight as u16) << FLAG_WEIGHT_SHIFT
        | (state.window_number() as u16) << FLAG_WINDOW_SHIFT;
    let sent = emit::record(
        regs.goroutine,
        AllocRecord {
            header: RecordHeader {
                kind: KIND_ALLOC,
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

/// Walks the stack, makes sure that user space gets it, and gives its identity.
#[inline(always)]
fn interned_stack(ctx: &ProbeContext, regs: &Registers, cookie: Cookie) -> Option<u64> {
    let slot = scratch::claim()?;
    let stack = stack::walk(regs, cookie.frame_set_up(), slot);
    let flags = stack::flags(slot);
    if intern::define_once(regs.goroutine, &mut slot.stack) {
        announce(ctx, &slot.stack);
    }
    scratch::release(slot);
    if flags & FLAG_UNREADABLE != 0 {
        count(Counter::StackUnreadable);
    }
    Some(stack)
}

/// Logs a stack that is sent for the first time. Not inline: what it needs of the program's stack and registers would
/// burden every hit.
#[inline(never)]
fn announce(ctx: &ProbeContext, stack: &StackRecord) {
    debug!(
        ctx,
        "stack {:x}: {} frames, flags {}", stack.id, stack.depth, stack.header.flags
    );
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
