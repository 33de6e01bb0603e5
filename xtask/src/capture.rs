//! `cargo xtask capture`: one capture straight from the source tree.

use std::{os::unix::process::CommandExt as _, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    build::{self, Profile},
    progress,
    sudo::Privilege,
    workspace,
};

/// Build what is needed, then record a running Go program; only the recording runs as root
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The process to record
    #[arg(long, value_name = "N")]
    pid: u32,
    /// How long to record
    #[arg(long, value_name = "TIME", default_value = "5s")]
    duration: String,
    /// Write the capture to a file; its name says the format. May be given more than once
    #[arg(short, long = "output", value_name = "FILE")]
    outputs: Vec<PathBuf>,
    /// More options of `tracer record`, after `--`
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let privilege =
        Privilege::obtain("to attach to the kernel: only `tracer record` runs with it")?;
    build::agent(Profile::Release)?;
    if matches!(privilege, Privilege::Sudo { .. }) {
        progress::say("running `tracer record` through sudo");
    }
    let mut record = privilege.command(workspace::agent());
    record
        .args([
            "record",
            "--pid",
            &arguments.pid.to_string(),
            "--duration",
            &arguments.duration,
        ])
        .args(
            arguments
                .outputs
                .iter()
                .flat_map(|file| ["-o".into(), file.clone().into_os_string()]),
        )
        .args(&arguments.options);
    // This process becomes the capture, so that its exit code and the signals sent to it are the capture's.
    Err(record.exec()).context("cannot run `tracer record`")
}
