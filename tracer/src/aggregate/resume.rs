//! Corrects the bytes of tiny objects whose goroutine may have changed its P after the probe.
//!
//! Whether a tiny object takes a new block is read at the probe, from the P of that moment. Where the runtime can yield
//! before it gets to the tiny allocator, a probe behind that place tells what the allocator will find.

use super::TINY_BLOCK;
use crate::decode::{Alloc, Resume, StackId};
use crate::plan::Yields;

/// Goroutines whose last tiny object is remembered. Of two that share a place the later one is kept, the bytes of the
/// other stay as its probe saw them.
const PLACES: usize = 1 << 14;

/// The last tiny object of each goroutine.
#[derive(Debug)]
pub(super) struct LastTiny {
    yields: Yields,
    places: Box<[Option<Tiny>]>,
}

#[derive(Clone, Debug)]
struct Tiny {
    goroutine: u64,
    size: u64,
    stack: StackId,
    type_pointer: u64,
    /// As it is counted now.
    bytes: u64,
    /// As it was before a resumption that may have been another allocation's.
    doubtful: Option<u64>,
}

/// Bytes to count otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Correction {
    pub(super) stack: StackId,
    pub(super) type_pointer: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl LastTiny {
    pub(super) fn new(yields: Yields) -> Self {
        let places = if yields == Yields::Never { 0 } else { PLACES };
        LastTiny {
            yields,
            places: vec![None; places].into(),
        }
    }

    /// Remembers an allocation, counted as `rounded` bytes at `stack`. What it tells about the goroutine's allocation
    /// before it may need a correction: a resumption that belongs to this one was taken for that one's.
    pub(super) fn remember(
        &mut self,
        alloc: &Alloc,
        stack: StackId,
        rounded: Option<u64>,
    ) -> Option<Correction> {
        let by_dispatcher = self.yields == Yields::BeforeDispatch(alloc.row);
        let place = self.place(alloc.goroutine)?;
        let undone = match place {
            Some(last) if last.goroutine == alloc.goroutine && !by_dispatcher => {
                last.doubtful.and_then(|before| last.correct(before))
            }
            _ => None,
        };
        match (alloc.tiny, rounded) {
            (Some(_), Some(bytes)) => {
                *place = Some(Tiny {
                    goroutine: alloc.goroutine,
                    size: alloc.size,
                    stack,
                    type_pointer: alloc.type_pointer,
                    bytes,
                    doubtful: None,
                });
            }
            _ if place
                .as_ref()
                .is_some_and(|last| last.goroutine == alloc.goroutine) =>
            {
                *place = None;
            }
            _ => {}
        }
        undone
    }

    /// A goroutine goes on: what its last tiny object takes, if that is not what was counted.
    pub(super) fn resume(&mut self, resume: &Resume) -> Option<Correction> {
        let doubtful = matches!(self.yields, Yields::BeforeDispatch(_));
        let last = self.place(resume.goroutine)?.as_mut()?;
        if last.goroutine != resume.goroutine {
            return None;
        }
        let shared = resume.shared? >> last.size & 1 == 1;
        if doubtful {
            last.doubtful.get_or_insert(last.bytes);
        }
        last.correct(if shared { 0 } else { TINY_BLOCK })
    }

    /// Forgets all of them.
    pub(super) fn forget(&mut self) {
        self.places.fill(None);
    }

    fn place(&mut self, goroutine: u64) -> Option<&mut Option<Tiny>> {
        // Fibonacci hashing: addresses of `g` differ in their middle bits.
        let hash = goroutine.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50;
        self.places.get_mut(usize::try_from(hash).ok()?)
    }
}

impl Tiny {
    fn correct(&mut self, to: u64) -> Option<Correction> {
        let from = std::mem::replace(&mut self.bytes, to);
        (from != to).then_some(Correction {
            stack: self.stack,
            type_pointer: self.type_pointer,
            from,
            to,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::TinyBlock;

    const STACK: StackId = StackId(7);

    fn alloc(goroutine: u64, row: u8, size: u64, tiny: Option<TinyBlock>) -> Alloc {
        Alloc {
            row,
            stack: STACK,
            size,
            type_pointer: 0,
            goroutine,
            time: None,
            tiny,
            weight: 1,
            window: 0,
        }
    }

    /// A tiny object of 8 bytes in a new block.
    fn tiny(last: &mut LastTiny, goroutine: u64, row: u8) -> Option<Correction> {
        let alloc = alloc(goroutine, row, 8, Some(TinyBlock::New));
        last.remember(&alloc, STACK, Some(16))
    }

    fn other(last: &mut LastTiny, goroutine: u64, row: u8) -> Option<Correction> {
        last.remember(&alloc(goroutine, row, 64, None), STACK, Some(64))
    }

    fn resume(last: &mut LastTiny, goroutine: u64, shared: u64) -> Option<Correction> {
        let shared = Some(shared);
        last.resume(&Resume { goroutine, shared })
    }

    fn bytes(correction: Option<Correction>) -> Option<(u64, u64)> {
        correction.map(|correction| (correction.from, correction.to))
    }

    #[test]
    fn the_last_word_before_the_allocation_counts() {
        let mut last = LastTiny::new(Yields::AfterProbe);
        tiny(&mut last, 1, 0);
        assert_eq!(resume(&mut last, 1, 0), None, "a new block, as counted");
        assert_eq!(bytes(resume(&mut last, 1, 1 << 8)), Some((16, 0)));
        assert_eq!(bytes(resume(&mut last, 1, 1 << 9)), Some((0, 16)));
    }

    #[test]
    fn only_the_last_allocation_of_the_same_goroutine_is_corrected() {
        let mut last = LastTiny::new(Yields::AfterProbe);
        tiny(&mut last, 1, 0);
        assert_eq!(resume(&mut last, 2, 1 << 8), None);
        other(&mut last, 1, 0);
        assert_eq!(resume(&mut last, 1, 1 << 8), None);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        let mut last = LastTiny::new(Yields::AfterProbe);
        tiny(&mut last, 1, 0);
        let unreadable = Resume {
            goroutine: 1,
            shared: None,
        };
        assert_eq!(last.resume(&unreadable), None);
    }

    #[test]
    fn a_resumption_before_the_dispatch_may_turn_out_to_be_another_allocations() {
        let mut last = LastTiny::new(Yields::BeforeDispatch(0));
        tiny(&mut last, 1, 0);
        assert_eq!(bytes(resume(&mut last, 1, 1 << 8)), Some((16, 0)));
        assert_eq!(bytes(resume(&mut last, 1, 0)), Some((0, 16)));
        resume(&mut last, 1, 1 << 8);
        assert_eq!(bytes(other(&mut last, 1, 3)), Some((0, 16)), "undone");
        assert_eq!(resume(&mut last, 1, 1 << 8), None);

        tiny(&mut last, 1, 0);
        resume(&mut last, 1, 1 << 8);
        assert_eq!(tiny(&mut last, 1, 0), None, "the dispatcher's own");
    }

    #[test]
    fn nothing_is_remembered_where_nothing_yields() {
        let mut last = LastTiny::new(Yields::Never);
        assert_eq!(tiny(&mut last, 1, 0), None);
        assert_eq!(resume(&mut last, 1, 1 << 8), None);
    }
}
