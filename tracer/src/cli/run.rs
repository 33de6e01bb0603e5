//! `tracer run`: a program's whole life, from its first instruction to its exit code.

use super::args::{Global, Run};
use super::config;
use super::driving::{self, Files, Naming};
use super::sinks::{Sinks, StandardStream};
use crate::capture::{Capture, Prepared};
use crate::drive::{Consumer, Driver};
use crate::kernel;
use crate::launch::Launched;
use crate::report::Report;
use nix::sys::signal::Signal;
use std::io::{IsTerminal as _, stdin};

/// Runs the program and gives its exit code.
pub(super) fn run(args: &Run, global: &Global) -> anyhow::Result<u8> {
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Err)?;
    kernel::require()?;
    let launched = Launched::start(&args.program, &args.arguments)?;
    let prepared = Prepared::new(launched.pid().as_raw(), args.tracing.wanted())?;
    let mut driver = Driver::new(config::whole_life())?;
    driver.start(vec![prepared], &config::request(&args.tracing, global))?;
    let mut child = Child {
        launched: Some(launched),
        from_terminal: stdin().is_terminal(),
        code: 0,
    };
    driving::drive(
        driver,
        &mut [
            &mut Naming::default(),
            &mut child,
            &mut Files::new(sinks, global, &args.show, output.value),
        ],
    )?;
    Ok(child.code)
}

/// The program, which is let go when its probes are live, and gets the signals that are sent to the agent.
struct Child {
    launched: Option<Launched>,
    /// The terminal sends Ctrl-C and Ctrl-\ to the program as well: it is in the same process group.
    from_terminal: bool,
    code: u8,
}

impl Consumer for Child {
    fn started(&mut self, capture: &mut Capture) -> anyhow::Result<()> {
        log::debug!("{} probes, recording", capture.probes());
        if let Some(launched) = &mut self.launched {
            launched.release()?;
        }
        Ok(())
    }

    fn takes(&mut self, signal: Signal) -> bool {
        let reaches_it = self.from_terminal && matches!(signal, Signal::SIGINT | Signal::SIGQUIT);
        if let Some(launched) = self.launched.as_ref().filter(|_| !reaches_it) {
            launched.signal(signal);
        }
        true
    }

    fn ended(&mut self, _report: &Report) -> anyhow::Result<()> {
        // It has ended; its exit code is the answer even if the report cannot be written.
        if let Some(launched) = self.launched.take() {
            self.code = launched.wait()?;
        }
        Ok(())
    }
}
