//! What happened since somebody last looked, stack by stack.
//!
//! From the first look on, allocations are counted apart, and added to all the others when somebody asks: a look costs in
//! proportion to the stacks that allocated since the last one, not to all that there are. Before it nothing is kept apart.

use super::resume::Correction;
use super::{Frames, MAX_HISTOGRAM_BYTES, StackMap, StackTotals, Totals};
use crate::decode::StackId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;

/// What happened since the last look, or since the start.
#[derive(Debug, Default)]
pub struct Changes {
    /// Allocations since then, by their stacks.
    pub stacks: StackMap<StackTotals>,
    /// Frames that arrived since then.
    pub frames: Vec<(StackId, Frames)>,
    /// Bytes to be added to what earlier looks told of a stack and a type.
    pub corrections: HashMap<(StackId, u64), i64>,
    /// Everything else, as it is now, with the frames of crashes.
    pub others: Totals,
}

/// What is kept apart.
#[derive(Debug)]
pub(super) struct Recent {
    /// Allocations that are not among all the others yet.
    stacks: StackMap<StackTotals>,
    /// Those of them that are not known otherwise.
    new: usize,
    /// Allocations that are, and were not looked at yet.
    added: StackMap<StackTotals>,
    /// Memory for histograms of these.
    bytes_left: usize,
    frames: Vec<StackId>,
    corrections: HashMap<(StackId, u64), i64>,
}

impl Recent {
    /// Nobody has looked at `totals` yet.
    pub(super) fn of(totals: &Totals) -> Self {
        Recent {
            stacks: StackMap::default(),
            new: 0,
            added: totals.stacks.clone(),
            bytes_left: MAX_HISTOGRAM_BYTES,
            frames: totals.frames.keys().copied().collect(),
            corrections: HashMap::new(),
        }
    }

    /// Where allocations of a stack are counted; `None` if there are `bound` others already.
    pub(super) fn stack(
        &mut self,
        id: StackId,
        all: &StackMap<StackTotals>,
        bound: usize,
    ) -> Option<&mut StackTotals> {
        match self.stacks.entry(id) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(free) => {
                if !all.contains_key(&id) {
                    if all.len() + self.new >= bound {
                        return None;
                    }
                    self.new += 1;
                }
                Some(free.insert(StackTotals::default()))
            }
        }
    }

    /// Allocations of a stack that are counted here.
    pub(super) fn known(&mut self, id: StackId) -> Option<&mut StackTotals> {
        self.stacks.get_mut(&id)
    }

    /// Frames have arrived.
    pub(super) fn defined(&mut self, id: StackId) {
        self.frames.push(id);
    }

    /// Corrects an allocation that is counted here; false if it is among all the others.
    pub(super) fn correct(&mut self, correction: &Correction) -> bool {
        let Correction {
            stack,
            type_pointer,
            from,
            to,
        } = *correction;
        if let Some(known) = self.stacks.get_mut(&stack)
            && known.types.has(type_pointer, from)
        {
            known.correct(type_pointer, from, to);
            return true;
        }
        // Both are at most the size of a small block.
        let change = to.wrapping_sub(from).cast_signed();
        *self.corrections.entry((stack, type_pointer)).or_default() += change;
        false
    }

    /// Adds what is counted here to all the others. Memory of histograms comes out of `bytes_left`, and goes back there.
    pub(super) fn settle(&mut self, all: &mut StackMap<StackTotals>, bytes_left: &mut usize) {
        self.new = 0;
        // Not drained: the room for a burst of new stacks would stay.
        for (id, since) in mem::take(&mut self.stacks) {
            *bytes_left += since.sizes.histogram_bytes();
            all.entry(id).or_default().merge(&since, bytes_left);
            match self.added.entry(id) {
                Entry::Occupied(mut known) => known.get_mut().merge(&since, &mut self.bytes_left),
                Entry::Vacant(free) => drop(free.insert(since)),
            }
        }
    }

    /// What happened since the last look at `totals`, which everything is in.
    pub(super) fn take(&mut self, totals: &Totals) -> Changes {
        self.bytes_left = MAX_HISTOGRAM_BYTES;
        let frames = mem::take(&mut self.frames).into_iter();
        Changes {
            stacks: mem::take(&mut self.added),
            frames: frames
                .filter_map(|id| Some((id, totals.frames.get(&id)?.clone())))
                .collect(),
            corrections: mem::take(&mut self.corrections),
            others: totals.without_stacks(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Aggregator;
    use crate::decode::{decode, encoded};
    use tracer_common::record::FLAG_TINY_NEW;

    fn apply(aggregator: &mut Aggregator, records: &[Vec<u8>]) {
        records
            .iter()
            .for_each(|record| aggregator.apply(decode(record)));
    }

    fn allocs(changes: &Changes) -> Vec<(u64, u64)> {
        let stacks = changes.stacks.iter();
        let mut allocs: Vec<_> = stacks.map(|(id, of)| (id.0, of.sums.allocs)).collect();
        allocs.sort_unstable();
        allocs
    }

    #[test]
    fn a_look_has_what_happened_since_the_last_one_and_nothing_else() {
        let mut aggregator = Aggregator::for_tests();
        let two = [encoded::alloc(0, 1, 8, 0), encoded::alloc(0, 2, 8, 0)];
        apply(&mut aggregator, &[encoded::stack(1, &[7])]);
        apply(&mut aggregator, &two);
        let first = aggregator.changes();
        assert_eq!(allocs(&first), [(1, 1), (2, 1)]);
        assert_eq!(first.frames.len(), 1);
        apply(&mut aggregator, &two[1..]);
        // Who asks for all of it takes nothing away from who looks.
        assert_eq!(aggregator.totals().stacks[&StackId(2)].sums.allocs, 2);
        apply(&mut aggregator, &two[1..]);
        apply(&mut aggregator, &[encoded::stack(2, &[8])]);
        let second = aggregator.changes();
        assert_eq!(allocs(&second), [(2, 2)]);
        assert_eq!(second.frames.len(), 1);
        assert_eq!(second.others.sums.allocs, 4);
        assert!(aggregator.changes().stacks.is_empty());
        let totals = aggregator.into_totals();
        assert_eq!(totals.stacks[&StackId(2)].sums.allocs, 3);
    }

    #[test]
    fn bytes_that_were_told_already_are_corrected_afterwards() {
        let mut tiny = encoded::alloc(1, 1, 8, 5);
        tiny[2..4].copy_from_slice(&FLAG_TINY_NEW.to_ne_bytes());
        let goroutine = match decode(&tiny) {
            Ok(crate::decode::Record::Alloc(alloc)) => alloc.goroutine,
            _ => 0,
        };
        let shared = encoded::resume(goroutine, 1 << 8);
        let mut aggregator = Aggregator::for_tests();
        apply(&mut aggregator, std::slice::from_ref(&tiny));
        let first = aggregator.changes();
        assert_eq!(first.stacks[&StackId(1)].sums.alloc_bytes, 16);
        apply(&mut aggregator, std::slice::from_ref(&shared));
        let second = aggregator.changes();
        assert_eq!(second.corrections[&(StackId(1), 5)], -16);
        // What is told with its correction needs no other.
        apply(&mut aggregator, &[tiny, shared]);
        let third = aggregator.changes();
        assert_eq!(third.stacks[&StackId(1)].sums.alloc_bytes, 0);
        assert!(third.corrections.is_empty());
        let totals = aggregator.into_totals();
        assert_eq!(totals.stacks[&StackId(1)].sums.alloc_bytes, 0);
    }

    #[test]
    fn the_bound_on_stacks_holds_between_looks() {
        let mut all = StackMap::default();
        all.insert(StackId(1), StackTotals::default());
        let mut recent = Recent::of(&Totals::default());
        assert!(recent.stack(StackId(2), &all, 2).is_some());
        assert!(recent.stack(StackId(3), &all, 2).is_none());
        assert!(recent.stack(StackId(1), &all, 2).is_some());
        assert!(recent.stack(StackId(2), &all, 2).is_some());
    }
}
