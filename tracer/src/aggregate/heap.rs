//! Samples of the heap per stack, and which of the sampled objects are alive.
//!
//! Counts are raw: what they stand for depends on the rate of the runtime's profiler, and is the report's business. Hides
//! the table of live objects, which has a bound.

use super::fold::MAX_FOLDS;
use super::{MAX_STACKS, StackMap};
use crate::decode::{HeapFree, HeapSample, LabelSet, LabelsId, StackId};
use std::collections::{BTreeMap, HashMap};

/// Most live objects that are followed: at the profiler's own rate of 512 KiB, those of a heap of 512 GiB.
pub(super) const MAX_LIVE_OBJECTS: usize = 1 << 20;
/// Most sets of labels that are kept: a program that puts a request's number into a label has any number.
const MAX_LABEL_SETS: usize = 10_000;
/// Most stacks: as many as records of allocations may have.
const MAX_HEAP_STACKS: usize = MAX_STACKS + MAX_FOLDS;
/// Most sizes of a stack that are told apart: size classes are some 70, objects beyond 32 KiB have any number of pages.
/// What is beyond counts for a size near it.
const MAX_SIZES: usize = 1024;
/// The same of all stacks together, at some 40 bytes each. Beyond it each stack has the sizes that it has, or one.
const MAX_ALL_SIZES: usize = 1 << 21;
/// Classes of a time: class n has times below 2^n nanoseconds.
const TIME_CLASSES: usize = 64;

/// Labels of a goroutine: keys and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// In ascending order of the keys.
    pub pairs: Vec<(Box<str>, Box<str>)>,
    /// Whether some are missing.
    pub incomplete: bool,
}

/// What was sampled at one stack.
#[derive(Clone, Debug, Default)]
pub struct HeapStack {
    /// By size of one object in bytes.
    pub sizes: BTreeMap<u64, SizeCounts>,
    /// How long objects lived that were freed.
    pub lifetimes: Moments,
}

/// Raw counts of objects of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeCounts {
    /// Records.
    pub samples: u64,
    /// Objects: as many, unless records are of spans.
    pub objects: u64,
    /// Sampled objects that were freed.
    pub freed: u64,
}

/// A distribution of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moments {
    classes: Box<[u32; TIME_CLASSES]>,
}

impl Default for Moments {
    fn default() -> Self {
        Moments {
            classes: Box::new([0; TIME_CLASSES]),
        }
    }
}

impl Moments {
    /// Counts a time in nanoseconds.
    pub fn add(&mut self, ns: u64) {
        let class = (u64::BITS - ns.leading_zeros()) as usize;
        if let Some(count) = self.classes.get_mut(class.min(TIME_CLASSES - 1)) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for (sum, count) in self.classes.iter_mut().zip(&*other.classes) {
            *sum = sum.saturating_add(*count);
        }
    }

    /// Times below which there are so many, and not below half of that, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        let classes = (0..).zip(self.classes.iter());
        classes
            .filter(|(_, count)| **count > 0)
            .map(|(class, count)| {
                let below = 1_u64.checked_shl(class).unwrap_or(u64::MAX);
                (below, u64::from(*count))
            })
    }
}

/// A sampled object that is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveObject {
    /// Where it was allocated.
    pub stack: StackId,
    /// Bytes, rounded to its size class.
    pub size: u64,
    /// The size it is counted under at its stack: another one if there are too many.
    counted_size: u64,
    /// When, on the monotonic clock in nanoseconds.
    pub since_ns: u64,
    /// Number of the goroutine that allocated it; 0 if it is not known.
    pub goroutine_id: u64,
}

/// Samples of the whole capture.
#[derive(Clone, Debug, Default)]
pub struct HeapTotals {
    /// By stack.
    pub stacks: StackMap<HeapStack>,
    /// Objects that are alive, by address.
    pub live: HashMap<u64, LiveObject>,
    /// Labels that goroutines have.
    pub labels: HashMap<LabelsId, Labels>,
    /// Frees of objects that were sampled before the capture began, or are beyond the bound.
    pub unknown_frees: u64,
    /// Objects beyond the bounds: not followed.
    pub unfollowed: u64,
    /// Records that count for another size, because the stack has too many.
    pub merged_sizes: u64,
    /// Records beyond the bound on stacks: at no stack.
    pub overflowed_samples: u64,
    /// Definitions of labels beyond the bound, repeated ones included: their goroutines have none in the report.
    pub refused_labels: u64,
    /// Sets of labels of which some are missing.
    pub incomplete_labels: u64,
    /// Sizes of all stacks.
    sizes: usize,
}

impl HeapTotals {
    /// Takes a sample.
    pub fn sample(&mut self, stack: StackId, sample: &HeapSample) {
        let counted_size = self.count(stack, sample);
        if sample.address == 0 {
            return;
        }
        let Some(counted_size) = counted_size else {
            self.unfollowed += 1;
            // The one that was at this address before is gone.
            if let Some(before) = self.live.remove(&sample.address) {
                self.freed(&before, sample.time_ns);
            }
            return;
        };
        if self.live.len() >= MAX_LIVE_OBJECTS && !self.live.contains_key(&sample.address) {
            self.unfollowed += 1;
            return;
        }
        let object = LiveObject {
            stack,
            size: sample.size,
            counted_size,
            since_ns: sample.time_ns,
            goroutine_id: sample.goroutine_id,
        };
        // Its free was lost.
        if let Some(before) = self.live.insert(sample.address, object) {
            self.freed(&before, sample.time_ns);
        }
    }

    /// Takes a free.
    pub fn free(&mut self, free: &HeapFree) {
        match self.live.remove(&free.address) {
            Some(object) => self.freed(&object, free.time_ns),
            None => self.unknown_frees += 1,
        }
    }

    /// Takes the labels of a goroutine.
    pub fn define(&mut self, set: &LabelSet<'_>) {
        if self.labels.contains_key(&set.id) {
            return;
        }
        if self.labels.len() >= MAX_LABEL_SETS {
            self.refused_labels += 1;
            return;
        }
        self.incomplete_labels += u64::from(set.incomplete);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into();
        let pairs = set.iter().map(|(key, value)| (text(key), text(value)));
        let mut labels = Labels {
            pairs: pairs.collect(),
            incomplete: set.incomplete,
        };
        labels.pairs.sort();
        self.labels.insert(set.id, labels);
    }

    /// The same with other stacks in the place of these.
    pub fn renamed(mut self, mut name: impl FnMut(StackId) -> StackId) -> Self {
        let mut stacks: StackMap<HeapStack> = StackMap::default();
        for (stack, samples) in &self.stacks {
            let renamed = stacks.entry(name(*stack)).or_default();
            for (size, counts) in &samples.sizes {
                let sum = renamed.sizes.entry(*size).or_default();
                sum.samples += counts.samples;
                sum.objects = sum.objects.saturating_add(counts.objects);
                sum.freed += counts.freed;
            }
            renamed.lifetimes.merge(&samples.lifetimes);
        }
        for object in self.live.values_mut() {
            object.stack = name(object.stack);
        }
        HeapTotals { stacks, ..self }
    }

    /// Bytes of all records, not scaled.
    pub fn bytes(&self) -> u64 {
        let sizes = self.stacks.values().flat_map(|stack| &stack.sizes);
        sizes.fold(0, |sum: u64, (size, counts)| {
            sum.saturating_add(size.saturating_mul(counts.objects))
        })
    }

    /// The objects of a stack that are alive.
    pub fn live_of(&self) -> StackMap<Vec<LiveObject>> {
        let mut stacks: StackMap<Vec<LiveObject>> = StackMap::default();
        for object in self.live.values() {
            stacks.entry(object.stack).or_default().push(*object);
        }
        stacks
    }

    fn freed(&mut self, object: &LiveObject, time_ns: u64) {
        let Some(stack) = self.stacks.get_mut(&object.stack) else {
            return;
        };
        stack.sizes.entry(object.counted_size).or_default().freed += 1;
        let lifetime = time_ns.saturating_sub(object.since_ns);
        stack.lifetimes.add(lifetime);
    }

    /// Counts a sample at its stack. Gives the size it is counted under; `None` if there are too many stacks.
    fn count(&mut self, stack: StackId, sample: &HeapSample) -> Option<u64> {
        if self.stacks.len() >= MAX_HEAP_STACKS && !self.stacks.contains_key(&stack) {
            self.overflowed_samples += 1;
            return None;
        }
        let sizes = &mut self.stacks.entry(stack).or_default().sizes;
        let before = sizes.len();
        let is_full = before >= MAX_SIZES || (before > 0 && self.sizes >= MAX_ALL_SIZES);
        let size = if is_full {
            near(sizes, sample.size)
        } else {
            sample.size
        };
        let counts = sizes.entry(size).or_default();
        counts.samples += 1;
        counts.objects = counts.objects.saturating_add(sample.objects);
        self.sizes += sizes.len() - before;
        self.merged_sizes += u64::from(size != sample.size);
        Some(size)
    }
}

/// The next known size that is not smaller; else the largest.
fn near(sizes: &BTreeMap<u64, SizeCounts>, size: u64) -> u64 {
    let larger = sizes.range(size..).next();
    let near = larger.or_else(|| sizes.last_key_value());
    near.map_or(size, |(near, _)| *near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Aggregator;
    use crate::decode::{decode, encoded};

    fn totals(records: &[Vec<u8>]) -> HeapTotals {
        let mut aggregator = Aggregator::for_tests();
        for record in records {
            aggregator.apply(decode(record));
        }
        aggregator.into_totals().heap
    }

    #[test]
    fn a_freed_object_is_no_longer_alive_and_has_a_lifetime() {
        let totals = totals(&[
            encoded::heap_sample(0, 1, 0x1000, (48, 1), 100),
            encoded::heap_sample(0, 1, 0x2000, (48, 1), 200),
            encoded::heap_free(0x1000, 1100),
            encoded::heap_free(0x9000, 1200),
        ]);
        let stack = &totals.stacks[&StackId(1)];
        let expected = SizeCounts {
            samples: 2,
            objects: 2,
            freed: 1,
        };
        assert_eq!(stack.sizes[&48], expected);
        assert_eq!(stack.lifetimes.iter().collect::<Vec<_>>(), [(1024, 1)]);
        assert_eq!((totals.live.len(), totals.unknown_frees), (1, 1));
        assert_eq!(totals.live_of()[&StackId(1)][0].since_ns, 200);
    }

    #[test]
    fn an_address_that_is_used_again_was_freed() {
        let totals = totals(&[
            encoded::heap_sample(0, 1, 0x1000, (48, 1), 100),
            encoded::heap_sample(0, 2, 0x1000, (48, 1), 200),
        ]);
        assert_eq!(totals.stacks[&StackId(1)].sizes[&48].freed, 1);
        assert_eq!(totals.live[&0x1000].stack, StackId(2));
    }

    #[test]
    fn a_span_counts_its_objects_and_none_is_alive() {
        let totals = totals(&[encoded::heap_sample(0, 1, 0, (48, 170), 100)]);
        assert_eq!(totals.stacks[&StackId(1)].sizes[&48].objects, 170);
        assert!(totals.live.is_empty());
    }

    #[test]
    fn a_stack_of_the_profile_has_return_addresses_and_who_runs_it() {
        let mut aggregator = Aggregator::for_tests();
        // 2001 is inlined into 2002.
        let pcs = [2001, 2002, 2004];
        aggregator.apply(decode(&encoded::logical_stack(7, &pcs, 501, 3)));
        let totals = aggregator.into_totals();
        let frames = &totals.frames[&StackId(7)];
        assert_eq!(*frames.pcs, [2001, 2004]);
        assert_eq!((frames.creation(), frames.labels), (Some(500), LabelsId(3)));
    }

    #[test]
    fn labels_are_kept_in_order() {
        let totals = totals(&[encoded::labels(7, &[("b", "2"), ("a", "1")])]);
        let labels = &totals.labels[&LabelsId(7)];
        let pairs: Vec<_> = labels.pairs.iter().map(|(key, _)| &**key).collect();
        assert_eq!((pairs, labels.incomplete), (vec!["a", "b"], false));
    }

    #[test]
    fn a_size_beyond_the_bound_counts_for_a_near_one() {
        let address = |size| 0x10_0000 * size;
        let sample = |size: u64| encoded::heap_sample(0, 1, address(size), (size, 1), 0);
        // Every even size up to the bound is known; then come an odd one and a large one.
        let last = 2 * MAX_SIZES as u64;
        let mut records: Vec<_> = (1..=last / 2).map(|half| sample(2 * half)).collect();
        let new = [101, last + 500];
        records.extend(new.map(sample));
        records.extend(new.map(|size| encoded::heap_free(address(size), 100)));
        let totals = totals(&records);
        let sizes = &totals.stacks[&StackId(1)].sizes;
        let twice = SizeCounts {
            samples: 2,
            objects: 2,
            freed: 1,
        };
        assert_eq!((sizes[&102], sizes[&last]), (twice, twice));
        assert_eq!((sizes.len(), totals.sizes), (MAX_SIZES, MAX_SIZES));
        assert_eq!((totals.merged_sizes, totals.live.len()), (2, MAX_SIZES));
    }

    #[test]
    fn stacks_beyond_the_bound_are_counted() {
        let mut totals = HeapTotals::default();
        let bound = MAX_HEAP_STACKS as u64;
        for stack in 0..=bound {
            let sample = HeapSample {
                row: 0,
                stack: StackId(stack),
                address: 0x1000 + 16 * stack,
                size: 48,
                objects: 1,
                time_ns: 0,
                goroutine_id: 0,
            };
            totals.sample(StackId(stack % bound), &sample);
            totals.sample(StackId(stack), &sample);
        }
        assert_eq!(totals.stacks.len(), MAX_HEAP_STACKS);
        assert_eq!((totals.overflowed_samples, totals.unfollowed), (1, 1));
    }
}
