//! Replays the events of a program with many sites and stacks through the real decoder, aggregator, symbolizer and
//! report, and prints what that costs in time and memory.
//!
//! The records are made on the way, so that they take no memory themselves. Stacks, types and probes are those of a Go
//! executable: names cost what they cost in a capture.

#[expect(dead_code, reason = "benchmarks replay a batch again, this does not")]
mod batch;
mod load;
mod program;

use anyhow::{Context as _, Result, ensure};
use batch::Batch;
use clap::Parser;
use load::Load;
use program::{Facts, Program};
use rustix::time::{ClockId, clock_gettime};
use std::io::{Write as _, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracer::aggregate::Counters;
use tracer::aggregate::{Aggregator, GcRules, MapRules, Rounding, Rules, Totals};
use tracer::decode::decode;
use tracer::output::json;
use tracer::plan::MapPlan;
use tracer::program::{GoBinary, LoadBias};
use tracer::report::{
    self, Capture, EndedBy, HeapFacts, Mode, Overhead, Report, State, Target, Window,
};
use tracer::stream::Source as _;
use tracer::symbolize::{Symbolizer, Symbols};

/// Bytes of records that are there at once: what two cores produce while the agent rests.
const BATCH_BYTES: usize = 1 << 20;

/// Replay synthetic events and print what they cost the agent
#[derive(Debug, Parser)]
struct Arguments {
    /// Go executable whose functions and types the events have
    #[arg(default_value = "target/programs/1.27.3/plain/large")]
    exe: PathBuf,
    /// Places that allocate
    #[arg(long, default_value_t = 10_000)]
    sites: usize,
    /// Distinct stacks, each of a site
    #[arg(long, default_value_t = 100_000)]
    stacks: u64,
    /// Allocations; 100 for each stack if not given
    #[arg(long)]
    events: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Debug, serde::Serialize)]
struct Outcome {
    sites: usize,
    stacks: usize,
    events: u64,
    ns_per_event: f64,
    peak_rss_bytes: u64,
    report_ms: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let open = || GoBinary::open(&arguments.exe).map(Arc::new);
    let program = Program::of(&open()?, arguments.sites)?;
    // What looking for places took is none of the agent's.
    std::fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak of memory")?;
    let binary = open()?;

    let last = arguments.events.unwrap_or(100 * arguments.stacks);
    let (totals, took) = replay(&program, &binary, arguments.stacks, last);
    ensure!(
        totals.sums.allocs == last && totals.undecodable == 0,
        "events are missing"
    );
    let before_report = peak_memory()?;
    let started = Instant::now();
    let report = report(&binary, &totals);
    json::write(&report, None, &mut std::io::sink())?;
    let outcome = Outcome {
        sites: report.sites.len(),
        stacks: report.stacks.len(),
        events: last,
        ns_per_event: took.as_nanos() as f64 / last as f64,
        peak_rss_bytes: peak_memory()?,
        report_ms: started.elapsed().as_secs_f64() * 1e3,
    };
    print(&arguments, &outcome, &report, before_report)
}

/// Decodes and adds up, as the collecting thread does; gives its CPU time without that of making the records.
fn replay(program: &Program, binary: &Arc<GoBinary>, stacks: u64, last: u64) -> (Totals, Duration) {
    let rules = Rules {
        rows: program.plan.rows.iter().map(|row| row.pointers).collect(),
        headers: program.plan.headers,
    };
    let facts = || Box::new(Facts(Arc::clone(binary)));
    let mut aggregator = Aggregator::new(
        Rounding::new(rules, facts()),
        program.plan.yields,
        (MapRules::default(), GcRules::default()),
        facts(),
    );
    let mut load = Load::new(program, stacks);
    let mut batch = Batch::default();
    let mut took = Duration::ZERO;
    while load.fill(&mut batch, BATCH_BYTES, last) > 0 {
        let started = cpu_time();
        batch.drain(&mut |record| aggregator.apply(decode(record)));
        took += cpu_time().saturating_sub(started);
    }
    (aggregator.into_totals(), took)
}

/// Names and joins, as at the end of a capture.
fn report(binary: &Arc<GoBinary>, totals: &Totals) -> Report {
    let mut symbols = Symbols::default();
    let mut symbolizer = Symbolizer::new(Arc::clone(binary), LoadBias::NONE);
    let pcs = totals.frames.values().map(|frames| &*frames.pcs);
    let stacks = totals.stacks.values();
    let types = stacks.flat_map(|stack| stack.types.iter().map(|row| row.type_pointer));
    symbols.extend(&mut symbolizer, pcs, types);
    report::build(Capture {
        map_plan: &MapPlan::off(),
        faults: false,
        gc_plan: None,
        heap: HeapFacts::none(),
        memory: None,
        start_monotonic_ns: 0,
        target: Target {
            pid: std::process::id(),
            exe: String::new(),
            build_id: None,
            go_version: binary.go_version().to_string(),
            arch: binary.arch().go_name().to_owned(),
            stripped: binary.is_stripped(),
            pie: binary.is_pie(),
            cgo: binary.is_cgo(),
            container: None,
            memory_limit_bytes: None,
        },
        window: Window {
            start_unix_ns: 0,
            duration_ns: 0,
            mode: Mode::Exact,
            mode_steps: Vec::new(),
            state: State::Ended(EndedBy::Duration),
        },
        totals,
        counters: &Counters::default(),
        probed_share: None,
        unseen: false,
        symbols: &symbols,
        timeline: Vec::new(),
        overhead: Overhead::default(),
    })
}

fn print(
    arguments: &Arguments,
    outcome: &Outcome,
    report: &Report,
    before_report: u64,
) -> Result<()> {
    let out = &mut stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(outcome)?)?;
        return Ok(());
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let unbinned: u64 = report.sites.iter().map(|site| site.size.unbinned).sum();
    let completeness = &report.completeness;
    writeln!(out, "executable     {}", arguments.exe.display())?;
    writeln!(out, "sites          {}", outcome.sites)?;
    writeln!(
        out,
        "stacks         {} of {}",
        outcome.stacks, arguments.stacks
    )?;
    writeln!(out, "events         {}", outcome.events)?;
    writeln!(
        out,
        "of these       {} at folded stacks",
        completeness.truncated_stacks
    )?;
    writeln!(
        out,
        "               {} beyond all bounds on stacks",
        completeness.overflowed
    )?;
    writeln!(
        out,
        "               {unbinned} beyond the bound on histograms"
    )?;
    writeln!(
        out,
        "a site has     {} stacks at most",
        report
            .sites
            .iter()
            .map(|site| site.stacks.len())
            .max()
            .unwrap_or(0)
    )?;
    writeln!(out, "CPU per event  {:.1} ns", outcome.ns_per_event)?;
    writeln!(
        out,
        "peak memory    {:.1} MiB before the report",
        mib(before_report)
    )?;
    writeln!(
        out,
        "               {:.1} MiB in all",
        mib(outcome.peak_rss_bytes)
    )?;
    writeln!(
        out,
        "report         {:.0} ms, JSON included",
        outcome.report_ms
    )?;
    Ok(())
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Peak resident memory of this process in bytes.
fn peak_memory() -> Result<u64> {
    let status = procfs::process::Process::myself()?.status()?;
    let kib = status
        .vmhwm
        .context("the kernel does not tell the peak of memory")?;
    Ok(kib * 1024)
}
