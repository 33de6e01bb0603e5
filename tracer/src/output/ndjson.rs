//! The stream, schema `tracer.stream/1`: one JSON object per line, told apart by `event`.
//!
//! `start` comes first and names the schema; `site` names a site before the first interval that has figures of it;
//! `interval` carries figures; `finding` says what is wrong, once; before the end, `map`, `map_instance` and `crash` say
//! what was seen of maps; `end` sums up. Where groups were asked for, `group` names one as `site` names a site. Consumers ignore fields and events that they do not know. This module hides
//! which sites and groups have been named already.

use std::{collections::HashSet, io::Write};

use serde::Serialize;

use super::{
    OutputError,
    interval::{Interval, IntervalGroup, IntervalGroups, IntervalSite},
    json::{heap, maps, pages, schema, write_line},
};
use crate::findings::{self, Finding};
use crate::report::{Figures, Frame, Group, GroupBy, Grouped, Report, Site, Target, TimelinePoint};

/// The schema of the stream.
pub const SCHEMA: &str = "tracer.stream/1";

/// Writes the lines of one stream, flushing after each event that a consumer waits for.
#[derive(Debug, Default)]
pub struct Stream {
    named: HashSet<u32>,
    named_groups: HashSet<u32>,
}

impl Stream {
    /// Writes the `start` line. `start_unix_ns` is the start of recording in nanoseconds of Unix time.
    pub fn start(
        &mut self,
        target: &Target,
        start_unix_ns: u64,
        mode: &str,
        out: &mut dyn Write,
    ) -> Result<(), OutputError> {
        let event = Event::Start {
            schema: SCHEMA,
            target: target.into(),
            start_unix_ns,
            mode,
        };
        write_line(&event, out)?;
        flush(out)
    }

    /// Writes the `interval` line, and before it a `site` line for each site that this stream did not name yet.
    pub fn interval(
        &mut self,
        interval: &Interval<'_>,
        out: &mut dyn Write,
    ) -> Result<(), OutputError> {
        for site in &interval.sites {
            if self.named.insert(site.id) {
                write_line(&Event::site(site.id, site.frames), out)?;
            }
        }
        if let Some(groups) = &interval.groups {
            for part in &groups.groups {
                if self.named_groups.insert(part.id) {
                    write_line(&Event::group(part.id, groups.by, part.group), out)?;
                }
            }
        }
        write_line(&Event::interval(interval), out)?;
        flush(out)
    }

    /// Writes a `finding` line for each.
    pub fn findings(
        &mut self,
        findings: &[Finding],
        out: &mut dyn Write,
    ) -> Result<(), OutputError> {
        for finding in findings {
            write_line(&Event::Finding(finding.into()), out)?;
        }
        flush(out)
    }

    /// Writes the `end` line from the report of the whole capture, and before it what is known of maps.
    pub fn end(&mut self, report: &Report, out: &mut dyn Write) -> Result<(), OutputError> {
        if let Some(maps) = &report.maps {
            for site in &maps.sites {
                write_line(&Event::Map(Box::new(site.into())), out)?;
            }
            for instance in &maps.instances {
                write_line(&Event::MapInstance(instance.into()), out)?;
            }
        }
        for crash in &report.crashes {
            write_line(&Event::Crash(crash.into()), out)?;
        }
        for site in &report.sites {
            if let Some(event) = Event::live(site) {
                write_line(&event, out)?;
            }
        }
        let event = Event::End {
            window: (&report.window).into(),
            totals: schema::Totals::of(report),
            completeness: Box::new((&report.completeness).into()),
            overhead: (&report.overhead).into(),
            faults: report.faults.map(|faults| Box::new(faults.into())),
            gc: report.gc.as_ref().map(|gc| Box::new(gc.into())),
            heap: report.heap.as_ref().map(|heap| Box::new(heap.into())),
            memory: report.memory.as_ref().map(|memory| Box::new(memory.into())),
        };
        write_line(&event, out)?;
        flush(out)
    }
}

/// Writes a whole capture as a stream of one interval, which has the full figures of every site.
pub fn write(
    report: &Report,
    groups: Option<&Grouped>,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut stream = Stream::default();
    stream.start(
        &report.target,
        report.window.start_unix_ns,
        &report.window.mode,
        out,
    )?;
    stream.interval(&whole(report, groups), out)?;
    stream.findings(&findings::find(report), out)?;
    stream.end(report, out)
}

fn whole<'a>(report: &'a Report, groups: Option<&'a Grouped>) -> Interval<'a> {
    Interval {
        t_ns: report.window.duration_ns,
        duration_ns: report.window.duration_ns,
        figures: report.totals,
        hits: report.completeness.hits,
        lost: report.completeness.lost_total(),
        point: whole_course(report),
        sites: report
            .sites
            .iter()
            .map(|site| IntervalSite {
                id: site.id,
                frames: &site.frames,
                figures: site.figures,
                total: site.figures,
            })
            .collect(),
        groups: groups.map(|grouped| IntervalGroups {
            by: grouped.by,
            groups: grouped
                .groups
                .iter()
                .map(|group| IntervalGroup {
                    id: group.id,
                    group,
                    figures: group.figures,
                })
                .collect(),
        }),
    }
}

/// What the target showed last, and everything that was counted.
fn whole_course(report: &Report) -> TimelinePoint {
    let points = || report.timeline.iter().rev();
    let last = |of: fn(&TimelinePoint) -> Option<u64>| points().find_map(of);
    TimelinePoint {
        rss_bytes: last(|point| point.rss_bytes),
        rss_anon_bytes: last(|point| point.rss_anon_bytes),
        rss_file_bytes: last(|point| point.rss_file_bytes),
        swap_bytes: last(|point| point.swap_bytes),
        heap_live: last(|point| point.heap_live),
        heap_goal: last(|point| point.heap_goal),
        limit_used_bytes: last(|point| point.limit_used_bytes),
        faults: report.totals.faults,
        gc_cycles: report.gc.as_ref().map(|gc| gc.cycles_total),
        ..TimelinePoint::default()
    }
}

fn flush(out: &mut dyn Write) -> Result<(), OutputError> {
    out.flush().map_err(OutputError::Write)
}

/// One line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
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
        /// Allocations in the interval.
        allocs: u64,
        /// Bytes rounded up to size classes; `null` if the rounding cannot be known.
        alloc_bytes: Option<u64>,
        /// Bytes asked for.
        requested_bytes: Option<u64>,
        /// Whether some allocations of the capture were not recorded, so that the figures are estimates; left out if not.
        #[serde(skip_serializing_if = "is_false")]
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
        window: schema::Window<'a>,
        totals: schema::Totals,
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
struct Shown {
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
struct PartFigures {
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
    #[serde(skip_serializing_if = "is_false")]
    estimated: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl<'a> Event<'a> {
    fn site(id: u32, frames: &'a [Frame]) -> Self {
        Self::Site {
            id,
            frames: frames.iter().map(Into::into).collect(),
        }
    }

    fn live(site: &'a Site) -> Option<Self> {
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

    fn group(id: u32, by: GroupBy, group: &'a Group) -> Self {
        Self::Group {
            id,
            by: by.name(),
            name: &group.name,
            frames: group.frames.iter().map(Into::into).collect(),
        }
    }

    fn interval(interval: &Interval<'_>) -> Self {
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
            allocs: interval.figures.allocs,
            alloc_bytes: interval.figures.alloc_bytes,
            requested_bytes: interval.figures.requested_bytes,
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::output::sample;
    use crate::report::SortBy;

    fn lines(bytes: &[u8]) -> Vec<Value> {
        let text = std::str::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n'));
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn events(lines: &[Value]) -> Vec<&str> {
        lines
            .iter()
            .map(|line| line["event"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn a_whole_report_is_a_stream_of_one_interval() {
        let mut out = Vec::new();
        write(&sample::report(), None, &mut out).unwrap();
        let lines = lines(&out);
        assert_eq!(
            events(&lines),
            ["start", "site", "site", "site", "interval", "end"]
        );

        assert_eq!(lines[0]["schema"], SCHEMA);
        assert_eq!(lines[0]["target"]["go_version"], "go1.27.3");
        assert_eq!(lines[0]["start_unix_ns"], 1_790_000_000_123_456_789_u64);
        assert_eq!(lines[0]["mode"], "exact");
        assert_eq!(lines[1]["id"], 1);
        assert_eq!(lines[1]["frames"][0]["function"], "main.(*Cache).Put");
        assert_eq!(lines[3], json!({"event": "site", "id": 3, "frames": []}));
        assert_eq!(
            lines[4],
            json!({"event": "interval", "t_ns": 10_000_000_000_u64, "duration_ns": 10_000_000_000_u64,
                   "allocs": 6_434_607, "alloc_bytes": 1_187_416_448, "requested_bytes": 1_091_634_600,
                   "hits": 6_434_607, "lost": 0, "rss_bytes": 408_944_640,
                   "rss_anon_bytes": null, "rss_file_bytes": null, "swap_bytes": null, "heap_live": null,
                   "heap_goal": null, "faults": null, "gc_cycles": null, "limit_used_bytes": null,
                   "sites": [
                       {"id": 1, "allocs": 5_200_000, "alloc_bytes": 871_366_656, "requested_bytes": 790_400_000},
                       {"id": 2, "allocs": 1_234_567, "alloc_bytes": 316_049_152, "requested_bytes": 301_234_000},
                       {"id": 3, "allocs": 40, "alloc_bytes": 640, "requested_bytes": 600}]})
        );
        assert_eq!(lines[5]["totals"]["alloc_bytes"], 1_187_416_448);
        assert_eq!(
            lines[5]["completeness"]["lost"],
            json!({"ring_full": 0, "no_scratch": 0})
        );
        assert_eq!(lines[5]["overhead"]["agent_rss_bytes"], 45_088_768);
        assert_eq!(lines[5]["window"]["ended_by"], "duration");
    }

    #[test]
    fn faults_are_told_by_site_and_the_end_has_what_they_are() {
        let mut out = Vec::new();
        write(&sample::with_pages(), None, &mut out).unwrap();
        let lines = lines(&out);
        let interval = lines.iter().find(|line| line["event"] == "interval");
        let interval = interval.unwrap();
        assert_eq!(interval["faults"], 49_612);
        assert_eq!(
            (&interval["sites"][0]["faults"], &interval["gc_cycles"]),
            (&json!(48_012), &json!(100))
        );
        let end = lines.last().unwrap();
        assert_eq!(end["faults"]["by_memory"]["stack"], 90);
        assert_eq!(end["gc"]["pause_total_ns"], 5_100_000);
        assert_eq!(end["memory"]["reason"], "free_spans");
    }

    #[test]
    fn findings_and_maps_have_their_lines() {
        let mut out = Vec::new();
        write(&sample::with_maps(), None, &mut out).unwrap();
        let lines = lines(&out);
        assert_eq!(
            events(&lines)[5..],
            [
                "finding",
                "finding",
                "finding",
                "finding",
                "finding",
                "map",
                "map",
                "map_instance",
                "crash",
                "end"
            ]
        );
        assert_eq!(lines[10]["type"], "map[string]*main.User");
        assert_eq!(lines[12]["map"], lines[10]["id"]);
        assert_eq!(lines[14]["totals"]["map_growths"], 7097);
    }

    #[test]
    fn a_site_is_named_once_and_before_its_figures() {
        let report = sample::report();
        let all = whole(&report, None);
        let part = |range: std::ops::Range<usize>| Interval {
            sites: all.sites[range].to_vec(),
            ..all.clone()
        };
        let (mut stream, mut out) = (Stream::default(), Vec::new());
        for interval in [part(0..1), part(0..0), part(0..3), part(1..2)] {
            stream.interval(&interval, &mut out).unwrap();
        }
        assert_eq!(
            events(&lines(&out)),
            [
                "site", "interval", "interval", "site", "site", "interval", "interval"
            ]
        );
    }

    #[test]
    fn groups_are_named_before_their_figures() {
        let report = sample::report();
        let grouped = Grouped::of(&report, GroupBy::Stack, SortBy::Bytes);
        let mut out = Vec::new();
        write(&report, Some(&grouped), &mut out).unwrap();
        let lines = lines(&out);
        let names = events(&lines);
        assert_eq!(names[4..8], ["group"; 4]);
        assert_eq!(
            (&lines[4]["by"], &lines[4]["name"]),
            (&json!("stack"), &json!("9f3a000000000001"))
        );
        assert_eq!(lines[4]["frames"][1]["function"], "main.(*Server).order");
        let interval = &lines[8];
        assert_eq!(
            interval["groups"][0],
            json!({"id": 1, "allocs": 5_200_000, "alloc_bytes": 871_366_656, "requested_bytes": 790_400_000})
        );
        assert_eq!(interval["sites"].as_array().unwrap().len(), 3);
    }

    /// Keeps what was written apart from what was flushed.
    #[derive(Default)]
    struct Buffered {
        held: Vec<u8>,
        seen: Vec<u8>,
    }

    impl Write for Buffered {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.held.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            self.seen.append(&mut self.held);
            Ok(())
        }
    }

    #[test]
    fn a_consumer_sees_every_event_as_soon_as_it_is_whole() {
        let report = sample::report();
        let (mut stream, mut out) = (Stream::default(), Buffered::default());
        let window = &report.window;
        stream
            .start(&report.target, window.start_unix_ns, &window.mode, &mut out)
            .unwrap();
        assert_eq!(events(&lines(&out.seen)), ["start"]);
        stream.interval(&whole(&report, None), &mut out).unwrap();
        assert_eq!(lines(&out.seen).len(), 5);
        stream.end(&report, &mut out).unwrap();
        assert_eq!(lines(&out.seen).len(), 6);
        assert!(out.held.is_empty());
    }

    #[test]
    fn hostile_names_stay_on_their_line() {
        let mut report = sample::nasty();
        report.target.exe = "a\nb\r\u{0}".into();
        report.sites[0].frames[0].function = "x\n{\"event\":\"end\"}".into();
        let mut out = Vec::new();
        write(&report, None, &mut out).unwrap();
        assert_eq!(
            events(&lines(&out)).len(),
            out.iter().filter(|&&byte| byte == b'\n').count()
        );
        assert_eq!(lines(&out)[0]["target"]["exe"], "a\nb\r\u{0}");
    }
}
