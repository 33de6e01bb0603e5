//! Starts a program and holds it before its first instruction, so that it can be probed from the very beginning.
//!
//! The child asks to be traced and executes the program; the kernel stops it there (`PTRACE_TRACEME`, ptrace(2)). The
//! child is this very executable (see [`exec_traced`]), because code between `fork` and `exec` would be `unsafe`. Once
//! released, the program runs untraced.

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};

/// What the executable is called with to become a program: see [`exec_traced`].
pub const EXEC_TRACED: &str = "__exec-traced";
/// The executable of this process.
const SELF: &str = "/proc/self/exe";

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// It cannot be executed.
    #[error("cannot start {program}: give the path of an executable, or a name that is in PATH")]
    Exec {
        /// As it was given.
        program: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The system refuses to start or control a process.
    #[error("cannot {act} the process that becomes {program}")]
    Control {
        /// What was tried.
        act: &'static str,
        /// As it was given.
        program: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// A program that was started here. Killed if it is dropped before it was released.
#[derive(Debug)]
pub struct Launched {
    child: Child,
    program: String,
    held: bool,
}

impl Launched {
    /// Starts `program` with `arguments`, and returns when it is about to run its first instruction. It has this
    /// process's standard input, output and error. Under sudo it runs as the user who called sudo.
    ///
    /// # Errors
    /// The program cannot be executed, or the process not controlled.
    pub fn start(program: &OsStr, arguments: &[OsString]) -> Result<Self, LaunchError> {
        let name = program.to_string_lossy().into_owned();
        let failed = |act, source| LaunchError::Control {
            act,
            program: name.clone(),
            source,
        };
        let mut command = Command::new(SELF);
        command.arg(EXEC_TRACED).arg(program).args(arguments);
        run_as_sudo_user(&mut command);
        let child = command.spawn().map_err(|source| failed("start", source))?;
        let launched = Launched {
            child,
            program: name.clone(),
            held: true,
        };
        match waitpid(launched.pid(), None).map_err(|errno| failed("wait for", errno.into()))? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(launched),
            // The child reports the error of exec as its exit code.
            WaitStatus::Exited(_, errno) => {
                let source = io::Error::from_raw_os_error(errno);
                Err(LaunchError::Exec {
                    program: name,
                    source,
                })
            }
            other => Err(failed(
                "stop",
                io::Error::other(format!("unexpected state {other:?}")),
            )),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Lets it run, untraced.
    ///
    /// # Errors
    /// It was killed meanwhile.
    pub fn release(&mut self) -> Result<(), LaunchError> {
        ptrace::detach(self.pid(), None).map_err(|errno| LaunchError::Control {
            act: "release",
            program: self.program.clone(),
            source: errno.into(),
        })?;
        self.held = false;
        Ok(())
    }

    /// Passes a signal on. That it has ended already is no error.
    pub fn signal(&self, signal: Signal) {
        if let Err(errno) = kill(self.pid(), signal) {
            log::debug!("cannot pass {signal} on to {}: {errno}", self.program);
        }
    }

    /// Waits for its end and gives the code that a shell would give: its own, or 128 and the signal that killed it.
    ///
    /// # Errors
    /// The kernel does not know the child any more.
    pub fn wait(mut self) -> io::Result<u8> {
        self.child.wait().map(exit_code)
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if self.held {
            // Best effort: it has done nothing yet, and the error that led here is the one to show.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

/// A program started under sudo is the caller's own: only the tracer needs the privilege.
fn run_as_sudo_user(command: &mut Command) {
    let id = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    if let (Some(user), Some(group), true) = (
        id("SUDO_UID"),
        id("SUDO_GID"),
        rustix::process::geteuid().is_root(),
    ) {
        command.uid(user).gid(group);
    }
}

/// Becomes `program`, stopped before its first instruction until the parent lets it go. Returns only if that fails, with
/// the code to exit with: the number of the error.
pub fn exec_traced(program: &OsStr, arguments: &[OsString]) -> u8 {
    let error = match ptrace::traceme() {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(errno) => errno.into(),
    };
    error
        .raw_os_error()
        .and_then(|errno| u8::try_from(errno).ok())
        .unwrap_or(u8::MAX)
}
