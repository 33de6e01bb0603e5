//! Single allocations, copied off the collector for a reader who may be slow.
//!
//! Hides the bound: what the reader is too slow for is counted, and the collector never waits.

use crate::aggregate::Aggregator;
use crate::decode::{Alloc, HeapSample, Record, StackId};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Most allocations that wait for the reader: 37 MB, and a quarter of a second at two million a second.
const MAX_WAITING: usize = 1 << 19;

/// What was recorded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Single {
    /// An allocation.
    Alloc(Alloc),
    /// A sample of the heap.
    Sample(HeapSample),
}

/// What was recorded since the last batch.
#[derive(Debug)]
pub struct Batch {
    /// In the order of their records.
    pub singles: Vec<Single>,
    /// Stacks that are new: program counters, innermost first.
    pub stacks: Vec<(StackId, Box<[u64]>)>,
}

/// What waits, and what did not.
#[derive(Debug, Default)]
struct Backlog {
    waiting: AtomicUsize,
    missed: AtomicU64,
}

/// The collector's end.
#[derive(Debug)]
pub struct Tap {
    singles: Vec<Single>,
    stacks: Vec<(StackId, Box<[u64]>)>,
    batches: Sender<Batch>,
    backlog: Arc<Backlog>,
}

/// The reader's end.
#[derive(Debug)]
pub struct Spout {
    batches: Receiver<Batch>,
    backlog: Arc<Backlog>,
}

/// How many allocations the reader missed so far.
#[derive(Clone, Debug)]
pub struct Missed(Arc<Backlog>);

/// A tap, and what comes out of it.
pub fn tap() -> (Tap, Spout) {
    let (sender, batches) = channel();
    let backlog = Arc::new(Backlog::default());
    let tap = Tap {
        singles: Vec::new(),
        stacks: Vec::new(),
        batches: sender,
        backlog: Arc::clone(&backlog),
    };
    (tap, Spout { batches, backlog })
}

impl Tap {
    /// Copies a record that `aggregator` has just applied.
    pub(super) fn copy<E>(&mut self, record: &Result<Record<'_>, E>, aggregator: &Aggregator) {
        match record {
            Ok(Record::Alloc(alloc)) => {
                let stack = aggregator.resolve(alloc.stack);
                self.push(Single::Alloc(Alloc { stack, ..*alloc }));
            }
            Ok(Record::HeapSample(sample)) => {
                let stack = aggregator.resolve(sample.stack);
                self.push(Single::Sample(HeapSample { stack, ..*sample }));
            }
            Ok(Record::Stack(definition)) => {
                let id = aggregator.resolve(definition.id);
                if let Some(pcs) = aggregator.pcs(id) {
                    self.stacks.push((id, pcs.into()));
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, single: Single) {
        let waiting = self.backlog.waiting.load(Ordering::Relaxed);
        if waiting.saturating_add(self.singles.len()) < MAX_WAITING {
            self.singles.push(single);
        } else {
            self.backlog.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands over what was copied.
    pub(super) fn flush(&mut self) {
        if self.singles.is_empty() && self.stacks.is_empty() {
            return;
        }
        let singles = mem::take(&mut self.singles);
        let count = singles.len();
        self.backlog.waiting.fetch_add(count, Ordering::Relaxed);
        let sent = self.batches.send(Batch {
            singles,
            stacks: mem::take(&mut self.stacks),
        });
        if sent.is_err() {
            // Nobody reads any more: then these were missed as well.
            self.backlog.waiting.fetch_sub(count, Ordering::Relaxed);
            let missed = u64::try_from(count).unwrap_or(u64::MAX);
            self.backlog.missed.fetch_add(missed, Ordering::Relaxed);
        }
    }
}

impl Spout {
    /// Waits for the next batch; `None` when the collector has ended.
    pub fn next(&self) -> Option<Batch> {
        let batch = self.batches.recv().ok()?;
        let count = batch.singles.len();
        self.backlog.waiting.fetch_sub(count, Ordering::Relaxed);
        Some(batch)
    }

    /// Counts those of a batch that nobody could use.
    pub fn skip(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.backlog.missed.fetch_add(count, Ordering::Relaxed);
    }

    /// A view of how many were missed.
    pub fn missed(&self) -> Missed {
        Missed(Arc::clone(&self.backlog))
    }
}

impl Missed {
    /// How many so far.
    pub fn count(&self) -> u64 {
        self.0.missed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{decode, encoded};

    fn seen(tap: &mut Tap, aggregator: &mut Aggregator, bytes: &[u8]) {
        let record = decode(bytes);
        aggregator.apply(record);
        tap.copy(&record, aggregator);
    }

    #[test]
    fn stacks_come_with_the_allocations_that_use_them() {
        let (mut tap, spout) = tap();
        let mut aggregator = Aggregator::for_tests();
        seen(&mut tap, &mut aggregator, &encoded::stack(1, &[7, 8]));
        seen(&mut tap, &mut aggregator, &encoded::alloc(0, 1, 24, 0));
        tap.flush();
        drop(tap);
        let batch = spout.next().unwrap();
        assert_eq!(batch.stacks, [(StackId(1), vec![7, 8].into())]);
        assert!(matches!(
            batch.singles[..],
            [Single::Alloc(Alloc { size: 24, .. })]
        ));
        assert!(spout.next().is_none());
    }

    #[test]
    fn what_a_slow_reader_misses_is_counted() {
        let (mut tap, spout) = tap();
        let mut aggregator = Aggregator::for_tests();
        for _ in 0..MAX_WAITING + 5 {
            seen(&mut tap, &mut aggregator, &encoded::alloc(0, 1, 24, 0));
        }
        tap.flush();
        seen(&mut tap, &mut aggregator, &encoded::alloc(0, 1, 24, 0));
        assert_eq!(spout.missed().count(), 6);
        assert_eq!(spout.next().unwrap().singles.len(), MAX_WAITING);
        seen(&mut tap, &mut aggregator, &encoded::alloc(0, 1, 24, 0));
        tap.flush();
        assert_eq!(spout.next().unwrap().singles.len(), 1);
        let missed = spout.missed();
        drop(spout);
        seen(&mut tap, &mut aggregator, &encoded::alloc(0, 1, 24, 0));
        tap.flush();
        assert_eq!(missed.count(), 7);
    }
}
