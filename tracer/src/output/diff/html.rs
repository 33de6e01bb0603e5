//! A comparison as one self-contained page: what changed in all, a table to search in, and a differential flame graph.
//!
//! Hides the page's data and script; style, table and the painting of flame graphs are those of the page of a report.

use super::super::OutputError;
use super::super::html::shell::{Page, Script};
use super::{json, stacks};
use crate::compare::{Change, Changes, Comparison, Figure, Row, Verdict};
use crate::report::{Frame, Value};
use serde::Serialize;
use std::collections::HashMap;
use std::io::Write;

/// The page without its figures, and the colours that changes have.
const BODY: &str = include_str!("diff.html");

/// In the order in which the browser runs them. `flame.js` and `flamebox.js` are those of reports.
const SCRIPTS: [Script; 5] = [
    ("diff-head.js", include_str!("head.js")),
    ("flame.js", include_str!("../html/flame.js")),
    ("flamebox.js", include_str!("../html/flamebox.js")),
    ("diff-flame.js", include_str!("flame.js")),
    ("diff-rows.js", include_str!("rows.js")),
];

/// Frames of a stack that the flame graph shows: deeper recursion tells nothing.
const MOST_FRAMES: usize = 256;

/// Writes the page; its flame graph shows `value`, if both captures know it.
pub(super) fn write(
    comparison: &Comparison<'_>,
    verdicts: &[Verdict],
    value: Value,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let page = Page {
        body: BODY,
        scripts: &SCRIPTS,
    };
    let mut strings = Strings::default();
    let data = Data {
        by: comparison.by.name(),
        normalize: comparison.normalize.name(),
        figure: comparison.figure.name(),
        base: json::Capture::of(comparison.base),
        candidate: json::Capture::of(comparison.candidate),
        warnings: &comparison.warnings,
        figures: Figure::ALL.map(|figure| FigureData {
            name: figure.name(),
            bytes: figure.is_bytes(),
            per_s: comparison.per_second(figure),
        }),
        totals: cells(&comparison.totals),
        rows: comparison
            .rows
            .iter()
            .map(|row| RowData::of(row, &mut strings))
            .collect(),
        new: comparison
            .findings
            .new
            .iter()
            .map(json::FindingObject::of)
            .collect(),
        gone: comparison
            .findings
            .gone
            .iter()
            .map(json::FindingObject::of)
            .collect(),
        rules: verdicts.iter().map(RuleData::of).collect(),
        flame: FlameData::of(comparison, value, &mut strings),
        strings: strings.list,
    };
    page.write(&data, out)
}

#[derive(Serialize)]
struct Data<'a> {
    by: &'a str,
    normalize: &'a str,
    /// Name of the figure that rows are ordered by.
    figure: &'a str,
    base: json::Capture<'a>,
    candidate: json::Capture<'a>,
    warnings: &'a [String],
    figures: [FigureData<'a>; 5],
    /// Of each figure, in their order.
    totals: [Option<Cells>; 5],
    rows: Vec<RowData>,
    new: Vec<json::FindingObject<'a>>,
    gone: Vec<json::FindingObject<'a>>,
    rules: Vec<RuleData<'a>>,
    /// `null` if the figure is not known of stacks on both sides.
    flame: Option<FlameData>,
    strings: Vec<String>,
}

#[derive(Serialize)]
struct FigureData<'a> {
    name: &'a str,
    bytes: bool,
    per_s: bool,
}

/// Base, candidate, difference, relative, standard error, significant; then whether either side has not seen it.
#[derive(Serialize)]
struct Cells(
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<bool>,
    u8,
    u8,
);

/// `None` for figures of which nothing is known.
fn cells(changes: &Changes) -> [Option<Cells>; 5] {
    Figure::ALL.map(|figure| {
        let change: &Change = changes.of(figure);
        let (base, candidate) = (&change.base, &change.candidate);
        let known = base.value.is_some() || candidate.value.is_some();
        known.then(|| {
            Cells(
                base.value,
                candidate.value,
                change.difference,
                change.relative,
                change.error,
                change.significant,
                base.unseen.into(),
                candidate.unseen.into(),
            )
        })
    })
}

/// Places of strings stand for function and file.
#[derive(Serialize)]
struct FrameData(usize, usize, Option<u32>, u8);

#[derive(Serialize)]
struct RowData {
    name: usize,
    matched: &'static str,
    /// Innermost first, as in the candidate, else as in the base.
    frames: Vec<FrameData>,
    /// The line in the base, if it is another.
    was: Option<u32>,
    /// Ids of its sites in the base and in the candidate.
    sites: [Vec<u32>; 2],
    #[serde(rename = "type")]
    type_name: Option<usize>,
    figures: [Option<Cells>; 5],
}

impl RowData {
    fn of(row: &Row, strings: &mut Strings) -> Self {
        let frames = row.frames().iter();
        let frames = frames.map(|frame| {
            FrameData(
                strings.place(&frame.function),
                strings.place(&frame.file),
                frame.line,
                frame.inlined.into(),
            )
        });
        let frames = frames.collect();
        let sides = [&row.base, &row.candidate];
        let place = row.candidate.as_ref().or(row.base.as_ref());
        let type_name = place.and_then(|place| place.type_name.as_deref());
        RowData {
            name: strings.place(&row.name),
            matched: row.matched.name(),
            frames,
            was: row.moved_from(),
            sites: sides.map(|side| {
                side.as_ref()
                    .map_or_else(Vec::new, |side| side.sites.clone())
            }),
            type_name: type_name.map(|name| strings.place(name)),
            figures: cells(&row.changes),
        }
    }
}

#[derive(Serialize)]
struct RuleData<'a> {
    rule: &'a str,
    outcome: &'a str,
    fails: bool,
    reason: &'a str,
}

impl<'a> RuleData<'a> {
    fn of(verdict: &'a Verdict) -> Self {
        RuleData {
            rule: &verdict.rule,
            outcome: verdict.outcome.name(),
            fails: verdict.outcome.fails(),
            reason: &verdict.reason,
        }
    }
}

/// Stacks as one tree of functions: node 0 is all of them, and callers stand before what they call.
#[derive(Serialize)]
struct FlameData {
    value: &'static str,
    bytes: bool,
    note: String,
    /// Of each node its function, a place among strings; of the first and of what has no name -1.
    function: Vec<i64>,
    parent: Vec<usize>,
    /// What ends at the node, before and after.
    base: Vec<u64>,
    candidate: Vec<u64>,
}

impl FlameData {
    fn of(comparison: &Comparison<'_>, value: Value, strings: &mut Strings) -> Option<Self> {
        let stacks = stacks::both(comparison, value).ok()?;
        let mut flame = FlameData {
            value: value.name(),
            bytes: matches!(value, Value::Bytes | Value::Live),
            note: stacks::scaled_note(comparison, value).unwrap_or_default(),
            function: vec![-1],
            parent: vec![0],
            base: vec![0],
            candidate: vec![0],
        };
        let mut children: HashMap<(usize, i64), usize> = HashMap::new();
        for (frames, base, candidate) in stacks {
            let at = flame.leaf(&frames, &mut children, strings);
            for (sums, weight) in [(&mut flame.base, base), (&mut flame.candidate, candidate)] {
                if let Some(sum) = sums.get_mut(at) {
                    *sum = sum.saturating_add(weight);
                }
            }
        }
        Some(flame)
    }

    /// The node at the end of a stack, which is innermost first.
    fn leaf(
        &mut self,
        frames: &[&Frame],
        children: &mut HashMap<(usize, i64), usize>,
        strings: &mut Strings,
    ) -> usize {
        let mut at = 0;
        let outer = frames.iter().rev().take(MOST_FRAMES);
        let mut functions: Vec<i64> = outer
            .map(|frame| i64::try_from(strings.place(&frame.function)).unwrap_or(-1))
            .collect();
        if functions.is_empty() {
            functions.push(i64::try_from(strings.place(stacks::UNKNOWN_STACK)).unwrap_or(-1));
        }
        for function in functions {
            at = *children.entry((at, function)).or_insert_with(|| {
                self.function.push(function);
                self.parent.push(at);
                self.base.push(0);
                self.candidate.push(0);
                self.function.len() - 1
            });
        }
        at
    }
}

/// Each distinct string once.
#[derive(Default)]
struct Strings {
    list: Vec<String>,
    known: HashMap<String, usize>,
}

impl Strings {
    fn place(&mut self, text: &str) -> usize {
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        self.list.push(text.to_owned());
        self.known.insert(text.to_owned(), self.list.len() - 1);
        self.list.len() - 1
    }
}
