//! A running capture by places: what a report of it needs, without all the stacks.
//!
//! Stacks that are alike up to the innermost function outside the runtime are one here, which has the frames up to that. A
//! report of it has the same sites as one of the whole capture, with the same figures; it lacks their callers.

use crate::aggregate::{Changes, Frames, MAX_HISTOGRAM_BYTES, StackMap, StackTotals, Totals};
use crate::decode::{LabelsId, StackId};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;

/// What is kept of a stack besides its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    #[default]
    Place,
    /// Who made its goroutine, and the goroutine's labels.
    Goroutine,
}

/// What a capture has seen so far, by places.
#[derive(Debug)]
pub struct Places {
    detail: Detail,
    totals: Totals,
    /// The place of each stack.
    of: StackMap<StackId>,
    /// Memory that is left for histograms.
    bytes_left: usize,
}

impl Places {
    /// Nothing was seen yet.
    pub fn new(detail: Detail) -> Self {
        Places {
            detail,
            totals: Totals::default(),
            of: StackMap::default(),
            bytes_left: MAX_HISTOGRAM_BYTES,
        }
    }

    /// Takes in what happened since the last time. `to_place` tells how many program counters of a stack, innermost first,
    /// lead to its place.
    pub fn take(&mut self, changes: Changes, mut to_place: impl FnMut(&[u64]) -> usize) {
        let Changes {
            stacks,
            frames,
            corrections,
            others,
        } = changes;
        for (id, whole) in frames {
            let reduced = self.reduced(&whole, to_place(&whole.pcs));
            self.place(id, reduced);
        }
        for (id, since) in stacks {
            let place = self.of(id);
            let known = self.totals.stacks.entry(place).or_default();
            known.merge(&since, &mut self.bytes_left);
        }
        for ((id, type_pointer), bytes) in corrections {
            let place = self.of(id);
            if let Some(known) = self.totals.stacks.get_mut(&place) {
                let (from, to) = if bytes < 0 { (bytes, 0) } else { (0, bytes) };
                known.correct(type_pointer, from.unsigned_abs(), to.unsigned_abs());
            }
        }
        self.totals.frames.extend(others.frames);
        let of = &self.of;
        let place = |id: StackId| of.get(&id).copied().unwrap_or(id);
        self.totals = Totals {
            stacks: mem::take(&mut self.totals.stacks),
            frames: mem::take(&mut self.totals.frames),
            maps: others.maps.renamed(place),
            faults: others.faults.renamed(place),
            gc: others.gc.renamed(place),
            heap: others.heap.renamed(place),
            ..others
        };
    }

    /// Everything so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The place of a stack; the stack itself as long as its frames have not arrived.
    fn of(&self, id: StackId) -> StackId {
        self.of.get(&id).copied().unwrap_or(id)
    }

    fn reduced(&self, whole: &Frames, to_place: usize) -> Frames {
        let pcs = whole.pcs.get(..to_place).unwrap_or(&whole.pcs);
        let (creator, labels) = match self.detail {
            Detail::Place => (0, LabelsId::default()),
            Detail::Goroutine => (whole.creator, whole.labels),
        };
        Frames {
            pcs: pcs.into(),
            cut: whole.cut,
            creator,
            labels,
        }
    }

    /// The frames of a stack have arrived.
    fn place(&mut self, id: StackId, frames: Frames) {
        let place = identity(&frames);
        self.of.insert(id, place);
        self.totals.frames.insert(place, frames);
        // What came before them is not lost.
        if let Some(before) = self.totals.stacks.remove(&id) {
            let known: &mut StackTotals = self.totals.stacks.entry(place).or_default();
            known.merge(&before, &mut self.bytes_left);
        }
    }
}

fn identity(frames: &Frames) -> StackId {
    let mut hasher = DefaultHasher::new();
    let Frames {
        pcs,
        cut,
        creator,
        labels,
    } = frames;
    (pcs, cut, creator, labels).hash(&mut hasher);
    StackId(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Aggregator, Counters, GcRules};
    use crate::decode::{Record, decode, encoded};
    use crate::plan::{GcEvent, GcPlan, MapPlan};
    use crate::report::{self, Capture, Figures, HeapFacts, Report, fixture, to_site};
    use crate::symbolize::{Frame as Named, Symbols};
    use tracer_common::record::{FLAG_TINY_NEW, MEMORY_HEAP};

    /// Three places, called by ever other callers: 1 is the runtime's.
    fn symbols() -> Symbols {
        let places = (0..3).map(|line| {
            let frame = Named::of("main.place", "main", line);
            (100 + u64::from(line), vec![frame])
        });
        let callers = (200..1000).map(|pc| (pc, vec![Named::of("main.caller", "main", 9)]));
        let runtime = (2, vec![Named::of("runtime.mallocgc", "runtime", 5)]);
        Symbols::of(places.chain(callers).chain([runtime]), Vec::new())
            .with_innermost(1, vec![Named::of("runtime.mallocgc", "runtime", 1)])
    }

    fn report_of(totals: &Totals, symbols: &Symbols) -> Report {
        let sample = fixture::report();
        report::build(Capture {
            target: sample.target,
            window: sample.window,
            totals,
            map_plan: &MapPlan::off(),
            faults: true,
            gc_plan: Some(&GcPlan::default()),
            heap: HeapFacts::none(),
            memory: None,
            start_monotonic_ns: 0,
            counters: &Counters::of(&[]),
            probed_share: Some(1.0),
            unseen: false,
            symbols,
            timeline: Vec::new(),
            overhead: sample.overhead,
        })
    }

    /// What must be the same of each site.
    fn sites(report: &Report) -> Vec<impl PartialEq + std::fmt::Debug> {
        let sites = report.sites.iter();
        sites
            .map(|site| {
                let figures: Figures = site.figures;
                let (lines, sizes) = (site.frames.clone(), site.size.clone());
                (
                    lines,
                    figures,
                    sizes,
                    site.types.clone(),
                    site.faults,
                    site.gc,
                )
            })
            .collect()
    }

    /// Numbers that look random.
    struct Noise(u64);

    impl Noise {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ mixed >> 27) % limit
        }
    }

    fn pcs(stack: u64) -> Vec<u64> {
        vec![1, 2, 100 + stack % 3, 200 + stack]
    }

    /// What a target does next, as records: some stacks are defined late, some tiny objects are corrected late.
    fn records(noise: &mut Noise) -> Vec<Vec<u8>> {
        let stack = noise.below(300);
        match noise.below(9) {
            0 => vec![encoded::fault(stack, 0x1000, MEMORY_HEAP, 0)],
            1 => vec![encoded::gc(0, stack, 1, [0; 4], None)],
            2 => {
                let mut tiny = encoded::alloc(1, stack, 8, 5);
                tiny[2..4].copy_from_slice(&FLAG_TINY_NEW.to_ne_bytes());
                vec![tiny]
            }
            3 => vec![encoded::resume(goroutine(), 1 << 8)],
            4 => vec![encoded::stack(stack, &pcs(stack))],
            size => vec![encoded::alloc(
                0,
                stack,
                8 * size,
                noise.below(2) * 8 * size,
            )],
        }
    }

    /// Of every allocation in [`encoded`].
    fn goroutine() -> u64 {
        match decode(&encoded::alloc(0, 1, 8, 0)) {
            Ok(Record::Alloc(alloc)) => alloc.goroutine,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn at_each_look_sites_are_as_in_a_report_of_everything() {
        let symbols = symbols();
        let mut aggregator = Aggregator::with_gc_rules(GcRules {
            events: vec![GcEvent::Call],
            ..GcRules::default()
        });
        let mut places = Places::new(Detail::Place);
        let mut noise = Noise(7);
        for look in 0..30 {
            for _ in 0..noise.below(400) {
                for record in records(&mut noise) {
                    aggregator.apply(decode(&record));
                }
            }
            places.take(aggregator.changes(), |pcs| {
                to_site(pcs, &symbols).unwrap_or(pcs.len())
            });
            let whole = report_of(aggregator.totals(), &symbols);
            let by_place = report_of(places.totals(), &symbols);
            assert_eq!(sites(&by_place), sites(&whole), "look {look}");
            assert_eq!(by_place.totals, whole.totals);
            assert_eq!(by_place.completeness, whole.completeness);
            assert_eq!(by_place.faults, whole.faults);
            assert_eq!(by_place.gc, whole.gc);
        }
        let allocs = places.totals().sums.allocs;
        assert!(allocs > 1000, "{allocs}");
        assert!(places.totals().stacks.len() < 300);
        assert!(places.totals().frames.len() <= 3);
    }

    #[test]
    fn goroutines_are_kept_apart_if_they_are_asked_for() {
        let stacks = |detail| {
            let mut aggregator = Aggregator::for_tests();
            for stack in 0..4 {
                let definition = encoded::logical_stack(stack, &[100, 200 + stack], stack % 2, 0);
                aggregator.apply(decode(&definition));
                aggregator.apply(decode(&encoded::alloc(0, stack, 8, 0)));
            }
            let mut places = Places::new(detail);
            places.take(aggregator.changes(), |_| 1);
            places.totals().stacks.len()
        };
        assert_eq!(stacks(Detail::Place), 1);
        assert_eq!(stacks(Detail::Goroutine), 2);
    }
}
