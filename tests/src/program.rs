//! The Go programs of `tests/programs`, as running targets.

use crate::{PATIENCE, wait_until};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Directory with the built programs, `VERSION/NAME` below it.
const PROGRAMS: &str = "TRACER_PROGRAMS";

/// A running Go program, killed on drop.
#[derive(Debug)]
pub struct Program {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// The Go versions that programs are built with, oldest first.
///
/// # Panics
/// The programs were not built: the tests are run by `cargo xtask test`.
pub fn go_versions() -> Vec<String> {
    let directory = programs();
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("cannot read {}: {e}", directory.display()));
    let mut versions: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("a directory entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    versions.sort_by_key(|version| {
        version
            .split('.')
            .map(|n| n.parse().unwrap_or(0))
            .collect::<Vec<u32>>()
    });
    assert!(
        !versions.is_empty(),
        "no programs in {}: run `cargo xtask test`",
        directory.display()
    );
    versions
}

/// The newest of [`go_versions`].
pub fn newest_go() -> String {
    go_versions().pop().expect("at least one version")
}

/// Path of a built program.
pub fn program_path(version: &str, name: &str) -> PathBuf {
    programs().join(version).join(name)
}

fn programs() -> PathBuf {
    std::env::var_os(PROGRAMS)
        .unwrap_or_else(|| panic!("{PROGRAMS} is not set: run `cargo xtask test`"))
        .into()
}

impl Program {
    /// Starts a program built with a Go version.
    pub fn start(version: &str, name: &str, args: &[&str]) -> Self {
        Self::start_at(&program_path(version, name), args)
    }

    /// Starts the program at `path`.
    pub fn start_at(path: &Path, args: &[&str]) -> Self {
        Self::spawn(Command::new(path).args(args))
    }

    /// Starts a program by any command that ends up being it.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Program {
            child,
            input,
            lines,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its output.
    ///
    /// # Panics
    /// There is none within [`PATIENCE`].
    pub fn line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|e| panic!("no line from the program: {e}"))
    }

    /// Waits for a certain line, skipping others.
    pub fn wait_for(&self, wanted: &str) {
        while self.line() != wanted {}
    }

    /// Lines that are there already.
    pub fn pending_lines(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Sends it an empty line.
    ///
    /// # Panics
    /// It does not listen any more.
    pub fn go_on(&mut self) {
        self.input
            .write_all(b"\n")
            .expect("the program reads its input");
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It does not end within [`PATIENCE`].
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the program ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("a status")
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
