//! A timeline with a bound: neighbours are merged, and nothing of what was counted goes missing.

use super::TimelinePoint;

/// Merges neighbours until at most `most` points are left.
pub fn thinned(timeline: &[TimelinePoint], most: usize) -> Vec<TimelinePoint> {
    let together = timeline.len().div_ceil(most.max(1)).max(1);
    let merged = timeline.chunks(together);
    merged.filter_map(merge).collect()
}

/// One point for several: amounts of intervals add up, what was read at their ends is the last.
fn merge(points: &[TimelinePoint]) -> Option<TimelinePoint> {
    let sum = |of: fn(&TimelinePoint) -> Option<u64>| {
        let mut amounts = points.iter().map(of);
        amounts.try_fold(0_u64, |sum, amount| Some(sum.saturating_add(amount?)))
    };
    Some(TimelinePoint {
        allocs: sum(|point| point.allocs),
        alloc_bytes: sum(|point| point.alloc_bytes),
        faults: sum(|point| point.faults),
        gc_cycles: sum(|point| point.gc_cycles),
        ..points.last()?.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_points_add_up() {
        let point = |t_ns| TimelinePoint {
            t_ns,
            allocs: Some(t_ns),
            faults: (t_ns != 4).then_some(1),
            rss_bytes: Some(100 * t_ns),
            ..TimelinePoint::default()
        };
        let points: Vec<TimelinePoint> = (1..=5).map(point).collect();
        assert_eq!(thinned(&points, 5), points);
        let thin = thinned(&points, 3);
        let shown: Vec<_> = thin
            .iter()
            .map(|point| (point.t_ns, point.allocs, point.faults, point.rss_bytes))
            .collect();
        assert_eq!(
            shown,
            [
                (2, Some(3), Some(2), Some(200)),
                // Of one interval it is not known.
                (4, Some(7), None, Some(400)),
                (5, Some(5), Some(1), Some(500)),
            ]
        );
        assert!(thinned(&[], 3).is_empty());
    }
}
