//! Sends each stack once.
//!
//! The table of sent stacks is a direct-mapped array: a look-up the kernel inlines, and two stacks that fall on one
//! slot are sent more than once, which user space takes without harm. A stack is marked only after it was sent.

use crate::counters::count;
use crate::emit;
use aya_ebpf::{macros::map, maps::Array};
use tracer_common::counter::Counter;
use tracer_common::limits::SEEN_STACKS;
use tracer_common::record::StackRecord;

#[map]
static SEEN: Array<u64> = Array::with_max_entries(SEEN_STACKS, 0);

/// Sends `stack`, met by `goroutine`, unless user space has it; true if it was sent now.
#[inline(always)]
pub fn define_once(goroutine: u64, stack: &mut StackRecord) -> bool {
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
    let sent = emit::stack(goroutine, stack);
    if sent {
        // SAFETY: as above.
        unsafe { seen.write_volatile(stack.id) };
    } else {
        count(Counter::StackRingFull);
    }
    sent
}
