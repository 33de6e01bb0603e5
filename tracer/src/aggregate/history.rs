//! The runtime's own heap profile over the time of a capture: what was alive at its start and at its end, and how that
//! changed from one cycle of the collector to the next.
//!
//! Counts are raw, see `heap`. Hides how many points of the course are kept.

use crate::program::{Counts, HeapSnapshot};
use std::collections::HashMap;

/// Most buckets of all readings together; a large service has some ten thousand.
const MAX_BUCKETS: usize = 200_000;
/// Most points of the course. When they are full, every second one goes.
const MAX_POINTS: usize = 64;

/// What one stack allocated in one size since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketHistory {
    /// Bytes of each object.
    pub size: u64,
    /// Return addresses of its stack, innermost first.
    pub pcs: Box<[u64]>,
    /// At the start of the capture.
    pub first: Counts,
    /// At its end.
    pub last: Counts,
    /// Objects alive, for each point of the course.
    live: Vec<u32>,
}

/// The heap profile over the time of a capture.
#[derive(Clone, Debug, Default)]
pub struct HeapHistory {
    buckets: HashMap<u64, BucketHistory>,
    points: Vec<Point>,
    /// Cycles from one point to the next.
    stride: u32,
    /// `runtime.MemProfileRate`, as it was last before the profiler was switched off, if it was; 0 if it was always off.
    pub rate_bytes: u64,
    /// The same as it was first.
    first_rate_bytes: u64,
    /// Number of the profile's cycle at the first reading and at the last.
    cycles: Option<(u32, u32)>,
    /// Whether each reading had all buckets, and all are kept.
    pub complete: bool,
    /// Readings.
    pub readings: u32,
}

/// A point of the course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    time_ns: u64,
    cycle: u32,
}

impl HeapHistory {
    /// Takes a reading of `time_ns` on the monotonic clock. `physical` makes return addresses of the profile's program
    /// counters.
    pub fn take(
        &mut self,
        snapshot: &HeapSnapshot,
        time_ns: u64,
        mut physical: impl FnMut(&[u64]) -> Box<[u64]>,
    ) {
        self.complete = snapshot.complete && (self.readings == 0 || self.complete);
        self.take_rate(snapshot.rate_bytes);
        let first_cycle = self.cycles.map_or(snapshot.cycle, |(first, _)| first);
        self.cycles = Some((first_cycle, snapshot.cycle));
        let is_first = self.readings == 0;
        self.readings = self.readings.saturating_add(1);
        let has_point = self.make_point(snapshot.cycle, time_ns);
        for bucket in &snapshot.buckets {
            if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&bucket.address) {
                self.complete = false;
                continue;
            }
            let counts = snapshot.published(bucket);
            let known = self.buckets.entry(bucket.address);
            let history = known.or_insert_with(|| BucketHistory {
                size: bucket.size,
                pcs: physical(&bucket.pcs),
                first: if is_first { counts } else { Counts::default() },
                ..BucketHistory::default()
            });
            history.last = counts;
            if has_point {
                // Nothing was known of it before.
                history.live.resize(self.points.len() - 1, 0);
                let live = u32::try_from(counts.live()).unwrap_or(u32::MAX);
                history.live.push(live);
            }
        }
    }

    /// Cycles of the collector from the first reading to the last.
    pub fn cycles(&self) -> u64 {
        let (first, last) = self.cycles.unwrap_or_default();
        u64::from(last.wrapping_sub(first))
    }

    /// The rate at first and at last, if the program has changed it: the counts are of both then.
    pub fn changed_rate(&self) -> Option<(u64, u64)> {
        let (first, last) = (self.first_rate_bytes, self.rate_bytes);
        (first != last).then_some((first, last))
    }

    /// Everything, by bucket.
    pub fn buckets(&self) -> impl Iterator<Item = &BucketHistory> {
        self.buckets.values()
    }

    /// Number of buckets.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether there is no bucket.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Times of the points of the course, on the monotonic clock in nanoseconds.
    pub fn times_ns(&self) -> impl ExactSizeIterator<Item = u64> {
        self.points.iter().map(|point| point.time_ns)
    }

    fn take_rate(&mut self, rate_bytes: u64) {
        // Nothing is sampled at a rate of 0.
        if rate_bytes != 0 {
            self.rate_bytes = rate_bytes;
        }
        if self.first_rate_bytes == 0 {
            self.first_rate_bytes = rate_bytes;
        }
    }

    /// Whether there is a point for this cycle: what is published changes with the cycle only.
    fn make_point(&mut self, cycle: u32, time_ns: u64) -> bool {
        let stride = self.stride.max(1);
        if let Some(last) = self.points.last()
            && cycle.wrapping_sub(last.cycle) < stride
        {
            return false;
        }
        if self.points.len() >= MAX_POINTS {
            thin_out(&mut self.points);
            for bucket in self.buckets.values_mut() {
                // One that was gone at the end of the list is 0 there.
                bucket.live.resize(MAX_POINTS, 0);
                thin_out(&mut bucket.live);
            }
            self.stride = stride.saturating_mul(2);
        }
        self.points.push(Point { time_ns, cycle });
        true
    }
}

impl BucketHistory {
    /// Objects alive at each point of the course.
    pub fn course(&self, points: usize) -> impl Iterator<Item = u32> {
        let known = self.live.iter().copied();
        known.chain(std::iter::repeat(0)).take(points)
    }
}

/// Keeps the first of each two.
fn thin_out<T: Copy>(points: &mut Vec<T>) {
    let kept: Vec<T> = points.iter().step_by(2).copied().collect();
    *points = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Bucket;

    /// A reading in cycle `cycle`: address, sampled and freed objects of each bucket.
    fn reading(cycle: u32, buckets: &[(u64, u64, u64)]) -> HeapSnapshot {
        let bucket = |&(address, allocs, frees): &(u64, u64, u64)| Bucket {
            address,
            size: 48,
            active: Counts { allocs, frees },
            ..Bucket::default()
        };
        HeapSnapshot {
            cycle,
            flushed: true,
            complete: true,
            collected: true,
            rate_bytes: 512,
            buckets: buckets.iter().map(bucket).collect(),
            ..HeapSnapshot::default()
        }
    }

    fn taken(readings: &[HeapSnapshot]) -> HeapHistory {
        let mut history = HeapHistory::default();
        for (time, snapshot) in (1..).zip(readings) {
            history.take(snapshot, 1000 * time, |pcs| pcs.into());
        }
        history
    }

    #[test]
    fn the_course_has_a_point_for_each_cycle() {
        let history = taken(&[
            reading(7, &[(1, 10, 4)]),
            reading(7, &[(1, 10, 4)]),
            reading(8, &[(1, 12, 4), (2, 5, 0)]),
        ]);
        assert_eq!(history.times_ns().collect::<Vec<_>>(), [1000, 3000]);
        let course = |address| history.buckets[&address].course(2).collect::<Vec<_>>();
        assert_eq!(course(1), [6, 8]);
        assert_eq!(course(2), [0, 5]);
        let old = &history.buckets[&1];
        assert_eq!((old.first.live(), old.last.live()), (6, 8));
        assert_eq!(history.buckets[&2].first, Counts::default());
    }

    #[test]
    fn a_long_course_is_thinned_out() {
        let readings: Vec<_> = (0..1000)
            .map(|cycle| reading(cycle, &[(1, u64::from(cycle), 0)]))
            .collect();
        let history = taken(&readings);
        let points = history.times_ns().len();
        assert!((MAX_POINTS / 2..=MAX_POINTS).contains(&points), "{points}");
        let bucket = &history.buckets[&1];
        for (time, live) in history.times_ns().zip(bucket.course(points)) {
            assert_eq!(time, 1000 * (u64::from(live) + 1));
        }
    }

    #[test]
    fn a_rate_that_changes_is_remembered_and_one_of_0_does_not_count() {
        let check = |rates: &[u64], rate, changed| {
            let readings: Vec<_> = (7..)
                .zip(rates)
                .map(|(cycle, rate)| HeapSnapshot {
                    rate_bytes: *rate,
                    ..reading(cycle, &[(1, 1, 0)])
                })
                .collect();
            let history = taken(&readings);
            let found = (history.rate_bytes, history.changed_rate());
            assert_eq!(found, (rate, changed), "{rates:?}");
            assert_eq!(history.cycles(), rates.len() as u64 - 1);
        };
        check(&[512, 512, 0], 512, None);
        check(&[0, 512], 512, None);
        check(&[512, 0, 64], 64, Some((512, 64)));
        check(&[0], 0, None);
    }

    #[test]
    fn cycles_are_counted_when_their_number_starts_again() {
        let history = taken(&[reading(u32::MAX, &[]), reading(1, &[])]);
        assert_eq!(history.cycles(), 2);
        assert_eq!(HeapHistory::default().cycles(), 0);
    }

    #[test]
    fn buckets_beyond_the_bound_are_told() {
        let bound = MAX_BUCKETS as u64;
        let all = |from| (from..from + bound).map(|address| (address, 1, 0));
        let first: Vec<_> = all(1).collect();
        let second: Vec<_> = all(2).collect();
        let history = taken(&[reading(1, &first)]);
        assert_eq!((history.len(), history.complete), (MAX_BUCKETS, true));
        let history = taken(&[reading(1, &first), reading(2, &second)]);
        assert_eq!((history.len(), history.complete), (MAX_BUCKETS, false));
        assert_eq!(history.buckets[&bound].course(2).count(), 2);
    }

    #[test]
    fn a_reading_that_lacks_buckets_is_told() {
        let whole = reading(1, &[]);
        let part = HeapSnapshot {
            complete: false,
            ..reading(2, &[])
        };
        assert!(taken(std::slice::from_ref(&whole)).complete);
        assert!(!taken(&[whole.clone(), part, whole]).complete);
    }
}
