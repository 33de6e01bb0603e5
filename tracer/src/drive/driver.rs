//! A driver: which targets there are, and for how long.

use super::clock;
use super::consumer::Consumer;
use super::course::Course;
use super::events::{Captures, Driven};
use super::exit::Exit;
use super::signals::Signals;
use crate::capture::{CaptureError, Host, Prepared, Request, Wanted};
use crate::kernel::{Attached, detach_in_background};
use std::io;
use std::mem;
use tokio::runtime::{Builder, Runtime};

/// Why a driver cannot begin.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant is where it comes from, which says what it is"
)]
pub enum DriveError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("cannot start the event loop")]
    Loop(#[source] io::Error),
    #[error("cannot wait for signals and the end of the target")]
    Events(#[source] io::Error),
}

/// Drives captures of this host.
#[derive(Debug)]
pub struct Driver {
    runtime: Runtime,
    host: Host,
    course: Course,
    signals: Option<Signals>,
    targets: Vec<Driven>,
    /// Probes of captures that have ended.
    silent: Vec<Attached>,
}

impl Driver {
    /// A driver without a target.
    ///
    /// # Errors
    /// The system has no event loop left.
    pub fn new(course: Course) -> Result<Self, DriveError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Driver {
            runtime: runtime.map_err(DriveError::Loop)?,
            host: Host::new()?,
            course,
            signals: None,
            targets: Vec::new(),
            silent: Vec::new(),
        })
    }

    /// Looks at a process and plans its probes; see [`Host::prepare`].
    ///
    /// # Errors
    /// The process is gone, is no Go program, or cannot be planned for.
    pub fn prepare(&mut self, pid: i32, wanted: Wanted) -> Result<Prepared, DriveError> {
        Ok(self.host.prepare(pid, wanted)?)
    }

    /// Attaches the probes of these targets, and then begins to record all of them. Signals do not end the agent from now
    /// on, so that an early Ctrl-C ends the captures in order.
    ///
    /// # Errors
    /// The kernel refuses, or a target exits meanwhile; nothing stays attached then.
    pub fn start(&mut self, prepared: Vec<Prepared>, request: &Request) -> Result<(), DriveError> {
        let _entered = self.runtime.enter();
        if !self.course.is_single_look() && self.signals.is_none() {
            self.signals = Some(Signals::new().map_err(DriveError::Events)?);
        }
        let mut ready = Vec::new();
        for prepared in prepared {
            let exit = Exit::of(prepared.process()).map_err(DriveError::Events)?;
            ready.push((prepared.attach(request, &mut self.host)?, exit));
        }
        for (ready, exit) in ready {
            let capture = ready.start(clock::now())?;
            self.targets.push(Driven { capture, exit });
        }
        Ok(())
    }

    /// Drives the captures to their end, and until no consumer lingers.
    ///
    /// # Errors
    /// A capture cannot go on, or a consumer has failed.
    pub fn run(&mut self, consumers: &mut [&mut dyn Consumer]) -> anyhow::Result<()> {
        let targets = mem::take(&mut self.targets);
        let captures = Captures {
            targets,
            silent: &mut self.silent,
            consumers,
        };
        self.runtime
            .block_on(captures.run(self.course, self.signals.as_mut()))
    }

    /// Takes the probes out without letting anyone wait; the agent must have nothing else to do but to exit. Dropping the
    /// driver takes them out, too, which takes about 0.1 s for each.
    pub fn detach_in_background(self) {
        detach_in_background(self.silent);
    }
}
