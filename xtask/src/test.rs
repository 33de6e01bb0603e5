//! `cargo xtask test`: everything that CI runs, from formatting to live tests on this kernel. A live test that
//! cannot run is a failure, unless leaving them out was asked for.

use std::time::Instant;

use anyhow::{Context as _, Result};
use tracer_object::Place;

use crate::{
    bpf, command, compiler, dist, fresh, go, large, live, pprof, probes, programs, progress,
    sudo::{self, Privilege},
    tidy,
    tools::{self, BROWSER},
    workspace,
};

/// Run everything CI runs: formatting, lints, repository rules, unit tests, live tests
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leave out the live tests, which need root
    #[arg(long)]
    no_live: bool,
    /// Trace programs of every Go release that tracer supports, in every variant, not a choice of them; compile the
    /// eBPF programs from source, and compare them with the object that is kept in tracer/bpf
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    live: live::Options,
    /// Run only the tests whose name contains this
    filter: Option<String>,
}

/// What is linted and tested as host code. Features of a dependency are those that the selected packages ask for
/// together: with one selection for all steps nothing is compiled twice.
pub(crate) const HOST_PACKAGES: [&str; 3] = ["--workspace", "--exclude", "tracer-ebpf"];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    sudo::refuse_to_build_for_another_user()?;
    let filter = arguments.filter.as_deref();
    let privilege = if arguments.no_live {
        None
    } else {
        let privilege = Privilege::obtain("for the live tests (--no-live leaves them out)")?;
        // What may fail for want of a network comes before what takes minutes.
        step("Go", || go::toolchain(Some(go::NEWEST)))?;
        Some(privilege)
    };
    step("formatting", || {
        command::run(workspace::cargo().args(["fmt", "--all", "--check"]))
    })?;
    step("lints", lint)?;
    step("lints of the eBPF programs", lint_ebpf)?;
    step("repository rules", tidy::run)?;
    let object = match arguments.full {
        true => step("eBPF object from source", bpf::verify)?,
        false => Place::Kept,
    };
    step("unit and command-line tests", || unit_tests(filter))?;
    let Some(privilege) = privilege else {
        progress::say("the live tests did NOT run (--no-live)");
        return Ok(());
    };
    step("browser and terminal for the live tests", || {
        tools::ensure(&privilege, &BROWSER)
    })?;
    let programs = step("builds for the live tests", || {
        programs::build_matrix(arguments.full)
    })?;
    // What is tested is what is shipped.
    let agent = step("static agent", || dist::static_agent(object))?;
    step("build of a large program", || {
        let size = if arguments.full {
            large::Size::Full
        } else {
            large::Size::Everyday
        };
        large::build(&go::toolchain(Some(go::NEWEST))?, size).map(drop)
    })?;
    step("work for the Go compiler", || {
        compiler::prepare(&go::toolchain(Some(go::NEWEST))?)
    })?;
    step("pprof", || {
        pprof::prepare(&go::toolchain(Some(go::NEWEST))?)
    })?;
    step("tarball, Debian package, container image", || {
        dist::check(&privilege, &agent)
    })?;
    step("table of allocation functions", || {
        probes::verify(&programs)
    })?;
    match arguments.full {
        true => step("demo on a machine that nobody prepared", fresh::demo)?,
        false => progress::say("the demo was NOT tried on a machine that nobody prepared (--full)"),
    }
    step("live tests", || {
        live::run(&privilege, &agent, object, filter, &arguments.live)
    })
}

/// Runs one step and prints its closing line.
fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let result = work();
    let outcome = if result.is_ok() { "ok" } else { "FAILED" };
    progress::say(&format!(
        "{outcome:<6} {name} ({})",
        progress::seconds(started)
    ));
    result.with_context(|| format!("{name}: failed"))
}

fn lint() -> Result<()> {
    let mut clippy = workspace::cargo();
    clippy
        .args(["clippy", "--locked", "--all-targets"])
        .args(HOST_PACKAGES)
        .args(["--", "-D", "warnings"]);
    command::run(&mut clippy)
}

/// Lints the eBPF programs as host code: clippy has no `core` for BPF. A host binary without `std` must abort on
/// panic, and `RUSTC_BOOTSTRAP` would have cargo rebuild the agent's dependencies, hence the target directory.
fn lint_ebpf() -> Result<()> {
    let mut clippy = workspace::cargo();
    clippy
        .args([
            "clippy",
            "--locked",
            "--package",
            "tracer-ebpf",
            "--",
            "-D",
            "warnings",
        ])
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .env("CARGO_TARGET_DIR", workspace::target().join("bpf-lint"))
        .env("RUSTC_BOOTSTRAP", "1");
    command::run(&mut clippy)
}

/// Everything that needs no root: what is in the sources, and the command line.
fn unit_tests(filter: Option<&str>) -> Result<()> {
    let mut test = workspace::cargo();
    test.args(["test", "--locked"]).args(HOST_PACKAGES);
    test.args(["--lib", "--bins", "--test", "cli"]).args(filter);
    command::run(&mut test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named() {
        let error = step("lints", || -> Result<()> { anyhow::bail!("no luck") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "lints: failed: no luck");
    }
}
