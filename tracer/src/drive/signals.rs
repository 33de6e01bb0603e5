//! Signals to the agent, which do not end it but come here.

use nix::sys::signal::Signal;
use std::{future, io, process};
use tokio::signal::unix::{self, SignalKind, signal};

/// SIGINT, SIGTERM, SIGHUP and SIGQUIT.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    /// `None` if it was ignored when we were started: `nohup` has us go on when the terminal is closed.
    hang_up: Option<unix::Signal>,
    quit: unix::Signal,
}

impl Signals {
    /// Watches them from now on. An event loop must be there.
    ///
    /// # Errors
    /// The system refuses to.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if ignores(Signal::SIGHUP, process::id()) {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The next one.
    pub(super) async fn recv(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            () = next(self.hang_up.as_mut()) => Signal::SIGHUP,
            _ = self.quit.recv() => Signal::SIGQUIT,
        }
    }
}

/// The next signal of this kind; never, if it is not watched.
async fn next(signal: Option<&mut unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => future::pending().await,
    }
}

/// Whether a process ignores a signal. A process begins with what its parent has ignored (execve(2)). Of SIGINT and
/// SIGQUIT nobody asks: shells have them ignored in all that a script starts in the background, and scripts end captures
/// with `kill -INT`.
fn ignores(signal: Signal, pid: u32) -> bool {
    let status = i32::try_from(pid).ok().and_then(|pid| {
        let process = procfs::process::Process::new(pid).ok()?;
        process.status().ok()
    });
    // Bit 0 is signal 1 (SigIgn, proc_pid_status(5)).
    status.is_some_and(|status| status.sigign >> (signal as i32 - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn what_the_parent_has_ignored_is_known() {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' HUP; echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let ignored = |signal| ignores(signal, child.id());
        let (hang_up, other) = (ignored(Signal::SIGHUP), ignored(Signal::SIGUSR1));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(line, "ready\n");
        assert!(hang_up);
        assert!(!other);
    }
}
