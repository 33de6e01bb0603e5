//! Installs Debian packages. Hides whether apt runs as root or through sudo, and package lists that are missing
//! or stale.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    command, progress,
    sudo::{self, Privilege},
};

/// Whether this machine installs packages with apt.
pub(crate) fn is_here() -> bool {
    sudo::in_path("apt-get")
}

/// The version that apt would install, if it knows the package.
pub(crate) fn candidate(package: &str) -> Option<String> {
    let policy = command::output(
        Command::new("apt-cache")
            .env("LC_ALL", "C")
            .args(["policy", package]),
    )
    .ok()?;
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// Whether apt has never fetched its package lists, as in a fresh container.
pub(crate) fn has_no_lists() -> bool {
    let Ok(lists) = fs::read_dir("/var/lib/apt/lists") else {
        return true;
    };
    !lists
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

/// Fetches the package lists.
pub(crate) fn update(privilege: &Privilege) -> Result<()> {
    progress::during("fetching the package lists", || {
        command::output(apt_get(privilege).arg("update")).map(drop)
    })
}

/// Installs packages, after saying which and why.
pub(crate) fn install(privilege: &Privilege, packages: &[&str], reason: &str) -> Result<()> {
    let list = packages.join(" ");
    progress::say(&format!("installing the Debian packages {list} {reason}"));
    let attempt = || {
        let options = ["install", "--yes", "--no-install-recommends"];
        command::output(apt_get(privilege).args(options).args(packages)).map(drop)
    };
    let message = format!("apt-get install {list}");
    progress::during(&message, attempt)
        .or_else(|_| {
            // The lists may name versions that the mirror has dropped since.
            update(privilege)?;
            progress::during(&message, attempt)
        })
        .with_context(|| format!("cannot install {list}"))
}

fn apt_get(privilege: &Privilege) -> Command {
    let mut command = privilege.command("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    command
}
