//! The garbage collector: rare events with everything that is known of them, and mark assists in as few bytes as possible.

use crate::args::{self, Registers};
use crate::counters::count;
use crate::memory::read_words;
use crate::probes::cookie;
use crate::stack::AtProbe;
use crate::{emit, intern, settings};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use tracer_common::cookie::{GcCookie, GcWords};
use tracer_common::counter::Counter;
use tracer_common::family::{Extra, Family};
use tracer_common::limits::CONTROLLER_WORDS;
use tracer_common::record::{AssistRecord, FLAG_UNREADABLE, GcRecord, RecordHeader};

/// Ring of the collector's events: their order tells which belong together.
const KEY: u64 = 0;

#[uprobe]
pub fn gc(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record_event(&ctx);
    }
    0
}

#[inline(always)]
fn record_event(ctx: &ProbeContext) {
    count(Counter::GcEvents);
    let regs = Registers::read(ctx);
    let cookie = cookie(ctx);
    let stack = if GcCookie::of(cookie).has_stack() {
        let Some(stack) = intern::stack(ctx, &regs, AtProbe(cookie), KEY) else {
            return count(Counter::GcEventsScratchBusy);
        };
        stack
    } else {
        0
    };
    let record = GcRecord {
        header: RecordHeader {
            kind: Family::Gc.kind(),
            row: cookie.row(),
            flags: FLAG_UNREADABLE,
            time: 0,
        },
        stack,
        time_ns: now(),
        arguments: args::four_arguments(ctx, GcCookie::of(cookie).second()),
        words: [0; CONTROLLER_WORDS],
    };
    let address = match GcCookie::of(cookie).words() {
        GcWords::None => 0,
        GcWords::Argument => regs.argument0,
    };
    let sent = emit::record_with(KEY, record, |record| {
        if address != 0 && read_words(&mut record.words, address) {
            record.header.flags = 0;
        }
    });
    if !sent {
        count(Counter::GcEventsRingFull);
    }
}

#[uprobe]
pub fn assist(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record_assist(&ctx);
    }
    0
}

/// Begin and end go through one ring, that of the system stack on which both are.
#[inline(always)]
fn record_assist(ctx: &ProbeContext) {
    if !settings::records(Extra::Assists) {
        return count(Counter::AssistsPaused);
    }
    count(Counter::Assists);
    let time_ns = now();
    let regs = Registers::read(ctx);
    let cookie = cookie(ctx);
    let worker = regs.goroutine;
    let stack = if GcCookie::of(cookie).has_stack() {
        let Some(stack) = intern::stack(ctx, &regs, AtProbe(cookie), worker) else {
            return count(Counter::AssistsScratchBusy);
        };
        stack
    } else {
        0
    };
    let sent = emit::record(
        worker,
        AssistRecord {
            header: RecordHeader {
                kind: Family::Assist.kind(),
                row: cookie.row(),
                flags: 0,
                time: 0,
            },
            stack,
            worker,
            time_ns,
        },
    );
    if !sent {
        count(Counter::AssistsRingFull);
    }
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper takes no argument and cannot fail.
    unsafe { bpf_ktime_get_ns() }
}
