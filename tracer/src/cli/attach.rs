//! `tracer attach`: the same capture, shown while it runs.

use super::args::{self, Attach, Global, StreamFormat};
use super::progress::{Progress, during};
use super::sinks::{StandardStream, closed_pipe_is_fine, print};
use super::{config, terminal};
use crate::findings::{Finding, News};
use crate::kernel::{self, detach_in_background};
use crate::output::ndjson::Stream;
use crate::output::text::{self, TextOptions};
use crate::output::{OutputError, interval::Interval};
use crate::report::{EndedBy, Grouped, Report};
use crate::session::{Event, LiveView, Prepared, Session, SessionError};
use anyhow::Context as _;
use std::io::stdout;

pub(super) fn run(args: &Attach, global: &Global) -> anyhow::Result<()> {
    if args.target.explain {
        let prepared = Prepared::new(args.target.pid, args.target.tracing.wanted())?;
        return print(&prepared.plan().to_string());
    }
    kernel::require()?;
    let prepared = prepare(args.target.pid, &args.target.tracing)?;
    let options = terminal::options(StandardStream::Out, global, args.show.limit);
    on_runtime(async {
        let request = config::attach(args, global);
        let session = during("attaching", || prepared.start(&request))?;
        announce(&session);
        let display = match args.format {
            StreamFormat::Text => Display::Text(options),
            StreamFormat::Ndjson => Display::Ndjson(Stream::default()),
        };
        show(session, display, &args.show).await
    })
}

/// What the end of a capture takes most of its time for.
pub(super) const NAMING: &str = "naming functions and types";

/// Where intervals go.
enum Display {
    Text(TextOptions),
    Ndjson(Stream),
}

impl Display {
    fn start(&mut self, session: &Session) -> Result<(), OutputError> {
        match self {
            Display::Text(_) => Ok(()),
            Display::Ndjson(stream) => stream.start(
                session.target(),
                session.start_unix_ns(),
                session.mode().name(),
                &mut stdout().lock(),
            ),
        }
    }

    fn interval(&mut self, interval: &Interval<'_>) -> Result<(), OutputError> {
        match self {
            Display::Text(options) => text::write_interval(interval, options, &mut stdout().lock()),
            Display::Ndjson(stream) => stream.interval(interval, &mut stdout().lock()),
        }
    }

    fn findings(&mut self, findings: &[Finding]) -> Result<(), OutputError> {
        let out = &mut stdout().lock();
        match self {
            Display::Text(options) => text::write_findings(findings, options, out),
            Display::Ndjson(stream) => stream.findings(findings, out),
        }
    }

    /// The report that follows has all findings, if it is text.
    fn last_findings(&mut self, findings: &[Finding]) -> Result<(), OutputError> {
        match self {
            Display::Text(_) => Ok(()),
            Display::Ndjson(_) => self.findings(findings),
        }
    }

    fn end(&mut self, report: &Report, groups: Option<&Grouped>) -> Result<(), OutputError> {
        match self {
            Display::Text(options) => text::write(report, groups, options, &mut stdout().lock()),
            Display::Ndjson(stream) => stream.end(report, &mut stdout().lock()),
        }
    }
}

async fn show(
    mut session: Session,
    mut display: Display,
    asked: &args::Show,
) -> anyhow::Result<()> {
    let mut live = LiveView::new(asked.sort_of(session.mode().name()));
    let mut news = News::default();
    let mut written = display.start(&session);
    let ended_by = loop {
        match &written {
            Err(error) if error.is_closed_pipe() => break EndedBy::ClosedPipe,
            Err(_) => break EndedBy::Signal,
            Ok(()) => {}
        }
        match session.next().await? {
            Event::Tick => {
                let report = session.report().await?;
                let groups = asked.groups(&report);
                written = display
                    .interval(&live.interval(&report, groups.as_ref()))
                    .and_then(|()| display.findings(&news.of(&report)));
            }
            Event::Signal(_) => break EndedBy::Signal,
            Event::End(by) => break by,
        }
    };
    let naming = Progress::of(NAMING);
    let ended = session.finish(ended_by).await?;
    drop(naming);
    if written.is_ok() {
        let report = &*ended
            .report
            .sorted(asked.sort_of(&ended.report.window.mode));
        let groups = asked.groups(report);
        let groups = groups.as_ref();
        written = display
            .interval(&live.interval(report, groups))
            .and_then(|()| display.last_findings(&news.of(report)))
            .and_then(|()| display.end(report, groups));
    }
    let written = closed_pipe_is_fine(written);
    if let Some(attached) = ended.attached {
        detach_in_background(attached);
    }
    written
}

/// Reads the process's program and plans its probes.
pub(super) fn prepare(pid: i32, tracing: &args::Tracing) -> Result<Prepared, SessionError> {
    let reading = format!("reading the program of pid {pid}");
    during(reading, || Prepared::new(pid, tracing.wanted()))
}

/// Tells scripts and people that every probe is live.
pub(super) fn announce(session: &Session) {
    let target = session.target();
    anstream::eprintln!(
        "attached to {} (pid {}, {}): {} probes, recording",
        target.exe,
        target.pid,
        target.go_version,
        session.probes()
    );
}

/// Runs a capture's event loop on this thread.
pub(super) fn on_runtime<T>(capture: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .context("cannot start the event loop")?
        .block_on(capture)
}
