//! The objects of the schema that are about maps, crashes and findings, and their way to a report and back.

use super::schema::{Estimate, Frame};
use crate::findings;
use crate::report;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What is missing from `maps`.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct MapCoverage<'a> {
    /// Operations and growths that are in no entry of `maps`.
    overflowed: u64,
    /// Maps that were forgotten, because there were too many at the same time.
    forgotten: u64,
    /// Functions that could not be probed.
    skipped: Vec<Cow<'a, str>>,
}

/// What one place in the code does to maps of one type.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct MapSite<'a> {
    id: u32,
    frames: Vec<Frame<'a>>,
    #[serde(rename = "type")]
    type_name: Cow<'a, str>,
    key: Option<Part<'a>>,
    elem: Option<Part<'a>>,
    /// `null`, as the five that follow, if operations were not recorded.
    writes: Option<u64>,
    deletes: Option<u64>,
    clears: Option<u64>,
    nil_writes: Option<u64>,
    net_entries: Option<i64>,
    /// Operations whose effect is not in `net_entries`.
    unsettled: Option<u64>,
    growths: u64,
    same_size_growths: u64,
    first_growths: u64,
    /// Growths to a larger size of maps whose first growth was seen.
    #[serde(default)]
    steps: u64,
    instances: u64,
    max_entries: u64,
    growth_allocs: Option<u64>,
    growth_bytes: Option<u64>,
    growth_requested_bytes: Option<u64>,
    growth_estimate: Option<Estimate>,
    /// Would need a probe at the end of a growth.
    #[serde(skip_deserializing)]
    growth_ns: Option<()>,
    amplification: Option<f64>,
}

/// The type of keys or elements.
#[derive(Serialize, Deserialize)]
struct Part<'a> {
    name: Cow<'a, str>,
    pointer: bool,
    size_bytes: u64,
    pointer_bytes: u64,
}

/// A map.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct MapInstance<'a> {
    id: u32,
    /// Id of an entry of `maps`, 0 for none.
    map: u32,
    #[serde(rename = "type")]
    type_name: Cow<'a, str>,
    entries: u64,
    max_entries: u64,
    capacity: Option<u64>,
    table_bytes: Option<u64>,
    table_pointer_bytes: Option<u64>,
    growths: u64,
    writes: Option<u64>,
    deletes: Option<u64>,
    alive: Option<bool>,
    /// `[t_ns, entries]`
    curve: Cow<'a, [(u64, u64)]>,
}

/// A fatal error or a panic.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Crash<'a> {
    function: Cow<'a, str>,
    message: Cow<'a, str>,
    goroutine: Option<u64>,
    frames: Vec<Frame<'a>>,
    t_ns: u64,
    count: u64,
}

/// A diagnosis; not read back, but made anew.
#[derive(Serialize)]
pub(in crate::output) struct Finding<'a> {
    rule: &'static str,
    severity: &'static str,
    title: &'a str,
    evidence: &'a str,
    advice: &'a str,
    site: Option<u32>,
    map: Option<u32>,
}

impl<'a> From<&'a findings::Finding> for Finding<'a> {
    fn from(finding: &'a findings::Finding) -> Self {
        Self {
            rule: finding.rule.name(),
            severity: finding.severity.name(),
            title: &finding.title,
            evidence: &finding.evidence,
            advice: &finding.advice,
            site: finding.site,
            map: finding.map,
        }
    }
}

impl<'a> From<&'a report::Maps> for MapCoverage<'a> {
    fn from(maps: &'a report::Maps) -> Self {
        Self {
            overflowed: maps.overflowed,
            forgotten: maps.forgotten,
            skipped: maps.skipped.iter().map(Into::into).collect(),
        }
    }
}

impl<'a> From<&'a report::MapPart> for Part<'a> {
    fn from(part: &'a report::MapPart) -> Self {
        Self {
            name: (&part.name).into(),
            pointer: part.is_pointer,
            size_bytes: part.size_bytes,
            pointer_bytes: part.pointer_bytes,
        }
    }
}

impl From<Part<'_>> for report::MapPart {
    fn from(part: Part<'_>) -> Self {
        Self {
            name: part.name.into_owned(),
            is_pointer: part.pointer,
            size_bytes: part.size_bytes,
            pointer_bytes: part.pointer_bytes,
        }
    }
}

impl<'a> From<&'a report::MapSite> for MapSite<'a> {
    fn from(site: &'a report::MapSite) -> Self {
        let operations = site.operations;
        let growth = site.growth;
        Self {
            id: site.id,
            frames: site.frames.iter().map(Into::into).collect(),
            type_name: (&site.type_name).into(),
            key: site.key.as_ref().map(Into::into),
            elem: site.elem.as_ref().map(Into::into),
            writes: operations.map(|operations| operations.writes),
            deletes: operations.map(|operations| operations.deletes),
            clears: operations.map(|operations| operations.clears),
            nil_writes: operations.map(|operations| operations.nil_writes),
            net_entries: operations.map(|operations| operations.net_entries),
            unsettled: operations.map(|operations| operations.unsettled),
            growths: site.growths,
            same_size_growths: site.same_size_growths,
            first_growths: site.first_growths,
            steps: site.steps,
            instances: site.instances,
            max_entries: site.max_entries,
            growth_allocs: growth.map(|figures| figures.allocs),
            growth_bytes: growth.and_then(|figures| figures.alloc_bytes),
            growth_requested_bytes: growth.and_then(|figures| figures.requested_bytes),
            growth_estimate: growth.and_then(|figures| figures.estimate).map(Into::into),
            growth_ns: None,
            amplification: site.amplification,
        }
    }
}

impl From<MapSite<'_>> for report::MapSite {
    fn from(site: MapSite<'_>) -> Self {
        let operations = || {
            Some(report::MapOperations {
                writes: site.writes?,
                deletes: site.deletes?,
                clears: site.clears?,
                nil_writes: site.nil_writes?,
                net_entries: site.net_entries?,
                unsettled: site.unsettled?,
            })
        };
        let growth = || {
            Some(report::Figures {
                allocs: site.growth_allocs?,
                alloc_bytes: site.growth_bytes,
                requested_bytes: Some(site.growth_requested_bytes?),
                faults: None,
                live_bytes: None,
                growth_per_s: None,
                estimate: site.growth_estimate.map(Into::into),
            })
        };
        Self {
            id: site.id,
            operations: operations(),
            growth: growth(),
            frames: site.frames.into_iter().map(Into::into).collect(),
            type_name: site.type_name.into_owned(),
            key: site.key.map(Into::into),
            elem: site.elem.map(Into::into),
            growths: site.growths,
            same_size_growths: site.same_size_growths,
            first_growths: site.first_growths,
            steps: site.steps,
            instances: site.instances,
            max_entries: site.max_entries,
            amplification: site.amplification,
        }
    }
}

impl<'a> From<&'a report::MapInstance> for MapInstance<'a> {
    fn from(instance: &'a report::MapInstance) -> Self {
        Self {
            id: instance.id,
            map: instance.site,
            type_name: (&instance.type_name).into(),
            entries: instance.entries,
            max_entries: instance.max_entries,
            capacity: instance.capacity,
            table_bytes: instance.table_bytes,
            table_pointer_bytes: instance.table_pointer_bytes,
            growths: instance.growths,
            writes: instance.writes,
            deletes: instance.deletes,
            alive: instance.alive,
            curve: instance.curve.as_slice().into(),
        }
    }
}

impl From<MapInstance<'_>> for report::MapInstance {
    fn from(instance: MapInstance<'_>) -> Self {
        Self {
            id: instance.id,
            site: instance.map,
            type_name: instance.type_name.into_owned(),
            entries: instance.entries,
            max_entries: instance.max_entries,
            capacity: instance.capacity,
            table_bytes: instance.table_bytes,
            table_pointer_bytes: instance.table_pointer_bytes,
            growths: instance.growths,
            writes: instance.writes,
            deletes: instance.deletes,
            alive: instance.alive,
            curve: instance.curve.into_owned(),
        }
    }
}

impl<'a> From<&'a report::Crash> for Crash<'a> {
    fn from(crash: &'a report::Crash) -> Self {
        Self {
            function: (&crash.function).into(),
            message: (&crash.message).into(),
            goroutine: crash.goroutine,
            frames: crash.frames.iter().map(Into::into).collect(),
            t_ns: crash.t_ns,
            count: crash.count,
        }
    }
}

impl From<Crash<'_>> for report::Crash {
    fn from(crash: Crash<'_>) -> Self {
        Self {
            function: crash.function.into_owned(),
            message: crash.message.into_owned(),
            goroutine: crash.goroutine,
            frames: crash.frames.into_iter().map(Into::into).collect(),
            t_ns: crash.t_ns,
            count: crash.count,
        }
    }
}

/// What a capture says of maps; `None` if they were not probed.
pub(super) fn decode(
    coverage: Option<MapCoverage<'_>>,
    (writes, growths): (Option<u64>, Option<u64>),
    sites: Vec<MapSite<'_>>,
    instances: Vec<MapInstance<'_>>,
) -> Option<report::Maps> {
    let coverage = coverage?;
    Some(report::Maps {
        writes,
        growths: growths?,
        sites: sites.into_iter().map(Into::into).collect(),
        instances: instances.into_iter().map(Into::into).collect(),
        overflowed: coverage.overflowed,
        forgotten: coverage.forgotten,
        skipped: coverage.skipped.into_iter().map(Into::into).collect(),
    })
}
