//! Turns the objects of the schema back into a [`report::Report`], and checks what JSON alone cannot: that indices and
//! ids resolve and that sums fit.

use std::{borrow::Cow, collections::HashSet};

use super::{super::OutputError, heap, maps, schema, stack_types, words};
use crate::report;

/// The report that `capture` describes, once its parts are known to agree.
pub(super) fn report(capture: schema::Capture<'_>) -> Result<report::Report, OutputError> {
    check(&capture).map_err(OutputError::Inconsistent)?;
    let stack = |(id, frames): (schema::StackId, std::borrow::Cow<'_, [usize]>)| report::Stack {
        id: id.0,
        frames: frames.into_owned(),
        creator: None,
        labels: Vec::new(),
    };
    let mut stacks: Vec<report::Stack> = capture.stacks.0.into_iter().map(stack).collect();
    heap::restore(&mut stacks, capture.goroutines, capture.frames.len());
    let faults: Option<report::FaultFigures> = capture.faults.map(Into::into);
    let heap: Option<report::Heap> = capture.heap.map(Into::into);
    Ok(report::Report {
        target: capture.target.into(),
        window: capture.window.into(),
        totals: report::Figures {
            allocs: capture.totals.allocs,
            alloc_bytes: capture.totals.alloc_bytes,
            requested_bytes: capture.totals.requested_bytes,
            faults: faults.map(|faults| faults.all()),
            live_bytes: heap.as_ref().and_then(report::Heap::live_bytes),
            growth_per_s: None,
            estimate: capture.totals.estimate.map(Into::into),
        },
        completeness: capture.completeness.into(),
        overhead: capture.overhead.into(),
        frames: capture.frames.into_iter().map(Into::into).collect(),
        sites: capture.sites.into_iter().map(Into::into).collect(),
        stacks,
        maps: maps::decode(
            capture.map_coverage,
            (capture.totals.map_writes, capture.totals.map_growths),
            capture.maps,
            capture.map_instances,
        ),
        crashes: capture.crashes.into_iter().map(Into::into).collect(),
        faults,
        gc: capture.gc.map(Into::into),
        heap,
        memory: capture.memory.map(Into::into),
        timeline: capture.timeline.into_iter().map(Into::into).collect(),
    })
}

fn check(capture: &schema::Capture<'_>) -> Result<(), String> {
    let mut stacks = HashSet::new();
    for (schema::StackId(id), frames) in &capture.stacks.0 {
        let known = capture.frames.len();
        if let Some(index) = frames.iter().find(|&&index| index >= known) {
            return Err(format!(
                "stack {id:016x} names frame {index}, but there are {known} frames"
            ));
        }
        if !stacks.insert(*id) {
            return Err(format!("stack {id:016x} is defined twice"));
        }
    }
    for site in &capture.sites {
        let dangling = site
            .stacks
            .iter()
            .find(|stack| !stacks.contains(&stack.id.0));
        if let Some(schema::SiteStack {
            id: schema::StackId(id),
            ..
        }) = dangling
        {
            return Err(format!(
                "site {} names stack {id:016x}, which is not defined",
                site.id
            ));
        }
    }
    let mut lost = capture.completeness.lost.0.iter().map(|(_, count)| *count);
    lost.try_fold(0_u64, u64::checked_add)
        .map(drop)
        .ok_or_else(|| "its causes of loss add up to more than 64 bits hold".into())
}

impl From<schema::Target<'_>> for report::Target {
    fn from(target: schema::Target<'_>) -> Self {
        Self {
            pid: target.pid,
            exe: target.exe.into_owned(),
            build_id: target.build_id.map(Into::into),
            go_version: target.go_version.into_owned(),
            arch: target.arch.into_owned(),
            stripped: target.stripped,
            pie: target.pie,
            cgo: target.cgo,
            container: target.container.map(Into::into),
            memory_limit_bytes: target.memory_limit_bytes,
        }
    }
}

impl From<schema::Window<'_>> for report::Window {
    fn from(window: schema::Window<'_>) -> Self {
        Self {
            start_unix_ns: window.start_unix_ns,
            duration_ns: window.duration_ns,
            mode: words::mode(window.mode),
            mode_steps: window.mode_steps.into_iter().map(Into::into).collect(),
            state: words::state(window.ended_by, window.running),
        }
    }
}

impl From<schema::ModeStep<'_>> for report::ModeStep {
    fn from(step: schema::ModeStep<'_>) -> Self {
        Self {
            at_ns: step.at_ns,
            to: words::step(step.mode),
            reason: step.reason.into_owned(),
        }
    }
}

impl From<schema::Estimate> for report::Estimate {
    fn from(estimate: schema::Estimate) -> Self {
        Self {
            allocs_error: estimate.allocs_error,
            alloc_bytes_error: estimate.alloc_bytes_error,
        }
    }
}

impl From<schema::Completeness<'_>> for report::Completeness {
    fn from(completeness: schema::Completeness<'_>) -> Self {
        let families = completeness.families.0.into_iter();
        Self {
            hits: completeness.hits,
            delivered: completeness.delivered,
            sampled_out: completeness.sampled_out,
            lost: counts(completeness.lost),
            unknown_pcs: completeness.unknown_pcs,
            truncated_stacks: completeness.truncated_stacks,
            truncated_by: counts(completeness.truncated_by),
            undefined_stacks: completeness.undefined_stacks,
            overflowed: completeness.overflowed,
            unbinned_sizes: completeness.unbinned_sizes,
            unseen: completeness.unseen,
            unsure_bytes: completeness.unsure_bytes,
            counters: counts(completeness.counters),
            families: families.map(family).collect(),
            coverage: completeness.coverage,
        }
    }
}

fn counts(counts: schema::OrderedMap<Cow<'_, str>, u64>) -> Vec<(String, u64)> {
    let counts = counts.0.into_iter();
    counts
        .map(|(name, count)| (name.into_owned(), count))
        .collect()
}

fn family((name, figures): (Cow<'_, str>, schema::Family<'_>)) -> report::Family {
    report::Family {
        name: name.into_owned(),
        hits: figures.hits,
        delivered: figures.delivered,
        lost: counts(figures.lost),
    }
}

impl From<schema::Overhead> for report::Overhead {
    fn from(overhead: schema::Overhead) -> Self {
        Self {
            ns_per_hit: overhead.ns_per_hit,
            hits_per_s: overhead.hits_per_s.0,
            target_cpu_pct: overhead.target_cpu_pct,
            target_share_pct: overhead.target_share_pct,
            target_used_pct: overhead.target_used_pct,
            agent_cpu_pct: overhead.agent_cpu_pct,
            agent_rss_bytes: overhead.agent_rss_bytes,
        }
    }
}

impl From<schema::Frame<'_>> for report::Frame {
    fn from(frame: schema::Frame<'_>) -> Self {
        Self {
            function: frame.function.into_owned(),
            package: frame.package.into_owned(),
            file: frame.file.into_owned(),
            line: frame.line,
            inlined: frame.inlined,
        }
    }
}

impl From<schema::Site<'_>> for report::Site {
    fn from(site: schema::Site<'_>) -> Self {
        let faults: Option<report::FaultFigures> = site.faults.map(Into::into);
        let gc = || {
            Some(report::GcFigures {
                assists: site.gc_assists?,
                assist_ns: site.gc_assist_ns?,
                calls: site.gc_calls?,
            })
        };
        let live: Option<report::Live> = site.live.map(Into::into);
        let recent: Option<report::Recent> = site.recent.map(Into::into);
        let growth: Option<report::Growth> = site.growth.map(Into::into);
        let (stacks, types) = site.stacks.into_iter().map(stack).unzip();
        let mut site = Self {
            faults,
            gc: gc(),
            id: site.id,
            frames: site.frames.into_iter().map(Into::into).collect(),
            figures: report::Figures {
                allocs: site.allocs,
                alloc_bytes: site.alloc_bytes,
                requested_bytes: site.requested_bytes,
                faults: faults.map(|faults| faults.all()),
                live_bytes: (live.map(|live| live.now.bytes))
                    .or(recent.as_ref().map(|recent| recent.live.bytes)),
                growth_per_s: growth.as_ref().map(report::Growth::whole_bytes_per_s),
                estimate: site.estimate.map(Into::into),
            },
            size: site.size.into(),
            types: site.types.into_iter().map(Into::into).collect(),
            live,
            recent,
            growth,
            stacks,
        };
        stack_types::restore(&mut site, types);
        site
    }
}

impl From<schema::Size<'_>> for report::SizeSummary {
    fn from(size: schema::Size<'_>) -> Self {
        Self {
            min: size.min,
            p50: size.p50,
            p90: size.p90,
            p99: size.p99,
            max: size.max,
            mean: size.mean.0,
            buckets: size.buckets.into_owned(),
            unbinned: size.unbinned,
        }
    }
}

impl From<schema::Type<'_>> for report::TypeFigures {
    fn from(figures: schema::Type<'_>) -> Self {
        Self {
            name: figures.name.into_owned(),
            allocs: figures.allocs,
            alloc_bytes: figures.alloc_bytes,
            bytes: figures.bytes,
            pointer_bytes: figures.pointer_bytes,
            live_bytes: figures.live_bytes,
        }
    }
}

/// A stack of a site, and its types if the capture has them apart from the site's.
fn stack(stack: schema::SiteStack<'_>) -> (report::StackFigures, Option<Vec<report::TypeFigures>>) {
    let (live, recent) = (stack.live.map(Into::into), stack.recent.map(Into::into));
    let figures = report::StackFigures {
        id: stack.id.0,
        figures: report::Figures {
            allocs: stack.allocs,
            alloc_bytes: stack.alloc_bytes,
            requested_bytes: stack.requested_bytes,
            faults: stack.faults,
            live_bytes: recent.or(live).map(|alive: report::Amount| alive.bytes),
            growth_per_s: None,
            estimate: stack.estimate.map(Into::into),
        },
        types: Vec::new(),
        live,
        recent,
    };
    let types = stack.types;
    let types = types.map(|types| types.into_iter().map(Into::into).collect());
    (figures, types)
}

impl From<schema::TimelinePoint> for report::TimelinePoint {
    fn from(point: schema::TimelinePoint) -> Self {
        Self {
            t_ns: point.t_ns,
            allocs: point.allocs,
            alloc_bytes: point.alloc_bytes,
            rss_bytes: point.rss_bytes,
            rss_anon_bytes: point.rss_anon_bytes,
            rss_file_bytes: point.rss_file_bytes,
            swap_bytes: point.swap_bytes,
            heap_live: point.heap_live,
            heap_goal: point.heap_goal,
            faults: point.faults,
            gc_cycles: point.gc_cycles,
            limit_used_bytes: point.limit_used_bytes,
        }
    }
}
