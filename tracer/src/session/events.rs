//! What a capture waits for: ticks, its end by the clock, signals, the exit of the target.

use crate::report::EndedBy;
use crate::target::Process;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;
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
    hang_up: unix::Signal,
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
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The next one.
    pub async fn recv(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.hang_up.recv() => Signal::SIGHUP,
            _ = self.quit.recv() => Signal::SIGQUIT,
        }
    }
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
