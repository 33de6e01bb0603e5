//! The `lost` line: what did not make it since the last one, and why.

use super::super::{OutputError, json::write_line};
use crate::report::Report;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// What a reader who is slow missed, since the start of the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Allocations without an `event` line.
    pub events: u64,
    /// Intervals that are a part of the next one.
    pub intervals: u64,
}

/// Remembers what has been told.
#[derive(Debug, Default)]
pub(super) struct Told {
    lost: HashMap<(String, String), u64>,
    skipped: Skipped,
}

/// What happened since the last such line.
#[derive(Serialize)]
#[serde(tag = "event", rename = "lost")]
struct Lost<'a> {
    /// Nanoseconds since the start of recording.
    t_ns: u64,
    /// Allocations that are in no figure, by cause.
    allocs: BTreeMap<&'a str, u64>,
    /// Records of other kinds that are in no figure, by kind and cause.
    records: BTreeMap<&'a str, BTreeMap<&'a str, u64>>,
    /// Allocations that have no `event` line, because standard output was not read fast enough: figures have them.
    events_not_written: u64,
    /// Intervals that have no line of their own, for the same reason: the next one covers them.
    intervals_merged: u64,
}

impl Told {
    /// Writes a line if there is something new to tell.
    pub(super) fn write(
        &mut self,
        report: &Report,
        skipped: Skipped,
        out: &mut dyn Write,
    ) -> Result<(), OutputError> {
        let completeness = &report.completeness;
        let allocs = self.since("", &completeness.lost);
        let mut records = BTreeMap::new();
        for family in &completeness.families {
            let lost = self.since(&family.name, &family.lost);
            if !lost.is_empty() {
                records.insert(family.name.as_str(), lost);
            }
        }
        let before = std::mem::replace(&mut self.skipped, skipped);
        let line = Lost {
            t_ns: report.window.duration_ns,
            allocs,
            records,
            events_not_written: skipped.events.saturating_sub(before.events),
            intervals_merged: skipped.intervals.saturating_sub(before.intervals),
        };
        if line.is_empty() {
            return Ok(());
        }
        write_line(&line, out)
    }

    fn since<'a>(&mut self, family: &str, lost: &'a [(String, u64)]) -> BTreeMap<&'a str, u64> {
        let mut news = BTreeMap::new();
        for (cause, count) in lost {
            let key = (family.to_owned(), cause.clone());
            let before = self.lost.insert(key, *count).unwrap_or(0);
            if *count > before {
                news.insert(cause.as_str(), count - before);
            }
        }
        news
    }
}

impl Lost<'_> {
    fn is_empty(&self) -> bool {
        self.allocs.is_empty()
            && self.records.is_empty()
            && self.events_not_written == 0
            && self.intervals_merged == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Family;
    use crate::report::fixture;
    use serde_json::{Value, json};

    fn line(told: &mut Told, report: &Report, skipped: Skipped) -> Option<Value> {
        let mut out = Vec::new();
        told.write(report, skipped, &mut out).unwrap();
        (!out.is_empty()).then(|| serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn what_was_lost_is_told_once() {
        let mut told = Told::default();
        let mut report = fixture::report();
        assert_eq!(line(&mut told, &report, Skipped::default()), None);
        report.completeness.lost = vec![("ring_full".into(), 7), ("scratch_busy".into(), 0)];
        report.completeness.families = vec![Family {
            name: "faults".into(),
            hits: Some(9),
            delivered: 6,
            lost: vec![("fault_ring_full".into(), 3)],
        }];
        let skipped = Skipped {
            events: 5,
            intervals: 1,
        };
        let told_line = line(&mut told, &report, skipped).unwrap();
        assert_eq!(
            told_line,
            json!({
                "event": "lost", "t_ns": report.window.duration_ns, "allocs": {"ring_full": 7},
                "records": {"faults": {"fault_ring_full": 3}}, "events_not_written": 5, "intervals_merged": 1
            })
        );
        assert_eq!(line(&mut told, &report, skipped), None);
        report.completeness.lost[1].1 = 2;
        let next = line(&mut told, &report, skipped).unwrap();
        assert_eq!(next["allocs"], json!({"scratch_busy": 2}));
        assert_eq!(next["events_not_written"], 0);
    }
}
