//! What of the heap is alive: in all, and where it was allocated.

use super::{
    Line, TextOptions,
    header::LABEL,
    interval::push_name,
    line::{flow, wrap},
    style::{CAUTION, FAINT, PLAIN, STRONG},
    table::GAP,
    units,
};
use crate::report::{Heap, HeapSource, History, Mode, Report, Site};
use anstyle::Style;
use std::cmp::Reverse;

/// Places that are shown besides the table of sites, whatever the limit.
const MAX_PLACES: usize = 10;

type Item = (String, Style);

/// The section of a capture.
pub(super) fn lines(report: &Report, options: &TextOptions) -> Vec<Line> {
    let Some(heap) = &report.heap else {
        return Vec::new();
    };
    let columns = options.columns();
    let mut lines = Vec::new();
    if report.window.mode != Mode::Heap {
        let alive = alive(report, heap);
        if !alive.is_empty() {
            lines.extend(wrap(Line::starting("alive", FAINT), LABEL, &alive, columns));
            lines.extend(places(report, options));
        }
    }
    for text in missing(heap) {
        let start = Line::starting("heap", FAINT);
        lines.extend(flow(start, LABEL, &text, CAUTION, columns));
    }
    lines
}

/// What is not known of the heap, each in words.
pub(super) fn missing(heap: &Heap) -> impl Iterator<Item = String> {
    [
        heap.reason.clone(),
        heap.probed
            .filter(|probed| probed.unfollowed > 0)
            .map(|probed| {
                format!(
                    "{} live objects are beyond the bound, and not followed",
                    units::exact(probed.unfollowed)
                )
            }),
        heap.probed
            .filter(|probed| probed.missing_labels > 0)
            .map(|_| {
                "goroutines have more different labels than are kept: some stacks lack theirs"
                    .to_owned()
            }),
        heap.probed
            .filter(|probed| probed.incomplete_labels > 0)
            .map(|probed| {
                format!(
                    "{} of labels lack some: a goroutine has more than 8",
                    units::plural(probed.incomplete_labels, "set")
                )
            }),
        heap.history
            .filter(|history| !history.complete)
            .map(|_| "the runtime's profile has more entries than were read".to_owned()),
    ]
    .into_iter()
    .flatten()
}

/// What is alive in all, in the words of a heading.
pub(super) fn alive(report: &Report, heap: &Heap) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(history) = &heap.history {
        items.extend(of_history(history, report.window.duration_ns));
    }
    if let Some(live) = heap.probed.and_then(|probed| probed.live) {
        items.push((
            format!(
                "{} of what was allocated since the capture began",
                units::bytes(live.bytes)
            ),
            PLAIN,
        ));
    }
    if let Some(rate) = heap.profiler.rate_bytes.filter(|rate| *rate > 0)
        && !items.is_empty()
    {
        items.push((
            format!("estimated from one sample in {}", units::bytes(rate)),
            PLAIN,
        ));
    }
    items
}

fn of_history(history: &History, duration_ns: u64) -> Vec<Item> {
    let mut items = vec![
        (units::bytes(history.live.bytes), STRONG),
        (
            format!(
                "{} objects as of the last complete GC cycle",
                units::count(history.live.objects)
            ),
            PLAIN,
        ),
    ];
    if let Some(start) = history.at_start {
        let (now, before) = (history.live.bytes, start.bytes);
        let change = units::bytes(now.abs_diff(before));
        let word = if now >= before { "more" } else { "less" };
        items.push((
            format!(
                "{change} {word} than {} before",
                units::duration(duration_ns)
            ),
            PLAIN,
        ));
    }
    items
}

/// Where most of what is alive was allocated.
fn places(report: &Report, options: &TextOptions) -> Vec<Line> {
    let mut sites: Vec<&Site> = report
        .sites
        .iter()
        .filter(|site| most_alive(site) > 0)
        .collect();
    sites.sort_by_key(|site| (Reverse(most_alive(site)), site.id));
    sites.truncate(options.limit.min(MAX_PLACES));
    if sites.is_empty() {
        return Vec::new();
    }
    let columns = columns(report, &sites);
    let mut head = Line::default();
    let ends = ends(&columns);
    for (column, end) in columns.iter().zip(&ends) {
        head.push_right(column.title, *end, FAINT);
    }
    let mut lines = vec![head];
    for (row, site) in sites.iter().enumerate() {
        let mut line = Line::default();
        for (column, end) in columns.iter().zip(&ends) {
            line.push_right(
                column.cells.get(row).map_or("", String::as_str),
                *end,
                PLAIN,
            );
        }
        line.pad_to(line.width() + GAP);
        push_name(&mut line, &site.frames, STRONG, options.columns());
        lines.push(line);
    }
    lines
}

/// Bytes alive, by whichever of the two figures has more: the runtime's own lags behind by a cycle or two.
fn most_alive(site: &Site) -> u64 {
    let recent = site.recent.as_ref().map(|recent| recent.live.bytes);
    let live = site.live.map(|live| live.now.bytes);
    live.max(recent).unwrap_or(0)
}

struct Column {
    title: &'static str,
    cells: Vec<String>,
}

/// Those of which something is known.
fn columns(report: &Report, sites: &[&Site]) -> Vec<Column> {
    let column = |title, cell: &dyn Fn(&Site) -> String| Column {
        title,
        cells: sites.iter().map(|site| cell(site)).collect(),
    };
    let mut columns = vec![
        column("#", &|site| site.id.to_string()),
        column("alive", &|site| {
            units::maybe_bytes(site.live.map(|live| live.now.bytes))
        }),
    ];
    if report
        .heap
        .as_ref()
        .is_some_and(|heap| heap.source == Some(HeapSource::Profiler))
    {
        columns.push(column("of capture", &|site| {
            units::maybe_bytes(site.recent.as_ref().map(|recent| recent.live.bytes))
        }));
        columns.push(column("age p50", &|site| {
            age(site.recent.as_ref().map(|recent| &*recent.ages))
        }));
        columns.push(column("lived p50", &|site| {
            age(site.recent.as_ref().map(|recent| &*recent.lifetimes))
        }));
    }
    if sites.iter().any(|site| site.growth.is_some()) {
        columns.push(column("growth/s", &|site| {
            growth(site.figures.growth_per_s)
        }));
    }
    columns
}

fn ends(columns: &[Column]) -> Vec<usize> {
    let mut end = 0;
    let widths = columns.iter().map(|column| {
        let cells = column.cells.iter().map(|cell| super::line::width(cell));
        cells.fold(super::line::width(column.title), usize::max)
    });
    widths
        .map(|width| {
            end += width + if end > 0 { GAP } else { 0 };
            end
        })
        .collect()
}

/// How fast live bytes grow, where that is more than noise.
pub(super) fn growth(growth_per_s: Option<i64>) -> String {
    match growth_per_s {
        Some(0) => "~0".to_owned(),
        Some(per_s) => {
            let sign = if per_s < 0 { "-" } else { "+" };
            let size = units::byte_rate(Some(per_s.unsigned_abs() as f64));
            format!("{sign}{size}")
        }
        None => units::UNKNOWN.to_owned(),
    }
}

/// The median of a distribution of times: below it are half of them.
fn age(times: Option<&[(u64, u64)]>) -> String {
    let times = times.unwrap_or_default();
    let all: u64 = times.iter().map(|(_, count)| count).sum();
    let mut sum = 0;
    let median = times.iter().find(|(_, count)| {
        sum += count;
        2 * sum >= all
    });
    median.map_or_else(
        || units::UNKNOWN.to_owned(),
        |(below, _)| format!("<{}", units::duration(*below)),
    )
}
