//! `cargo xtask demo`: traces a sample Go service under load and prints the report.

use std::{
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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
    go, progress,
    service::{self, Service},
    sudo::Privilege,
    workspace,
};

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
    // First what may fail for want of a network, then what takes minutes.
    let toolchain = go::toolchain(None)?;
    build::agent(Profile::Release)?;
    let programs = service::build(&toolchain)?;

    let interrupted = watch_signals()?;
    let mut service = programs.start()?;
    progress::say(&format!(
        "a Go {} service listens on {} as process {}; recording it for {}",
        toolchain.version,
        service.url,
        service.pid(),
        arguments.duration
    ));
    let status = record(&privilege, &mut service, &arguments.duration, &interrupted)?;
    drop(service);
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

/// Records the service until the time is up or a signal comes. A signal to this process alone ends the recording
/// too, because it ends the target.
fn record(
    privilege: &Privilege,
    service: &mut Service,
    duration: &str,
    interrupted: &AtomicBool,
) -> Result<ExitStatus> {
    let mut record = privilege.command(workspace::agent());
    record.args([
        "record",
        "--mode",
        "exact",
        "--pid",
        &service.pid().to_string(),
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
