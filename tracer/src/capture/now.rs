//! A moment as the driver's clock shows it: a capture is told the time, and looks at no clock.

use std::time::Duration;

/// One moment on the two clocks that a capture speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// On the monotonic clock, which the kernel programs read, too.
    pub monotonic: Duration,
    /// Since the beginning of 1970.
    pub unix: Duration,
}

impl Now {
    /// Time that has passed since `earlier`.
    pub fn since(self, earlier: Now) -> Duration {
        self.monotonic.saturating_sub(earlier.monotonic)
    }

    /// The monotonic clock in nanoseconds, as records have it.
    pub fn monotonic_ns(self) -> u64 {
        nanos(self.monotonic)
    }

    /// Nanoseconds of Unix time.
    pub fn unix_ns(self) -> u64 {
        nanos(self.unix)
    }
}

/// Nanoseconds; the most there can be for what lasts longer than 584 years.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
