//! `tracer record`: one capture, then one report.

use super::args::{Global, Record};
use super::sinks::{Sinks, StandardStream, print};
use super::{attach, config};
use crate::kernel::{self, detach_in_background};
use crate::report::EndedBy;
use crate::session::{Ended, Event, Prepared, Session};

pub(super) fn run(args: &Record, global: &Global) -> anyhow::Result<()> {
    if args.target.explain {
        let prepared = Prepared::new(args.target.pid, args.target.tracing.wanted())?;
        return print(&prepared.plan().to_string());
    }
    let output = &args.output;
    let sinks = Sinks::open(&output.files, output.format, StandardStream::Out)?;
    kernel::require()?;
    let prepared = Prepared::new(args.target.pid, args.target.tracing.wanted())?;
    attach::on_runtime(async {
        let session = prepared.start(&config::record(args, global))?;
        attach::announce(&session);
        let ended = capture(session).await?;
        let written = sinks.write(&ended.report, global, &args.show);
        if let Some(attached) = ended.attached {
            detach_in_background(attached);
        }
        written
    })
}

async fn capture(mut session: Session) -> anyhow::Result<Ended> {
    let ended_by = loop {
        match session.next().await? {
            Event::Tick => {}
            Event::Signal(_) => break EndedBy::Signal,
            Event::End(by) => break by,
        }
    };
    Ok(session.finish(ended_by).await?)
}
