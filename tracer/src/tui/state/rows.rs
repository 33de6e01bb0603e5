//! Which lines a list has, and in which order.

use super::{Snapshot, Tab, Timing};
use crate::report::{Figures, Frame, MapInstance, SortBy};
use std::cmp::Reverse;

/// A map's growth is told from so much of its curve.
const RECENT_NS: u64 = 10_000_000_000;

/// What a column of a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Share of all bytes.
    Share,
    /// Allocated bytes.
    Bytes,
    /// Allocations.
    Allocs,
    /// Allocated bytes since the start.
    Total,
    /// Bytes alive.
    Live,
    /// How they change per second.
    Growth,
    /// Page faults.
    Faults,
    /// Bytes that the collector scans.
    Pointers,
    /// Entries of a map.
    Entries,
    /// How they change per second.
    EntryRate,
    /// Bytes of a map's table.
    Table,
    /// How often it grew.
    Growths,
    /// How a figure went.
    Course,
    /// What it is.
    Name,
}

impl Column {
    /// The column that shows what is to be first.
    pub(super) fn of(sort: SortBy) -> Self {
        match sort {
            SortBy::Bytes => Column::Bytes,
            SortBy::Allocs => Column::Allocs,
            SortBy::Faults => Column::Faults,
            SortBy::Live => Column::Live,
            SortBy::Growth => Column::Growth,
        }
    }
}

/// The columns by which a list can be sorted.
pub(super) fn sortable(tab: Tab) -> &'static [Column] {
    match tab {
        Tab::Sites => &[
            Column::Bytes,
            Column::Allocs,
            Column::Total,
            Column::Live,
            Column::Growth,
            Column::Faults,
        ],
        Tab::Types => &[
            Column::Bytes,
            Column::Allocs,
            Column::Total,
            Column::Live,
            Column::Pointers,
        ],
        Tab::Maps => &[
            Column::Entries,
            Column::EntryRate,
            Column::Table,
            Column::Growths,
        ],
        Tab::Findings => &[Column::Name],
    }
}

/// The lines of a list, as positions in the snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) shown: Vec<usize>,
    /// How many there are without the filter.
    pub(super) all: usize,
}

/// What is asked of a list.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) tab: Tab,
    pub(super) sorted: Column,
    pub(super) since_start: bool,
    pub(super) filter: &'a str,
}

impl Rows {
    pub(super) fn of(snapshot: &Snapshot, query: &Query<'_>) -> Self {
        let tab = query.tab;
        let len = match tab {
            Tab::Sites => snapshot.report.sites.len(),
            Tab::Types => snapshot.types.groups.len(),
            Tab::Maps => snapshot.maps().len(),
            Tab::Findings => snapshot.findings.len(),
        };
        let wanted = query.filter.to_lowercase();
        let mut shown: Vec<usize> = (0..len)
            .filter(|item| wanted.is_empty() || snapshot.matches(tab, *item, &wanted))
            .collect();
        let figure = |item: &usize, since_start| {
            snapshot
                .figure(tab, *item, query.sorted, since_start)
                .unwrap_or(i128::MIN)
        };
        // Findings stay in their order: worst first.
        if tab != Tab::Findings {
            shown.sort_by_cached_key(|item| {
                let total = snapshot.figure(tab, *item, Column::Total, true);
                (
                    Reverse(figure(item, query.since_start)),
                    Reverse(total),
                    *item,
                )
            });
        }
        Rows { shown, all: len }
    }
}

impl Snapshot {
    /// What is in a column of a line; `None` if it is not known, or no number.
    pub fn figure(&self, tab: Tab, item: usize, column: Column, since_start: bool) -> Option<i128> {
        let is_known = match self.timing(tab, item) {
            _ if since_start => true,
            Timing::Exact => true,
            // Sites are told at different times, and there is no whole of which they are parts.
            Timing::Mean => column != Column::Share,
            Timing::Unknown => !matches!(column, Column::Share | Column::Bytes | Column::Allocs),
        };
        if !is_known {
            return None;
        }
        match tab {
            Tab::Sites => {
                let total = &self.report.sites.get(item)?.figures;
                let step = &self.sites.get(item)?.figures;
                let asked = if since_start { total } else { step };
                self.figure_of(asked, total, column)
            }
            Tab::Types => {
                let group = self.types.groups.get(item)?;
                if column == Column::Pointers {
                    return group.pointer_bytes.map(i128::from);
                }
                let step = &self.type_steps.get(item)?.figures;
                let asked = if since_start { &group.figures } else { step };
                self.figure_of(asked, &group.figures, column)
            }
            Tab::Maps => self.figure_of_map(self.maps().get(item)?, column),
            Tab::Findings => None,
        }
    }

    /// How well it is known what a line did in the last interval.
    pub fn timing(&self, tab: Tab, item: usize) -> Timing {
        let step = match tab {
            Tab::Sites => self.sites.get(item),
            Tab::Types => self.type_steps.get(item),
            Tab::Maps | Tab::Findings => None,
        };
        step.map_or(Timing::Exact, |step| step.timing)
    }

    fn figure_of(&self, asked: &Figures, total: &Figures, column: Column) -> Option<i128> {
        match column {
            Column::Share | Column::Bytes => Some(self.bytes(asked).into()),
            Column::Allocs => Some(asked.allocs.into()),
            Column::Total => Some(self.bytes(total).into()),
            Column::Live => total.live_bytes.map(i128::from),
            Column::Growth => total.growth_per_s.map(i128::from),
            Column::Faults => asked.faults.map(i128::from),
            _ => None,
        }
    }

    fn figure_of_map(&self, map: &MapInstance, column: Column) -> Option<i128> {
        match column {
            Column::Entries => Some(self.entries_of(map).into()),
            Column::EntryRate => entry_rate(map),
            Column::Table => map.table_bytes.map(i128::from),
            Column::Growths => Some(map.growths.into()),
            // Where others have their sum.
            Column::Total => Some(map.max_entries.into()),
            _ => None,
        }
    }

    /// Whether the lower-case `wanted` is in a name of a line.
    fn matches(&self, tab: Tab, item: usize, wanted: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(wanted);
        let in_frames = |frames: &[Frame]| {
            let mut frames = frames.iter();
            frames.any(|frame| {
                let line = frame.line.unwrap_or_default();
                has(&frame.function) || has(&format!("{}:{line}", frame.file))
            })
        };
        match tab {
            Tab::Sites => self.report.sites.get(item).is_some_and(|site| {
                in_frames(&site.frames) || site.types.iter().any(|of_type| has(&of_type.name))
            }),
            Tab::Types => {
                let group = self.types.groups.get(item);
                group.is_some_and(|group| has(&group.name))
            }
            Tab::Maps => {
                let map = self.maps().get(item);
                map.is_some_and(|map| has(&map.type_name) || in_frames(self.place_of(map)))
            }
            Tab::Findings => {
                let finding = self.findings.get(item);
                finding.is_some_and(|finding| has(&finding.title) || has(&finding.evidence))
            }
        }
    }
}

/// Thousandths of an entry per second, over the last seconds of the curve.
fn entry_rate(map: &MapInstance) -> Option<i128> {
    let (end, last) = *map.curve.last()?;
    let since = end.saturating_sub(RECENT_NS);
    // The last point before that time, so that the whole time is covered.
    let from = map.curve.partition_point(|(time, _)| *time <= since);
    let (start, first) = *map.curve.get(from.saturating_sub(1))?;
    let nanoseconds = i128::from(end.saturating_sub(start));
    if nanoseconds == 0 {
        return None;
    }
    let change = i128::from(last) - i128::from(first);
    Some(change * 1_000_000_000_000 / nanoseconds)
}
