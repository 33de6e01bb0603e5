//! The stream, schema `tracer.stream/1`: one JSON object per line, told apart by `event`.
//!
//! `start` comes first and names the schema. `site` names a site before the first `interval` that has figures of it; where
//! groups were asked for, `group` does the same for a group. `interval` carries figures, `lost` what did not make it since
//! the last such line, `finding` says what is wrong, once. Where single allocations were asked for, `event` is one, and
//! `stack` says where it comes from. Before the end, `map`, `map_instance`, `crash` and `live` say what was seen in all;
//! `end` sums up. Consumers ignore fields and events that they do not know. This module hides which sites and groups
//! have been named already.

mod lines;
mod lost;
mod single;

pub use lost::Skipped;
pub use single::{write_single, write_stack};

use std::{collections::HashSet, io::Write};

use super::{
    OutputError,
    json::{schema, write_line},
};
use crate::findings::{self, Finding};
use crate::live::interval::{Interval, IntervalGroup, IntervalGroups, IntervalSite};
use crate::report::{Grouped, Mode, Report, Target, TimelinePoint};
use lines::Event;

/// The schema of the stream.
pub const SCHEMA: &str = "tracer.stream/1";

/// Writes the lines of one stream, flushing after each event that a consumer waits for.
#[derive(Debug, Default)]
pub struct Stream {
    named: HashSet<u32>,
    named_groups: HashSet<u32>,
    told: lost::Told,
}

impl Stream {
    /// Writes the `start` line. `start_unix_ns` is the start of recording in nanoseconds of Unix time.
    pub fn start(
        &mut self,
        target: &Target,
        start_unix_ns: u64,
        mode: &Mode,
        out: &mut dyn Write,
    ) -> Result<(), OutputError> {
        let event = Event::Start {
            schema: SCHEMA,
            target: target.into(),
            start_unix_ns,
            mode: mode.name(),
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

    /// Writes a `lost` line if something was lost since the last one.
    pub fn lost(
        &mut self,
        report: &Report,
        skipped: Skipped,
        out: &mut dyn Write,
    ) -> Result<(), OutputError> {
        self.told.write(report, skipped, out)?;
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
            window: Box::new((&report.window).into()),
            totals: Box::new(schema::Totals::of(report)),
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
    stream.lost(report, Skipped::default(), out)?;
    stream.findings(&findings::find(report), out)?;
    stream.end(report, out)
}

fn whole<'a>(report: &'a Report, groups: Option<&'a Grouped>) -> Interval<'a> {
    Interval {
        t_ns: report.window.duration_ns,
        duration_ns: report.window.duration_ns,
        figures: report.totals,
        timely: true,
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

#[cfg(test)]
mod tests;
