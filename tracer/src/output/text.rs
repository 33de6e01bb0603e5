//! The report for people: figures first, then the sites, readable on a terminal of 100 columns.
//!
//! Hides layout: which columns fit, how names are shortened, what is coloured. Names come from the target, so that
//! nothing reaches the terminal before `line` took the control characters out of it.

pub(crate) mod course;
mod diff;
mod faults;
mod findings;
mod gc;
mod groups;
mod header;
mod heap;
mod interval;
pub(crate) mod line;
pub(crate) mod maps;
mod memory;
pub(crate) mod names;
mod sites;
mod style;
mod table;
mod words;

use std::io::Write;

use super::OutputError;
use crate::findings::Finding;
use crate::report::{Figures, Grouped, Report};
use crate::units;
use line::Line;

pub use diff::write_comparison;
pub use interval::write_interval;
pub(super) use line::steers_terminal;
pub(super) use words::{Tone, Words, in_words};

/// How to lay out text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Columns that a line may take; less than 40 counts as 40.
    pub width: usize,
    /// Whether to write escape sequences for colours.
    pub color: bool,
    /// How many sites or groups to show.
    pub limit: usize,
    /// Whether to show who calls a site, along its heaviest stack.
    pub callers: bool,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self {
            width: 100,
            color: false,
            limit: 20,
            callers: true,
        }
    }
}

impl TextOptions {
    /// Columns that a line may take: below 40 no table is readable.
    fn columns(&self) -> usize {
        self.width.max(40)
    }
}

/// Writes findings as they stand in a report.
pub fn write_findings(
    findings: &[Finding],
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    write_lines(&findings::lines(findings, options), options, out)
}

/// Writes `report` as text, by groups if there are any, else by sites.
pub fn write(
    report: &Report,
    groups: Option<&Grouped>,
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut lines = header::lines(report, options);
    lines.push(Line::default());
    let found = findings::lines(&crate::findings::find(report), options);
    if !found.is_empty() {
        lines.extend(found);
        lines.push(Line::default());
    }
    lines.extend(match groups {
        Some(groups) => groups::lines(report, groups, options),
        None => sites::lines(report, options),
    });
    let maps = report.maps.as_ref();
    let memory = report.memory.as_ref();
    let sections = [
        maps.map_or_else(Vec::new, |maps| maps::lines(maps, options)),
        faults::lines(report, options),
        gc::lines(report, options),
        heap::lines(report, options),
        memory.map_or_else(Vec::new, |memory| memory::lines(memory, options)),
        course::lines(report, options),
    ];
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        lines.push(Line::default());
        lines.extend(section);
    }
    write_lines(&lines, options, out)
}

fn write_lines(
    lines: &[Line],
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    lines
        .iter()
        .try_for_each(|line| line.write(options.columns(), options.color, out))
        .map_err(OutputError::Write)
}

/// Which bytes shares are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    /// Bytes rounded up to size classes.
    Allocated,
    /// Bytes asked for, where the rounding is not known of everything.
    Requested,
    /// Bytes that are alive.
    Live,
}

impl Measure {
    fn of<'a>(figures: impl IntoIterator<Item = &'a Figures>) -> Self {
        let known = figures
            .into_iter()
            .all(|figures| figures.alloc_bytes.is_some());
        if known {
            Self::Allocated
        } else {
            Self::Requested
        }
    }

    fn bytes(self, figures: &Figures) -> u64 {
        match self {
            Self::Allocated => figures.alloc_bytes.unwrap_or(0),
            Self::Requested => figures.requested_bytes.unwrap_or(0),
            Self::Live => figures.live_bytes.unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests;
