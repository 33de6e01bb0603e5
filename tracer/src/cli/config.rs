//! What was meant: typed arguments turned into the requests of the stages.

use super::args;
use crate::capture::{Mode, Request};
use std::time::Duration;

/// Points of the timeline that a recording of known length aims at.
const TIMELINE_POINTS: u32 = 40;
/// Shortest and longest time between two points of a recording's timeline.
const SHORTEST_TICK: Duration = Duration::from_millis(100);
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// The request of `tracer attach`.
pub(super) fn attach(args: &args::Attach, global: &args::Global) -> Request {
    Request {
        singles: args.events,
        ..request(&args.target.tracing, global, args.duration, args.interval)
    }
}

/// The request of `tracer top`.
pub(super) fn top(args: &args::Top, global: &args::Global) -> Request {
    request(&args.target.tracing, global, None, args.interval)
}

/// The request of `tracer record`.
pub(super) fn record(args: &args::Record, global: &args::Global) -> Request {
    let tick = args
        .duration
        .map_or(LONGEST_TICK, |duration| duration / TIMELINE_POINTS);
    request(
        &args.target.tracing,
        global,
        args.duration,
        tick.clamp(SHORTEST_TICK, LONGEST_TICK),
    )
}

/// The request of `tracer run`.
pub(super) fn run(args: &args::Run, global: &args::Global) -> Request {
    request(&args.tracing, global, None, LONGEST_TICK)
}

fn request(
    tracing: &args::Tracing,
    global: &args::Global,
    duration: Option<Duration>,
    interval: Duration,
) -> Request {
    Request {
        mode: match tracing.mode {
            args::Mode::Exact => Mode::Exact,
            args::Mode::Sampled => Mode::Sampled,
            args::Mode::Auto => Mode::Auto {
                max_overhead: tracing.max_overhead,
            },
        },
        min_size: tracing.min_size,
        stack_depth: tracing.stack_depth,
        ring_bytes: tracing.ring_size,
        rings: tracing.rings,
        verbose: global.verbose,
        singles: false,
        duration,
        interval,
    }
}
