//! The measured target: the program `churn`, which does nothing but allocate and says how often.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::process::Process;
use crate::{
    matrix::{self, Build, GO_VERSIONS},
    programs,
};

/// Allocations of one iteration.
pub(super) const ALLOCATIONS: f64 = 2.0;
/// It reports ten times a second; under probes that are slow, on a busy machine, later.
const LIMIT: Duration = Duration::from_secs(10);

/// A running `churn`, killed on drop.
#[derive(Debug)]
pub(super) struct Churn(Process);

impl Churn {
    /// Starts it, and waits until it allocates.
    pub(super) fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let process = Process::start(Command::new(program).args(arguments))?;
        process.wait_for("ready", LIMIT)?;
        Ok(Self(process))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// How fast it is over at least `window` from now.
    pub(super) fn pace(&self, window: Duration) -> Result<Pace> {
        self.0.skip_pending();
        let start = self.moment()?;
        loop {
            let now = self.moment()?;
            let elapsed = now.at.duration_since(start.at);
            if elapsed >= window {
                let iterations = now.iterations.saturating_sub(start.iterations) as f64;
                let cpu = now.cpu.saturating_sub(start.cpu);
                return Ok(Pace {
                    iterations_per_s: iterations / elapsed.as_secs_f64(),
                    cpu_ns_per_iteration: cpu.as_nanos() as f64 / iterations,
                });
            }
        }
    }

    /// How far it is when it next tells.
    fn moment(&self) -> Result<Moment> {
        let line = self.0.line(LIMIT)?.context("churn has ended")?;
        let count = line.text.strip_prefix("iterations ");
        let count = count.and_then(|count| count.parse().ok());
        Ok(Moment {
            at: line.at,
            iterations: count.with_context(|| format!("churn says {:?}", line.text))?,
            cpu: cpu_time(self.pid()).context("cannot read the CPU time of churn")?,
        })
    }
}

/// How fast the target is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    pub(super) iterations_per_s: f64,
    /// Of all its threads: unlike the rate, it does not depend on what else runs on the machine.
    pub(super) cpu_ns_per_iteration: f64,
}

#[derive(Debug)]
struct Moment {
    at: Instant,
    iterations: u64,
    cpu: Duration,
}

/// CPU time of a process so far, to 10 ms.
fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = procfs::process::Process::new(pid.try_into()?)?.stat()?;
    let ticks = stat.utime + stat.stime;
    Ok(Duration::from_millis(
        ticks * 1000 / procfs::ticks_per_second(),
    ))
}

/// The version that `wanted` means: `1.25` is the newest of its release.
pub(super) fn version(wanted: &str) -> Result<&'static str> {
    let known = GO_VERSIONS.into_iter().rev();
    let mut fitting = known.filter(|version| {
        let rest = version.strip_prefix(wanted);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    match fitting.next() {
        Some(version) => Ok(version),
        None => bail!(
            "there is no Go {wanted} here, only {}",
            GO_VERSIONS.join(", ")
        ),
    }
}

/// Builds it with a Go version.
pub(super) fn build(version: &'static str) -> Result<PathBuf> {
    build_program(version, "churn")
}

/// Builds a program of the live tests with a Go version.
pub(super) fn build_program(version: &'static str, name: &str) -> Result<PathBuf> {
    let build = Build {
        version,
        variant: &matrix::PLAIN,
        name,
    };
    let mut programs = programs::build_each(&[build])?;
    programs.pop().context("no program was built")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_means_its_newest_version() {
        assert_eq!(version("1.25").unwrap(), "1.25.5");
        assert_eq!(version("1.25.5").unwrap(), "1.25.5");
        assert!(version("1.2").is_err());
        assert!(version("1.25.4").is_err());
    }
}
