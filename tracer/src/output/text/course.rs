//! The course of the capture: a curve of the allocation rate; resident memory, heap and control group at both ends.

use super::{
    TextOptions,
    header::LABEL,
    line::{Line, flow, width},
    style::{BAR, FAINT, PLAIN},
    units,
};
use crate::report::{Report, TimelinePoint};

/// Columns of the curve at most.
const CURVE: usize = 60;

pub(super) fn lines(report: &Report, options: &TextOptions) -> Vec<Line> {
    let mut lines = Vec::new();
    // One point has no course.
    if report.timeline.len() > 1 {
        lines.extend(curve_line(&report.timeline, options.columns()));
    }
    let ends = [
        rss_line(&report.timeline),
        heap_line(&report.timeline),
        limit_line(report),
    ];
    for (label, text) in ends.into_iter().flatten() {
        let start = Line::starting(label, FAINT);
        lines.extend(flow(start, LABEL, &text, PLAIN, options.columns()));
    }
    lines
}

/// Nothing if there are points of which nothing is known.
fn curve_line(timeline: &[TimelinePoint], columns: usize) -> Option<Line> {
    let bytes_known = timeline.iter().all(|point| point.alloc_bytes.is_some());
    let amount = |point: &TimelinePoint| match point.alloc_bytes {
        Some(bytes) if bytes_known => bytes,
        _ => point.allocs.unwrap_or(0),
    };
    if !bytes_known && timeline.iter().any(|point| point.allocs.is_none()) {
        return None;
    }
    let room = CURVE.min(columns.saturating_sub(LABEL + width("  peak 1023 KiB/s")));
    let rates = rates(timeline, amount, room);
    let peak = rates.iter().copied().fold(0.0, f64::max);
    let (label, peak_text) = if bytes_known {
        ("bytes/s", units::byte_rate(Some(peak)))
    } else {
        ("allocs/s", units::rate(Some(peak)))
    };

    let mut line = Line::starting(label, FAINT);
    line.pad_to(LABEL);
    line.push(&curve(&rates), BAR);
    line.push(&format!("  peak {peak_text}"), PLAIN);
    Some(line)
}

/// Amounts per second, in at most `cells` cells: neighbours are merged until they fit.
fn rates(
    timeline: &[TimelinePoint],
    amount: impl Fn(&TimelinePoint) -> u64,
    cells: usize,
) -> Vec<f64> {
    let mut start_ns = 0;
    let merged = timeline.chunks(timeline.len().div_ceil(cells.max(1)).max(1));
    merged
        .map(|points| {
            let end_ns = points.last().map_or(start_ns, |point| point.t_ns);
            let total = points.iter().map(&amount).fold(0, u64::saturating_add);
            let rate = units::per_second(total, end_ns.saturating_sub(start_ns));
            start_ns = end_ns;
            rate.unwrap_or(0.0)
        })
        .collect()
}

/// A block for each value, as high as it is to the highest.
pub(crate) fn curve(values: &[f64]) -> String {
    let peak = values.iter().copied().fold(0.0, f64::max);
    values.iter().map(|value| level(*value, peak)).collect()
}

/// The lowest block that reaches `rate`, of blocks that divide `peak` evenly; a dot for nothing at all.
fn level(rate: f64, peak: f64) -> char {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if rate <= 0.0 {
        return '·';
    }
    let mut tops = BLOCKS.iter().zip(1_u8..);
    let reaches = |step: u8| rate <= peak * f64::from(step) / BLOCKS.len() as f64;
    tops.find(|(_, step)| reaches(*step))
        .map_or('█', |(block, _)| *block)
}

/// A label, and what there is to say.
type Labelled = (&'static str, String);

fn rss_line(timeline: &[TimelinePoint]) -> Option<Labelled> {
    let change = change(timeline, |point| point.rss_bytes)?;
    Some(("RSS", change))
}

/// What the collector takes for live, and the size at which the next cycle is due.
fn heap_line(timeline: &[TimelinePoint]) -> Option<Labelled> {
    let change = change(timeline, |point| point.heap_live)?;
    let goal = timeline.iter().rev().find_map(|point| point.heap_goal);
    let next = goal.map_or_else(String::new, |goal| {
        format!(", next collection at {}", units::bytes(goal))
    });
    Some(("heap", format!("{change}{next}")))
}

/// The memory limit, and how much of it is used.
fn limit_line(report: &Report) -> Option<Labelled> {
    let limit = report.target.memory_limit_bytes?;
    let mut points = report.timeline.iter().rev();
    let used = points.find_map(|point| point.limit_used_bytes)?;
    let share = units::percent(units::share(used, limit));
    let text = format!(
        "{} of {} used ({share})",
        units::bytes(used),
        units::bytes(limit)
    );
    Some(("limit", text))
}

/// The first value and the last one of what is known, and how far they are apart; only the last one if the first is so
/// late that most of the capture is before it.
fn change(
    timeline: &[TimelinePoint],
    of: impl Fn(&TimelinePoint) -> Option<u64>,
) -> Option<String> {
    let mut known = (timeline.iter()).filter_map(|point| Some((point.t_ns, of(point)?)));
    let (start_ns, start) = known.next()?;
    let Some((end_ns, end)) = known.next_back() else {
        return Some(units::bytes(start));
    };
    if start_ns > end_ns / 2 {
        return Some(units::bytes(end));
    }
    let sign = if end < start { "-" } else { "+" };
    let change = units::bytes(end.abs_diff(start));
    Some(format!(
        "{} → {} ({sign}{change})",
        units::bytes(start),
        units::bytes(end)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_point_that_is_late_is_no_start() {
        let point = |t_ns, rss| TimelinePoint {
            t_ns,
            rss_bytes: Some(rss),
            ..TimelinePoint::default()
        };
        let shown = |first| {
            change(&[point(first, 1024), point(130, 2048)], |point| {
                point.rss_bytes
            })
        };
        assert_eq!(shown(100).as_deref(), Some("2 KiB"));
        assert_eq!(shown(10).as_deref(), Some("1 KiB → 2 KiB (+1 KiB)"));
    }
}
