//! `cargo xtask build`: the agent with its eBPF programs, which are compiled only if their sources were changed.

use anyhow::Result;
use tracer_object::{PREFER_BUILT, Place};

use crate::{bpf, command, progress, sudo, workspace};

/// Build the agent; if the sources of its eBPF programs were changed, compile these too
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Build with optimizations
    #[arg(long)]
    release: bool,
}

/// How the agent is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For a debugger.
    Dev,
    /// For use.
    Release,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let (profile, directory) = match arguments.release {
        true => (Profile::Release, "release"),
        false => (Profile::Dev, "debug"),
    };
    agent(profile)?;
    let agent = workspace::target().join(directory).join("tracer");
    progress::say(&format!("built {}", agent.display()));
    Ok(())
}

/// Builds the agent, as the user who will own it.
pub(crate) fn agent(profile: Profile) -> Result<()> {
    sudo::refuse_to_build_for_another_user()?;
    bpf::ensure()?;
    let mut build = workspace::cargo();
    build.args(["build", "--locked", "--package", "tracer"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    command::run(&mut build)
}

/// The setting that has cargo embed this object into the agent.
pub(crate) fn embedding(object: Place) -> Option<(&'static str, &'static str)> {
    (object == Place::Built).then_some((PREFER_BUILT, "1"))
}
