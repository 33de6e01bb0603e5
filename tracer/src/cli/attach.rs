//! `tracer attach`: the same capture, shown while it runs.

use super::args::{self, Attach, Global, StreamFormat};
use super::driving::{self, Announcement, Naming};
use super::outlet::{Inlet, Outlet};
use super::progress::during;
use super::sinks::{Misuse, StandardStream, closed_pipe_is_fine};
use super::{config, terminal};
use crate::capture::{Capture, Feed, Request, SingleSink};
use crate::collect::Missed;
use crate::drive::{self, Consumer, Course, Driver, Flow, Moment};
use crate::findings::News;
use crate::live::{LiveView, interval::Interval};
use crate::output::OutputError;
use crate::output::ndjson::{Skipped, Stream, write_single, write_stack};
use crate::output::text::{self, TextOptions};
use crate::report::{EndedBy, Frame, Report, SingleAlloc};
use anyhow::{Context as _, anyhow, bail};
use std::io::{self, stdout};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long the end of a capture waits for a reader of standard output who takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn run(args: &Attach, global: &Global) -> anyhow::Result<()> {
    if driving::explained(&args.target)? {
        return Ok(());
    }
    if args.events && args.format == StreamFormat::Text {
        return Err(Misuse::EventsAsText.into());
    }
    let prepared = driving::prepared(&args.target)?;
    let request = Request {
        singles: args.events,
        ..config::request(&args.target.tracing, global)
    };
    let mut driver = Driver::new(Course {
        duration: args.duration,
        interval: args.interval,
    })?;
    during("attaching", || driver.start(vec![prepared], &request))?;
    let display = match args.format {
        StreamFormat::Text => Display::Text(terminal::options(
            StandardStream::Out,
            global,
            args.show.limit,
        )),
        StreamFormat::Ndjson => Display::Ndjson(Stream::default()),
    };
    let outlet = Outlet::start(stdout()).context("cannot write to standard output")?;
    let mut live = Live::new(display, &args.show, outlet.inlet());
    let consumers: &mut [&mut dyn Consumer] =
        &mut [&mut Announcement, &mut Naming::default(), &mut live];
    let shown = driving::drive(driver, consumers);
    drop(live);
    let written = outlet.finish(PATIENCE);
    shown.and_then(|()| complete(written))
}

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
    fn start(&mut self, capture: &Capture, out: &mut Vec<u8>) -> Result<(), OutputError> {
        match self {
            Display::Text(_) => Ok(()),
            Display::Ndjson(stream) => stream.start(
                capture.target(),
                capture.started().unix_ns(),
                &capture.mode().of_report(),
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
    /// There once the capture has started.
    view: Option<LiveView>,
    news: News,
    inlet: Inlet,
    missed: Option<Missed>,
    skipped: Skipped,
    /// The thread that writes single allocations.
    singles: Option<JoinHandle<()>>,
}

impl Consumer for Live<'_> {
    fn started(&mut self, capture: &mut Capture) -> anyhow::Result<()> {
        let mut first = Vec::new();
        self.display.start(capture, &mut first)?;
        self.inlet.send(first);
        self.view = Some(LiveView::new(
            self.asked.sort_of(&capture.mode().of_report()),
        ));
        if let Some(feed) = capture.take_feed() {
            self.missed = Some(feed.missed());
            self.singles = Some(show_singles(feed, self.inlet.clone())?);
        }
        Ok(())
    }

    fn moment(&mut self, moment: &mut Moment<'_>) -> anyhow::Result<Flow> {
        if self.inlet.has_failed() {
            return Ok(Flow::End(EndedBy::ClosedPipe));
        }
        if self.inlet.has_room() {
            self.step(match self.asked.detail() {
                Some(detail) => moment.by_place(detail)?,
                None => moment.report()?,
            })?;
        } else {
            // What is left out now is a part of the next interval.
            self.skipped.intervals += 1;
        }
        Ok(Flow::GoOn)
    }

    fn ended(&mut self, report: &Report) -> anyhow::Result<()> {
        if let Some(singles) = self.singles.take() {
            let panicked = |_panic| anyhow!("the thread that writes allocations has panicked");
            singles.join().map_err(panicked)?;
        }
        Ok(self.end(report)?)
    }
}

impl<'a> Live<'a> {
    fn new(display: Display, asked: &'a args::Show, inlet: Inlet) -> Self {
        Live {
            display,
            asked,
            view: None,
            news: News::default(),
            inlet,
            missed: None,
            skipped: Skipped::default(),
            singles: None,
        }
    }

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
        let Some(view) = &mut self.view else {
            return Ok(());
        };
        let interval = view.interval(report, groups.as_ref());
        self.display.interval(&interval, report, self.skipped, out)
    }

    /// Shows the last interval, and the whole.
    fn end(&mut self, report: &Report) -> Result<(), OutputError> {
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

/// Writes a line for each allocation, from a thread of its own.
fn show_singles(feed: Feed, inlet: Inlet) -> anyhow::Result<JoinHandle<()>> {
    let mut lines = Lines {
        inlet,
        waiting: Vec::new(),
    };
    let thread = thread::Builder::new().name("events".to_owned());
    let thread = thread.spawn(move || feed.run(&mut lines, drive::now));
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
