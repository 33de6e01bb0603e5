//! `tracer attach`: the same capture, shown while it runs.

use super::args::{self, Attach, Global, StreamFormat};
use super::messages::say;
use super::outlet::{Inlet, Outlet};
use super::progress::{Progress, during};
use super::sinks::{Misuse, StandardStream, closed_pipe_is_fine, print};
use super::{config, terminal};
use crate::capture::{Event, Feed, LiveView, Prepared, Session, SessionError, SingleSink};
use crate::collect::Missed;
use crate::findings::News;
use crate::kernel::{self, detach_in_background};
use crate::output::ndjson::{Skipped, Stream, write_single, write_stack};
use crate::output::text::{self, TextOptions};
use crate::output::{OutputError, interval::Interval};
use crate::report::{EndedBy, Frame, Report, SingleAlloc};
use anyhow::{Context as _, anyhow, bail};
use std::io::{self, stdout};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long the end of a capture waits for a reader of standard output who takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn run(args: &Attach, global: &Global) -> anyhow::Result<()> {
    if args.target.explain {
        let prepared = Prepared::new(args.target.pid, args.target.tracing.wanted())?;
        return print(&prepared.plan().to_string());
    }
    if args.events && args.format == StreamFormat::Text {
        return Err(Misuse::EventsAsText.into());
    }
    kernel::require()?;
    let prepared = prepare(args.target.pid, &args.target.tracing)?;
    let options = terminal::options(StandardStream::Out, global, args.show.limit);
    on_runtime(async {
        let request = config::attach(args, global);
        let session = during("attaching", || prepared.start(&request))?;
        announce(&session);
        let outlet = Outlet::start(stdout()).context("cannot write to standard output")?;
        let display = match args.format {
            StreamFormat::Text => Display::Text(options),
            StreamFormat::Ndjson => Display::Ndjson(Stream::default()),
        };
        let shown = show(session, display, outlet.inlet(), &args.show).await;
        let written = outlet.finish(PATIENCE);
        shown.and_then(|()| complete(written))
    })
}

/// What the end of a capture takes most of its time for.
pub(super) const NAMING: &str = "naming functions and types";

/// What became of the output.
fn complete(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => bail!(
            "cannot write all of the output: its reader has taken nothing for {} s; read standard output to its end, or write to a file with `tracer record -o`",
            PATIENCE.as_secs()
        ),
        written => closed_pipe_is_fine(written.map_err(OutputError::Write)),
    }
}

/// How intervals are laid out.
enum Display {
    Text(TextOptions),
    Ndjson(Stream),
}

impl Display {
    fn start(&mut self, session: &Session, out: &mut Vec<u8>) -> Result<(), OutputError> {
        match self {
            Display::Text(_) => Ok(()),
            Display::Ndjson(stream) => stream.start(
                session.target(),
                session.start_unix_ns(),
                session.mode().name(),
                out,
            ),
        }
    }

    fn interval(
        &mut self,
        interval: &Interval<'_>,
        report: &Report,
        skipped: Skipped,
        out: &mut Vec<u8>,
    ) -> Result<(), OutputError> {
        match self {
            Display::Text(options) => text::write_interval(interval, options, out),
            Display::Ndjson(stream) => {
                stream.interval(interval, out)?;
                stream.lost(report, skipped, out)
            }
        }
    }
}

/// A capture that is shown while it runs.
struct Live<'a> {
    display: Display,
    asked: &'a args::Show,
    view: LiveView,
    news: News,
    inlet: Inlet,
    missed: Option<Missed>,
    skipped: Skipped,
}

impl Live<'_> {
    /// Shows what happened since the last time.
    fn step(&mut self, report: &Report) -> Result<(), OutputError> {
        let mut out = Vec::new();
        self.interval(report, &mut out)?;
        let findings = self.news.of(report);
        match &mut self.display {
            Display::Text(options) => text::write_findings(&findings, options, &mut out)?,
            Display::Ndjson(stream) => stream.findings(&findings, &mut out)?,
        }
        self.inlet.send(out);
        Ok(())
    }

    fn interval(&mut self, report: &Report, out: &mut Vec<u8>) -> Result<(), OutputError> {
        self.skipped.events = self.missed.as_ref().map_or(0, Missed::count);
        let groups = self.asked.groups(report);
        let interval = self.view.interval(report, groups.as_ref());
        self.display.interval(&interval, report, self.skipped, out)
    }

    /// Shows the last interval, and the whole.
    fn end(mut self, report: &Report) -> Result<(), OutputError> {
        let report = &*report.sorted(self.asked.sort_of(&report.window.mode));
        let mut out = Vec::new();
        self.interval(report, &mut out)?;
        match &mut self.display {
            // It has all findings.
            Display::Text(options) => {
                let groups = self.asked.groups(report);
                text::write(report, groups.as_ref(), options, &mut out)?;
            }
            Display::Ndjson(stream) => {
                stream.findings(&self.news.of(report), &mut out)?;
                stream.end(report, &mut out)?;
            }
        }
        self.inlet.send(out);
        Ok(())
    }
}

async fn show(
    mut session: Session,
    mut display: Display,
    inlet: Inlet,
    asked: &args::Show,
) -> anyhow::Result<()> {
    let mut first = Vec::new();
    display.start(&session, &mut first)?;
    inlet.send(first);
    let feed = session.take_feed();
    let mut live = Live {
        display,
        asked,
        view: LiveView::new(asked.sort_of(session.mode().name())),
        news: News::default(),
        missed: feed.as_ref().map(Feed::missed),
        skipped: Skipped::default(),
        inlet: inlet.clone(),
    };
    let singles = feed.map(|feed| show_singles(feed, inlet.clone()));
    let singles = singles.transpose()?;
    let ended_by = loop {
        if inlet.has_failed() {
            break EndedBy::ClosedPipe;
        }
        match session.next().await? {
            // What is left out now is a part of the next interval.
            Event::Tick if !inlet.has_room() => live.skipped.intervals += 1,
            Event::Tick => live.step(&session.report().await?)?,
            Event::Signal(_) => break EndedBy::Signal,
            Event::End(by) => break by,
        }
    };
    let naming = Progress::of(NAMING);
    let ended = session.finish(ended_by).await?;
    drop(naming);
    if let Some(singles) = singles {
        let panicked = |_panic| anyhow!("the thread that writes allocations has panicked");
        singles.join().map_err(panicked)?;
    }
    let shown = live.end(&ended.report);
    if let Some(attached) = ended.attached {
        detach_in_background(attached);
    }
    Ok(shown?)
}

/// Writes a line for each allocation, from a thread of its own.
fn show_singles(feed: Feed, inlet: Inlet) -> anyhow::Result<JoinHandle<()>> {
    let mut lines = Lines {
        inlet,
        waiting: Vec::new(),
    };
    let thread = thread::Builder::new().name("events".to_owned());
    let thread = thread.spawn(move || feed.run(&mut lines));
    thread.context("cannot start a thread for single allocations")
}

/// Lines of single allocations on their way out.
struct Lines {
    inlet: Inlet,
    waiting: Vec<u8>,
}

impl SingleSink for Lines {
    fn is_ready(&self) -> bool {
        self.inlet.has_room_for_singles()
    }

    fn stack(&mut self, id: u64, frames: &[Frame]) {
        // Writing to memory does not fail.
        write_stack(id, frames, &mut self.waiting).unwrap_or_default();
    }

    fn alloc(&mut self, alloc: &SingleAlloc<'_>) {
        write_single(alloc, &mut self.waiting).unwrap_or_default();
    }

    fn pause(&mut self) {
        self.inlet.send(std::mem::take(&mut self.waiting));
    }
}

/// Reads the process's program and plans its probes.
pub(super) fn prepare(pid: i32, tracing: &args::Tracing) -> Result<Prepared, SessionError> {
    let reading = format!("reading the program of pid {pid}");
    during(reading, || Prepared::new(pid, tracing.wanted()))
}

/// Tells scripts and people that every probe is live.
pub(super) fn announce(session: &Session) {
    let target = session.target();
    say(format_args!(
        "attached to {} (pid {}, {}): {} probes, recording",
        target.exe,
        target.pid,
        target.go_version,
        session.probes()
    ));
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
