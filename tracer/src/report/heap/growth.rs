//! How what a site has alive changes from cycle to cycle of the collector.

use super::scale::scale;
use crate::aggregate::{BucketHistory, HeapHistory, whole};

/// Slopes up to so many standard errors are noise.
const NOISE: f64 = 2.0;

/// How what a site has alive changes, cycle by cycle of the collector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Growth {
    /// Least-squares slope.
    pub bytes_per_s: f64,
    /// Its standard error: the scatter of the course, or that of sampling if it is larger.
    pub error: f64,
    /// Cycles of the collector from its first point to the last.
    pub cycles: u64,
    /// Time since the start of recording in nanoseconds, and bytes alive.
    pub course: Vec<(u64, u64)>,
}

/// Samples alive at one end of the course and not at the other. Each of them is there by chance, also where as many come as
/// go; those alive at both ends make no difference between them.
fn replaced(bucket: &BucketHistory) -> u64 {
    let (first, last) = (bucket.first.live(), bucket.last.live());
    let freed = bucket.last.frees.saturating_sub(bucket.first.frees);
    let survivors = first.saturating_sub(freed).min(last);
    first - survivors + (last - survivors)
}

impl Growth {
    /// How the live bytes of a site change, all of whose entries are `buckets`; `None` with fewer than three points.
    pub(in crate::report) fn of(
        buckets: &[&BucketHistory],
        history: &HeapHistory,
        start_ns: u64,
    ) -> Option<Self> {
        let times: Vec<u64> = history.times_ns().collect();
        if times.len() < 3 {
            return None;
        }
        let mut bytes = vec![0.0; times.len()];
        let mut noise = 0.0;
        for bucket in buckets {
            let weight = scale(bucket.size, history.rate_bytes) * bucket.size as f64;
            for (sum, live) in bytes.iter_mut().zip(bucket.course(times.len())) {
                *sum += f64::from(live) * weight;
            }
            noise += replaced(bucket) as f64 * weight * weight;
        }
        let seconds: Vec<f64> = times
            .iter()
            .map(|time| time.saturating_sub(start_ns) as f64 / 1e9)
            .collect();
        let (bytes_per_s, scatter) = slope(&seconds, &bytes)?;
        let length = seconds.last()? - seconds.first()?;
        Some(Growth {
            bytes_per_s,
            error: scatter.max(noise.sqrt() / length),
            cycles: history.cycles(),
            course: times
                .iter()
                .zip(&bytes)
                .map(|(time, bytes)| (time.saturating_sub(start_ns), whole(*bytes)))
                .collect(),
        })
    }

    /// The slope in whole bytes per second, 0 if it is not more than noise.
    pub(crate) fn whole_bytes_per_s(&self) -> i64 {
        if self.bytes_per_s.abs() <= NOISE * self.error {
            return 0;
        }
        let size = i64::try_from(whole(self.bytes_per_s.abs())).unwrap_or(i64::MAX);
        if self.bytes_per_s < 0.0 { -size } else { size }
    }

    /// Bytes alive at the first point.
    pub fn first_bytes(&self) -> u64 {
        self.course.first().map_or(0, |(_, bytes)| *bytes)
    }

    /// Bytes alive at the last point.
    pub fn last_bytes(&self) -> u64 {
        self.course.last().map_or(0, |(_, bytes)| *bytes)
    }

    /// Share of the steps from point to point that do not lead down, 0 to 1.
    pub fn steadiness(&self) -> f64 {
        let steps = self.course.windows(2);
        let count = steps.len().max(1);
        let up = steps.filter(|step| matches!(step, [(_, before), (_, after)] if after >= before));
        up.count() as f64 / count as f64
    }
}

/// Least-squares slope of `y` over `x`, and its standard error; `None` for fewer than three points, or one place.
fn slope(x: &[f64], y: &[f64]) -> Option<(f64, f64)> {
    let count = x.len().min(y.len());
    if count < 3 {
        return None;
    }
    let points = || x.iter().copied().zip(y.iter().copied());
    let n = count as f64;
    let mean_x = x.iter().sum::<f64>() / n;
    let mean_y = y.iter().sum::<f64>() / n;
    let spread: f64 = points().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum::<f64>()
        / spread;
    let residual: f64 = points()
        .map(|(x, y)| (y - mean_y - slope * (x - mean_x)).powi(2))
        .sum();
    Some((slope, (residual / (n - 2.0) / spread).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_has_no_error() {
        let (slope, error) = slope(&[0.0, 1.0, 2.0, 3.0], &[5.0, 7.0, 9.0, 11.0]).unwrap();
        assert!((slope - 2.0).abs() < 1e-9 && error < 1e-9);
        assert_eq!(super::slope(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(super::slope(&[1.0, 2.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn scatter_without_a_trend_is_within_its_error() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let y: Vec<f64> = (0..20).map(|n| f64::from(n * 7919 % 13)).collect();
        let (slope, error) = slope(&x, &y).unwrap();
        assert!(slope.abs() < 2.0 * error, "{slope} {error}");
    }
}
