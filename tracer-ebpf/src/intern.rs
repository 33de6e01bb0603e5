//! The stack of a hit: walked, and sent once.
//!
//! The table of sent stacks is a direct-mapped array: a look-up the kernel inlines, and two stacks that fall on one
//! slot are sent more than once, which user space takes without harm. A stack is marked only after it was sent.

use crate::args::Registers;
use crate::counters::count;
use crate::goroutine::Goroutine;
use crate::scratch::Slot;
use crate::stack::Top;
use crate::{emit, hash, scratch, stack};
use aya_ebpf::EbpfContext;
use aya_ebpf::{macros::map, maps::Array};
use aya_log_ebpf::debug;
use tracer_common::counter::Counter;
use tracer_common::limits::SEEN_STACKS;
use tracer_common::record::{FLAG_UNREADABLE, StackRecord};

#[map]
static SEEN: Array<u64> = Array::with_max_entries(SEEN_STACKS, 0);

/// Walks the stack, makes sure that user space gets it through the ring of `key`, and gives its identity; `None` if all
/// scratch memory of the CPU is in use.
#[inline(always)]
pub fn stack(ctx: &impl EbpfContext, regs: &Registers, top: impl Top, key: u64) -> Option<u64> {
    let slot = scratch::claim()?;
    let stack = stack::walk(regs, top, slot);
    let flags = stack::flags(slot);
    if define_once(key, &mut slot.stack, 0, 0) {
        announce(ctx, &slot.stack);
    }
    scratch::release(slot);
    if flags & FLAG_UNREADABLE != 0 {
        count(Counter::StackUnreadable);
    }
    Some(stack)
}

/// The same for the stack in `slot`, with the identity `stack`, as one of a goroutine: that of another one, or of the same
/// with other labels, is another stack.
#[inline(always)]
pub fn of_goroutine(
    ctx: &impl EbpfContext,
    key: u64,
    slot: &mut Slot,
    stack: u64,
    goroutine: &Goroutine,
) -> u64 {
    let Goroutine {
        creator, labels, ..
    } = *goroutine;
    let stack = hash::add(hash::add(stack, creator), labels);
    slot.stack.id = stack;
    let flags = stack::flags(slot);
    if define_once(key, &mut slot.stack, creator, labels) {
        announce(ctx, &slot.stack);
    }
    if flags & FLAG_UNREADABLE != 0 {
        count(Counter::StackUnreadable);
    }
    stack
}

/// Logs a stack that is sent for the first time. Not inline: what it needs of the program's stack and registers would
/// burden every hit.
#[inline(never)]
fn announce<C: EbpfContext>(ctx: &C, stack: &StackRecord) {
    debug!(
        ctx,
        "stack {:x}: {} frames, flags {}", stack.id, stack.depth, stack.header.flags
    );
}

/// Sends `stack` through the ring of `key`, with the goroutine's creator and labels, unless user space has it; true if it
/// was sent now.
#[inline(always)]
fn define_once(key: u64, stack: &mut StackRecord, creator: u64, labels: u64) -> bool {
    let slot = (stack.id as u32) & (SEEN_STACKS - 1);
    let Some(seen) = SEEN.get_ptr_mut(slot) else {
        return false;
    };
    // SAFETY: `seen` is a live map value; another CPU may write it at the same time, then one of the two stacks is
    // sent again.
    if unsafe { seen.read_volatile() } == stack.id {
        return false;
    }
    count(Counter::StackDefinitions);
    // Only here: the slot is used by all programs, and most stacks are sent once. Volatile, else the compiler calls its
    // `memset` for two zeros, after which kernel 6.1 checks 17 times as many instructions.
    scratch::set(&raw mut stack.creator, creator);
    scratch::set(&raw mut stack.labels, labels);
    let sent = emit::stack(key, stack);
    if sent {
        // SAFETY: as above.
        unsafe { seen.write_volatile(stack.id) };
    } else {
        count(Counter::StackRingFull);
    }
    sent
}
