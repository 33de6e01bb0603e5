//! What the tests of the page and of the full-screen view drive: Chromium, its driver, and tmux. Hides which Debian package
//! each comes from.

use anyhow::{Result, bail};

use crate::{
    apt,
    sudo::{self, Privilege},
};

/// A program, and the Debian package that holds it.
const NEEDED: [(&str, &str); 3] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("tmux", "tmux"),
];

/// Installs what is missing.
pub(crate) fn ensure(privilege: &Privilege) -> Result<()> {
    install(privilege, &missing(&NEEDED, sudo::in_path))
}

/// Installs what makes a page of a terminal's text, for the pictures of the documentation.
pub(crate) fn ensure_terminal_page(privilege: &Privilege) -> Result<()> {
    install(privilege, &missing(&[("aha", "aha")], sudo::in_path))
}

fn install(privilege: &Privilege, packages: &[&'static str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !apt::is_here() {
        bail!(
            "the live tests open the report in a browser and drive a terminal, and {} is not installed; install it, or leave the live tests out with --no-live",
            packages.join(", ")
        );
    }
    if apt::has_no_lists() {
        apt::update(privilege)?;
    }
    let reason = "to open the report in a browser and drive a terminal";
    apt::install(privilege, packages, reason)
}

/// Packages of programs that are not `there`.
fn missing(needed: &[(&str, &'static str)], there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let needed = needed.iter().filter(|(program, _)| !there(program));
    needed.map(|(_, package)| *package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        assert_eq!(missing(&NEEDED, |_| true), [""; 0]);
        assert_eq!(
            missing(&NEEDED, |program| program == "tmux"),
            ["chromium", "chromium-driver"]
        );
    }
}
