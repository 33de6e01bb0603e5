//! The live block of `tracer attach`: one line for the interval, one line per site or group.

use std::io::Write;

use anstyle::Style;

use super::{
    Measure, TextOptions, groups,
    line::{Line, width},
    names,
    style::{BAD, CAUTION, FAINT, GOOD, PLAIN, STRONG},
    units, write_lines,
};
use crate::live::interval::{Interval, IntervalGroup, IntervalSite};
use crate::output::OutputError;
use crate::report::{Figures, Frame, Group, GroupBy};

/// Where the figures end, so that blocks written one after another align.
const SHARE_END: usize = 8;
const BYTES_END: usize = SHARE_END + 12;
const ALLOCS_END: usize = BYTES_END + 9;
const TOTAL_END: usize = ALLOCS_END + 16;
const GAP: usize = 2;
/// Fewer columns than this have no room for totals and paths.
const WIDE: usize = 90;

/// Writes `interval` as a block of text and flushes it.
pub fn write_interval(
    interval: &Interval<'_>,
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let rows = rows(interval);
    let figures = rows.iter().flat_map(|row| [&row.figures, &row.total]);
    let measure = Measure::of(figures.chain([&interval.figures]));
    let shown = rows.iter().take(options.limit);
    let mut lines = vec![head(interval, measure)];
    lines.extend(shown.map(|row| row_line(row, interval, measure, options.columns())));
    write_lines(&lines, options, out)?;
    out.flush().map_err(OutputError::Write)
}

/// A site or a group.
struct Row<'a> {
    figures: Figures,
    total: Figures,
    name: Name<'a>,
}

enum Name<'a> {
    Site(&'a [Frame]),
    Group(GroupBy, &'a Group),
}

fn rows<'a>(interval: &Interval<'a>) -> Vec<Row<'a>> {
    let of_site = |site: &IntervalSite<'a>| Row {
        figures: site.figures,
        total: site.total,
        name: Name::Site(site.frames),
    };
    let of_group = |by, part: &IntervalGroup<'a>| Row {
        figures: part.figures,
        total: part.group.figures,
        name: Name::Group(by, part.group),
    };
    let rows: Vec<Row<'_>> = match &interval.groups {
        None => interval.sites.iter().map(of_site).collect(),
        Some(groups) => {
            let parts = groups.groups.iter();
            parts.map(|part| of_group(groups.by, part)).collect()
        }
    };
    // There is no column for those that only touch pages.
    rows.into_iter()
        .filter(|row| row.figures.allocs > 0)
        .collect()
}

fn head(interval: &Interval<'_>, measure: Measure) -> Line {
    let figures = if interval.timely {
        of_interval(&interval.figures, interval, measure)
    } else {
        (interval.point.alloc_bytes, None)
    };
    let time = units::duration(interval.t_ns);
    let mut line = figures_line((&time, STRONG), figures, interval.duration_ns, STRONG);
    line.push(" allocs", STRONG);
    if measure == Measure::Requested {
        line.push(" · bytes as requested", CAUTION);
    }
    if let Some(rss) = interval.point.rss_bytes {
        line.push(&format!(" · RSS {}", units::bytes(rss)), PLAIN);
    }
    line.push(" · ", FAINT);
    let lost = format!("lost {}", units::exact(interval.lost));
    line.push(&lost, if interval.lost == 0 { GOOD } else { BAD });
    for (text, style) in shown(interval) {
        line.push(" · ", FAINT);
        line.push(&text, style);
    }
    line
}

/// Bytes and allocations that happened in the interval, where that is known.
fn of_interval(
    figures: &Figures,
    interval: &Interval<'_>,
    measure: Measure,
) -> (Option<u64>, Option<u64>) {
    let known = (measure.bytes(figures), figures.allocs);
    Some(known).filter(|_| interval.timely).unzip()
}

/// What the target showed besides, where it did.
fn shown(interval: &Interval<'_>) -> Vec<(String, Style)> {
    let per_s = |total: u64| units::rate(units::per_second(total, interval.duration_ns));
    let point = &interval.point;
    let heap = point
        .heap_live
        .map(|live| format!("heap {}", units::bytes(live)));
    let faults = point.faults.filter(|faults| *faults > 0);
    let faults = faults.map(|faults| format!("faults {}", per_s(faults)));
    let cycles = point.gc_cycles.filter(|cycles| *cycles > 0);
    let cycles = cycles.map(|cycles| format!("GC {cycles}"));
    let items = [heap, faults, cycles].into_iter().flatten();
    items.map(|item| (item, PLAIN)).collect()
}

fn row_line(row: &Row<'_>, interval: &Interval<'_>, measure: Measure, columns: usize) -> Line {
    let whole = measure.bytes(&interval.figures);
    let share = units::share(measure.bytes(&row.figures), whole);
    let share = units::percent(share.filter(|_| interval.timely));
    let figures = of_interval(&row.figures, interval, measure);
    let mut line = figures_line((&share, FAINT), figures, interval.duration_ns, PLAIN);
    if columns >= WIDE {
        let total = format!("total {}", units::bytes(measure.bytes(&row.total)));
        line.push_right(&total, TOTAL_END, FAINT);
    }
    line.pad_to(line.width() + GAP);
    match row.name {
        Name::Site(frames) => push_name(&mut line, frames, STRONG, columns),
        Name::Group(by, group) => {
            let room = columns.saturating_sub(line.width());
            line.push(&groups::one_line(by, group, room), STRONG);
        }
    }
    line
}

/// The function and, where there is room for both, the line of code.
pub(super) fn push_name(line: &mut Line, frames: &[Frame], style: Style, columns: usize) {
    let Some(frame) = frames.first() else {
        return line.push(names::UNNAMED, style);
    };
    let room = columns.saturating_sub(line.width());
    if columns < WIDE {
        return line.push(&names::call(frame, room), style);
    }
    let place = names::place(frame, (room / 2).saturating_sub(GAP));
    let function = names::function(&frame.function, room.saturating_sub(width(&place) + GAP));
    line.push(&function, style);
    line.pad_to(line.width() + GAP);
    line.push(
        &names::place(frame, columns.saturating_sub(line.width())),
        FAINT,
    );
}

fn figures_line(
    (first, first_style): (&str, Style),
    (bytes, allocs): (Option<u64>, Option<u64>),
    duration_ns: u64,
    style: Style,
) -> Line {
    let mut line = Line::default();
    let per_s = |total: u64| units::per_second(total, duration_ns);
    let bytes = bytes.map_or("-".to_owned(), |bytes| units::byte_rate(per_s(bytes)));
    let allocs = allocs.map_or("-".to_owned(), |allocs| units::rate(per_s(allocs)));
    line.push_right(first, SHARE_END, first_style);
    line.push_right(&bytes, BYTES_END, style);
    line.push_right(&allocs, ALLOCS_END, style);
    line
}
