//! How long a test works, for tests of bounds on work.
//!
//! It is CPU time of the test's own thread: what else the machine does is not in it.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// CPU time of this thread since a moment.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    start: Duration,
}

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Stopwatch { start: used() }
    }

    /// What this thread has used since.
    pub(crate) fn worked(&self) -> Duration {
        used() - self.start
    }
}

fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

#[test]
fn work_counts_and_rest_does_not() {
    let stopwatch = Stopwatch::start();
    std::thread::sleep(Duration::from_millis(50));
    let rest = stopwatch.worked();
    assert!(rest < Duration::from_millis(50), "{rest:?}");
    while stopwatch.worked() < rest + Duration::from_millis(5) {}
}
