//! The sample Go service under load that the demo records and the pictures show. Hides how it says where it listens,
//! and that neither of the two processes outlives the value that stands for them.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{go::Toolchain, programs};

/// How long the service may take until it says where it listens.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Longer than anything that looks at it; the load is ended with it.
const LOAD_DURATION: &str = "10m";

/// The two programs, built.
#[derive(Debug)]
pub(crate) struct Programs {
    service: PathBuf,
    load: PathBuf,
}

/// Builds the service and what loads it.
pub(crate) fn build(toolchain: &Toolchain) -> Result<Programs> {
    Ok(Programs {
        service: programs::build(toolchain, "service")?,
        load: programs::build(toolchain, "load")?,
    })
}

impl Programs {
    /// Starts the service, and the load on it.
    pub(crate) fn start(&self) -> Result<Service> {
        let (service, url) = start_service(&self.service)?;
        let load = start_load(&self.load, &url)?;
        Ok(Service { service, load, url })
    }
}

/// The service under load. Both end with this value, whatever the path.
#[derive(Debug)]
pub(crate) struct Service {
    /// Ended first: a load without a service would say so.
    load: Background,
    service: Background,
    /// Where it listens.
    pub(crate) url: String,
}

impl Service {
    /// The process of the service.
    pub(crate) fn pid(&self) -> u32 {
        self.service.0.id()
    }

    /// Ends both.
    pub(crate) fn stop(&mut self) {
        self.load.stop();
        self.service.stop();
    }
}

/// A child process that ends with this value, whatever the path.
#[derive(Debug)]
struct Background(Child);

impl Background {
    /// Starts `command` out of reach of the terminal's Ctrl-C, so that the recording, which it ends early, still
    /// has a living target.
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.process_group(0).stdin(Stdio::null()).spawn();
        let program = Path::new(command.get_program());
        child
            .map(Self)
            .with_context(|| format!("cannot start {}", program.display()))
    }

    fn stop(&mut self) {
        // Either call fails only when the process has ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_service(program: &Path) -> Result<(Background, String)> {
    let mut service = Background::start(Command::new(program).stdout(Stdio::piped()))?;
    let stdout = service
        .0
        .stdout
        .take()
        .context("the service has no stdout")?;
    let url = announced_url(stdout).context("the service did not say where it listens")?;
    Ok((service, url))
}

/// The URL in the first line of the service's output, `listening on URL`. The rest of it is read and dropped.
fn announced_url(stdout: ChildStdout) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(url) = line.strip_prefix("listening on ") {
                // The receiver is gone once it has one URL, or has waited long enough.
                sender.send(url.trim().to_owned()).ok();
            }
        }
    });
    Ok(receiver.recv_timeout(START_LIMIT)?)
}

fn start_load(program: &Path, url: &str) -> Result<Background> {
    let mut load = Command::new(program);
    load.args(["-target", url, "-duration", LOAD_DURATION])
        .stdout(Stdio::null());
    Background::start(&mut load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_background_process_ends_with_its_guard() {
        let background = Background::start(Command::new("sleep").arg("600")).unwrap();
        let proc_entry = format!("/proc/{}", background.0.id());
        assert!(Path::new(&proc_entry).exists());
        drop(background);
        assert!(!Path::new(&proc_entry).exists());
    }

    #[test]
    fn the_url_is_read_past_other_output() {
        let script = "echo starting; echo 'listening on http://127.0.0.1:8080'; echo ready";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let url = announced_url(shell.stdout.take().unwrap()).unwrap();
        assert_eq!(url, "http://127.0.0.1:8080");
        assert!(shell.wait().unwrap().success());
    }

    #[test]
    fn a_service_that_ends_without_a_url_is_an_error() {
        let mut shell = Command::new("sh")
            .args(["-c", "echo no"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(announced_url(shell.stdout.take().unwrap()).is_err());
        assert!(shell.wait().unwrap().success());
    }
}
