//! What a capture waits for: ticks, its end by the clock, signals, the exit of the target.

use crate::program::Process;
use crate::report::EndedBy;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::{future, io, process, thread};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

/// Far enough for "no end": tokio's clock cannot represent infinity.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Something a capture reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An interval is over.
    Tick,
    /// The agent was sent SIGINT, SIGTERM, SIGHUP or SIGQUIT.
    Signal(Signal),
    /// The capture is over.
    End(EndedBy),
}

/// Signals that end a capture: they do not end the agent from now on, but come here.
#[derive(Debug)]
pub struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    /// `None` if it was ignored when we were started: `nohup` has us go on when the terminal is closed.
    hang_up: Option<unix::Signal>,
    quit: unix::Signal,
}

impl Signals {
    /// Watches them.
    ///
    /// # Errors
    /// The system refuses to.
    pub fn new() -> io::Result<Self> {
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
    pub async fn recv(&mut self) -> Signal {
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

/// Signals and target, watched since before the first probe.
#[derive(Debug)]
pub(super) struct Watch {
    signals: Signals,
    target: oneshot::Receiver<()>,
}

/// Everything a running capture waits for.
#[derive(Debug)]
pub(super) struct Events {
    watch: Watch,
    ticks: Interval,
    deadline: Instant,
}

impl Watch {
    pub(super) fn new(process: &Process) -> io::Result<Self> {
        Ok(Watch {
            signals: Signals::new()?,
            target: exit_of(process.pidfd().try_clone_to_owned()?)?,
        })
    }

    /// Starts the clock.
    pub(super) fn started(self, duration: Option<Duration>, interval: Duration) -> Events {
        let now = Instant::now();
        let mut ticks = interval_at(now + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Events {
            watch: self,
            ticks,
            deadline: now + duration.unwrap_or(FOREVER),
        }
    }
}

/// Completes when the process exits: then its pidfd becomes readable (pidfd_open(2)). A thread waits for it, because
/// tokio can do so with `unsafe` only; it ends with the agent.
fn exit_of(pidfd: OwnedFd) -> io::Result<oneshot::Receiver<()>> {
    let (exited, exit) = oneshot::channel();
    let wait = move || {
        while let Err(Errno::INTR) = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None) {}
        // Nobody listens any more if the capture has ended for another reason.
        exited.send(()).unwrap_or_default();
    };
    thread::Builder::new()
        .name("target exit".to_owned())
        .spawn(wait)?;
    Ok(exit)
}

impl Events {
    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            biased;
            signal = self.watch.signals.recv() => Event::Signal(signal),
            _ = &mut self.watch.target => Event::End(EndedBy::TargetExit),
            () = sleep_until(self.deadline) => Event::End(EndedBy::Duration),
            _ = self.ticks.tick() => Event::Tick,
        }
    }
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
