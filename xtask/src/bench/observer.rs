//! What watches a target while it is measured: nothing, probes that do nothing, the agent, bpftrace. Hides how each is
//! started, how it says that it is there, and how it ends.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Bench, process::Process};

/// What is measured is every allocation, unless a row names another mode.
const EXACT: [&str; 2] = ["--mode", "exact"];

/// From the start of an observer until all its probes are live.
const ATTACH_LIMIT: Duration = Duration::from_secs(60);
/// What an observer says then, whichever it is.
const ATTACHED: &str = "attached to";
/// An observer is attached for this long beyond what is measured: a moment to settle in before, a reserve after.
const RESERVE: Duration = Duration::from_secs(1);

/// What to attach to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observer {
    Nothing,
    /// The example `bare_probes` of the agent's package, with these options.
    BareProbes(&'static [&'static str]),
    /// `tracer record` with these options.
    Agent(&'static [&'static str]),
    /// Counts by stack at the entry of the same functions.
    Bpftrace,
}

/// An observer that is attached.
#[derive(Debug)]
pub(super) struct Attached {
    observer: Observer,
    process: Option<Process>,
    duration: Duration,
    /// When it may begin to detach; `None` for never.
    over: Option<Instant>,
}

/// What the agent says about its capture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Capture {
    pub(super) delivered: u64,
    pub(super) hits: u64,
    pub(super) lost: u64,
    pub(super) duration_s: f64,
    pub(super) cpu_ns_per_event: Option<f64>,
    pub(super) peak_bytes: Option<u64>,
}

impl Observer {
    /// Attaches to the process `pid`, which runs `program`, for at least `window`.
    pub(super) fn attach(
        self,
        bench: &Bench,
        pid: u32,
        program: &Path,
        window: Duration,
    ) -> Result<Attached> {
        let duration = window + RESERVE;
        let command = match self {
            Self::Nothing => None,
            Self::BareProbes(options) => Some(bare_probes(bench, pid, options)),
            Self::Agent(options) => Some(record(bench, pid, duration, options)),
            Self::Bpftrace => Some(bpftrace(bench, pid, program, duration)?),
        };
        let mut attached = Attached {
            observer: self,
            process: None,
            duration,
            over: None,
        };
        if let Some(mut command) = command {
            let process = Process::start(&mut command)?;
            attached.over = Some(process.wait_for(ATTACHED, ATTACH_LIMIT)?.at + duration);
            attached.process = Some(process);
        }
        Ok(attached)
    }
}

impl Attached {
    /// The process that was started, if there is one.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Whether it may be detaching by now, so that what is measured is something else.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some_and(|over| Instant::now() >= over)
    }

    /// Waits for its end. Its target must still run, or the agent would tell of another end than its own.
    pub(super) fn finish(self) -> Result<Option<Capture>> {
        let capture = self.capture()?;
        capture.map(|json| Capture::parse(&json)).transpose()
    }

    /// The same, with the agent's capture as it wrote it.
    pub(super) fn capture(self) -> Result<Option<String>> {
        let Some(mut process) = self.process else {
            return Ok(None);
        };
        process.close_input();
        let (output, _) = process.finish(self.duration)?;
        Ok(matches!(self.observer, Observer::Agent(_)).then_some(output))
    }
}

fn bare_probes(bench: &Bench, pid: u32, options: &[&str]) -> Command {
    let mut command = bench.privilege.command(bench.example("bare_probes"));
    command.arg(pid.to_string()).args(options);
    command
}

/// The agent, with a JSON capture as its output.
pub(super) fn record(bench: &Bench, pid: u32, duration: Duration, options: &[&str]) -> Command {
    let mut command = bench.agent("record", pid);
    command
        .args(["--format", "json", "--duration"])
        .arg(format!("{}ms", duration.as_millis()))
        .args(options);
    if !options.contains(&"--mode") {
        command.args(EXACT);
    }
    command
}

/// The one-liner, between a line that says that the probe is live (bpftrace attaches the first probe last) and an end.
/// The stacks are not printed: naming them takes longer than the measurement.
fn bpftrace(bench: &Bench, pid: u32, program: &Path, duration: Duration) -> Result<Command> {
    let functions = probed_functions(bench, pid)?;
    let places: Vec<String> = functions
        .iter()
        .map(|function| format!("uprobe:{}:{function}", program.display()))
        .collect();
    let script = format!(
        "interval:ms:50 /!@attached/ {{ @attached = 1; printf(\"{ATTACHED} the target\\n\"); }} \
         {} {{ @[ustack] = count(); }} \
         interval:ms:{} {{ clear(@); clear(@attached); exit(); }}",
        places.join(", "),
        duration.as_millis()
    );
    let mut command = bench.privilege.command("bpftrace");
    command
        .args(["-B", "line", "-p", &pid.to_string(), "-e", &script])
        // One place more than the probes of a plan, which may be more than the default limit.
        .env("BPFTRACE_MAX_PROBES", (functions.len() + 2).to_string());
    Ok(command)
}

/// The allocation functions that the agent would probe.
fn probed_functions(bench: &Bench, pid: u32) -> Result<Vec<String>> {
    let mut explain = bench.agent("record", pid);
    explain.args([
        "--explain",
        "--maps",
        "off",
        "--faults",
        "off",
        "--gc",
        "off",
    ]);
    let plan = crate::command::output(&mut explain)?;
    Ok(functions_of(&plan))
}

/// The functions in the table of `--explain`, without those that are not allocation functions.
fn functions_of(plan: &str) -> Vec<String> {
    let rows = plan
        .lines()
        .filter(|line| line.starts_with("runtime.") && !line.contains("rarely passed"));
    let mut functions: Vec<String> = rows
        .filter_map(|row| row.split_whitespace().next().map(str::to_owned))
        .collect();
    functions.dedup();
    functions
}

impl Capture {
    pub(super) fn parse(json: &str) -> Result<Self> {
        let capture: Value =
            serde_json::from_str(json).context("the agent's capture is not JSON")?;
        let number = |path: &str| {
            let value = capture.pointer(path).and_then(Value::as_u64);
            value.with_context(|| format!("the agent's capture has no {path}"))
        };
        let losses = capture
            .pointer("/completeness/lost")
            .and_then(Value::as_object)
            .context("the agent's capture has no losses")?;
        let delivered = number("/completeness/delivered")?;
        let duration_ns = number("/window/duration_ns")? as f64;
        let cpu = capture
            .pointer("/overhead/agent_cpu_pct")
            .and_then(Value::as_f64);
        Ok(Self {
            delivered,
            hits: number("/completeness/hits")?,
            lost: losses.values().filter_map(Value::as_u64).sum(),
            duration_s: duration_ns / 1e9,
            cpu_ns_per_event: cpu
                .filter(|_| delivered > 0)
                .map(|percent| percent / 100.0 * duration_ns / delivered as f64),
            peak_bytes: number("/overhead/agent_rss_bytes").ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_read_and_what_it_did_not_measure_stays_open() {
        let json = r#"{"window":{"duration_ns":2000000000},
            "completeness":{"hits":1100,"delivered":1000,"lost":{"ring_full":90,"scratch_busy":10}},
            "overhead":{"agent_cpu_pct":10.0,"agent_rss_bytes":null}}"#;
        let capture = Capture::parse(json).unwrap();
        assert_eq!((capture.delivered, capture.lost), (1000, 100));
        assert_eq!(capture.cpu_ns_per_event, Some(200_000.0));
        assert_eq!(capture.peak_bytes, None);
        assert!(Capture::parse("{}").is_err());
    }

    #[test]
    fn the_functions_of_a_plan_are_those_that_allocate() {
        let plan = "\
function                address    at  instruction cost           why
runtime.mallocgcTiny   0x420fa0   +10  push rbp    emulated       first instruction after the stack check
runtime.mallocgcLarge  0x4212a0   +10  push rbp    emulated       first instruction after the stack check
runtime.gcAssistAlloc  0x4215e0  +110  -           rarely passed  behind runtime.x: the goroutine may be at another P
coverage: complete, every allocation function of this Go version is known";
        assert_eq!(
            functions_of(plan),
            ["runtime.mallocgcTiny", "runtime.mallocgcLarge"]
        );
    }
}
