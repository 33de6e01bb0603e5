//! `cargo xtask demo`: traces a sample Go service under load and prints the report.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::{
    build::{self, Profile},
    go, programs, progress,
    sudo::Privilege,
    workspace,
};

/// How long the service may take until it says where it listens.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Longer than any demo; the load is ended with the recording.
const LOAD_DURATION: &str = "10m";
const POLL: Duration = Duration::from_millis(50);

/// Build everything, trace a sample Go service under load, and print the report
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long to record
    #[arg(long, value_name = "TIME", default_value = "5s")]
    duration: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let privilege =
        Privilege::obtain("to attach to the kernel: only `tracer record` runs with it")?;
    build::agent(Profile::Release)?;
    let toolchain = go::toolchain(None)?;
    let service = programs::build(&toolchain, "service")?;
    let load = programs::build(&toolchain, "load")?;

    let interrupted = watch_signals()?;
    let (mut service, url) = start_service(&service)?;
    let load = start_load(&load, &url)?;
    progress::say(&format!(
        "a Go {} service listens on {url} as process {}; recording it for {}",
        toolchain.version,
        service.0.id(),
        arguments.duration
    ));
    let status = record(&privilege, &mut service, &arguments.duration, &interrupted)?;
    drop((load, service));
    if interrupted.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    if !status.success() {
        bail!("`tracer record` failed ({status})");
    }
    progress::say("Next, record a Go program of yours: cargo xtask capture --pid PID");
    Ok(())
}

/// From here on a signal sets the flag instead of ending this process, so that nothing it starts outlives it.
fn watch_signals() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted)).context("cannot watch for signals")?;
    }
    Ok(interrupted)
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

/// Records the service until the time is up or a signal comes. A signal to this process alone ends the recording
/// too, because it ends the target.
fn record(
    privilege: &Privilege,
    service: &mut Background,
    duration: &str,
    interrupted: &AtomicBool,
) -> Result<ExitStatus> {
    let mut record = privilege.command(workspace::agent());
    record.args([
        "record",
        "--mode",
        "exact",
        "--pid",
        &service.0.id().to_string(),
        "--duration",
        duration,
    ]);
    let mut recording = record.spawn().context("cannot run `tracer record`")?;
    loop {
        if let Some(status) = recording.try_wait()? {
            return Ok(status);
        }
        if interrupted.load(Ordering::Relaxed) {
            service.stop();
        }
        thread::sleep(POLL);
    }
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
