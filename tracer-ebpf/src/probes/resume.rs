//! Goroutines that go on between the probe of their allocation and the tiny allocator, maybe at another P.
//!
//! Rare: attached behind mark assists and stack checks that yielded, nowhere where an allocation passes undisturbed.

use crate::args::Registers;
use crate::counters::count;
use crate::{emit, settings, tiny};
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use tracer_common::counter::Counter;
use tracer_common::family::Family;
use tracer_common::record::{FLAG_UNREADABLE, RecordHeader, ResumeRecord};

#[uprobe]
pub fn resume(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record(&ctx);
    }
    0
}

#[inline(always)]
fn record(ctx: &ProbeContext) {
    count(Counter::Resumes);
    let regs = Registers::read(ctx);
    let shared = tiny::shared_sizes(&regs);
    let sent = emit::record(
        regs.goroutine,
        ResumeRecord {
            header: RecordHeader {
                kind: Family::Resume.kind(),
                row: 0,
                flags: if shared.is_none() { FLAG_UNREADABLE } else { 0 },
                time: 0,
            },
            goroutine: regs.goroutine,
            shared: shared.unwrap_or(0),
        },
    );
    if !sent {
        count(Counter::ResumeRingFull);
    }
}
