//! `tracer run`: a program's whole life, from its first instruction to its exit code.

use super::args::{Global, Run};
use super::progress::Progress;
use super::sinks::{Sinks, StandardStream};
use super::{attach, config};
use crate::capture::{Ended, Event, Prepared, Session};
use crate::kernel::{self, detach_in_background};
use crate::launch::Launched;

use nix::sys::signal::Signal;
use std::io::{IsTerminal as _, stdin};

/// Runs the program and gives its exit code.
pub(super) fn run(args: &Run, global: &Global) -> anyhow::Result<u8> {
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Err)?;
    kernel::require()?;
    let mut launched = Launched::start(&args.program, &args.arguments)?;
    let prepared = Prepared::new(launched.pid().as_raw(), args.tracing.wanted())?;
    attach::on_runtime(async {
        let session = prepared.start(&config::run(args, global))?;
        log::debug!("{} probes, recording", session.probes());
        launched.release()?;
        let ended = whole_life(session, &launched).await?;
        // The program has ended; its exit code is the answer even if the report cannot be written.
        let code = launched.wait()?;
        let written = sinks.write(&ended.report, global, &args.show, output.value);
        if let Some(attached) = ended.attached {
            detach_in_background(attached);
        }
        written.map(|()| code)
    })
}

/// Passes signals on until the program has ended.
async fn whole_life(mut session: Session, launched: &Launched) -> anyhow::Result<Ended> {
    // The terminal sends Ctrl-C and Ctrl-\ to the program as well: it is in the same process group.
    let from_terminal = stdin().is_terminal();
    loop {
        match session.next().await? {
            Event::Tick => {}
            Event::Signal(Signal::SIGINT | Signal::SIGQUIT) if from_terminal => {}
            Event::Signal(signal) => launched.signal(signal),
            Event::End(by) => {
                let _naming = Progress::of(attach::NAMING);
                return Ok(session.finish(by).await?);
            }
        }
    }
}
