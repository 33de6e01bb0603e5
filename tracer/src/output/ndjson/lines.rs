//! What each line of a stream says.

use super::super::json::{heap, maps, pages, schema};
use crate::live::interval::{Interval, IntervalGroups};
use crate::report::{Figures, Frame, Group, GroupBy, Site};
use serde::Serialize;

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    /// Recording began.
    Start {
        /// [`SCHEMA`]
        schema: &'static str,
        target: schema::Target<'a>,
        /// Nanoseconds of Unix time.
        start_unix_ns: u64,
        mode: &'a str,
    },
    /// A site has figures for the first time.
    Site {
        /// Stands for the site in intervals.
        id: u32,
        /// Logical frames, innermost first; empty if the place has no name.
        frames: Vec<schema::Frame<'a>>,
    },
    /// A group has figures for the first time.
    Group {
        /// Stands for the group in intervals.
        id: u32,
        /// What its allocations have in common: `stack`, `type`, `function` or `package`.
        by: &'static str,
        /// Of a stack its id; `-` where there is no name.
        name: &'a str,
        /// Of a stack, from its site on, innermost first; else empty.
        frames: Vec<schema::Frame<'a>>,
    },
    /// An interval is over.
    Interval {
        /// End of the interval, nanoseconds since the start of recording.
        t_ns: u64,
        /// Length of the interval in nanoseconds.
        duration_ns: u64,
        /// Allocations in the interval; `null`, as bytes asked for, while some functions are recorded in windows.
        allocs: Option<u64>,
        /// Bytes rounded up to size classes, while there are windows as the runtime counts them; `null` if that cannot be
        /// known.
        alloc_bytes: Option<u64>,
        /// Bytes asked for.
        requested_bytes: Option<u64>,
        /// While some functions are recorded in windows: figures of sites and groups come when it is known what a window
        /// stands for, not in the interval in which it happened. Left out if not.
        #[serde(skip_serializing_if = "schema::is_false")]
        windows: bool,
        /// Whether some allocations of the capture were not recorded, so that the figures are estimates; left out if not.
        #[serde(skip_serializing_if = "schema::is_false")]
        estimated: bool,
        /// Allocations that the probes saw.
        hits: u64,
        /// Allocations lost.
        lost: u64,
        #[serde(flatten)]
        shown: Box<Shown>,
        sites: Vec<PartFigures>,
        /// Only where groups were asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        groups: Option<Vec<PartFigures>>,
    },
    /// Something is wrong; each is told once.
    Finding(maps::Finding<'a>),
    /// What a place in the code did to maps of one type, in the whole capture.
    Map(Box<maps::MapSite<'a>>),
    /// A map.
    MapInstance(maps::MapInstance<'a>),
    /// A fatal error or a panic.
    Crash(maps::Crash<'a>),
    /// What a place has alive at the end; nothing is told of one that has nothing.
    Live {
        /// Logical frames, innermost first.
        frames: Vec<schema::Frame<'a>>,
        live: Option<Box<heap::Live>>,
        recent: Option<Box<heap::Recent<'a>>>,
        growth: Option<Box<heap::Growth<'a>>>,
    },
    /// Recording is over.
    End {
        window: Box<schema::Window<'a>>,
        totals: Box<schema::Totals>,
        completeness: Box<schema::Completeness<'a>>,
        overhead: schema::Overhead,
        /// `null`, like the two that follow, where it was not measured.
        faults: Option<Box<pages::Faults>>,
        gc: Option<Box<pages::Gc<'a>>>,
        heap: Option<Box<heap::Heap<'a>>>,
        memory: Option<Box<pages::Memory<'a>>>,
    },
}

/// What the target shows besides allocations, in bytes at the end of the interval; `null` where it is not known.
#[derive(Serialize)]
pub(super) struct Shown {
    /// Resident memory.
    rss_bytes: Option<u64>,
    /// Its part of no file, its part of files, and what was swapped out.
    rss_anon_bytes: Option<u64>,
    rss_file_bytes: Option<u64>,
    swap_bytes: Option<u64>,
    /// What the collector takes for live, and the size at which it should be done with the next cycle.
    heap_live: Option<u64>,
    heap_goal: Option<u64>,
    /// Page faults in the interval.
    faults: Option<u64>,
    /// Collections that ended in the interval.
    gc_cycles: Option<u64>,
    /// What the control group with the least memory limit uses.
    limit_used_bytes: Option<u64>,
}

/// Figures of one site or group in one interval, units as in `interval`.
#[derive(Serialize)]
pub(super) struct PartFigures {
    id: u32,
    allocs: u64,
    alloc_bytes: Option<u64>,
    requested_bytes: Option<u64>,
    /// Page faults; left out if they were not recorded, or have nothing to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<u64>,
    /// Bytes alive at the end of the interval; left out if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    live_bytes: Option<u64>,
    /// Whether some allocations were not recorded, so that the figures are estimates; left out if not.
    #[serde(skip_serializing_if = "schema::is_false")]
    estimated: bool,
}

impl<'a> Event<'a> {
    pub(super) fn site(id: u32, frames: &'a [Frame]) -> Self {
        Self::Site {
            id,
            frames: frames.iter().map(Into::into).collect(),
        }
    }

    pub(super) fn live(site: &'a Site) -> Option<Self> {
        let live = site.live.map(|live| live.now.bytes);
        let recent = site.recent.as_ref().map(|recent| recent.live.bytes);
        let has_any = live.max(recent).is_some_and(|bytes| bytes > 0);
        has_any.then(|| Self::Live {
            frames: site.frames.iter().map(Into::into).collect(),
            live: site.live.map(|live| Box::new(live.into())),
            recent: site.recent.as_ref().map(|recent| Box::new(recent.into())),
            growth: site.growth.as_ref().map(|growth| Box::new(growth.into())),
        })
    }

    pub(super) fn group(id: u32, by: GroupBy, group: &'a Group) -> Self {
        Self::Group {
            id,
            by: by.name(),
            name: &group.name,
            frames: group.frames.iter().map(Into::into).collect(),
        }
    }

    pub(super) fn interval(interval: &Interval<'_>) -> Self {
        let part = |id, figures: Figures| PartFigures {
            id,
            allocs: figures.allocs,
            alloc_bytes: figures.alloc_bytes,
            requested_bytes: figures.requested_bytes,
            faults: figures.faults,
            live_bytes: figures.live_bytes,
            estimated: figures.estimate.is_some(),
        };
        let sites = interval.sites.iter();
        let point = &interval.point;
        let groups = |groups: &IntervalGroups<'_>| {
            let groups = groups.groups.iter();
            groups.map(|group| part(group.id, group.figures)).collect()
        };
        Self::Interval {
            t_ns: interval.t_ns,
            duration_ns: interval.duration_ns,
            allocs: Some(interval.figures.allocs).filter(|_| interval.timely),
            alloc_bytes: if interval.timely {
                interval.figures.alloc_bytes
            } else {
                point.alloc_bytes
            },
            requested_bytes: interval.figures.requested_bytes.filter(|_| interval.timely),
            windows: !interval.timely,
            estimated: interval.figures.estimate.is_some(),
            hits: interval.hits,
            lost: interval.lost,
            shown: Box::new(Shown {
                rss_bytes: point.rss_bytes,
                rss_anon_bytes: point.rss_anon_bytes,
                rss_file_bytes: point.rss_file_bytes,
                swap_bytes: point.swap_bytes,
                heap_live: point.heap_live,
                heap_goal: point.heap_goal,
                faults: point.faults,
                gc_cycles: point.gc_cycles,
                limit_used_bytes: point.limit_used_bytes,
            }),
            sites: sites.map(|site| part(site.id, site.figures)).collect(),
            groups: interval.groups.as_ref().map(groups),
        }
    }
}
