//! What a target does now, from the last points of the timeline.

use crate::report::TimelinePoint;
use crate::units;

/// How far back "now" reaches.
const NOW_NS: u64 = 1_000_000_000;

/// Rates of the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Allocations; `None` if they are not known yet, as in windows.
    pub allocs_per_s: Option<f64>,
    /// Their bytes.
    pub alloc_bytes_per_s: Option<f64>,
    /// Records of allocations that were lost since the start.
    pub lost: Option<u64>,
}

impl Pace {
    /// The rates at the end of `timeline`.
    pub fn of(timeline: &[TimelinePoint]) -> Self {
        let Some(end) = timeline.last().map(|point| point.t_ns) else {
            return Pace::default();
        };
        let since = end.saturating_sub(NOW_NS);
        // Each point has what happened since the point before it.
        let first = timeline.partition_point(|point| point.t_ns <= since);
        let (before, recent) = timeline.split_at(first);
        let duration_ns = end - before.last().map_or(0, |point| point.t_ns);
        let rate = |figure: fn(&TimelinePoint) -> Option<u64>| {
            let sum: Option<u64> = recent.iter().map(figure).sum();
            units::per_second(sum?, duration_ns)
        };
        Pace {
            allocs_per_s: rate(|point| point.allocs),
            alloc_bytes_per_s: rate(|point| point.alloc_bytes),
            lost: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(points: &[(u64, Option<u64>)]) -> Vec<TimelinePoint> {
        let point = |(t_ms, allocs): &(u64, Option<u64>)| TimelinePoint {
            t_ns: t_ms * 1_000_000,
            allocs: *allocs,
            alloc_bytes: allocs.map(|allocs| 16 * allocs),
            ..TimelinePoint::default()
        };
        points.iter().map(point).collect()
    }

    #[test]
    fn rates_are_those_of_the_last_second() {
        let check = |points: &[(u64, Option<u64>)], expected: Option<f64>| {
            let pace = Pace::of(&timeline(points));
            assert_eq!(pace.allocs_per_s, expected, "{points:?}");
            assert_eq!(pace.alloc_bytes_per_s, expected.map(|rate| 16.0 * rate));
        };
        check(&[], None);
        check(&[(100, Some(10))], Some(100.0));
        check(&[(1000, Some(7)), (2000, Some(50))], Some(50.0));
        check(
            &[
                (500, Some(9)),
                (1000, Some(7)),
                (1500, Some(30)),
                (2000, Some(20)),
            ],
            Some(50.0),
        );
        check(&[(4000, Some(7)), (14_000, Some(50))], Some(5.0));
        check(&[(1000, Some(7)), (2000, None)], None);
    }
}
