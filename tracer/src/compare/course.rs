//! How much the rate of a capture scatters in time.
//!
//! A capture is one sample of what a program does under a load that varies: how far its mean rate may be off is told by
//! the scatter of the intervals of its timeline.

use super::Figure;
use crate::report::{Report, TimelinePoint};

/// Fewer intervals do not tell a scatter.
const FEWEST: usize = 6;
/// Parts into which a course is cut to see what varies more slowly than from one interval to the next.
const PARTS: usize = 6;

/// Standard error of the mean rate of a figure as a part of that rate; `None` if the timeline does not tell.
pub(super) fn relative_error(report: &Report, figure: Figure) -> Option<f64> {
    let allocs = |point: &TimelinePoint| point.allocs;
    let bytes = |point: &TimelinePoint| point.alloc_bytes;
    let faults = |point: &TimelinePoint| point.faults;
    match figure {
        Figure::Allocs => scatter(report, allocs).or_else(|| scatter(report, bytes)),
        Figure::AllocBytes | Figure::RequestedBytes => {
            scatter(report, bytes).or_else(|| scatter(report, allocs))
        }
        Figure::Faults => scatter(report, faults),
        Figure::LiveBytes => None,
    }
}

fn scatter(report: &Report, of: impl Fn(&TimelinePoint) -> Option<u64>) -> Option<f64> {
    let mut start_ns = 0;
    let mut intervals: Vec<(f64, f64)> = Vec::new();
    for point in &report.timeline {
        let length = point.t_ns.saturating_sub(start_ns);
        start_ns = point.t_ns.max(start_ns);
        match of(point) {
            Some(count) if length > 0 => intervals.push((count as f64, length as f64)),
            Some(_) => {}
            None => return None,
        }
    }
    // What is left over at the end is no interval. One that took long is, and makes none of the others a rest.
    let mut lengths: Vec<f64> = intervals.iter().map(|(_, length)| *length).collect();
    lengths.sort_unstable_by(f64::total_cmp);
    let usual = lengths.get(lengths.len() / 2).copied().unwrap_or(0.0);
    intervals.retain(|(_, length)| *length >= usual / 2.0);
    if intervals.len() < FEWEST {
        return None;
    }
    let per_part = intervals.len().div_ceil(PARTS);
    let parts: Vec<(f64, f64)> = intervals
        .chunks_exact(per_part)
        .map(|chunk| {
            let sum = |(a, b): (f64, f64), (c, d): &(f64, f64)| (a + c, b + d);
            chunk.iter().fold((0.0, 0.0), sum)
        })
        .collect();
    // With few parts their scatter is known badly; the finer one is a lower bound of it.
    let fine = error_of_mean(&intervals)?;
    Some(error_of_mean(&parts).map_or(fine, |coarse| coarse.max(fine)))
}

/// Standard error of the mean of rates as a part of it; 0 where nothing happened.
fn error_of_mean(intervals: &[(f64, f64)]) -> Option<f64> {
    let count = intervals.len() as f64;
    if count < 2.0 {
        return None;
    }
    let rates = || intervals.iter().map(|(amount, length)| amount / length);
    let mean = rates().sum::<f64>() / count;
    if mean <= 0.0 {
        return Some(0.0);
    }
    let squares: f64 = rates().map(|rate| (rate - mean) * (rate - mean)).sum();
    Some((squares / (count - 1.0) / count).sqrt() / mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn report(counts: &[Option<u64>]) -> Report {
        let mut report = fixture::report();
        report.timeline = (1..)
            .zip(counts)
            .map(|(second, count)| TimelinePoint {
                t_ns: second * 1_000_000_000,
                allocs: *count,
                ..TimelinePoint::default()
            })
            .collect();
        report
    }

    fn error(counts: &[Option<u64>]) -> Option<f64> {
        relative_error(&report(counts), Figure::Allocs)
    }

    #[test]
    fn the_error_is_that_of_the_mean_of_the_intervals() {
        let steady = vec![Some(500); 12];
        assert!(error(&steady).unwrap() < 1e-12);
        let varies: Vec<_> = (0..12)
            .map(|i| Some(if i % 2 == 0 { 80 } else { 120 }))
            .collect();
        let expected = (400.0_f64 * 12.0 / 11.0 / 12.0).sqrt() / 100.0;
        assert!((error(&varies).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn what_varies_slowly_is_not_averaged_away() {
        let slow: Vec<_> = (0..36)
            .map(|i| Some(if i / 6 % 2 == 0 { 80 } else { 120 }))
            .collect();
        let fast: Vec<_> = (0..36)
            .map(|i| Some(if i % 2 == 0 { 80 } else { 120 }))
            .collect();
        assert!(error(&slow).unwrap() > 2.0 * error(&fast).unwrap());
    }

    #[test]
    fn too_few_intervals_and_unknown_ones_tell_nothing() {
        assert_eq!(error(&[Some(5); 5]), None);
        assert_eq!(error(&[]), None);
        let mut counts = vec![Some(5); 12];
        counts[3] = None;
        assert_eq!(error(&counts), None);
        assert_eq!(error(&[Some(0); 12]), Some(0.0));
        assert!(error(&[Some(u64::MAX); 12]).unwrap().is_finite());
    }

    #[test]
    fn an_interval_that_took_long_does_not_hide_the_others() {
        let mut report = report(&[Some(500); 12]);
        for point in report.timeline.iter_mut().skip(6) {
            point.t_ns += 3_000_000_000;
        }
        report.timeline[6].allocs = Some(2000);
        assert!(relative_error(&report, Figure::Allocs).unwrap() < 1e-12);
    }

    #[test]
    fn a_rest_at_the_end_does_not_count_as_an_interval() {
        let mut report = report(&[Some(500); 12]);
        report.timeline.push(TimelinePoint {
            t_ns: 12_010_000_000,
            allocs: Some(0),
            ..TimelinePoint::default()
        });
        assert!(relative_error(&report, Figure::Allocs).unwrap() < 1e-12);
    }
}
