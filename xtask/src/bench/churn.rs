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

    /// Iterations per second over at least `window` from now.
    pub(super) fn rate(&self, window: Duration) -> Result<f64> {
        self.0.skip_pending();
        let (started, at_start) = self.report()?;
        loop {
            let (now, iterations) = self.report()?;
            let elapsed = now.duration_since(started);
            if elapsed >= window {
                let done = iterations.saturating_sub(at_start);
                return Ok(done as f64 / elapsed.as_secs_f64());
            }
        }
    }

    fn report(&self) -> Result<(Instant, u64)> {
        let line = self.0.line(LIMIT)?.context("churn has ended")?;
        let count = line.text.strip_prefix("iterations ");
        let count = count.and_then(|count| count.parse().ok());
        let count = count.with_context(|| format!("churn says {:?}", line.text))?;
        Ok((line.at, count))
    }
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
    let build = Build {
        version,
        variant: &matrix::PLAIN,
        name: "churn",
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
