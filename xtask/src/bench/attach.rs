//! How soon the agent is there, by the size of the executable: attached, first event, and the report after the end.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::{
    Bench, Outcome,
    budget::{Budget, Limit},
    churn,
    process::{Line, Process, Stream, wait_for_detaches},
    stats::Summary,
    table::{self, Table},
};
use crate::{go, programs, progress};

/// Until a program says that it runs, until the agent is attached, until an event arrives.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two outputs of `tracer attach`: how precisely the time of the first event is known.
const INTERVAL: &str = "20ms";
/// How long each capture lasts.
const CAPTURE: Duration = Duration::from_secs(1);
/// The large program, which shows its first figures the later the more of them there are.
const FEW_SITES: &str = "generated, 550 sites";
const MANY_SITES: &str = "generated, 12,500 sites";
/// What the service says first, before its URL.
const LISTENING: &str = "listening on ";
/// Longer than any capture; the load is ended with it.
const LOAD_DURATION: &str = "1m";
/// From this size on an executable is large.
const LARGE_BYTES: u64 = 100_000_000;

/// A program to attach to.
#[derive(Debug)]
struct Subject {
    name: &'static str,
    kind: Kind,
    program: PathBuf,
}

#[derive(Debug)]
enum Kind {
    /// Starts and says `ready`.
    Plain(&'static [&'static str]),
    /// Says where it listens, and is put under load by another program.
    Service { load: PathBuf },
}

/// Processes that run while the agent attaches; they end with this value.
#[derive(Debug)]
struct Running {
    target: Process,
    _load: Option<Process>,
}

/// Milliseconds of one round.
#[derive(Debug, Clone, Copy)]
struct Times {
    attached: f64,
    first_event: f64,
    report: f64,
}

/// All rounds of one program.
#[derive(Debug, Serialize)]
struct Figures {
    program: &'static str,
    bytes: u64,
    attached_ms: Option<Summary>,
    first_event_ms: Option<Summary>,
    report_ms: Option<Summary>,
}

pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let subjects = subjects(bench)?;
    let mut times = vec![Vec::new(); subjects.len()];
    for round in 1..=bench.rounds {
        for (subject, times) in subjects.iter().zip(&mut times) {
            let name = subject.name;
            let message = format!("attach, round {round} of {}: {name}", bench.rounds);
            times.push(progress::during(&message, || once(bench, subject))?);
        }
    }
    let rounds = subjects.iter().zip(&times);
    let figures: Vec<Figures> = rounds
        .map(|(subject, times)| Figures::of(subject, times))
        .collect::<Result<_>>()?;
    Ok(Outcome {
        tables: vec![table(bench, &figures)],
        budgets: figures.iter().filter_map(Figures::budget).collect(),
        data: serde_json::to_value(&figures)?,
    })
}

fn subjects(bench: &Bench) -> Result<Vec<Subject>> {
    let toolchain = go::toolchain(Some(bench.version))?;
    let load = programs::build(&toolchain, "load")?;
    let large = bench.large()?;
    let subject = |name, program, kind| Subject {
        name,
        kind,
        program,
    };
    Ok(vec![
        subject("churn", churn::build(bench.version)?, Kind::Plain(&[])),
        subject(
            "the demo service",
            programs::build(&toolchain, "service")?,
            Kind::Service { load },
        ),
        subject(FEW_SITES, large.clone(), Kind::Plain(&["110"])),
        // Each function allocates at five places.
        subject(MANY_SITES, large, Kind::Plain(&["2500"])),
    ])
}

impl Subject {
    fn start(&self) -> Result<Running> {
        match &self.kind {
            Kind::Plain(arguments) => {
                let target = Process::start(Command::new(&self.program).args(*arguments))?;
                target.wait_for("ready", LIMIT)?;
                Ok(Running {
                    target,
                    _load: None,
                })
            }
            Kind::Service { load } => {
                let target = Process::start(&mut Command::new(&self.program))?;
                let line = target.wait_for(LISTENING, LIMIT)?;
                let url = line.text.trim_start_matches(LISTENING);
                let mut load = Command::new(load);
                load.args(["-target", url, "-duration", LOAD_DURATION]);
                Ok(Running {
                    target,
                    _load: Some(Process::start(&mut load)?),
                })
            }
        }
    }
}

/// A stream for the time of the first event, then a report on the terminal for what comes after the end.
fn once(bench: &Bench, subject: &Subject) -> Result<Times> {
    let duration = format!("{}ms", CAPTURE.as_millis());
    let stream = capture(subject, has_events, |pid| {
        let mut attach = bench.agent("attach", pid);
        attach.args(["--format", "ndjson", "--interval", INTERVAL]);
        attach.args(["--duration", &duration]);
        attach
    })?;
    let report = capture(
        subject,
        |_| true,
        |pid| {
            let mut record = bench.agent("record", pid);
            record.args(["--duration", &duration]);
            record
        },
    )?;
    let ended = report.attached + CAPTURE;
    Ok(Times {
        attached: milliseconds(stream.attached - stream.started),
        first_event: milliseconds(stream.first_wanted - stream.started),
        report: milliseconds(report.first_wanted.saturating_duration_since(ended)),
    })
}

/// When what happened in one capture.
#[derive(Debug)]
struct Course {
    started: Instant,
    attached: Instant,
    /// The first line of output that was waited for.
    first_wanted: Instant,
}

/// Runs the agent against a fresh target, to its end.
fn capture(
    subject: &Subject,
    is_wanted: impl Fn(&str) -> bool,
    agent: impl FnOnce(u32) -> Command,
) -> Result<Course> {
    let running = subject.start()?;
    let agent = Process::start(&mut agent(running.target.pid()))?;
    let (mut attached, mut first_wanted) = (None, None);
    // Two streams: a line of one may overtake a line of the other.
    while attached.is_none() || first_wanted.is_none() {
        let line = agent.line(LIMIT)?;
        let Line { at, stream, text } = line.context("the agent ended without any event")?;
        match stream {
            Stream::Messages if text.starts_with("attached to") => attached = Some(at),
            Stream::Output if first_wanted.is_none() && is_wanted(&text) => first_wanted = Some(at),
            Stream::Messages | Stream::Output => {}
        }
    }
    let started = agent.started();
    agent.finish(LIMIT)?;
    drop(running);
    wait_for_detaches()?;
    Ok(Course {
        started,
        attached: attached.context("the agent did not attach")?,
        first_wanted: first_wanted.context("the agent had no output")?,
    })
}

/// Whether a line of the stream is an interval in which something was allocated.
fn has_events(line: &str) -> bool {
    let Ok(line) = serde_json::from_str::<Value>(line) else {
        return false;
    };
    line["event"] == "interval" && line["allocs"].as_u64().is_some_and(|allocs| allocs > 0)
}

impl Figures {
    fn of(subject: &Subject, times: &[Times]) -> Result<Self> {
        let of = |time: fn(&Times) -> f64| Summary::of(times.iter().map(time));
        let program = &subject.program;
        let metadata = fs::metadata(program);
        Ok(Self {
            program: subject.name,
            bytes: metadata
                .with_context(|| format!("cannot read {}", program.display()))?
                .len(),
            attached_ms: of(|times| times.attached),
            first_event_ms: of(|times| times.first_event),
            report_ms: of(|times| times.report),
        })
    }

    /// An executable that is not large would meet the first one too easily, a program of few sites the second.
    fn budget(&self) -> Option<Budget> {
        let limit = Limit::AtMost(500.0);
        let (what, figure) = match self.program {
            FEW_SITES if self.bytes >= LARGE_BYTES => (
                "first event from an executable of 100 MB",
                self.first_event_ms,
            ),
            MANY_SITES => (
                "report of 12,500 sites after the end of a capture",
                self.report_ms,
            ),
            _ => return None,
        };
        Budget::of(what, limit, figure, "ms")
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn table(bench: &Bench, figures: &[Figures]) -> Table {
    let rows = figures.iter().map(|figures| {
        vec![
            figures.program.to_owned(),
            table::megabytes(figures.bytes),
            table::range(figures.attached_ms),
            table::range(figures.first_event_ms),
            table::range(figures.report_ms),
        ]
    });
    Table {
        title: "How soon tracer is there, and done".to_owned(),
        header: vec![
            "",
            "executable",
            "attached, ms",
            "first event, ms",
            "end to report, ms",
        ],
        rows: rows.collect(),
        notes: vec![format!(
            "From the start of the tracer's process, and from the end of the capture to the first line of its report. \
             Median (min–max) of {} rounds; the first event is shown every {INTERVAL}.",
            bench.rounds
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_large_executable_has_a_budget_for_the_first_event() {
        let figures = |bytes| Figures {
            program: FEW_SITES,
            bytes,
            attached_ms: Summary::of([1.0]),
            first_event_ms: Summary::of([612.0]),
            report_ms: None,
        };
        assert!(figures(12_000_000).budget().is_none());
        assert!(!figures(104_000_000).budget().unwrap().met);
    }

    #[test]
    fn an_interval_without_allocations_is_no_event() {
        assert!(!has_events(r#"{"event":"interval","allocs":0}"#));
        assert!(!has_events(r#"{"event":"site","allocs":7}"#));
        assert!(!has_events("attached"));
        assert!(has_events(r#"{"event":"interval","allocs":7}"#));
    }
}
