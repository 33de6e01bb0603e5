//! The course of a capture: a point for each tick, made of what was counted by then. Pure.
//!
//! Hides what the last point had shown: bytes may be corrected downwards later, and a point never takes back anything.

use super::now::nanos;
use crate::aggregate::Sums;
use crate::collect::Tally;
use crate::report::{TimelinePoint, thinned};
use std::mem;
use std::time::Duration;
use tracer_common::family::Family;

/// Points that are kept: a capture may go on for months.
const MOST_POINTS: usize = 10_000;

/// The points so far.
#[derive(Debug)]
pub(super) struct Timeline {
    points: Vec<TimelinePoint>,
    /// Whether each allocation is recorded, but for windows.
    allocations: bool,
    /// All that points have shown.
    shown: Sums,
    faults: u64,
    /// Bytes, as the runtime counts them.
    counted: Option<u64>,
}

/// What is known at a tick.
#[derive(Debug)]
pub(super) struct Mark {
    /// When, since the start of recording.
    pub(super) at: Duration,
    /// What has arrived.
    pub(super) tally: Tally,
    /// Whether page faults are still recorded.
    pub(super) has_faults: bool,
    /// Bytes that the runtime has counted since the start of recording; `None` if they cannot be read.
    pub(super) counted: Option<u64>,
    /// What the target shows of its memory, and nothing else.
    pub(super) gauges: TimelinePoint,
}

impl Timeline {
    /// The course of a capture that begins; `allocations` tells whether each is recorded.
    pub(super) fn new(allocations: bool) -> Self {
        Timeline {
            points: Vec::new(),
            allocations,
            shown: Sums::default(),
            faults: 0,
            counted: Some(0),
        }
    }

    /// A point for each tick so far, fewer of what was long ago.
    pub(super) fn points(&self) -> &[TimelinePoint] {
        &self.points
    }

    /// Adds a point.
    pub(super) fn mark(&mut self, mark: Mark) {
        let Mark {
            at,
            tally,
            has_faults,
            counted,
            gauges,
        } = mark;
        let before = mem::replace(&mut self.counted, counted);
        let since_then = counted
            .zip(before)
            .map(|(now, then)| now.saturating_sub(then));
        let interval = tally.sums.since(&self.shown);
        self.shown = Sums {
            alloc_bytes: tally.sums.alloc_bytes.max(self.shown.alloc_bytes),
            ..tally.sums
        };
        let faults = tally.arrived[Family::Fault];
        let faults_before = mem::replace(&mut self.faults, faults);
        // Nothing tells what an interval has allocated but the runtime's own count.
        let uncertain = tally.windows || !self.allocations;
        if self.points.len() >= MOST_POINTS {
            self.points = thinned(&self.points, MOST_POINTS / 2);
        }
        self.points.push(TimelinePoint {
            t_ns: nanos(at),
            allocs: (!uncertain).then_some(interval.allocs),
            alloc_bytes: if uncertain {
                since_then
            } else {
                interval.known_alloc_bytes()
            },
            faults: has_faults.then_some(faults.saturating_sub(faults_before)),
            ..gauges
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What points show of these sums of bytes, one point for each, with the runtime's own counts beside them.
    fn bytes(allocations: bool, windows: bool, ticks: &[(u64, Option<u64>)]) -> Vec<Option<u64>> {
        let mut timeline = Timeline::new(allocations);
        for (alloc_bytes, counted) in ticks {
            timeline.mark(Mark {
                at: Duration::from_secs(1),
                tally: Tally {
                    sums: Sums {
                        alloc_bytes: *alloc_bytes,
                        ..Sums::default()
                    },
                    windows,
                    ..Tally::default()
                },
                has_faults: false,
                counted: *counted,
                gauges: TimelinePoint::default(),
            });
        }
        let points = timeline.points().iter();
        points.map(|point| point.alloc_bytes).collect()
    }

    #[test]
    fn bytes_corrected_downwards_are_taken_off_the_next_point() {
        let ticks = [(16, None), (0, None), (48, None)];
        assert_eq!(bytes(true, false, &ticks), [Some(16), Some(0), Some(32)]);
    }

    #[test]
    fn where_not_each_allocation_is_recorded_the_runtime_counts() {
        let ticks = [(0, Some(100)), (0, Some(250)), (0, None), (0, Some(400))];
        let shown = [Some(100), Some(150), None, None];
        assert_eq!(bytes(false, false, &ticks), shown);
        assert_eq!(bytes(true, true, &ticks), shown);
    }

    #[test]
    fn a_capture_of_months_keeps_a_bounded_number_of_points() {
        let ticks = vec![(0, None); MOST_POINTS + 1];
        assert_eq!(bytes(true, false, &ticks).len(), MOST_POINTS / 2 + 1);
    }
}
