//! The clocks that captures are driven by.

use crate::capture::Now;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

/// This moment.
pub fn now() -> Now {
    Now {
        monotonic: of(clock_gettime(ClockId::Monotonic)),
        unix: of(clock_gettime(ClockId::Realtime)),
    }
}

/// Before the beginning of its time a clock shows its beginning.
fn of(time: Timespec) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}
