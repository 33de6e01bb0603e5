//! A report with what it says of the last interval, and the identity of what is in it.

use super::Tab;
use crate::findings::{self, Finding};
use crate::live::{LiveView, Lumps, Step};
use crate::report::{
    self, EndedBy, Figures, Frame, GroupBy, Grouped, MapInstance, Report, SortBy, TimelinePoint,
};
use crate::units;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use tracer_common::family::Extra;

/// A moment of a capture.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Everything since the start.
    pub report: Report,
    /// The same by types.
    pub types: Grouped,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What each site of the report did in the last interval.
    pub sites: Vec<Step>,
    /// The same of each type.
    pub type_steps: Vec<Step>,
    /// What the whole target did in the last interval.
    pub figures: Figures,
    /// Whether `figures` are of this very interval.
    pub timely: bool,
    /// Length of the last interval.
    pub interval_ns: u64,
    /// What the target showed at its end, and what was counted in it.
    pub point: TimelinePoint,
    /// How long that counted.
    pub point_ns: u64,
    /// Whether bytes are those asked for, because the rounding is not known of all.
    pub requested: bool,
}

impl Snapshot {
    /// The bytes that lists show.
    pub fn bytes(&self, figures: &Figures) -> u64 {
        let bytes = if self.requested {
            figures.requested_bytes
        } else {
            figures.alloc_bytes
        };
        bytes.unwrap_or(0)
    }

    /// Bytes that the target allocated per second: as the runtime counts them where not each allocation is recorded.
    pub fn bytes_per_s(&self) -> Option<f64> {
        match self.point.alloc_bytes {
            Some(bytes) => units::per_second(bytes, self.point_ns),
            None if !self.timely => None,
            None => units::per_second(self.bytes(&self.figures), self.interval_ns),
        }
    }

    /// Allocations per second; `None` while it is known too late how many those that were recorded stand for.
    pub fn allocs_per_s(&self) -> Option<f64> {
        units::per_second(self.point.allocs?, self.point_ns)
    }

    /// Entries of a map when it was looked at last.
    pub fn entries_of(&self, map: &MapInstance) -> u64 {
        let last = map.curve.last().filter(|_| map.alive != Some(false));
        last.map_or(map.entries, |(_, entries)| *entries)
    }

    /// The maps that were seen.
    pub fn maps(&self) -> &[MapInstance] {
        let maps = self.report.maps.as_ref();
        maps.map_or(&[], |maps| &maps.instances)
    }

    /// Where a map was seen first.
    pub fn place_of(&self, map: &MapInstance) -> &[Frame] {
        let maps = self.report.maps.as_ref();
        let site = maps.and_then(|maps| maps.sites.iter().find(|site| site.id == map.site));
        site.map_or(&[], |site| &site.frames)
    }

    /// What stays the same of a line of a list.
    pub(super) fn key(&self, tab: Tab, item: usize) -> Option<u64> {
        match tab {
            Tab::Sites => self.sites.get(item).map(|step| u64::from(step.id)),
            Tab::Types => self.type_steps.get(item).map(|step| u64::from(step.id)),
            Tab::Maps => self.maps().get(item).map(|map| self.key_of(map)),
            Tab::Findings => {
                let finding = self.findings.get(item)?;
                Some(hash(&(finding.rule, &finding.title)))
            }
        }
    }

    /// Maps have no identity from report to report but where they are, what they hold, and when they were first seen.
    pub fn key_of(&self, map: &MapInstance) -> u64 {
        let first = map.curve.first().map(|(time, _)| time);
        hash(&(self.place_of(map), &map.type_name, first))
    }

    /// The key of the map with most entries that was first seen at this place.
    pub(super) fn largest_map_of(&self, site: u32) -> Option<u64> {
        let map = self.maps().iter().find(|map| map.site == site)?;
        Some(self.key_of(map))
    }
}

/// The same in every run, as it is seen in nothing but the same program.
fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Makes snapshots of reports that follow each other.
#[derive(Debug)]
pub(super) struct Tracker {
    live: LiveView,
    sites: Lumps,
    types: Lumps,
}

impl Tracker {
    pub(super) fn new() -> Self {
        Tracker {
            live: LiveView::new(SortBy::Bytes),
            sites: Lumps::default(),
            types: Lumps::default(),
        }
    }

    pub(super) fn snapshot(&mut self, report: Report) -> Snapshot {
        let types = Grouped::of(&report, GroupBy::Type, SortBy::Bytes);
        let interval = self.live.interval(&report, Some(&types));
        let last = |gauge: fn(&TimelinePoint) -> Option<u64>| {
            // What has exited has no memory; what it had last is what one wants to know.
            let is_wanted = report.window.state == report::State::Ended(EndedBy::TargetExit);
            let mut points = report.timeline.iter().rev().filter(|_| is_wanted);
            points.find_map(gauge)
        };
        let point = interval.point;
        let point = TimelinePoint {
            rss_bytes: point.rss_bytes.or(last(|point| point.rss_bytes)),
            heap_live: point.heap_live.or(last(|point| point.heap_live)),
            heap_goal: point.heap_goal.or(last(|point| point.heap_goal)),
            ..point
        };
        let of_sites: HashMap<u32, Figures> = interval
            .sites
            .iter()
            .map(|site| (site.id, site.figures))
            .collect();
        let of_types: HashMap<u32, Figures> = interval
            .groups
            .iter()
            .flat_map(|groups| &groups.groups)
            .map(|group| (group.id, group.figures))
            .collect();
        let (figures, interval_ns) = (interval.figures, interval.duration_ns);
        let timely = interval.timely;
        self.sites.take(&of_sites, timely, interval.t_ns);
        self.types.take(&of_types, timely, interval.t_ns);
        let timeline = &report.timeline;
        let before = timeline
            .len()
            .checked_sub(2)
            .and_then(|at| timeline.get(at));
        let point_ns = point
            .t_ns
            .saturating_sub(before.map_or(0, |before| before.t_ns));
        let has_faults = report.window.given_up(Extra::Faults).is_none();
        let sites = report.sites.iter().map(|site| {
            let id = self.live.site_id(&site.frames).unwrap_or(0);
            let figures = of_sites.get(&id).copied();
            let figures = figures.unwrap_or_else(|| idle(&site.figures));
            let faults = figures.faults.filter(|_| has_faults);
            let figures = Figures { faults, ..figures };
            self.sites.step(id, figures, interval_ns)
        });
        let sites = sites.collect();
        let type_steps = types.groups.iter().map(|group| {
            let id = self.live.group_id(&group.name).unwrap_or(0);
            let figures = of_types.get(&id).copied();
            let figures = figures.unwrap_or_else(|| idle(&group.figures));
            self.types.step(id, figures, interval_ns)
        });
        let type_steps = type_steps.collect();
        let known = |figures: &Figures| figures.alloc_bytes.is_some();
        let requested =
            !known(&report.totals) || !report.sites.iter().all(|site| known(&site.figures));
        Snapshot {
            findings: findings::find(&report),
            sites,
            type_steps,
            figures,
            timely,
            interval_ns,
            point,
            point_ns,
            requested,
            types,
            report,
        }
    }
}

/// Nothing, where something could have been seen.
fn idle(total: &Figures) -> Figures {
    Figures {
        allocs: 0,
        alloc_bytes: total.alloc_bytes.map(|_| 0),
        requested_bytes: total.requested_bytes.map(|_| 0),
        faults: total.faults.map(|_| 0),
        live_bytes: total.live_bytes,
        growth_per_s: total.growth_per_s,
        estimate: total.estimate,
    }
}
