//! `tracer record`: one capture, then one report.

use super::args::{Global, Record};
use super::sinks::{Sinks, print};
use super::{attach, config};
use crate::kernel::{self, detach_in_background};
use crate::session::{Event, Prepared, Session};

pub(super) fn run(args: &Record, global: &Global) -> anyhow::Result<()> {
    if args.target.explain {
        return print(&Prepared::new(args.target.pid)?.plan().to_string());
    }
    let sinks = Sinks::open(&args.output, global, &args.show)?;
    kernel::require()?;
    let prepared = Prepared::new(args.target.pid)?;
    attach::on_runtime(async {
        let session = prepared.start(&config::record(args, global))?;
        attach::announce(&session);
        let ended = capture(session).await?;
        let written = sinks.write(&ended.report);
        detach_in_background(ended.attached);
        written
    })
}

async fn capture(mut session: Session) -> anyhow::Result<crate::session::Ended> {
    loop {
        if let Event::End(by) = session.next().await? {
            return Ok(session.finish(by).await?);
        }
    }
}
