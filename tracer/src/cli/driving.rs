//! What the commands that capture have in common: the plan explained, the target prepared, the driver run, and the
//! consumers that most of them have.

use super::args::{Global, Show, Target, Value};
use super::messages::say;
use super::progress::{Progress, during};
use super::sinks::{Sinks, print};
use crate::capture::{Capture, Prepared};
use crate::drive::{Consumer, Driver};
use crate::kernel;
use crate::report::{EndedBy, Report};

/// Prints the probes that would be attached, if that is all that was asked for.
pub(super) fn explained(target: &Target) -> anyhow::Result<bool> {
    if target.explain {
        let prepared = Prepared::new(target.pid, target.tracing.wanted())?;
        print(&prepared.plan().to_string())?;
    }
    Ok(target.explain)
}

/// Checks the kernel, reads the target's program and plans its probes.
pub(super) fn prepared(target: &Target) -> anyhow::Result<Prepared> {
    kernel::require()?;
    let reading = format!("reading the program of pid {}", target.pid);
    let prepare = || Prepared::new(target.pid, target.tracing.wanted());
    Ok(during(reading, prepare)?)
}

/// Drives what was started, and takes the probes out when everybody has had the report.
pub(super) fn drive(mut driver: Driver, consumers: &mut [&mut dyn Consumer]) -> anyhow::Result<()> {
    let driven = driver.run(consumers);
    driver.detach_in_background();
    driven
}

/// Tells scripts and people that every probe is live.
#[derive(Debug)]
pub(super) struct Announcement;

impl Consumer for Announcement {
    fn started(&mut self, capture: &mut Capture) -> anyhow::Result<()> {
        let target = capture.target();
        say(format_args!(
            "attached to {} (pid {}, {}): {} probes, recording",
            target.exe,
            target.pid,
            target.go_version,
            capture.probes()
        ));
        Ok(())
    }
}

/// Shows what the end of a capture takes most of its time for.
#[derive(Debug, Default)]
pub(super) struct Naming(Option<Progress>);

impl Consumer for Naming {
    fn ending(&mut self, _ended_by: EndedBy) {
        self.0 = Some(Progress::of("naming functions and types"));
    }

    fn ended(&mut self, _report: &Report) -> anyhow::Result<()> {
        self.0 = None;
        Ok(())
    }
}

/// Writes the report of a capture to where it was asked for.
#[derive(Debug)]
pub(super) struct Files<'a> {
    sinks: Option<Sinks>,
    global: &'a Global,
    show: &'a Show,
    value: Value,
}

impl<'a> Files<'a> {
    pub(super) fn new(sinks: Sinks, global: &'a Global, show: &'a Show, value: Value) -> Self {
        Files {
            sinks: Some(sinks),
            global,
            show,
            value,
        }
    }
}

impl Consumer for Files<'_> {
    fn ended(&mut self, report: &Report) -> anyhow::Result<()> {
        // There is one report to write: each of these commands has one target.
        let Some(sinks) = self.sinks.take() else {
            return Ok(());
        };
        sinks.write(report, self.global, self.show, self.value)
    }
}
