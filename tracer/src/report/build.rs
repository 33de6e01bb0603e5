//! Joins the sums of a capture with the names of its stacks and types.

use super::basis::{Basis, HeapView};
use super::heap::Scaling;
use super::sites::Recorded;
use super::stacks::stacks;
use super::{
    Completeness, Estimate, FaultFigures, Figures, Gc, Memory, Overhead, Profiler, Report, Site,
    Target, TimelinePoint, Window,
};
use super::{maps, sites};
use crate::aggregate::{Counters, Cut, HeapHistory, StackTotals, Sums, TINY_BLOCK, Totals, whole};
use crate::plan::{GcPlan, HeapProbes, MapPlan, MapProbes};
use crate::symbolize::Symbols;
use std::collections::BTreeMap;
use tracer_common::counter::Counter;
use tracer_common::family::{Extra, Family};

/// Everything known at the end of a capture.
#[derive(Debug)]
pub struct Capture<'a> {
    /// The traced process and its binary.
    pub target: Target,
    /// When and how it was traced.
    pub window: Window,
    /// What was collected.
    pub totals: &'a Totals,
    /// What the kernel counted.
    pub counters: &'a Counters,
    /// Share of the target's allocations that pass the probes or that those recorded stand for; `None` if it cannot be
    /// known.
    pub probed_share: Option<f64>,
    /// Whether something was allocated that no window stands for.
    pub unseen: bool,
    /// The probes on maps.
    pub map_plan: &'a MapPlan,
    /// Whether page faults were recorded.
    pub faults: bool,
    /// The probes on the collector; `None` if there are none.
    pub gc_plan: Option<&'a GcPlan>,
    /// What is known of the heap besides records of allocations.
    pub heap: HeapFacts<'a>,
    /// What resident memory consists of.
    pub memory: Option<Memory>,
    /// Start of recording on the monotonic clock, nanoseconds.
    pub start_monotonic_ns: u64,
    /// Names of the stacks and types in `totals`.
    pub symbols: &'a Symbols,
    /// The course of the capture.
    pub timeline: Vec<TimelinePoint>,
    /// What tracing cost; the rate of hits is filled in here.
    pub overhead: Overhead,
}

/// What is known of the heap besides records of allocations.
#[derive(Clone, Debug)]
pub struct HeapFacts<'a> {
    /// What was probed.
    pub probes: HeapProbes,
    /// The runtime's profiler.
    pub profiler: Profiler,
    /// Bytes between two samples, on average, by which samples are scaled: the rate of the profiler, also if it has been
    /// switched off meanwhile.
    pub scale_rate: Option<u64>,
    /// Why this was probed, or why it is not known what is alive.
    pub reason: Option<String>,
    /// The runtime's own profile.
    pub history: Option<&'a HeapHistory>,
    /// Whether allocations themselves were recorded.
    pub allocations: bool,
}

impl HeapFacts<'_> {
    /// Nothing but records of allocations.
    pub fn none() -> Self {
        HeapFacts {
            probes: HeapProbes::Off,
            profiler: Profiler::default(),
            scale_rate: None,
            reason: None,
            history: None,
            allocations: true,
        }
    }

    /// How samples are scaled; `None` if there are none.
    fn scaling(&self) -> Option<Scaling> {
        match self.probes {
            HeapProbes::Off => None,
            HeapProbes::Profiler => self.scale_rate.map(Scaling::Profiler),
            HeapProbes::Spans => Some(Scaling::Spans),
        }
    }

    /// What the figures of sites are made of.
    fn basis(&self) -> Basis {
        match self.scaling() {
            _ if self.allocations => Basis::Allocations,
            Some(scaling) => Basis::Samples(scaling),
            None => Basis::History,
        }
    }
}

/// Makes the report of a capture.
pub fn build(capture: Capture<'_>) -> Report {
    let Capture {
        target,
        window,
        totals,
        counters,
        probed_share,
        unseen,
        map_plan,
        faults,
        gc_plan,
        heap,
        memory,
        start_monotonic_ns,
        symbols,
        timeline,
        overhead,
    } = capture;
    let end_ns = start_monotonic_ns.saturating_add(window.duration_ns);
    let view = HeapView::new(
        heap.basis(),
        &totals.heap,
        heap.scaling(),
        heap.history,
        (start_monotonic_ns, end_ns),
    );
    let recorded = Recorded {
        faults,
        gc: gc_plan.is_some(),
        heap: &view,
    };
    let mut sites = sites::build(totals, symbols, recorded);
    let faults = faults.then(|| all_faults(totals, symbols));
    let (frames, stacks) = stacks(totals, heap.history, symbols);
    let seconds = window.duration_ns as f64 / 1e9;
    let hits = if heap.allocations {
        counters.seen(Family::Alloc)
    } else {
        counters.extra_hits()[Extra::Live]
    };
    let hits_per_s = if seconds > 0.0 {
        hits as f64 / seconds
    } else {
        0.0
    };
    let sampled = !heap.allocations;
    let completeness = Completeness {
        unseen,
        ..completeness(totals, counters, probed_share, sampled, symbols)
    };
    let mut all = Figures {
        faults: faults.map(|faults| faults.all()),
        live_bytes: view.live_bytes(),
        ..view.totals(totals)
    };
    if unseen {
        mark_as_estimates(&mut all, &mut sites);
    }
    Report {
        target,
        window,
        totals: all,
        completeness,
        overhead: Overhead {
            hits_per_s,
            ..overhead
        },
        frames,
        sites,
        stacks,
        maps: (map_plan.probes != MapProbes::Off)
            .then(|| maps::build(totals, symbols, map_plan, start_monotonic_ns)),
        crashes: maps::crashes(totals, symbols, map_plan, start_monotonic_ns),
        faults,
        gc: gc_plan.map(|plan| Gc::of(&totals.gc, &plan.skipped, start_monotonic_ns)),
        heap: Some(view.heap(&totals.arrived, heap.probes, heap.profiler, heap.reason)),
        memory,
        timeline,
    }
}

/// Nothing is known to be all of what happened.
fn mark_as_estimates(totals: &mut Figures, sites: &mut [Site]) {
    totals.estimate = Some(Estimate::default());
    for site in sites {
        site.figures.estimate.get_or_insert_default();
        for stack in &mut site.stacks {
            stack.figures.estimate.get_or_insert_default();
        }
    }
}

/// Page faults of the whole capture, those at no site included.
fn all_faults(totals: &Totals, symbols: &Symbols) -> FaultFigures {
    let mut by_instruction = FaultFigures::default();
    for (id, sums) in &totals.faults.stacks {
        if let Some(frames) = totals.frames.get(id) {
            by_instruction.merge(&FaultFigures::of_stack(sums, &frames.pcs, symbols));
        }
    }
    let all = FaultFigures::of_stack(&totals.faults.sums, &[], symbols);
    let FaultFigures { reads, writes, .. } = by_instruction;
    FaultFigures {
        at_no_site: all.all().saturating_sub(by_instruction.all()),
        reads,
        writes,
        unknown_access: all.all().saturating_sub(reads + writes),
        ..all
    }
}

/// Sums as a report shows them.
pub(super) fn figures(sums: &Sums, estimate: Option<Estimate>) -> Figures {
    Figures {
        allocs: sums.allocs,
        alloc_bytes: sums.known_alloc_bytes(),
        requested_bytes: Some(sums.requested_bytes),
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate,
    }
}

/// Figures of these stacks together.
pub(super) fn figures_of<'a>(
    totals: &Totals,
    stacks: impl Iterator<Item = &'a StackTotals> + Clone,
) -> Figures {
    let mut sums = Sums::default();
    stacks.clone().for_each(|stack| sums.merge(&stack.sums));
    figures(&sums, estimate(totals, stacks))
}

/// How good the figures of these stacks together are; `None` if each of their allocations was recorded.
pub(super) fn estimate<'a>(
    totals: &Totals,
    stacks: impl Iterator<Item = &'a StackTotals>,
) -> Option<Estimate> {
    let mut uncertain = stacks
        .filter_map(|stack| stack.uncertainty.as_deref())
        .peekable();
    uncertain.peek()?;
    let error = totals.progress.standard_error(uncertain);
    Some(Estimate {
        allocs_error: error.map(|error| whole(error.allocs)),
        alloc_bytes_error: error.map(|error| whole(error.alloc_bytes)),
    })
}

fn completeness(
    totals: &Totals,
    counters: &Counters,
    probed_share: Option<f64>,
    sampled: bool,
    symbols: &Symbols,
) -> Completeness {
    let hits = counters.seen(Family::Alloc);
    let delivered = totals.arrived[Family::Alloc];
    let mut lost = named(counters.losses(Family::Alloc));
    lost.push(("undecodable".to_owned(), totals.undecodable));
    let mut undefined_stacks = 0;
    let mut cut: BTreeMap<Cut, u64> = BTreeMap::new();
    for (id, stack) in &totals.stacks {
        match totals.frames.get(id) {
            None => undefined_stacks += stack.sums.allocs,
            Some(frames) => {
                if let Some(cause) = frames.cut {
                    *cut.entry(cause).or_default() += stack.sums.allocs;
                }
            }
        }
    }
    if sampled {
        // Here the figures are made of samples.
        for (id, stack) in &totals.heap.stacks {
            let samples: u64 = stack.sizes.values().map(|counts| counts.samples).sum();
            match totals.frames.get(id).map(|frames| frames.cut) {
                None => undefined_stacks += samples,
                Some(Some(cause)) => *cut.entry(cause).or_default() += samples,
                Some(None) => {}
            }
        }
    }
    let unbinned = totals.stacks.values().map(|stack| stack.sizes.unbinned());
    let allocs = totals.sums.allocs;
    let at_a_site = allocs
        .saturating_sub(undefined_stacks)
        .saturating_sub(totals.overflowed);
    let sampled_out = counters.sampled_out(Family::Alloc);
    let arrived = (delivered + sampled_out) as f64 / hits as f64;
    let coverage = if sampled {
        probed_share
    } else {
        probed_share
            .filter(|_| hits > 0 && allocs > 0)
            .map(|share| share * arrived * at_a_site as f64 / allocs as f64)
    };
    Completeness {
        hits,
        delivered,
        sampled_out,
        lost,
        unknown_pcs: symbols.unknown_pcs(),
        truncated_stacks: cut.values().sum(),
        truncated_by: [Cut::TooDeep, Cut::Unreadable, Cut::Folded]
            .map(|cause| {
                (
                    cut_name(cause).to_owned(),
                    cut.get(&cause).copied().unwrap_or(0),
                )
            })
            .into(),
        undefined_stacks,
        overflowed: totals.overflowed + totals.heap.overflowed_samples,
        unseen: false,
        unbinned_sizes: unbinned.fold(totals.heap.merged_sizes, u64::saturating_add),
        counters: Counter::ALL
            .map(|counter| (counter.name().to_owned(), counters.get(counter)))
            .into(),
        families: families(totals, counters),
        unsure_bytes: Some(TINY_BLOCK * counters.lost(Family::Resume)),
        coverage,
    }
}

fn cut_name(cut: Cut) -> &'static str {
    match cut {
        Cut::TooDeep => "too_deep",
        Cut::Unreadable => "unreadable",
        Cut::Folded => "folded",
    }
}

/// Everything in the ring that is no allocation.
fn families(totals: &Totals, counters: &Counters) -> Vec<super::Family> {
    let others = Family::ALL
        .into_iter()
        .filter(|family| *family != Family::Alloc);
    let counts = others.map(|family| super::Family {
        name: family.name().to_owned(),
        hits: Some(counters.seen(family)),
        delivered: totals.arrived[family],
        lost: named(counters.losses(family)),
    });
    counts.collect()
}

fn named(counts: impl Iterator<Item = (Counter, u64)>) -> Vec<(String, u64)> {
    let named = counts.map(|(counter, count)| (counter.name().to_owned(), count));
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Aggregator;
    use crate::decode::{decode, encoded};

    fn completeness_of(
        records: &[Vec<u8>],
        counters: &[(Counter, u64)],
        probed_share: Option<f64>,
    ) -> Completeness {
        let mut aggregator = Aggregator::for_tests();
        records
            .iter()
            .for_each(|record| aggregator.apply(decode(record)));
        completeness(
            aggregator.totals(),
            &Counters::of(counters),
            probed_share,
            false,
            &Symbols::default(),
        )
    }

    #[test]
    fn every_loss_is_listed_with_its_cause() {
        let records = [
            encoded::stack(1, &[7]),
            encoded::alloc(0, 1, 8, 0),
            vec![99],
        ];
        let counters = [(Counter::Hits, 5), (Counter::LostRingFull, 3)];
        let completeness = completeness_of(&records, &counters, Some(1.0));
        assert_eq!(
            (
                completeness.hits,
                completeness.delivered,
                completeness.lost_total()
            ),
            (5, 1, 4)
        );
        let ring_full = completeness
            .lost
            .iter()
            .find(|(cause, _)| cause == "ring_full");
        assert_eq!(ring_full.map(|(_, count)| *count), Some(3));
        assert_eq!(completeness.coverage, Some(0.2));
    }

    #[test]
    fn a_stack_that_never_arrived_lowers_the_coverage() {
        let records = [
            encoded::stack(1, &[7]),
            encoded::alloc(0, 1, 8, 0),
            encoded::alloc(0, 2, 8, 0),
        ];
        let completeness = completeness_of(&records, &[(Counter::Hits, 2)], Some(1.0));
        assert_eq!(
            (completeness.undefined_stacks, completeness.coverage),
            (1, Some(0.5))
        );
    }

    #[test]
    fn the_coverage_of_an_unknown_runtime_is_not_known() {
        let completeness =
            completeness_of(&[encoded::alloc(0, 1, 8, 0)], &[(Counter::Hits, 1)], None);
        assert_eq!(completeness.coverage, None);
    }
}
