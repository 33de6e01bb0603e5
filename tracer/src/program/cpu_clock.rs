//! The CPU time of a process, to the nanosecond.

use super::Process;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use std::time::Duration;

/// CPU time of all threads of a process, in user and in kernel mode.
#[derive(Clone, Copy, Debug)]
pub struct CpuClock(ClockId);

impl CpuClock {
    /// The clock of `process`; `None` if it is gone.
    pub fn of(process: &Process) -> Option<Self> {
        let clock = clock_getcpuclockid(Pid::from_raw(process.pid())).ok()?;
        Some(CpuClock(clock))
    }

    /// CPU time since the process started; `None` if it is gone.
    pub fn now(self) -> Option<Duration> {
        clock_gettime(self.0).ok().map(Duration::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_cpu_time() {
        let process = Process::open(std::process::id().cast_signed()).unwrap();
        let clock = CpuClock::of(&process).unwrap();
        let start = clock.now().unwrap();
        while clock.now().unwrap() < start + Duration::from_millis(5) {}
        assert!(clock.now().unwrap() < start + Duration::from_secs(60));
    }
}
