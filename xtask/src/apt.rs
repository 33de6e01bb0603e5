//! Installs Debian packages. Hides whether apt runs as root or through sudo, package lists that are missing or older than
//! the packages, and an installation that was interrupted.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, anyhow};

use crate::{
    command, progress,
    sudo::{self, Privilege},
};

/// apt waits that long, in seconds, while another installation goes on.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=120";

/// A source that cannot be fetched is an error; apt would only warn.
const STRICT_UPDATE: &str = "APT::Update::Error-Mode=any";

/// What apt says after an installation that was interrupted, and the command that it asks for.
const INTERRUPTED: &str = "dpkg --configure -a";

/// Whether this machine installs packages with apt.
pub(crate) fn is_here() -> bool {
    sudo::in_path("apt-get")
}

/// The version that apt would install, if it knows the package.
pub(crate) fn candidate(package: &str) -> Option<String> {
    Apt::default().candidate(package)
}

/// Installs packages, after saying which and why.
pub(crate) fn install(privilege: &Privilege, packages: &[&str], reason: &str) -> Result<()> {
    Apt::default().install(privilege, packages, reason)
}

/// The programs of apt.
#[derive(Debug)]
struct Apt {
    get: PathBuf,
    cache: PathBuf,
    dpkg: PathBuf,
}

impl Default for Apt {
    fn default() -> Self {
        Self {
            get: "apt-get".into(),
            cache: "apt-cache".into(),
            dpkg: "dpkg".into(),
        }
    }
}

impl Apt {
    fn candidate(&self, package: &str) -> Option<String> {
        let policy = command::output(
            Command::new(&self.cache)
                .env("LC_ALL", "C")
                .args(["policy", package]),
        )
        .ok()?;
        let version = policy
            .lines()
            .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
        (version != "(none)").then(|| version.to_owned())
    }

    fn unknown(&self, packages: &[&str]) -> String {
        let unknown = packages
            .iter()
            .filter(|package| self.candidate(package).is_none());
        unknown.copied().collect::<Vec<_>>().join(" ")
    }

    /// Lists that do not know a package, or name a version that the mirror has dropped since, are fetched once.
    fn install(&self, privilege: &Privilege, packages: &[&str], reason: &str) -> Result<()> {
        let list = packages.join(" ");
        progress::say(&format!("installing the Debian packages {list} {reason}"));
        let refreshed = if self.unknown(packages).is_empty() {
            match self.try_install(privilege, packages) {
                Ok(()) => return Ok(()),
                Err(error) if is_interrupted(&error) => self.finish_interrupted(privilege),
                Err(_) => self.update(privilege),
            }
        } else {
            self.update(privilege)
        };
        // One source of several that fails need not be the one of these packages.
        let unknown = self.unknown(packages);
        if !unknown.is_empty() {
            return Err(refreshed.err().unwrap_or_else(|| {
                anyhow!(
                    "the package lists were fetched just now: this Debian may be too old for it"
                )
            }))
            .with_context(|| format!("apt knows no package {unknown}"));
        }
        self.try_install(privilege, packages).with_context(|| {
            format!("cannot install {list}; once `apt-get install {list}` works, run this again")
        })
    }

    fn try_install(&self, privilege: &Privilege, packages: &[&str]) -> Result<()> {
        let mut install = self.get(privilege);
        install
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages);
        progress::during(&format!("apt-get install {}", packages.join(" ")), || {
            command::output(&mut install).map(drop)
        })
    }

    fn update(&self, privilege: &Privilege) -> Result<()> {
        let mut update = self.get(privilege);
        update.args(["-o", STRICT_UPDATE, "update"]);
        progress::during("fetching the package lists", || {
            command::output(&mut update).map(drop)
        })
        .context("cannot fetch the package lists: is the network there?")
    }

    fn finish_interrupted(&self, privilege: &Privilege) -> Result<()> {
        progress::say("an earlier installation was interrupted; dpkg finishes it first");
        let mut configure = privilege.command("env");
        configure
            .arg("DEBIAN_FRONTEND=noninteractive")
            .arg(&self.dpkg);
        configure.args(["--configure", "-a"]);
        progress::during(INTERRUPTED, || command::output(&mut configure).map(drop))
    }

    fn get(&self, privilege: &Privilege) -> Command {
        let mut command = privilege.command("env");
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"])
            .arg(&self.get)
            .args(["-o", LOCK_TIMEOUT]);
        command
    }
}

fn is_interrupted(error: &anyhow::Error) -> bool {
    error.to_string().contains(INTERRUPTED)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use tempfile::TempDir;

    use super::*;

    /// Programs that stand for apt's: they write down how they are called, and know the packages in the file `known`.
    struct StandIn {
        directory: TempDir,
    }

    impl StandIn {
        /// `update` and `install` are what those subcommands do, in shell.
        fn new(known: &str, update: &str, install: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let place = directory.path().display();
            let files = [
                ("known", known.replace(' ', "\n")),
                (
                    "apt-cache",
                    format!(
                        "#!/bin/sh\ncd {place}\ngrep -qx \"$2\" known && echo '  Candidate: 1.0'\ntrue\n"
                    ),
                ),
                (
                    "apt-get",
                    format!(
                        "#!/bin/sh\ncd {place}\ncase \" $* \" in\n\
                         *' update '*) echo update >>calls; {update} ;;\n\
                         *' install '*) echo install >>calls; {install} ;;\nesac\n"
                    ),
                ),
                (
                    "dpkg",
                    format!("#!/bin/sh\ncd {place}\necho configure >>calls; rm -f interrupted\n"),
                ),
            ];
            for (name, text) in files {
                let path = directory.path().join(name);
                fs::write(&path, text).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self { directory }
        }

        /// Installs two packages, and tells the calls that it took.
        fn install(&self) -> (Result<()>, String) {
            let program = |name| self.directory.path().join(name);
            let apt = Apt {
                get: program("apt-get"),
                cache: program("apt-cache"),
                dpkg: program("dpkg"),
            };
            let result = apt.install(&Privilege::Root, &["compiler", "library"], "for a test");
            let calls = fs::read_to_string(program("calls")).unwrap_or_default();
            (result, calls.trim().replace('\n', " "))
        }
    }

    const ALL: &str = "compiler library";
    const FETCH: &str = "printf 'compiler\\nlibrary\\n' >known";
    const NO_NETWORK: &str = "echo 'E: Temporary failure resolving the mirror' >&2; exit 100";

    #[test]
    fn packages_that_are_known_are_installed_without_new_lists() {
        let (result, calls) = StandIn::new(ALL, FETCH, "true").install();
        result.unwrap();
        assert_eq!(calls, "install");
    }

    #[test]
    fn lists_that_are_missing_or_do_not_know_a_package_are_fetched_once() {
        for known in ["", "hello", "compiler"] {
            let (result, calls) = StandIn::new(known, FETCH, "true").install();
            result.unwrap();
            assert_eq!(calls, "update install", "known: {known:?}");
        }
    }

    #[test]
    fn lists_that_name_a_version_the_mirror_has_dropped_are_fetched_once() {
        let install = "[ -e new ] || { echo 'E: 404 Not Found' >&2; exit 100; }";
        let (result, calls) = StandIn::new(ALL, "touch new", install).install();
        result.unwrap();
        assert_eq!(calls, "install update install");
    }

    #[test]
    fn a_package_that_new_lists_do_not_know_either_is_named() {
        let (result, calls) = StandIn::new("compiler", "true", "true").install();
        let error = format!("{:#}", result.unwrap_err());
        assert_eq!(calls, "update");
        assert!(error.contains("apt knows no package library:"), "{error}");
        assert!(error.contains("fetched just now"), "{error}");
    }

    #[test]
    fn without_network_the_error_has_the_command_and_its_last_words() {
        let (result, calls) = StandIn::new("", NO_NETWORK, "true").install();
        let error = format!("{:#}", result.unwrap_err());
        assert_eq!(calls, "update");
        for part in [
            "apt knows no package compiler library",
            "is the network there?",
            "apt-get -o",
            "Temporary failure",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn one_source_that_fails_does_not_keep_known_packages_from_being_installed() {
        let update = format!("{FETCH}; {NO_NETWORK}");
        let (result, calls) = StandIn::new("", &update, "true").install();
        result.unwrap();
        assert_eq!(calls, "update install");
    }

    #[test]
    fn without_permission_the_error_has_the_command_and_its_last_words() {
        let denied =
            "echo 'E: Could not open lock file: Permission denied, are you root?' >&2; exit 100";
        let (result, calls) = StandIn::new(ALL, denied, denied).install();
        let error = format!("{:#}", result.unwrap_err());
        assert_eq!(calls, "install update install");
        for part in [
            "cannot install compiler library",
            "apt-get -o",
            "are you root?",
            "run this again",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn an_interrupted_installation_is_finished_first() {
        let install =
            "[ -e interrupted ] || exit 0; echo \"E: run 'dpkg --configure -a'\" >&2; exit 100";
        let machine = StandIn::new(ALL, FETCH, install);
        fs::write(machine.directory.path().join("interrupted"), "").unwrap();
        let (result, calls) = machine.install();
        result.unwrap();
        assert_eq!(calls, "install configure install");
    }
}
