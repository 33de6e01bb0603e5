//! How long captures go on, and how often consumers hear of them.

use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Far enough for "no end": tokio's clock cannot represent infinity.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long captures go on, and how often consumers hear of them.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// End after this time; `None` to go on until a signal, a consumer or the end of all targets ends it. 0 for a single
    /// look.
    pub duration: Option<Duration>,
    /// Time between two ticks.
    pub interval: Duration,
}

impl Course {
    pub(super) fn is_single_look(&self) -> bool {
        self.duration.is_some_and(|duration| duration.is_zero())
    }

    /// When it ends, if it begins now.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.duration.unwrap_or(FOREVER)
    }

    /// Its ticks, if it begins now. One that nobody had time for is left out.
    pub(super) fn ticks(&self) -> Interval {
        let mut ticks = interval_at(Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    }
}
