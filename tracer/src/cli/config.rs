//! What was meant: typed arguments turned into the requests of the stages, and the course of captures.

use super::args;
use crate::capture::{ModeAsked, Request};
use crate::drive::Course;
use std::time::Duration;

/// Points of the timeline that a recording of known length aims at.
const TIMELINE_POINTS: u32 = 40;
/// Shortest and longest time between two points of a recording's timeline.
const SHORTEST_TICK: Duration = Duration::from_millis(100);
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// A recording, with a timeline that is neither coarse nor long.
pub(super) fn recording(duration: Option<Duration>) -> Course {
    let tick = duration.map_or(LONGEST_TICK, |duration| duration / TIMELINE_POINTS);
    Course {
        duration,
        interval: tick.clamp(SHORTEST_TICK, LONGEST_TICK),
    }
}

/// The whole life of a program.
pub(super) fn whole_life() -> Course {
    recording(None)
}

/// A look at the heap, once or for a while.
pub(super) fn looking(args: &args::Heap) -> Course {
    Course {
        duration: Some(args.duration.unwrap_or_default()),
        interval: args.interval,
    }
}

/// What is asked of a capture without probes.
pub(super) fn look() -> Request {
    Request {
        mode: ModeAsked::Heap,
        min_size: 0,
        stack_depth: 0,
        ring_bytes: None,
        rings: None,
        verbose: false,
        singles: false,
    }
}

/// What is asked of a capture with probes.
pub(super) fn request(tracing: &args::Tracing, global: &args::Global) -> Request {
    Request {
        mode: match tracing.mode {
            args::ModeArgument::Exact => ModeAsked::Exact,
            args::ModeArgument::Sampled => ModeAsked::Sampled,
            args::ModeArgument::Auto => ModeAsked::Auto {
                max_overhead: tracing.max_overhead,
            },
        },
        min_size: tracing.min_size,
        stack_depth: tracing.stack_depth,
        ring_bytes: tracing.ring_size,
        rings: tracing.rings,
        verbose: global.verbose,
        singles: false,
    }
}
