//! `tracer record`: one capture, then one report.

use super::args::{Global, Record};
use super::progress::{Progress, Recording, during};
use super::sinks::{Sinks, StandardStream, print};
use super::{attach, config};
use crate::capture::{Ended, Event, Prepared, Session};
use crate::kernel::{self, detach_in_background};
use crate::report::EndedBy;

pub(super) fn run(args: &Record, global: &Global) -> anyhow::Result<()> {
    if args.target.explain {
        let prepared = Prepared::new(args.target.pid, args.target.tracing.wanted())?;
        return print(&prepared.plan().to_string());
    }
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    kernel::require()?;
    let prepared = attach::prepare(args.target.pid, &args.target.tracing)?;
    attach::on_runtime(async {
        let request = config::record(args, global);
        let session = during("attaching", || prepared.start(&request))?;
        attach::announce(&session);
        let ended = capture(session, Recording::of(args)).await?;
        let written = sinks.write(&ended.report, global, &args.show, output.value);
        if let Some(attached) = ended.attached {
            detach_in_background(attached);
        }
        written
    })
}

async fn capture(mut session: Session, mut recording: Recording) -> anyhow::Result<Ended> {
    let ended_by = loop {
        match session.next().await? {
            Event::Tick => recording.tick(&session),
            Event::Signal(_) => break EndedBy::Signal,
            Event::End(by) => break by,
        }
    };
    drop(recording);
    let _naming = Progress::of(attach::NAMING);
    Ok(session.finish(ended_by).await?)
}
