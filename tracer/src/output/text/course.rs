//! The course of the capture: a curve of the allocation rate, and the resident memory at both ends.

use super::{
    TextOptions,
    header::LABEL,
    line::{Line, width},
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
    lines.extend(rss_line(&report.timeline));
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
pub(super) fn curve(values: &[f64]) -> String {
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

fn rss_line(timeline: &[TimelinePoint]) -> Option<Line> {
    let mut known = timeline.iter().filter_map(|point| point.rss_bytes);
    let start = known.next()?;
    let mut line = Line::starting("RSS", FAINT);
    line.pad_to(LABEL);
    match known.next_back() {
        Some(end) => {
            let sign = if end < start { "-" } else { "+" };
            let change = units::bytes(end.abs_diff(start));
            line.push(
                &format!(
                    "{} → {} ({sign}{change})",
                    units::bytes(start),
                    units::bytes(end)
                ),
                PLAIN,
            );
        }
        None => line.push(&units::bytes(start), PLAIN),
    }
    Some(line)
}
