//! Where and when figures were measured, without which they mean nothing.

use std::{fs, process::Command, thread, time::SystemTime};

use serde::Serialize;

use crate::{command, workspace};

#[derive(Debug, Serialize)]
pub(super) struct Machine {
    /// UTC.
    pub(super) date: String,
    /// Of the checkout, `+` behind it if there are changes on top.
    pub(super) commit: Option<String>,
    pub(super) cpu: Option<String>,
    pub(super) cores: Option<usize>,
    pub(super) kernel: String,
    /// Runnable threads before the start: above a few tenths something else was running, and figures are off.
    pub(super) load: Option<f64>,
}

impl Machine {
    pub(super) fn look() -> Self {
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            commit: commit(),
            cpu: cpu(),
            cores: thread::available_parallelism().ok().map(usize::from),
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            load: fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let unknown = || "unknown".to_owned();
        format!(
            "{} × {}, Linux {}, load {} before the start; {}, commit {}",
            self.cores.map_or_else(unknown, |cores| cores.to_string()),
            self.cpu.as_deref().unwrap_or("unknown processor"),
            self.kernel,
            self.load.map_or_else(unknown, |load| load.to_string()),
            self.date,
            self.commit.as_deref().unwrap_or("unknown"),
        )
    }
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        command::output(git.current_dir(workspace::root()).args(arguments)).ok()
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    let mark = if changes.is_empty() { "" } else { "+" };
    Some(format!("{}{mark}", commit.trim()))
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
