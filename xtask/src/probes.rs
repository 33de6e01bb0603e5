//! `cargo xtask probes`: checks the version table against the machine code that each Go toolchain makes of it.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{
    command,
    matrix::{self, GO_VERSIONS},
    programs, workspace,
};

/// Check the table of allocation functions against what each Go toolchain builds
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these Go versions, separated by commas
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',')]
    versions: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let known = |version: &&String| GO_VERSIONS.contains(&version.as_str());
    if let Some(unknown) = arguments.versions.iter().find(|version| !known(version)) {
        bail!(
            "there is no Go {unknown} here, only {}",
            GO_VERSIONS.join(", ")
        );
    }
    let builds = matrix::probed_builds(&arguments.versions);
    check(&programs::build_each(&builds)?, &[])
}

/// Checks the plans of these programs, and prints a line for each and what is wrong.
pub(crate) fn verify(programs: &[PathBuf]) -> Result<()> {
    check(programs, &["--brief"])
}

/// The check is an example of the agent's package and not a part of this one, because it needs the agent's library.
fn check(programs: &[PathBuf], options: &[&str]) -> Result<()> {
    let mut example = workspace::cargo();
    example
        .args(["run", "--quiet", "--locked", "--package", "tracer"])
        .args(["--example", "probes", "--"])
        .args(options)
        .args(programs);
    command::run(&mut example)
}
