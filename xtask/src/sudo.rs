//! The one step of a task that needs root: run directly by root, through sudo by anyone else. Everything that
//! the user will own is built as the user.

use std::{
    env, fs,
    io::{IsTerminal as _, stdin},
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Command,
};

use anyhow::{Result, bail, ensure};

use crate::{command, progress, workspace};

/// How a command becomes privileged.
#[derive(Debug)]
pub(crate) enum Privilege {
    /// This process is root.
    Root,
    /// Through sudo, which may ask for a password only on a terminal.
    Sudo { may_ask: bool },
}

impl Privilege {
    /// Finds out how to become root for `purpose`, and asks for the password now if one is needed.
    pub(crate) fn obtain(purpose: &str) -> Result<Self> {
        if rustix::process::geteuid().is_root() {
            return Ok(Self::Root);
        }
        if in_path("sudo") {
            if command::output(Command::new("sudo").args(["-n", "true"])).is_ok() {
                return Ok(Self::Sudo { may_ask: false });
            }
            if stdin().is_terminal() {
                progress::say(&format!("sudo is needed {purpose}"));
                command::run(Command::new("sudo").arg("--validate"))?;
                return Ok(Self::Sudo { may_ask: true });
            }
        }
        bail!(
            "root is needed {purpose}: run as root, or as a user whom sudo lets in without a password, or on a terminal"
        )
    }

    /// The words to put before a privileged command.
    pub(crate) fn prefix(&self) -> &'static [&'static str] {
        match self {
            Self::Root => &[],
            Self::Sudo { may_ask: true } => &["sudo", "--"],
            Self::Sudo { may_ask: false } => &["sudo", "-n", "--"],
        }
    }

    /// `program` as a command that runs with this privilege.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = program.as_ref();
        match self.prefix() {
            [] => Command::new(program),
            [sudo, options @ ..] => {
                let mut command = Command::new(sudo);
                command.args(options).arg(program);
                command
            }
        }
    }
}

/// Refuses a task that was itself started through sudo in a checkout of another user: what it builds there would
/// belong to root, and the user's next build would fail.
pub(crate) fn refuse_to_build_for_another_user() -> Result<()> {
    let caller = env::var("SUDO_UID").unwrap_or_default();
    if caller.is_empty() || caller == "0" || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let root = workspace::root();
    ensure!(
        fs::metadata(&root)?.uid() == 0,
        "this would fill {0}/target with files of root: run it without sudo, and it calls sudo for the one step that \
         needs it (if cargo has made such files already: `sudo chown -R {caller} {0}/target`)",
        root.display(),
    );
    Ok(())
}

/// Whether a program of this name is in PATH.
pub(crate) fn in_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| {
        env::split_paths(&path).any(|directory| directory.join(program).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn root_runs_a_command_directly() {
        assert_eq!(words(&Privilege::Root.command("/bin/true")), ["/bin/true"]);
    }

    #[test]
    fn sudo_without_a_terminal_never_asks() {
        let command = Privilege::Sudo { may_ask: false }.command("/bin/true");
        assert_eq!(words(&command), ["sudo", "-n", "--", "/bin/true"]);
    }

    #[test]
    fn programs_are_found_in_path_by_exact_name() {
        assert!(in_path("sh"));
        assert!(!in_path("no-such-program"));
    }
}
