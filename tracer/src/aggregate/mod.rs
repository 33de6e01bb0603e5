//! Ids and numbers per stack: what the ring says, summed up, in bounded memory.
//!
//! Holds no names: a stack is a [`StackId`], a type an address. Sites come later, when `report` joins the sums with
//! symbols. Every bound is a constant here; what exceeds one is counted, never dropped silently.

mod changes;
mod counters;
mod estimate;
mod faults;
mod fold;
mod gc;
mod heap;
mod history;
mod maps;
mod resume;
mod rounding;
mod sizes;
mod sums;
mod types;
mod windows;

pub use changes::Changes;
use changes::Recent;
pub use counters::Counters;
pub(crate) use estimate::whole;
pub use estimate::{GROUPS, Progress, StandardError, Uncertainty};
pub use faults::{FaultSums, FaultTotals, MemoryUse};
pub use fold::CodeFacts;
use fold::Folded;
pub use gc::{AssistSums, Cycle, GcRules, GcTotals, Pause, PauseSums, Trigger};
pub use heap::{HeapStack, HeapTotals, Labels, LiveObject, Moments, SizeCounts};
pub use history::{BucketHistory, HeapHistory};
pub use maps::{
    CrashTotals, Instance, InstanceId, Instances, Look, MapCounts, MapRowTotals, MapRules,
    MapTotals, Watched,
};
use resume::{Correction, LastTiny};
pub use rounding::{Rounding, Rules, TINY_BLOCK, TypeFacts};
pub use sizes::{Sizes, SizesView};
pub use sums::Sums;
pub use types::{TypeTotals, Types};
pub use windows::{Weight, WindowId};

use crate::decode::{Alloc, LabelsId, Record, Resume, StackDefinition, StackId};
use crate::plan::Yields;
use crate::program::Mapped;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::{hint, mem};
use tracer_common::family::PerFamily;
use windows::{Observed, Windows};

/// Most distinct stacks that are kept whole: a service has hundreds to thousands. A program that recurses over its data,
/// such as a compiler, has millions; those beyond the bound are folded (see `fold`).
pub const MAX_STACKS: usize = 100_000;
/// Memory of all histograms: 6,000 of them for sizes up to 64 KiB. Stacks with few distinct sizes need none.
pub const MAX_HISTOGRAM_BYTES: usize = 64 << 20;
/// Allocations that are counted together, so that the processor fetches their stacks from memory at the same time: with
/// many stacks, waiting for one after the other is most of what an event costs.
const TOGETHER: usize = 16;

/// Map keyed by a stack's identity, which is a hash already.
pub type StackMap<V> = HashMap<StackId, V, BuildHasherDefault<Identity>>;

/// Hasher of keys that are hashes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// What came through one stack.
#[derive(Clone, Debug, Default)]
pub struct StackTotals {
    /// Sums over all its allocations.
    pub sums: Sums,
    /// Distribution of the sizes asked for.
    pub sizes: Sizes,
    /// Sums per Go type.
    pub types: Types,
    /// How uncertain all this is; `None` if every allocation was counted.
    pub uncertainty: Option<Box<Uncertainty>>,
}

impl StackTotals {
    /// Adds what came through another one, or through this one at another time. New histograms come out of `bytes_left`.
    pub fn merge(&mut self, other: &StackTotals, bytes_left: &mut usize) {
        self.sums.merge(&other.sums);
        self.sizes.merge(&other.sizes, bytes_left);
        self.types.merge(&other.types);
        if let Some(other) = &other.uncertainty {
            self.uncertainty.get_or_insert_default().merge(other);
        }
    }

    /// Counts `to` bytes for an allocation of this type that was counted with `from`.
    pub fn correct(&mut self, type_pointer: u64, from: u64, to: u64) {
        self.sums.correct(from, to);
        self.types.correct(type_pointer, from, to);
    }
}

/// The frames of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    /// Program counters, innermost first: the probed instruction, then return addresses.
    pub pcs: Box<[u64]>,
    /// Why outer frames are missing; `None` if none are.
    pub cut: Option<Cut>,
    /// Behind the `go` statement that made the goroutine; 0 if that is not known.
    pub creator: u64,
    /// The goroutine's labels.
    pub labels: LabelsId,
}

impl Frames {
    /// The call that the `go` statement is which made the goroutine; `None` if that is not known.
    pub fn creation(&self) -> Option<u64> {
        self.creator.checked_sub(1)
    }
}

/// Why a stack lacks its outer frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cut {
    /// It has more frames than are recorded.
    TooDeep,
    /// The memory that the walk came to could not be read.
    Unreadable,
    /// Beyond the bound on whole stacks.
    Folded,
}

/// Everything a capture has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Sums over all allocations, those without a stack of their own included.
    pub sums: Sums,
    /// Totals per stack.
    pub stacks: StackMap<StackTotals>,
    /// Frames per stack; may lack some that the kernel could not send, and have some without totals.
    pub frames: StackMap<Frames>,
    /// Records that arrived, repeated definitions included.
    pub arrived: PerFamily<u64>,
    /// Whether some allocations are recorded in windows only, or have been.
    pub windows: bool,
    /// What the windows of each row stand for.
    pub progress: Progress,
    /// Allocations beyond all bounds on stacks: in `sums`, at no stack.
    pub overflowed: u64,
    /// Records that could not be decoded.
    pub undecodable: u64,
    /// What was seen of maps.
    pub maps: MapTotals,
    /// Page faults.
    pub faults: FaultTotals,
    /// What the garbage collector did.
    pub gc: GcTotals,
    /// Samples of the heap.
    pub heap: HeapTotals,
}

impl Totals {
    /// A copy without what there is of each stack; of crashes, there are the frames.
    fn without_stacks(&self) -> Self {
        let crashes = self.maps.crashes.iter().map(|crash| crash.stack);
        Totals {
            stacks: StackMap::default(),
            frames: crashes
                .filter_map(|stack| Some((stack, self.frames.get(&stack)?.clone())))
                .collect(),
            sums: self.sums,
            arrived: self.arrived,
            windows: self.windows,
            progress: self.progress.clone(),
            overflowed: self.overflowed,
            undecodable: self.undecodable,
            maps: self.maps.clone(),
            faults: self.faults.clone(),
            gc: self.gc.clone(),
            heap: self.heap.clone(),
        }
    }
}

/// Turns records into [`Totals`].
#[derive(Debug)]
pub struct Aggregator {
    totals: Totals,
    /// What is not in `totals` yet, once somebody has looked at changes.
    recent: Option<Recent>,
    rounding: Rounding,
    map_rules: MapRules,
    gc_rules: GcRules,
    folded: Folded,
    last_tiny: LastTiny,
    /// Whether each allocation is recorded, so that a resumption belongs to the one before it.
    exact: bool,
    windows: Windows,
    /// Not counted yet.
    waiting: Vec<Alloc>,
    histogram_bytes_left: usize,
}

impl Aggregator {
    /// An empty aggregator that rounds sizes as the target's runtime does, knows what it means that a goroutine goes on,
    /// and is told by `code` which frames matter most when there are too many.
    pub fn new(
        rounding: Rounding,
        yields: Yields,
        (map_rules, gc_rules): (MapRules, GcRules),
        code: Box<dyn CodeFacts>,
    ) -> Self {
        Aggregator {
            totals: Totals::default(),
            recent: None,
            rounding,
            map_rules,
            gc_rules,
            folded: Folded::new(code),
            last_tiny: LastTiny::new(yields),
            exact: true,
            windows: Windows::default(),
            waiting: Vec::with_capacity(TOGETHER),
            histogram_bytes_left: MAX_HISTOGRAM_BYTES,
        }
    }

    /// An aggregator for tests of what is made of its totals.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::with_map_rules(MapRules::default())
    }

    /// The same, for a target with maps.
    #[cfg(test)]
    pub(crate) fn with_map_rules(map_rules: MapRules) -> Self {
        Self::with_rules(map_rules, GcRules::default())
    }

    /// The same, for a target whose collector is probed.
    #[cfg(test)]
    pub(crate) fn with_gc_rules(gc_rules: GcRules) -> Self {
        Self::with_rules(MapRules::default(), gc_rules)
    }

    #[cfg(test)]
    fn with_rules(map_rules: MapRules, gc_rules: GcRules) -> Self {
        Aggregator::new(
            Rounding::for_tests(),
            Yields::AfterProbe,
            (map_rules, gc_rules),
            Box::new(fold::LowIsRuntime),
        )
    }

    /// Takes one record, or what is left of one.
    pub fn apply<E>(&mut self, record: Result<Record<'_>, E>) {
        let Ok(record) = record else {
            self.totals.undecodable += 1;
            return;
        };
        self.totals.arrived[record.family()] += 1;
        match record {
            Record::Alloc(alloc) => {
                self.waiting.push(alloc);
                if self.waiting.len() >= TOGETHER {
                    self.count_waiting();
                }
            }
            Record::Stack(definition) => self.define(&definition),
            Record::Resume(resume) => self.resume(&resume),
            Record::Map(operation) => {
                let stack = self.folded.resolve(operation.stack);
                self.totals
                    .maps
                    .operation(&self.map_rules, stack, &operation);
            }
            Record::Growth(growth) => {
                let stack = self.folded.resolve(growth.stack);
                self.totals.maps.growth(&self.map_rules, stack, &growth);
            }
            Record::Crash(crash) => {
                let stack = self.folded.resolve(crash.stack);
                self.totals.maps.crash(stack, &crash);
            }
            Record::Fault(fault) => {
                let stack = self.folded.resolve(fault.stack);
                self.totals.faults.add(stack, &fault);
            }
            Record::Gc(event) => {
                let stack = self.folded.resolve(event.stack);
                self.totals.gc.event(&self.gc_rules, stack, &event);
            }
            Record::Assist(assist) => {
                let stack = self.folded.resolve(assist.stack);
                self.totals.gc.assist(&self.gc_rules, stack, &assist);
            }
            Record::HeapSample(sample) => {
                let stack = self.folded.resolve(sample.stack);
                self.totals.heap.sample(stack, &sample);
            }
            Record::HeapFree(free) => self.totals.heap.free(&free),
            Record::Labels(set) => self.totals.heap.define(&set),
        }
    }

    /// The stack that counts for `id`.
    pub fn resolve(&self, id: StackId) -> StackId {
        self.folded.resolve(id)
    }

    /// The program counters of a stack, innermost first; `None` if it is not defined yet.
    pub fn pcs(&self, stack: StackId) -> Option<&[u64]> {
        self.totals.frames.get(&stack).map(|frames| &*frames.pcs)
    }

    /// What has been seen so far.
    pub fn totals(&mut self) -> &Totals {
        self.settle();
        &self.totals
    }

    /// What happened since this was asked for last.
    pub fn changes(&mut self) -> Changes {
        self.settle();
        let recent = self.recent.get_or_insert_with(|| Recent::of(&self.totals));
        recent.take(&self.totals)
    }

    /// Ends the aggregation.
    pub fn into_totals(mut self) -> Totals {
        self.settle();
        self.totals
    }

    /// Brings everything into the totals.
    fn settle(&mut self) {
        self.count_waiting();
        if let Some(recent) = &mut self.recent {
            recent.settle(&mut self.totals.stacks, &mut self.histogram_bytes_left);
        }
    }

    /// From now on each allocation is recorded, or only some are.
    pub fn set_exact(&mut self, exact: bool) {
        self.count_waiting();
        self.exact = exact;
        self.last_tiny.forget();
    }

    /// From now on some allocations are recorded in windows only: what was seen of an interval is not all of it.
    pub fn set_windows(&mut self) {
        self.totals.windows = true;
    }

    /// Adds what was recorded in a window, as often as its weight says. All its records must have been applied.
    pub fn weigh(&mut self, weight: &Weight) {
        self.count_waiting();
        self.totals.progress.add(weight);
        for (observed, times) in self.windows.take(weight) {
            self.add(&observed, times);
            let Some(stack) = self.counted(observed.stack) else {
                continue;
            };
            let uncertainty = stack.uncertainty.get_or_insert_default();
            uncertainty.add_window(weight, observed.count, observed.rounded);
        }
    }

    /// The maps with most entries, whose length is worth a look from outside; at most `limit`.
    pub fn watched(&self, limit: usize) -> Vec<Watched> {
        self.totals.maps.watched(limit)
    }

    /// Takes what was read of a map from outside.
    pub fn look(&mut self, look: &Look) {
        self.totals.maps.look(look);
    }

    /// Takes what the target's addresses are mapped to, in ascending order.
    pub fn set_mapped(&mut self, mapped: Vec<Mapped>) {
        self.totals.faults.set_mapped(mapped);
    }

    fn count_waiting(&mut self) {
        let mut waiting = mem::take(&mut self.waiting);
        for alloc in &waiting {
            let stack = self.folded.resolve(alloc.stack);
            hint::black_box(self.counted(stack).map(|stack| stack.sums.allocs));
        }
        for alloc in waiting.drain(..) {
            self.alloc(&alloc);
        }
        self.waiting = waiting;
    }

    fn alloc(&mut self, alloc: &Alloc) {
        let rounded = self.rounding.rounded(alloc);
        let stack = self.folded.resolve(alloc.stack);
        let observed = Observed {
            stack,
            size: alloc.size,
            type_pointer: alloc.type_pointer,
            rounded,
            count: 1,
        };
        if alloc.window != 0 {
            self.windows.observe(WindowId::of(alloc), observed);
            return;
        }
        if self.exact {
            let correction = self.last_tiny.remember(alloc, stack, rounded);
            self.correct(correction);
        }
        self.add(&observed, alloc.weight);
        if alloc.weight > 1
            && let Some(totals) = self.counted(stack)
        {
            let uncertainty = totals.uncertainty.get_or_insert_default();
            uncertainty.add_sample(alloc.weight, rounded);
        }
    }

    /// What allocations of a stack were added to last.
    fn counted(&mut self, stack: StackId) -> Option<&mut StackTotals> {
        match &mut self.recent {
            Some(recent) => recent.known(stack),
            None => self.totals.stacks.get_mut(&stack),
        }
    }

    /// Counts `times` allocations like `observed`.
    fn add(&mut self, observed: &Observed, times: u64) {
        let &Observed { size, rounded, .. } = observed;
        let totals = &mut self.totals;
        totals.sums.add(size, rounded, times);
        let bound = MAX_STACKS + fold::MAX_FOLDS;
        let stack = match &mut self.recent {
            Some(recent) => recent.stack(observed.stack, &totals.stacks, bound),
            None if totals.stacks.len() >= bound => totals.stacks.get_mut(&observed.stack),
            None => Some(totals.stacks.entry(observed.stack).or_default()),
        };
        let Some(stack) = stack else {
            totals.overflowed = totals.overflowed.saturating_add(times);
            return;
        };
        stack.sums.add(size, rounded, times);
        stack.sizes.add(size, times, &mut self.histogram_bytes_left);
        stack.types.add(observed.type_pointer, size, rounded, times);
    }

    fn resume(&mut self, resume: &Resume) {
        // With allocations left out, it may be that of one which was not recorded.
        if self.exact {
            // It may be about an allocation that waits.
            self.count_waiting();
            let correction = self.last_tiny.resume(resume);
            self.correct(correction);
        }
    }

    fn correct(&mut self, correction: Option<Correction>) {
        let Some(correction) = correction else {
            return;
        };
        let Correction { from, to, .. } = correction;
        self.totals.sums.correct(from, to);
        if let Some(recent) = &mut self.recent
            && recent.correct(&correction)
        {
            return;
        }
        if let Some(stack) = self.totals.stacks.get_mut(&correction.stack) {
            stack.correct(correction.type_pointer, from, to);
        }
    }

    fn define(&mut self, definition: &StackDefinition<'_>) {
        let frames = &self.totals.frames;
        if frames.contains_key(&definition.id) {
            return;
        }
        if frames.len() < MAX_STACKS {
            let cut = match definition {
                StackDefinition {
                    unreadable: true, ..
                } => Some(Cut::Unreadable),
                StackDefinition {
                    truncated: true, ..
                } => Some(Cut::TooDeep),
                _ => None,
            };
            let pcs = self.folded.frames_of(definition);
            self.keep(
                definition.id,
                Frames {
                    pcs: pcs.into(),
                    cut,
                    creator: definition.creator,
                    labels: definition.labels,
                },
            );
        } else if let Some((fold, pcs)) = self.folded.fold(definition) {
            self.keep(
                fold,
                Frames {
                    pcs,
                    cut: Some(Cut::Folded),
                    creator: 0,
                    labels: LabelsId::default(),
                },
            );
        }
    }

    fn keep(&mut self, id: StackId, frames: Frames) {
        self.totals.frames.insert(id, frames);
        if let Some(recent) = &mut self.recent {
            recent.defined(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{decode, encoded};
    use tracer_common::record::FLAG_TINY_NEW;

    fn aggregated(records: &[Vec<u8>]) -> Totals {
        let mut aggregator = Aggregator::for_tests();
        for record in records {
            aggregator.apply(decode(record));
        }
        aggregator.into_totals()
    }

    #[test]
    fn allocations_sum_up_per_stack() {
        let totals = aggregated(&[
            encoded::stack(1, &[100, 200]),
            encoded::alloc(0, 1, 24, 0),
            encoded::alloc(0, 1, 100, 0),
            encoded::alloc(0, 2, 8, 0),
        ]);
        assert_eq!(totals.sums.allocs, 3);
        assert_eq!(totals.sums.requested_bytes, 132);
        let one = &totals.stacks[&StackId(1)];
        assert_eq!(
            (
                one.sums.allocs,
                one.sums.requested_bytes,
                one.sums.alloc_bytes
            ),
            (2, 124, 24 + 112)
        );
        assert_eq!(*totals.frames[&StackId(1)].pcs, [100, 200]);
        assert!(!totals.frames.contains_key(&StackId(2)));
    }

    #[test]
    fn a_definition_may_come_late_and_twice() {
        let totals = aggregated(&[
            encoded::alloc(0, 1, 24, 0),
            encoded::stack(1, &[100]),
            encoded::stack(1, &[100]),
            encoded::alloc(0, 1, 24, 0),
        ]);
        assert_eq!(totals.stacks[&StackId(1)].sums.allocs, 2);
        assert_eq!(totals.frames.len(), 1);
    }

    #[test]
    fn a_tiny_object_is_counted_as_its_last_word_says_everywhere() {
        let mut tiny = encoded::alloc(1, 1, 8, 5);
        tiny[2..4].copy_from_slice(&FLAG_TINY_NEW.to_ne_bytes());
        let goroutine = decode(&tiny).map(|record| match record {
            Record::Alloc(alloc) => alloc.goroutine,
            _ => 0,
        });
        let resume = encoded::resume(goroutine.unwrap(), 1 << 8);
        let totals = aggregated(&[tiny.clone(), tiny, resume]);
        let stack = &totals.stacks[&StackId(1)];
        let of_type = stack.types.iter().next().unwrap().sums;
        for sums in [totals.sums, stack.sums, of_type] {
            assert_eq!((sums.allocs, sums.alloc_bytes), (2, 16));
        }
    }

    #[test]
    fn undecodable_records_are_counted() {
        assert_eq!(aggregated(&[vec![], vec![99; 40]]).undecodable, 2);
    }

    #[test]
    fn stacks_beyond_the_bound_are_folded_to_their_inner_frames() {
        let mut aggregator = Aggregator::for_tests();
        let whole = MAX_STACKS as u64;
        for stack in 0..whole + 1000 {
            // One place that allocates, below ever other callers.
            let frames: Vec<u64> = (100..100 + fold::INNER_FRAMES as u64)
                .chain([1 << 20 | stack])
                .collect();
            aggregator.apply(decode(&encoded::stack(stack, &frames)));
            aggregator.apply(decode(&encoded::alloc(0, stack, 16, 0)));
        }
        let totals = aggregator.into_totals();
        assert_eq!((totals.sums.allocs, totals.overflowed), (whole + 1000, 0));
        assert_eq!(
            (totals.stacks.len(), totals.frames.len()),
            (MAX_STACKS + 1, MAX_STACKS + 1)
        );
        let folded = totals
            .frames
            .iter()
            .find(|(_, frames)| frames.cut.is_some())
            .unwrap();
        assert_eq!(folded.1.pcs.len(), fold::INNER_FRAMES);
        assert_eq!(totals.stacks[folded.0].sums.allocs, 1000);
    }

    #[test]
    fn when_folds_are_too_many_the_site_and_its_caller_remain() {
        let mut aggregator = Aggregator::for_tests();
        for stack in 0..(MAX_STACKS + fold::MAX_WITH_CALLER) as u64 {
            // Recursion: the third caller differs in every stack.
            let frames = [1, 2, 500, 600, 1 << 20 | stack, 700];
            aggregator.apply(decode(&encoded::stack(stack, &frames)));
            aggregator.apply(decode(&encoded::alloc(0, stack, 16, 0)));
        }
        let totals = aggregator.into_totals();
        assert_eq!(totals.overflowed, 0);
        assert!(
            totals
                .frames
                .values()
                .any(|frames| *frames.pcs == [1, 2, 500, 600])
        );
    }

    #[test]
    fn when_callers_are_too_many_the_site_remains() {
        let mut aggregator = Aggregator::for_tests();
        let stacks = (MAX_STACKS + 2 * fold::MAX_WITH_CALLER) as u64;
        for stack in 0..stacks {
            let frames = [1, 2, 500, 1 << 20 | stack, 700];
            aggregator.apply(decode(&encoded::stack(stack, &frames)));
            aggregator.apply(decode(&encoded::alloc(0, stack, 16, 0)));
        }
        let totals = aggregator.into_totals();
        assert_eq!((totals.sums.allocs, totals.overflowed), (stacks, 0));
        let site = totals
            .frames
            .iter()
            .find(|(_, frames)| *frames.pcs == [1, 2, 500]);
        let allocs = totals.stacks[site.unwrap().0].sums.allocs;
        assert_eq!(allocs, fold::MAX_WITH_CALLER as u64);
    }

    #[test]
    fn beyond_all_bounds_allocations_stay_in_the_sums() {
        let mut aggregator = Aggregator::for_tests();
        let bound = (MAX_STACKS + fold::MAX_FOLDS) as u64;
        for stack in 0..bound + 10 {
            aggregator.apply(decode(&encoded::alloc(0, stack, 16, 0)));
        }
        aggregator.apply(decode(&encoded::alloc(0, 1, 16, 0)));
        let totals = aggregator.into_totals();
        assert_eq!(totals.sums.allocs, bound + 11);
        assert_eq!((totals.stacks.len() as u64, totals.overflowed), (bound, 10));
    }
}
