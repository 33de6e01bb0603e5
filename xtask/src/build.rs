//! `cargo xtask build`: the agent with its eBPF programs, and the toolchain that takes.

use anyhow::Result;

use crate::{bpf_toolchain, command, progress, sudo, workspace};

/// Build the agent with its eBPF programs; installs the toolchain for them if there is none
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
    bpf_toolchain::ensure()?;
    let mut build = workspace::cargo();
    build.args(["build", "--locked", "--package", "tracer"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    command::run(&mut build)
}
