//! Joins the sums of a capture with the names of its stacks and types.
//!
//! This is the list of the parts; each is made in a file of its own. `basis` says what figures are made of (allocations,
//! samples, or the runtime's own profile), `figures` adds sums up, `sites` puts stacks together by the place that they end
//! at, with the figures of `basis`; `stacks` has each stack once, with its frames; `maps` and `gc` are apart from these.
//! `completeness` tells what is missing. None of them asks this file.

use super::basis::{Basis, HeapView};
use super::completeness::completeness;
use super::heap::Scaling;
use super::sites::Recorded;
use super::stacks::stacks;
use super::{
    Completeness, Estimate, FaultFigures, Figures, Gc, Memory, Overhead, Profiler, Report, Site,
    Target, TimelinePoint, Window,
};
use super::{maps, sites};
use crate::aggregate::{Counters, HeapHistory, Totals};
use crate::plan::{GcPlan, HeapProbes, MapPlan, MapProbes};
use crate::symbolize::Symbols;
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
