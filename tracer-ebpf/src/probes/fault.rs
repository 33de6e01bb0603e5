//! Page faults of the target: one fault, one record.
//!
//! Attached to the software events that the kernel raises where it counts a completed fault of a process, which are those
//! of the whole host: what other processes pay is perf's own way to the program, and that to the first `return`. Measured
//! on kernel 6.18 in a virtual machine, for a first touch that takes 1.56 us: 0.29 us more in another process, 1.42 us in
//! the target. A period of 1 is never throttled: a million faults in five seconds are a million records
//! (`perf_swevent_overflow` in `kernel/events/core.c`). A fault can be at any instruction.

use crate::args::Registers;
use crate::counters::count;
use crate::memory::read;
use crate::stack::Anywhere;
use crate::{emit, intern, settings};
use aya_ebpf::bindings::bpf_pidns_info;
use aya_ebpf::helpers::generated::bpf_get_ns_current_pid_tgid;
use aya_ebpf::macros::perf_event;
use aya_ebpf::programs::PerfEventContext;
use core::mem::size_of;
use tracer_common::counter::Counter;
use tracer_common::family::{Extra, Family};
use tracer_common::record::{
    FLAG_IN_KERNEL, FLAG_MAJOR, FaultRecord, MEMORY_ELSEWHERE, MEMORY_HEAP, MEMORY_STACK,
    RecordHeader,
};

/// What the arena index of an address counts from: `-arenaBaseOffset` of `src/runtime/malloc.go` for amd64.
const ARENA_BASE: u64 = 0x8000_0000_0000;
/// Logarithm of the bytes of an arena, and of a page of the runtime: 64 MiB and 8 KiB on linux/amd64.
const ARENA_SHIFT: u64 = 26;
const PAGE_SHIFT: u64 = 13;
/// Entries of `mheap_.arenas[0]`, `1 << arenaL2Bits`.
const ARENAS: u64 = 1 << 22;
/// Pages of an arena.
const ARENA_PAGES: u64 = 1 << (ARENA_SHIFT - PAGE_SHIFT);
/// `mSpanInUse` and `mSpanManual` of `src/runtime/mheap.go`.
const SPAN_IN_USE: u8 = 1;
const SPAN_MANUAL: u8 = 2;

#[perf_event]
pub fn fault_minor(ctx: PerfEventContext) -> u32 {
    if settings::recording() && is_target() {
        record(&ctx, 0);
    }
    0
}

#[perf_event]
pub fn fault_major(ctx: PerfEventContext) -> u32 {
    if settings::recording() && is_target() {
        record(&ctx, FLAG_MAJOR);
    }
    0
}

/// Whether the running thread is one of the target's.
#[inline(always)]
fn is_target() -> bool {
    let target = settings::target_process();
    let mut ids = bpf_pidns_info { pid: 0, tgid: 0 };
    // SAFETY: the helper fills `ids`, whose size it is told, or fails if the thread is in another namespace.
    let found = unsafe {
        bpf_get_ns_current_pid_tgid(
            target.ns_device,
            target.ns_inode,
            &raw mut ids,
            size_of::<bpf_pidns_info>() as u32,
        )
    };
    found == 0 && ids.tgid as u64 == target.tgid
}

#[inline(always)]
fn record(ctx: &PerfEventContext, flags: u16) {
    if !settings::records(Extra::Faults) {
        return count(Counter::FaultsPaused);
    }
    count(Counter::Faults);
    let (mut regs, in_kernel) = Registers::of_fault(ctx);
    // Other code keeps no frame pointers.
    let in_go = settings::is_text(regs.instruction_pointer);
    if !in_go {
        regs.frame_pointer = 0;
    }
    // Faults need no order.
    let key = regs.stack_pointer >> 13;
    let Some(stack) = intern::stack(ctx, &regs, Anywhere { in_go }, key) else {
        return count(Counter::FaultsScratchBusy);
    };
    // SAFETY: a field of the context.
    let address = unsafe { (&raw const (*ctx.ctx).addr).read_volatile() };
    let flags = flags | if in_kernel { FLAG_IN_KERNEL } else { 0 };
    let sent = emit::record(
        key,
        FaultRecord {
            header: RecordHeader {
                kind: Family::Fault.kind(),
                row: memory(address),
                flags,
                time: 0,
            },
            stack,
            address,
        },
    );
    if !sent {
        count(Counter::FaultsRingFull);
    }
}

/// What the runtime uses the memory at an address for.
#[inline(always)]
fn memory(address: u64) -> u8 {
    match span_state(address) {
        Some(SPAN_IN_USE) => MEMORY_HEAP,
        Some(SPAN_MANUAL) => MEMORY_STACK,
        _ => MEMORY_ELSEWHERE,
    }
}

/// The state of the span that an address is in; `None` if there is none, or it cannot be read.
#[inline(always)]
fn span_state(address: u64) -> Option<u8> {
    let path = settings::arena_path();
    if path.arenas == 0 {
        return None;
    }
    let arena = address.wrapping_add(ARENA_BASE) >> ARENA_SHIFT;
    if arena >= ARENAS {
        return None;
    }
    let table = read::<u64>(path.arenas).filter(|table| *table != 0)?;
    let arena = read::<u64>(table + 8 * arena).filter(|arena| *arena != 0)?;
    let page = (address >> PAGE_SHIFT) & (ARENA_PAGES - 1);
    let span = read::<u64>(arena + path.arena_spans + 8 * page).filter(|span| *span != 0)?;
    read::<u8>(span + path.span_state)
}
