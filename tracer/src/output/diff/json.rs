//! A comparison for programs, schema `tracer.diff/1`: one JSON document on one line.
//!
//! Hides the schema from the rest of the program. A figure that is not known is `null`; fields that a reader does not know
//! are to be ignored. In `figures` of `totals` and of each row, by name (`allocs`, `alloc_bytes`, `requested_bytes`,
//! `live_bytes`, `faults`):
//! - `base`, `candidate`: per second if `normalize` is `rate`, in all if it is `total`; `live_bytes` always in all.
//! - `base_error`, `candidate_error`, `error`: standard errors of these and of `change`.
//! - `base_total`, `candidate_total`: as they are in the captures.
//! - `change`: candidate minus base; `relative`: that as a part of the base, 0.1 for a tenth more.
//! - `significant`: whether it is more than noise; `null` if that cannot be told.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::io::Write;

use crate::compare::{Change, Changes, Comparison, Figure, Place, Row, Verdict};
use crate::findings::Finding;
use crate::output::OutputError;
use crate::output::json::write_line;
use crate::report::{Frame, Report};

/// The schema that this version writes.
pub const SCHEMA: &str = "tracer.diff/1";

/// Writes a comparison, and what became of the rules.
pub fn write(
    comparison: &Comparison<'_>,
    verdicts: &[Verdict],
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    write_line(
        &Document {
            schema: SCHEMA,
            normalize: comparison.normalize.name(),
            by: comparison.by.name(),
            ordered_by: comparison.figure.name(),
            base: Capture::of(comparison.base),
            candidate: Capture::of(comparison.candidate),
            warnings: &comparison.warnings,
            totals: Totals {
                figures: Figures(&comparison.totals),
            },
            rows: comparison.rows.iter().map(row).collect(),
            findings: FindingChanges {
                new: comparison
                    .findings
                    .new
                    .iter()
                    .map(FindingObject::of)
                    .collect(),
                gone: comparison
                    .findings
                    .gone
                    .iter()
                    .map(FindingObject::of)
                    .collect(),
            },
            rules: verdicts.iter().map(rule).collect(),
        },
        out,
    )
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    /// `rate` or `total`.
    normalize: &'a str,
    /// What rows are: `site`, `type`, `function` or `package`.
    by: &'a str,
    /// The figure by whose change rows are ordered.
    ordered_by: &'a str,
    base: Capture<'a>,
    candidate: Capture<'a>,
    /// What makes the two less comparable than they look.
    warnings: &'a [String],
    totals: Totals<'a>,
    rows: Vec<RowObject<'a>>,
    findings: FindingChanges<'a>,
    /// Of `--fail-on`.
    rules: Vec<RuleObject<'a>>,
}

/// One of the two; everything else is in its own file.
#[derive(Serialize)]
pub(super) struct Capture<'a> {
    exe: &'a str,
    pid: u32,
    build_id: Option<&'a str>,
    go_version: &'a str,
    arch: &'a str,
    mode: &'a str,
    start_unix_ns: u64,
    duration_ns: u64,
    /// What the figures are made of, and what the three that follow count: `hits` or `samples`; null in mode heap, which
    /// records nothing.
    records: Option<&'a str>,
    hits: Option<u64>,
    delivered: Option<u64>,
    lost: Option<u64>,
    coverage: Option<f64>,
}

#[derive(Serialize)]
struct Totals<'a> {
    figures: Figures<'a>,
}

#[derive(Serialize)]
struct RowObject<'a> {
    rank: u32,
    name: &'a str,
    /// `both`, `new`, `gone`, or, if the other capture does not tell of everything, `not_in_base`, `not_in_candidate`.
    presence: &'a str,
    /// Why the two sides are held for the same: `frames` (all equal), `moved` (another line), `function` (the rest of a
    /// function, added up), `name` (of a group), `nothing` (one side only).
    matched: &'a str,
    base: Option<PlaceObject<'a>>,
    candidate: Option<PlaceObject<'a>>,
    figures: Figures<'a>,
}

#[derive(Serialize)]
struct PlaceObject<'a> {
    /// Innermost first; empty for groups.
    frames: Vec<FrameObject<'a>>,
    /// Ids of the sites in the capture.
    sites: &'a [u32],
    /// The type that most of a site is of.
    #[serde(rename = "type")]
    type_name: Option<&'a str>,
}

#[derive(Serialize)]
struct FrameObject<'a> {
    function: &'a str,
    package: &'a str,
    file: &'a str,
    line: Option<u32>,
    inlined: bool,
}

struct Figures<'a>(&'a Changes);

impl Serialize for Figures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Figure::ALL.len()))?;
        for figure in Figure::ALL {
            map.serialize_entry(figure.name(), &ChangeObject::of(self.0.of(figure)))?;
        }
        map.end()
    }
}

/// Numbers that are none (a quotient of nothing) are `null` in JSON.
#[derive(Serialize)]
struct ChangeObject {
    base: Option<f64>,
    candidate: Option<f64>,
    base_error: Option<f64>,
    candidate_error: Option<f64>,
    base_total: Option<u64>,
    candidate_total: Option<u64>,
    change: Option<f64>,
    relative: Option<f64>,
    error: Option<f64>,
    significant: Option<bool>,
}

impl ChangeObject {
    fn of(change: &Change) -> Self {
        ChangeObject {
            base: change.base.value,
            candidate: change.candidate.value,
            base_error: change.base.error,
            candidate_error: change.candidate.error,
            base_total: change.base.total,
            candidate_total: change.candidate.total,
            change: change.difference,
            relative: change.relative,
            error: change.error,
            significant: change.significant,
        }
    }
}

#[derive(Serialize)]
struct FindingChanges<'a> {
    new: Vec<FindingObject<'a>>,
    gone: Vec<FindingObject<'a>>,
}

#[derive(Serialize)]
pub(super) struct FindingObject<'a> {
    rule: &'a str,
    severity: &'a str,
    title: &'a str,
    evidence: &'a str,
    advice: &'a str,
    site: Option<u32>,
    map: Option<u32>,
}

#[derive(Serialize)]
struct RuleObject<'a> {
    rule: &'a str,
    /// `kept`, `noise` (over the limit, but not by more than noise), `broken`, or `unknown` (which fails, too).
    outcome: &'a str,
    reason: &'a str,
}

impl<'a> Capture<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let (target, window) = (&report.target, &report.window);
        let completeness = &report.completeness;
        let records = report.records();
        Capture {
            exe: &target.exe,
            pid: target.pid,
            build_id: target.build_id.as_deref(),
            go_version: &target.go_version,
            arch: &target.arch,
            mode: window.mode.name(),
            start_unix_ns: window.start_unix_ns,
            duration_ns: window.duration_ns,
            records: records.map(|records| records.noun()),
            hits: records.map(|records| records.hits),
            delivered: records.map(|records| records.delivered),
            lost: records.map(|records| records.lost_total()),
            coverage: completeness.coverage,
        }
    }
}

fn row(row: &Row) -> RowObject<'_> {
    RowObject {
        rank: row.rank,
        name: &row.name,
        presence: row.presence.name(),
        matched: row.matched.name(),
        base: row.base.as_ref().map(place),
        candidate: row.candidate.as_ref().map(place),
        figures: Figures(&row.changes),
    }
}

fn place(place: &Place) -> PlaceObject<'_> {
    PlaceObject {
        frames: place.frames.iter().map(frame).collect(),
        sites: &place.sites,
        type_name: place.type_name.as_deref(),
    }
}

fn frame(frame: &Frame) -> FrameObject<'_> {
    FrameObject {
        function: &frame.function,
        package: &frame.package,
        file: &frame.file,
        line: frame.line,
        inlined: frame.inlined,
    }
}

impl<'a> FindingObject<'a> {
    pub(super) fn of(finding: &'a Finding) -> Self {
        FindingObject {
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

fn rule(verdict: &Verdict) -> RuleObject<'_> {
    RuleObject {
        rule: &verdict.rule,
        outcome: verdict.outcome.name(),
        reason: &verdict.reason,
    }
}
