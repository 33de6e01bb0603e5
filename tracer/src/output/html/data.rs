//! Everything that the page shows: parts of the capture as the public schema has them, and sites, stacks and groups in a
//! form that is small and quick to read.
//!
//! Hides what a page does not need of a report.

use super::super::json::{heap, maps, pages, schema};
use super::super::text::{self, Tone, Words};
use super::frames::{Frames, Strings, Tree};
use super::sites::{GroupsData, SiteData, Tables, groups, sites};
use crate::findings::{self, Finding};
use crate::report::{self, Mode, Report, Value};
use serde::Serialize;
use std::collections::HashMap;
use tracer_common::family::Extra;

/// Points of the timeline at most: some for each pixel of a wide screen.
const MOST_POINTS: usize = 2_000;

#[derive(Serialize)]
pub(super) struct Data<'a> {
    target: schema::Target<'a>,
    window: schema::Window<'a>,
    /// Whether nothing was recorded, and the runtime's own heap profile is all there is.
    is_heap: bool,
    /// What to know of the end; that there was none, too.
    end: Option<String>,
    /// How long page faults were recorded, if they were given up.
    faults_until_ns: Option<u64>,
    totals: schema::Totals,
    live_bytes: Option<u64>,
    completeness: schema::Completeness<'a>,
    /// What figures are if they are less than what happened.
    lower_bound: Option<&'static str>,
    overhead: schema::Overhead,
    faults: Option<pages::Faults>,
    gc: Option<pages::Gc<'a>>,
    heap: Option<heap::Heap<'a>>,
    memory: Option<pages::Memory<'a>>,
    parts: Vec<Part>,
    timeline: Vec<schema::TimelinePoint>,
    findings: Vec<FindingData>,
    maps: Vec<maps::MapSite<'a>>,
    map_instances: Vec<maps::MapInstance<'a>>,
    map_coverage: Option<maps::MapCoverage<'a>>,
    crashes: Vec<maps::Crash<'a>>,
    words: Vec<Line>,
    /// What the flame graph shows first.
    value: &'static str,
    strings: Strings<'a>,
    frames: Frames<'a>,
    tree: Tree,
    sites: Vec<SiteData<'a>>,
    groups: Vec<GroupsData>,
}

/// A part of resident memory: what it is, what to do about it, bytes.
#[derive(Serialize)]
struct Part(&'static str, &'static str, u64);

/// A label, and statements with what they mean.
#[derive(Serialize)]
struct Line(&'static str, Vec<(String, &'static str)>);

/// A diagnosis; `site` and `map` are positions in the lists of the page.
#[derive(Serialize)]
struct FindingData {
    severity: &'static str,
    rule: &'static str,
    title: String,
    evidence: String,
    advice: String,
    site: Option<usize>,
    map: Option<usize>,
}

impl<'a> Data<'a> {
    /// What the page shows of `report`.
    pub(super) fn of(report: &'a Report, value: Value) -> Self {
        let timeline = report::thinned(&report.timeline, MOST_POINTS);
        let mut tables = Tables {
            frames: Frames::among(&report.frames),
            ..Tables::default()
        };
        let sites = sites(report, &mut tables);
        let maps = report.maps.as_ref();
        let memory = report.memory.as_ref();
        let parts = memory.map_or(&[][..], |memory| &memory.parts);
        let found = findings::find(report).into_iter();
        let places = Places::of(report);
        Data {
            target: (&report.target).into(),
            window: (&report.window).into(),
            is_heap: report.window.mode == Mode::Heap,
            end: report.window.state.words(),
            faults_until_ns: report.window.given_up(Extra::Faults),
            totals: schema::Totals::of(report),
            live_bytes: report.heap.as_ref().and_then(report::Heap::live_bytes),
            completeness: (&report.completeness).into(),
            lower_bound: report.completeness.lower_bound(),
            overhead: (&report.overhead).into(),
            faults: report.faults.map(Into::into),
            gc: report.gc.as_ref().map(Into::into),
            heap: report.heap.as_ref().map(Into::into),
            memory: memory.map(Into::into),
            parts: parts.iter().map(Into::into).collect(),
            timeline: timeline.iter().map(Into::into).collect(),
            findings: found
                .map(|finding| FindingData::of(finding, &places))
                .collect(),
            maps: maps.map_or_else(Vec::new, |maps| maps.sites.iter().map(Into::into).collect()),
            map_instances: maps.map_or_else(Vec::new, |maps| {
                maps.instances.iter().map(Into::into).collect()
            }),
            map_coverage: maps.map(Into::into),
            crashes: report.crashes.iter().map(Into::into).collect(),
            words: text::in_words(report).into_iter().map(Line::of).collect(),
            value: match value {
                Value::Bytes => "bytes",
                Value::Allocs => "allocs",
                Value::Live => "live",
                Value::Faults => "faults",
            },
            strings: tables.strings,
            frames: tables.frames,
            tree: tables.tree,
            sites,
            groups: groups(report),
        }
    }
}

impl From<&report::MemoryPart> for Part {
    fn from(part: &report::MemoryPart) -> Self {
        Part(part.kind.words(), part.kind.advice(), part.bytes)
    }
}

impl Line {
    fn of((label, statements): Words) -> Self {
        let statements = statements.into_iter();
        Line(
            label,
            statements
                .map(|(text, tone)| {
                    let tone = match tone {
                        Tone::Plain => "",
                        Tone::Good => "good",
                        Tone::Caution => "caution",
                        Tone::Bad => "bad",
                    };
                    (text, tone)
                })
                .collect(),
        )
    }
}

/// Positions of sites and of map sites, by their ids.
struct Places {
    sites: HashMap<u32, usize>,
    maps: HashMap<u32, usize>,
}

impl Places {
    fn of(report: &Report) -> Self {
        let maps = report.maps.iter().flat_map(|maps| &maps.sites);
        Places {
            sites: report.sites.iter().map(|site| site.id).zip(0..).collect(),
            maps: maps.map(|map| map.id).zip(0..).collect(),
        }
    }
}

impl FindingData {
    fn of(finding: Finding, places: &Places) -> Self {
        let site = |id| places.sites.get(&id).copied();
        let map = |id| places.maps.get(&id).copied();
        FindingData {
            severity: finding.severity.name(),
            rule: finding.rule.name(),
            site: finding.site.and_then(site),
            map: finding.map.and_then(map),
            title: finding.title,
            evidence: finding.evidence,
            advice: finding.advice,
        }
    }
}
