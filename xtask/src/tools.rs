//! Programs that the tests and the pictures drive, and the Debian packages that hold them.

use anyhow::{Result, bail};

use crate::{
    apt,
    sudo::{self, Privilege},
};

/// Programs for one purpose.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Each with the Debian package that holds it.
    programs: &'static [(&'static str, &'static str)],
    /// What for.
    purpose: &'static str,
}

/// What opens the page and shows the full screen.
pub(crate) const BROWSER: Tools = Tools {
    programs: &[
        ("chromium", "chromium"),
        ("chromedriver", "chromium-driver"),
        ("tmux", "tmux"),
    ],
    purpose: "to open the report in a browser and drive a terminal",
};

/// What makes a page of a terminal's text.
pub(crate) const PICTURES: Tools = Tools {
    programs: &[("aha", "aha")],
    purpose: "to make a picture of a terminal",
};

/// What loads an image and runs it, and the shell of a root without anything else.
pub(crate) const INSTALLERS: Tools = Tools {
    programs: &[
        ("skopeo", "skopeo"),
        ("umoci", "umoci"),
        ("runc", "runc"),
        ("busybox", "busybox-static"),
    ],
    purpose: "to install the Debian package in an empty root and run the container image",
};

/// Installs what is missing.
pub(crate) fn ensure(privilege: &Privilege, tools: &Tools) -> Result<()> {
    let packages = missing(tools, sudo::in_path);
    if packages.is_empty() {
        return Ok(());
    }
    if !apt::is_here() {
        bail!(
            "{} {} is needed and not installed: install it; `cargo xtask test --no-live` does without",
            tools.purpose,
            packages.join(", ")
        );
    }
    apt::install(privilege, &packages, tools.purpose)
}

/// Packages of programs that are not `there`.
fn missing(tools: &Tools, there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let needed = tools.programs.iter().filter(|(program, _)| !there(program));
    needed.map(|(_, package)| *package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        assert_eq!(missing(&BROWSER, |_| true), [""; 0]);
        assert_eq!(
            missing(&BROWSER, |program| program == "tmux"),
            ["chromium", "chromium-driver"]
        );
    }
}
