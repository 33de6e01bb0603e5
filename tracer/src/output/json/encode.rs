//! Views a [`report`] as the objects of the schema, without copying its text.

use std::borrow::Cow;

use super::{SCHEMA, heap, schema, stack_types, words};
use crate::{findings, report};

impl<'a> From<&'a report::Report> for schema::Capture<'a> {
    fn from(report: &'a report::Report) -> Self {
        let stack = |stack: &'a report::Stack| {
            (
                schema::StackId(stack.id),
                Cow::Borrowed(stack.frames.as_slice()),
            )
        };
        let maps = report.maps.as_ref();
        Self {
            schema: SCHEMA.into(),
            target: (&report.target).into(),
            window: (&report.window).into(),
            totals: schema::Totals::of(report),
            completeness: (&report.completeness).into(),
            overhead: (&report.overhead).into(),
            frames: report.frames.iter().map(Into::into).collect(),
            sites: report.sites.iter().map(Into::into).collect(),
            stacks: schema::OrderedMap(report.stacks.iter().map(stack).collect()),
            goroutines: heap::goroutines(&report.stacks),
            maps: maps
                .map(|maps| maps.sites.iter().map(Into::into).collect())
                .unwrap_or_default(),
            map_instances: maps
                .map(|maps| maps.instances.iter().map(Into::into).collect())
                .unwrap_or_default(),
            map_coverage: maps.map(Into::into),
            crashes: report.crashes.iter().map(Into::into).collect(),
            faults: report.faults.map(Into::into),
            gc: report.gc.as_ref().map(Into::into),
            heap: report.heap.as_ref().map(Into::into),
            memory: report.memory.as_ref().map(Into::into),
            timeline: report.timeline.iter().map(Into::into).collect(),
            groups: None,
            findings: Vec::new(),
        }
    }
}

impl<'a> From<&'a report::Target> for schema::Target<'a> {
    fn from(target: &'a report::Target) -> Self {
        Self {
            pid: target.pid,
            exe: target.exe.as_str().into(),
            build_id: target.build_id.as_deref().map(Into::into),
            go_version: target.go_version.as_str().into(),
            arch: target.arch.as_str().into(),
            stripped: target.stripped,
            pie: target.pie,
            cgo: target.cgo,
            container: target.container.as_deref().map(Into::into),
            memory_limit_bytes: target.memory_limit_bytes,
        }
    }
}

impl<'a> From<&'a report::Window> for schema::Window<'a> {
    fn from(window: &'a report::Window) -> Self {
        Self {
            start_unix_ns: window.start_unix_ns,
            duration_ns: window.duration_ns,
            mode: window.mode.name().into(),
            mode_steps: window.mode_steps.iter().map(Into::into).collect(),
            ended_by: words::ended_by(&window.state).into(),
            running: window.state == report::State::Running,
        }
    }
}

impl<'a> From<&'a report::ModeStep> for schema::ModeStep<'a> {
    fn from(step: &'a report::ModeStep) -> Self {
        Self {
            at_ns: step.at_ns,
            mode: step.to.name().into(),
            reason: step.reason.as_str().into(),
        }
    }
}

impl From<report::Estimate> for schema::Estimate {
    fn from(estimate: report::Estimate) -> Self {
        Self {
            allocs_error: estimate.allocs_error,
            alloc_bytes_error: estimate.alloc_bytes_error,
        }
    }
}

impl schema::Totals {
    /// The totals of a whole report.
    pub(in crate::output) fn of(report: &report::Report) -> Self {
        let figures = report.totals;
        let maps = report.maps.as_ref();
        Self {
            allocs: figures.allocs,
            alloc_bytes: figures.alloc_bytes,
            requested_bytes: figures.requested_bytes,
            estimate: figures.estimate.map(Into::into),
            map_writes: maps.and_then(|maps| maps.writes),
            map_growths: maps.map(|maps| maps.growths),
            faults_minor: report.faults.map(|faults| faults.minor),
            faults_major: report.faults.map(|faults| faults.major),
            gc_cycles: report.gc.as_ref().map(|gc| gc.cycles_total),
        }
    }
}

impl<'a> From<&'a report::Completeness> for schema::Completeness<'a> {
    fn from(completeness: &'a report::Completeness) -> Self {
        Self {
            hits: completeness.hits,
            delivered: completeness.delivered,
            sampled_out: completeness.sampled_out,
            lost: counts(&completeness.lost),
            unknown_pcs: completeness.unknown_pcs,
            truncated_stacks: completeness.truncated_stacks,
            truncated_by: counts(&completeness.truncated_by),
            undefined_stacks: completeness.undefined_stacks,
            overflowed: completeness.overflowed,
            unbinned_sizes: completeness.unbinned_sizes,
            unseen: completeness.unseen,
            unsure_bytes: completeness.unsure_bytes,
            counters: counts(&completeness.counters),
            families: schema::OrderedMap(completeness.families.iter().map(family).collect()),
            coverage: completeness.coverage,
        }
    }
}

fn counts(counts: &[(String, u64)]) -> schema::OrderedMap<Cow<'_, str>, u64> {
    let counts = counts.iter();
    schema::OrderedMap(
        counts
            .map(|(name, count)| (name.as_str().into(), *count))
            .collect(),
    )
}

fn family(family: &report::Family) -> (Cow<'_, str>, schema::Family<'_>) {
    let figures = schema::Family {
        hits: family.hits,
        delivered: family.delivered,
        lost: counts(&family.lost),
    };
    (family.name.as_str().into(), figures)
}

impl From<&report::Overhead> for schema::Overhead {
    fn from(overhead: &report::Overhead) -> Self {
        Self {
            ns_per_hit: overhead.ns_per_hit,
            hits_per_s: schema::Float(overhead.hits_per_s),
            target_cpu_pct: overhead.target_cpu_pct,
            target_share_pct: overhead.target_share_pct,
            target_used_pct: overhead.target_used_pct,
            agent_cpu_pct: overhead.agent_cpu_pct,
            agent_rss_bytes: overhead.agent_rss_bytes,
        }
    }
}

impl<'a> From<&'a report::Frame> for schema::Frame<'a> {
    fn from(frame: &'a report::Frame) -> Self {
        Self {
            function: frame.function.as_str().into(),
            package: frame.package.as_str().into(),
            file: frame.file.as_str().into(),
            line: frame.line,
            inlined: frame.inlined,
        }
    }
}

impl<'a> From<&'a report::Site> for schema::Site<'a> {
    fn from(site: &'a report::Site) -> Self {
        Self {
            id: site.id,
            frames: site.frames.iter().map(Into::into).collect(),
            allocs: site.figures.allocs,
            alloc_bytes: site.figures.alloc_bytes,
            requested_bytes: site.figures.requested_bytes,
            estimate: site.figures.estimate.map(Into::into),
            size: (&site.size).into(),
            types: site.types.iter().map(Into::into).collect(),
            faults: site.faults.map(Into::into),
            live: site.live.map(Into::into),
            recent: site.recent.as_ref().map(Into::into),
            growth: site.growth.as_ref().map(Into::into),
            gc_assist_ns: site.gc.map(|gc| gc.assist_ns),
            gc_assists: site.gc.map(|gc| gc.assists),
            gc_calls: site.gc.map(|gc| gc.calls),
            stacks: site.stacks.iter().map(|of| stack(site, of)).collect(),
        }
    }
}

impl<'a> From<&'a report::SizeSummary> for schema::Size<'a> {
    fn from(size: &'a report::SizeSummary) -> Self {
        Self {
            min: size.min,
            p50: size.p50,
            p90: size.p90,
            p99: size.p99,
            max: size.max,
            mean: schema::Float(size.mean),
            buckets: size.buckets.as_slice().into(),
            unbinned: size.unbinned,
        }
    }
}

impl<'a> From<&'a report::TypeFigures> for schema::Type<'a> {
    fn from(figures: &'a report::TypeFigures) -> Self {
        Self {
            name: figures.name.as_str().into(),
            allocs: figures.allocs,
            alloc_bytes: figures.alloc_bytes,
            bytes: figures.bytes,
            pointer_bytes: figures.pointer_bytes,
            live_bytes: figures.live_bytes,
        }
    }
}

fn stack<'a>(site: &report::Site, stack: &'a report::StackFigures) -> schema::SiteStack<'a> {
    let told = stack.types == stack_types::told(site, stack);
    schema::SiteStack {
        id: schema::StackId(stack.id),
        allocs: stack.figures.allocs,
        alloc_bytes: stack.figures.alloc_bytes,
        requested_bytes: stack.figures.requested_bytes,
        faults: stack.figures.faults,
        estimate: stack.figures.estimate.map(Into::into),
        live: stack.live.map(Into::into),
        recent: stack.recent.map(Into::into),
        types: (!told).then(|| stack.types.iter().map(Into::into).collect()),
    }
}

impl<'a> schema::Capture<'a> {
    /// The capture with its groups.
    pub(super) fn with_groups(mut self, grouped: Option<&'a report::Grouped>) -> Self {
        self.groups = grouped.map(|grouped| {
            let groups = grouped.groups.iter();
            groups.map(|group| group_of(grouped.by, group)).collect()
        });
        self
    }

    pub(super) fn with_findings(mut self, findings: &'a [findings::Finding]) -> Self {
        self.findings = findings.iter().map(Into::into).collect();
        self
    }
}

fn group_of(by: report::GroupBy, group: &report::Group) -> schema::Group<'_> {
    schema::Group {
        by: by.name(),
        name: group.name.as_str().into(),
        allocs: group.figures.allocs,
        alloc_bytes: group.figures.alloc_bytes,
        requested_bytes: group.figures.requested_bytes,
        faults: group.figures.faults,
        live_bytes: group.figures.live_bytes,
        estimate: group.figures.estimate.map(Into::into),
        pointer_bytes: group.pointer_bytes,
        size: group.size.as_ref().map(Into::into),
        types: group.types.iter().map(Into::into).collect(),
        sites: group.sites.iter().map(Into::into).collect(),
    }
}

impl From<&report::GroupSite> for schema::GroupSite {
    fn from(site: &report::GroupSite) -> Self {
        Self {
            id: site.id,
            allocs: site.figures.allocs,
            alloc_bytes: site.figures.alloc_bytes,
            requested_bytes: site.figures.requested_bytes,
        }
    }
}

impl From<&report::TimelinePoint> for schema::TimelinePoint {
    fn from(point: &report::TimelinePoint) -> Self {
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
