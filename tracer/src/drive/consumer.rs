//! Who gets what captures find. There is no other way out of a driver.

use crate::capture::{Capture, CaptureError, Now};
use crate::live::{Detail, Pace};
use crate::report::{EndedBy, Report, Target};
use nix::sys::signal::Signal;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

/// What a consumer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// More.
    GoOn,
    /// The end of all captures, for this reason.
    End(EndedBy),
}

/// What waits for something besides captures, as a screen does for keys.
pub type Following<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Flow>> + 'a>>;

/// Somebody who is interested in captures: files, a stream, a screen. Called from the driver's event loop, which a slow
/// consumer holds up.
pub trait Consumer {
    /// The probes of a target are live.
    ///
    /// # Errors
    /// Whatever goes wrong ends everything. So it is in every method.
    fn started(&mut self, _capture: &mut Capture) -> anyhow::Result<()> {
        Ok(())
    }

    /// An interval of a target is over.
    fn moment(&mut self, _moment: &mut Moment<'_>) -> anyhow::Result<Flow> {
        Ok(Flow::GoOn)
    }

    /// Captures are over; what is left of them is taken in now, which may take a while.
    fn ending(&mut self, _ended_by: EndedBy) {}

    /// A capture is complete.
    fn ended(&mut self, _report: &Report) -> anyhow::Result<()> {
        Ok(())
    }

    /// Whether it takes care of a signal to the agent, which then ends nothing.
    fn takes(&mut self, _signal: Signal) -> bool {
        false
    }

    /// Follows something of its own for as long as nothing happens to the captures: then the future is dropped, and later
    /// asked for again. By default there is nothing.
    fn follow(&mut self) -> Following<'_> {
        Box::pin(pending())
    }

    /// Whether it has something to do even though every capture has ended.
    fn lingers(&self) -> bool {
        false
    }
}

/// The end of an interval of one target. What is dear is made when it is first asked for, once for all consumers.
#[derive(Debug)]
pub struct Moment<'a> {
    capture: &'a mut Capture,
    now: Now,
    report: Option<Report>,
    by_place: Option<Report>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(capture: &'a mut Capture, now: Now) -> Self {
        Moment {
            capture,
            now,
            report: None,
            by_place: None,
        }
    }
}

impl Moment<'_> {
    /// Whose moment it is.
    pub fn target(&self) -> &Target {
        self.capture.target()
    }

    /// Time since recording began.
    pub fn at(&self) -> Duration {
        self.now.since(self.capture.started())
    }

    /// What the target does now: cheap.
    pub fn pace(&self) -> Pace {
        self.capture.pace()
    }

    /// What has been found so far.
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's counters cannot be read.
    pub fn report(&mut self) -> Result<&Report, CaptureError> {
        match &mut self.report {
            Some(report) => Ok(report),
            none => Ok(none.insert(self.capture.report(self.now)?)),
        }
    }

    /// The same without callers, much cheaper: see [`Capture::by_place`].
    ///
    /// # Errors
    /// The collecting thread is gone, or the kernel's counters cannot be read.
    pub fn by_place(&mut self, detail: Detail) -> Result<&Report, CaptureError> {
        match &mut self.by_place {
            Some(report) => Ok(report),
            none => Ok(none.insert(self.capture.by_place(self.now, detail)?)),
        }
    }
}
