//! Options that say what to show, and where.

use super::parse::group_by;
use crate::live::Detail;
use crate::output::Format;
use crate::report;
use clap::ValueEnum;
use std::path::PathBuf;

/// What to show.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Show {
    /// What to sum up by: site, stack, type, function, package, goroutine (the place that made it), or label:KEY for a
    /// label that the program sets with runtime/pprof.Do; the last two need a capture of mode sampled
    #[arg(long, value_name = "WHAT", value_parser = group_by, default_value = "site")]
    pub(in crate::cli) group_by: Grouping,
    /// What to show first; without it bytes, of `tracer heap` what is alive
    #[arg(long, value_enum, value_name = "FIGURE")]
    pub(in crate::cli) sort: Option<SortBy>,
    /// Sites or groups to show in text
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(in crate::cli) limit: usize,
}

/// What to sum up by; `None` for sites, which a report has anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Grouping(pub(super) Option<report::GroupBy>);

/// What to show first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SortBy {
    /// Most allocated bytes
    Bytes,
    /// Most allocations
    Allocs,
    /// Most page faults
    Faults,
    /// Most live bytes
    Live,
    /// Live bytes that grow fastest
    Growth,
}

/// What a flame graph is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Value {
    /// Allocated bytes
    Bytes,
    /// Allocations
    Allocs,
    /// Live bytes
    Live,
    /// Page faults
    Faults,
}

impl From<Value> for report::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Bytes => report::Value::Bytes,
            Value::Allocs => report::Value::Allocs,
            Value::Live => report::Value::Live,
            Value::Faults => report::Value::Faults,
        }
    }
}

impl From<SortBy> for report::SortBy {
    fn from(sort: SortBy) -> Self {
        match sort {
            SortBy::Bytes => report::SortBy::Bytes,
            SortBy::Allocs => report::SortBy::Allocs,
            SortBy::Faults => report::SortBy::Faults,
            SortBy::Live => report::SortBy::Live,
            SortBy::Growth => report::SortBy::Growth,
        }
    }
}

impl Show {
    /// The groups that were asked for; none for sites, which a report has anyway.
    pub(in crate::cli) fn groups(&self, report: &report::Report) -> Option<report::Grouped> {
        Some(report::Grouped::of(
            report,
            self.group_by.0?,
            self.sort_of(&report.window.mode),
        ))
    }

    /// What of stacks the groups of a running capture need besides their places; `None` if all of it.
    pub(in crate::cli) fn detail(&self) -> Option<Detail> {
        use report::GroupBy::{Function, Goroutine, Label, Package, Stack, Type};
        match self.group_by.0 {
            None | Some(Type | Function | Package) => Some(Detail::Place),
            Some(Goroutine | Label(_)) => Some(Detail::Goroutine),
            Some(Stack) => None,
        }
    }

    /// What a saved capture does not have; `None` if it can be grouped as asked for. In mode sampled every stack was looked
    /// at: there, no labels are those that the program has set.
    pub(in crate::cli) fn not_in(&self, report: &report::Report) -> Option<&'static str> {
        let stacks = &report.stacks;
        if stacks.is_empty() || report.window.mode == report::Mode::Sampled {
            return None;
        }
        match self.group_by.0? {
            report::GroupBy::Label(_) => stacks
                .iter()
                .all(|stack| stack.labels.is_empty())
                .then_some("labels"),
            report::GroupBy::Goroutine => stacks
                .iter()
                .all(|stack| stack.creator.is_none())
                .then_some("places that made goroutines"),
            _ => None,
        }
    }

    /// What to show first of a capture in this mode.
    pub(in crate::cli) fn sort_of(&self, mode: &report::Mode) -> report::SortBy {
        let usual = if *mode == report::Mode::Heap {
            report::SortBy::Live
        } else {
            report::SortBy::Bytes
        };
        self.sort.map_or(usual, Into::into)
    }
}

/// Where a report goes.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Output {
    /// Write to this file; its name says the format: .txt, .json (full capture), .ndjson, .html, .pb.gz (pprof), .svg (flame
    /// graph) or .folded (stacks). May be repeated; - is standard output
    ///
    /// Only its owner may read and write a new file, because stacks can be confidential; one that is replaced keeps its
    /// permissions only if they are stricter. A file takes its name when it is complete: until then an earlier one stays.
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Form of the report on standard output and pipes [default: text]
    #[arg(long, value_enum)]
    pub(in crate::cli) format: Option<ReportFormat>,
    /// What flame graphs (.folded, .svg) and the first view of .html are made of
    #[arg(long, value_enum, value_name = "FIGURE", default_value_t = Value::Bytes)]
    pub(in crate::cli) value: Value,
}

/// Forms of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum StreamFormat {
    /// For people
    Text,
    /// One JSON object per line
    Ndjson,
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportFormat {
    /// For people, at a terminal
    Text,
    /// The full capture
    Json,
    /// One JSON object per line
    Ndjson,
    /// For people, in a browser
    Html,
    /// For `go tool pprof`
    Pprof,
    /// A flame graph
    Svg,
    /// Stacks, one on a line, for tools that make flame graphs
    Folded,
}

impl From<ReportFormat> for Format {
    fn from(format: ReportFormat) -> Self {
        match format {
            ReportFormat::Text => Format::Text,
            ReportFormat::Json => Format::Json,
            ReportFormat::Ndjson => Format::Ndjson,
            ReportFormat::Html => Format::Html,
            ReportFormat::Pprof => Format::Pprof,
            ReportFormat::Svg => Format::Svg,
            ReportFormat::Folded => Format::Folded,
        }
    }
}

/// Where a comparison goes.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct DiffOutput {
    /// Write to this file; its name says the format: .txt, .json, .html, .svg (differential flame graph) or .folded. May be
    /// repeated; - is standard output
    ///
    /// Only its owner may read and write a new file, because stacks can be confidential; one that is replaced keeps its
    /// permissions only if they are stricter. A file takes its name when it is complete: until then an earlier one stays.
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Form of the comparison on standard output and pipes [default: text]
    #[arg(long, value_enum)]
    pub(in crate::cli) format: Option<DiffFormat>,
}

/// Forms of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DiffFormat {
    /// For people, at a terminal
    Text,
    /// For programs
    Json,
    /// For people, in a browser
    Html,
    /// A differential flame graph
    Svg,
    /// Stacks with both values, one on a line
    Folded,
}

impl From<DiffFormat> for Format {
    fn from(format: DiffFormat) -> Self {
        match format {
            DiffFormat::Text => Format::Text,
            DiffFormat::Json => Format::Json,
            DiffFormat::Html => Format::Html,
            DiffFormat::Svg => Format::Svg,
            DiffFormat::Folded => Format::Folded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_capture_without_labels_is_not_grouped_by_them() {
        let lacks = |by: &str, report: &report::Report| {
            let show = Show {
                group_by: group_by(by).unwrap(),
                sort: None,
                limit: 1,
            };
            show.not_in(report)
        };
        let mut report = fixture::report();
        for stack in &mut report.stacks {
            (stack.creator, stack.labels) = (None, Vec::new());
        }
        assert_eq!(lacks("label:tenant", &report), Some("labels"));
        assert!(lacks("goroutine", &report).is_some());
        assert_eq!(lacks("type", &report), None);
        assert_eq!(lacks("label:tenant", &fixture::empty()), None);
        report.stacks[0].creator = Some(0);
        assert_eq!(lacks("goroutine", &report), None);
        report.window.mode = report::Mode::Sampled;
        assert_eq!(lacks("label:tenant", &report), None);
    }
}
