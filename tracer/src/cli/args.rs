//! What was typed. Validates, never acts.

use crate::output::Format;
use crate::plan::{Extras, HeapProbes, MapProbes};
use crate::report;
use crate::session::{HeapAsked, Wanted};
use bytesize::ByteSize;
use clap::{Parser, Subcommand, ValueEnum, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use tracer_common::limits::{MAX_FRAMES, MAX_RINGS};

const EXAMPLES: &str = "\
Examples:
  tracer doctor                                   can this host trace?
  tracer record --pid 4242 --duration 10s         a report of ten seconds, on the terminal
  tracer record --pid 4242 --duration 10s -o capture.json -o report.txt
  tracer report capture.json                      show a saved capture again
  tracer attach --pid 4242                        live, until Ctrl-C
  tracer run -- ./server                          from its first instruction to its exit
  tracer heap --pid 4242                          what is alive on its heap, without a probe
  tracer record --pid 4242 --mode sampled         at almost no cost, for hours, until Ctrl-C
  tracer attach --pid 4242 --format ndjson | jq   the stream, for programs

Exit codes: 0 done; 1 failed; 2 bad usage; 3 the target is gone or is not a Go program;
4 not enough privilege; 5 kernel feature missing. `tracer run` gives the program's own.";

const RECORD_EXAMPLES: &str = "\
Examples:
  tracer record --pid 4242 --duration 10s                     report on the terminal
  tracer record --pid 4242 --duration 10s -o capture.json     keep everything; see `tracer report`
  tracer record --pid 4242 --explain                          what would be probed, without probing";

const ATTACH_EXAMPLES: &str = "\
Examples:
  tracer attach --pid 4242 --interval 5s --limit 5
  tracer attach --pid 4242 --format ndjson | jq 'select(.event == \"interval\") | .alloc_bytes'";

const RUN_EXAMPLES: &str = "\
The program has tracer's standard input, output and error, gets the signals that tracer is sent, and
its exit code is tracer's. Under sudo it runs as the user who called sudo. The report goes to standard
error, or to the files named by -o.

Examples:
  tracer run -- ./server -listen :8080
  tracer run -o build.json -- go build ./...";

const HEAP_EXAMPLES: &str = "\
Reads the runtime's own heap profile out of the process: what was sampled since its start, and what of that is
alive as of the last complete cycle of the collector. Nothing is probed or written. The profiler is on in programs
that can show its profile, such as those that import net/http/pprof.

Examples:
  tracer heap --pid 4242                                      what is alive, in a second
  tracer heap --pid 4242 --duration 5m                        and what grows meanwhile: leaks
  tracer heap --pid 4242 -o heap.json                         keep it; see `tracer report`";

const REPORT_EXAMPLES: &str = "\
Examples:
  tracer report capture.json --limit 50
  tracer report capture.json --group-by type      which types, and where they come from
  tracer report capture.json -o capture.txt";

/// Shows where the memory of a running Go program comes from, from outside
///
/// Counts every heap allocation of a running, unmodified Go program by the line of code that makes it: no code change, no
/// restart, no endpoint in the target.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) global: Global,
}

/// Options of every subcommand.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Global {
    /// When to use colour
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    pub(super) color: Color,
    /// Show diagnostic messages, those of the kernel programs included
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Trace a process live, to standard output, until Ctrl-C
    #[command(after_help = ATTACH_EXAMPLES)]
    Attach(Attach),
    /// Trace a process for a while, then report
    #[command(after_help = RECORD_EXAMPLES)]
    Record(Record),
    /// Run a program and trace it from its first instruction to its exit
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Show what is alive on a process's heap, and where it comes from, without a probe
    #[command(after_help = HEAP_EXAMPLES)]
    Heap(Heap),
    /// Show a saved capture
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Tell what this host, and a target, can do
    Doctor(Doctor),
}

/// What to trace, and how.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Target {
    /// Process to trace
    #[arg(long, short, value_parser = value_parser!(i32).range(1..), value_name = "PID")]
    pub(super) pid: i32,
    #[command(flatten)]
    pub(super) tracing: Tracing,
    /// Print the probes that would be attached, and why, then exit
    #[arg(long)]
    pub(super) explain: bool,
}

/// How to trace.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Tracing {
    /// How much to record
    #[arg(long, value_enum, value_name = "MODE", default_value_t = Mode::Auto)]
    pub(super) mode: Mode,
    /// CPU time that probes may take in mode auto, in percent of what the target uses; no effect in other modes
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "5%")]
    pub(super) max_overhead: f64,
    /// What to record of maps [default: growth; off in mode sampled]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) maps: Option<Maps>,
    /// Whether to record page faults [default: on; off in mode sampled]
    #[arg(long, value_enum, value_name = "SWITCH")]
    pub(super) faults: Option<Switch>,
    /// Whether to record what the garbage collector does [default: on; off in mode sampled]
    #[arg(long, value_enum, value_name = "SWITCH")]
    pub(super) gc: Option<Switch>,
    /// Whether to record what stays alive, where the runtime's heap profiler is on; no effect in mode sampled, which always
    /// does
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Switch::On)]
    pub(super) live: Switch,
    /// Leave out allocations of fewer bytes; does not apply to samples, as those of mode sampled
    #[arg(long, value_name = "BYTES", value_parser = bytes, default_value = "0")]
    pub(super) min_size: u64,
    /// Most frames of a stack
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(2..=MAX_FRAMES as u64), default_value_t = MAX_FRAMES as u64)]
    pub(super) stack_depth: u64,
    /// Size of all event rings together, a power of two; 16MiB to 64MiB by default
    #[arg(long, value_name = "BYTES", value_parser = ring_bytes)]
    pub(super) ring_size: Option<u32>,
    /// Number of event rings, a power of two up to 8; by default one for each CPU
    #[arg(long, value_name = "N", value_parser = rings)]
    pub(super) rings: Option<u32>,
}

/// How much to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Each allocation while that fits into --max-overhead, else as many as fit: figures are estimates then
    Auto,
    /// Each allocation, whatever it costs: figures equal the runtime's own
    Exact,
    /// What the runtime's heap profiler samples, about one allocation in 512 KiB: for hours in production. Where it is off,
    /// the spans that allocations fill
    Sampled,
}

/// What to record of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Maps {
    /// How they grow, writes to nil maps, fatal errors: rare, unless maps are made and filled all the time
    Growth,
    /// The same, and each write, delete and clear
    Writes,
    /// Nothing
    Off,
}

/// Whether to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

impl Tracing {
    /// What to record.
    pub(super) fn wanted(&self) -> Wanted {
        let sampled = self.mode == Mode::Sampled;
        let maps = self
            .maps
            .unwrap_or(if sampled { Maps::Off } else { Maps::Growth });
        let is_on = |switch: Option<Switch>| switch.map_or(!sampled, |switch| switch == Switch::On);
        Wanted {
            allocations: !sampled,
            extras: Extras {
                maps: match maps {
                    Maps::Growth => MapProbes::Growth,
                    Maps::Writes => MapProbes::Writes,
                    Maps::Off => MapProbes::Off,
                },
                faults: is_on(self.faults),
                gc: is_on(self.gc),
                // The target says what there is to probe.
                heap: HeapProbes::Off,
            },
            heap: match self.live {
                _ if sampled => HeapAsked::Samples,
                Switch::On => HeapAsked::Live,
                Switch::Off => HeapAsked::Nothing,
            },
        }
    }
}

/// What to show.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Show {
    /// What to sum up by: site, stack, type, function, package, goroutine (the place that made it), or label:KEY for a
    /// label that the program sets with runtime/pprof.Do; the last two need a capture of mode sampled
    #[arg(long, value_name = "WHAT", value_parser = group_by, default_value = "site")]
    pub(super) group_by: Grouping,
    /// What to show first; without it bytes, of `tracer heap` what is alive
    #[arg(long, value_enum, value_name = "FIGURE")]
    pub(super) sort: Option<SortBy>,
    /// Sites or groups to show in text
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: usize,
}

/// What to sum up by; `None` for sites, which a report has anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grouping(Option<report::GroupBy>);

/// What to show first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SortBy {
    /// Most allocated bytes
    Bytes,
    /// Most allocations
    Allocs,
    /// Most page faults
    Faults,
    /// Most live bytes
    Live,
    /// Live bytes that grow fastest
    Growth,
}

impl From<SortBy> for report::SortBy {
    fn from(sort: SortBy) -> Self {
        match sort {
            SortBy::Bytes => report::SortBy::Bytes,
            SortBy::Allocs => report::SortBy::Allocs,
            SortBy::Faults => report::SortBy::Faults,
            SortBy::Live => report::SortBy::Live,
            SortBy::Growth => report::SortBy::Growth,
        }
    }
}

impl Show {
    /// The groups that were asked for; none for sites, which a report has anyway.
    pub(super) fn groups(&self, report: &report::Report) -> Option<report::Grouped> {
        Some(report::Grouped::of(
            report,
            self.group_by.0?,
            self.sort_of(&report.window.mode),
        ))
    }

    /// What to show first of a capture in this mode.
    pub(super) fn sort_of(&self, mode: &str) -> report::SortBy {
        let usual = if mode == "heap" {
            report::SortBy::Live
        } else {
            report::SortBy::Bytes
        };
        self.sort.map_or(usual, Into::into)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Attach {
    #[command(flatten)]
    pub(super) target: Target,
    /// End after this time (30s, 5m); without it, go on until Ctrl-C
    #[arg(long, short, value_parser = duration, value_name = "TIME")]
    pub(super) duration: Option<Duration>,
    /// Time between two outputs
    #[arg(long, short, value_parser = duration, value_name = "TIME", default_value = "1s")]
    pub(super) interval: Duration,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = StreamFormat::Text)]
    pub(super) format: StreamFormat,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Record {
    #[command(flatten)]
    pub(super) target: Target,
    /// How long to record; without it, until Ctrl-C or the target's exit
    #[arg(long, short, value_parser = duration, value_name = "TIME")]
    pub(super) duration: Option<Duration>,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Program to run: a path, or a name that is in PATH
    #[arg(value_name = "PROGRAM")]
    pub(super) program: OsString,
    /// Its arguments
    #[arg(
        value_name = "ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(super) arguments: Vec<OsString>,
    #[command(flatten)]
    pub(super) tracing: Tracing,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Heap {
    /// Process to look at
    #[arg(long, short, value_parser = value_parser!(i32).range(1..), value_name = "PID")]
    pub(super) pid: i32,
    /// Look for so long, to see what grows (30s, 5m); without it, once
    #[arg(long, short, value_parser = duration, value_name = "TIME")]
    pub(super) duration: Option<Duration>,
    /// Time between two looks
    #[arg(long, short, value_parser = duration, value_name = "TIME", default_value = "1s", requires = "duration")]
    pub(super) interval: Duration,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Report {
    /// A capture: a `.json` file made by `tracer record`
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Look at this process, too
    #[arg(long, short, value_parser = value_parser!(i32).range(1..), value_name = "PID")]
    pub(super) pid: Option<i32>,
}

/// Where a report goes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Output {
    /// Write to this file; its name says the format: .txt, .json (full capture) or .ndjson. May be repeated
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Form of the report on standard output, when no file is given
    #[arg(long, value_enum, default_value_t = ReportFormat::Text, conflicts_with = "files")]
    pub(super) format: ReportFormat,
}

/// Forms of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StreamFormat {
    /// For people
    Text,
    /// One JSON object per line
    Ndjson,
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people
    Text,
    /// The full capture
    Json,
    /// One JSON object per line
    Ndjson,
}

impl From<ReportFormat> for Format {
    fn from(format: ReportFormat) -> Self {
        match format {
            ReportFormat::Text => Format::Text,
            ReportFormat::Json => Format::Json,
            ReportFormat::Ndjson => Format::Ndjson,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be longer than 0".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write it like 500ms, 30s or 5m")),
    }
}

/// A share, 0 to 1.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let share = number.parse::<f64>().map(|percent| percent / 100.0);
    share
        .ok()
        .filter(|share| (0.001..=0.9).contains(share))
        .ok_or_else(|| "must be from 0.1% to 90%".to_owned())
}

fn group_by(text: &str) -> Result<Grouping, String> {
    Ok(Grouping(Some(match text {
        "site" => return Ok(Grouping(None)),
        "stack" => report::GroupBy::Stack,
        "type" => report::GroupBy::Type,
        "function" => report::GroupBy::Function,
        "package" => report::GroupBy::Package,
        "goroutine" => report::GroupBy::Goroutine,
        _ if text
            .strip_prefix("label:")
            .is_some_and(|key| !key.is_empty()) =>
        {
            // Typed once, needed as long as the process lives.
            report::GroupBy::Label(Box::leak(text.into()))
        }
        _ => {
            return Err(
                "must be site, stack, type, function, package, goroutine or label:KEY".to_owned(),
            );
        }
    })))
}

fn bytes(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|error| format!("{error}; write it like 512 or 4KiB"))
}

fn ring_bytes(text: &str) -> Result<u32, String> {
    let bytes = u32::try_from(bytes(text)?)
        .ok()
        .filter(|bytes| bytes.is_power_of_two() && *bytes >= 4096);
    bytes.ok_or_else(|| "must be a power of two from 4KiB to 2GiB".to_owned())
}

fn rings(text: &str) -> Result<u32, String> {
    let count = text.parse::<u32>().ok();
    let count = count.filter(|count| count.is_power_of_two() && *count as usize <= MAX_RINGS);
    count.ok_or_else(|| format!("must be a power of two from 1 to {MAX_RINGS}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_option_is_documented_and_consistent() {
        Args::command().help_expected(true).debug_assert();
    }

    #[test]
    fn values_are_checked() {
        let check = |args: &[&str], ok: bool| {
            let parsed = Args::try_parse_from([&["tracer", "record", "--pid"], args].concat());
            assert_eq!(parsed.is_ok(), ok, "{args:?}");
        };
        check(&["1", "--duration", "500ms"], true);
        check(&["0"], false);
        check(&["-4"], false);
        check(&["1", "--duration", "0s"], false);
        check(&["1", "--duration", "soon"], false);
        check(&["1", "--mode", "exact"], true);
        check(&["1", "--mode", "guess"], false);
        check(&["1", "--max-overhead", "2.5%"], true);
        check(&["1", "--max-overhead", "0"], false);
        check(&["1", "--max-overhead", "100%"], false);
        check(&["1", "--maps", "writes"], true);
        check(&["1", "--maps", "reads"], false);
        check(&["1", "--min-size", "4KiB"], true);
        check(&["1", "--ring-size", "1MiB"], true);
        check(&["1", "--ring-size", "1000"], false);
        check(&["1", "--rings", "8"], true);
        check(&["1", "--rings", "3"], false);
        check(&["1", "--rings", "16"], false);
        check(&["1", "--stack-depth", "129"], false);
        check(&["1", "-o", "a.json", "--format", "text"], false);
    }
}
