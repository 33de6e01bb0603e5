//! What can be known of a process before it is traced: read from outside, without a probe in it.

use crate::kernel::{self, Anchors, HitCost, Settings};
use crate::plan::{self, Extras};
use crate::program::{
    CpuClock, GoBinary, HeapProfile, LoadBias, Means, Process, ProfilerState, RuntimeView,
    TargetError,
};
use std::thread;
use std::time::{Duration, Instant};
use tracer_common::limits::MAX_FRAMES;

/// Time between the two readings of what the process does.
const BETWEEN: Duration = Duration::from_millis(500);

/// The facts.
#[derive(Clone, Debug)]
pub struct Target {
    /// The process.
    pub pid: i32,
    /// Its executable.
    pub exe: String,
    /// Version, architecture, and how it was built.
    pub build: String,
    /// How its memory is read, or why it is not.
    pub memory: Result<Means, String>,
    /// The runtime's heap profiler, or why that is not known.
    pub profiler: Result<ProfilerState, String>,
    /// Memory limit of its control groups, bytes.
    pub group_limit: Option<u64>,
    /// `GOMEMLIMIT` in bytes; `None` if there is none, or it is not known.
    pub go_limit: Option<u64>,
    /// What it does now; `None` if that cannot be read.
    pub rates: Option<Rates>,
    /// What a hit costs on this host; `None` if it could not be measured.
    pub hit_cost: Option<HitCost>,
}

/// What a process does now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Time between the two readings, seconds.
    pub over_s: f64,
    /// Bytes that it allocates in a second.
    pub bytes_per_s: f64,
    /// Allocations in a second; `None` if the runtime's counts cannot be found.
    pub allocs_per_s: Option<f64>,
    /// CPUs that it keeps busy.
    pub cpus: f64,
}

impl Target {
    /// Looks at the process `pid`, which takes half a second. With `may_load`, the cost of a hit is measured, on a function
    /// of the agent's own.
    ///
    /// # Errors
    /// The process is gone, may not be looked at, or is no Go program that can be traced.
    pub fn examine(pid: i32, may_load: bool) -> Result<Self, TargetError> {
        let process = Process::open(pid)?;
        let binary = process.binary()?;
        let bias = process.load_bias(&binary)?;
        let profile = HeapProfile::open(&process, &binary, bias);
        let profiler = profile.and_then(|profile| profile.state());
        let view = RuntimeView::open(&process, &binary, bias);
        let group = process.memory_group();
        let go_limit = view.as_ref().and_then(RuntimeView::read);
        Ok(Target {
            pid: process.pid(),
            exe: process.exe_name()?.path.display().to_string(),
            build: build(&binary),
            memory: memory(&process, &binary, bias),
            profiler: profiler.map_err(|error| told(error.into())),
            group_limit: group.limit_bytes,
            go_limit: go_limit.and_then(|figures| figures.controller.limit()),
            rates: view.and_then(|view| rates(&process, &view)),
            hit_cost: may_load
                .then(|| hit_cost(&process, &binary, bias))
                .flatten(),
        })
    }
}

fn build(binary: &GoBinary) -> String {
    let yes = |flag| if flag { "yes" } else { "no" };
    format!(
        "{} {}, stripped: {}, position independent: {}, cgo: {}",
        binary.go_version(),
        binary.arch().go_name(),
        yes(binary.is_stripped()),
        yes(binary.is_pie()),
        yes(binary.is_cgo()),
    )
}

/// Reads a word of the process's code, which every Go program has.
fn memory(process: &Process, binary: &GoBinary, bias: LoadBias) -> Result<Means, String> {
    let memory = process.memory().map_err(|error| told(error.into()))?;
    let code = binary.text().map(|(start, _)| bias.to_runtime(start));
    let word = code.and_then(|code| memory.word(code));
    let means = process.memory_means().filter(|_| word.is_some());
    means.ok_or_else(|| "its code could not be read; the process may have exited".to_owned())
}

/// Reads twice what the runtime has counted.
fn rates(process: &Process, view: &RuntimeView) -> Option<Rates> {
    let cpu = CpuClock::of(process)?;
    let read = || {
        let bytes = view.read()?.controller.total_alloc;
        Some((Instant::now(), cpu.now()?, bytes, view.allocations()))
    };
    let (began, cpu_before, bytes_before, allocs_before) = read()?;
    thread::sleep(BETWEEN);
    let (ended, cpu_after, bytes_after, allocs_after) = read()?;
    let over_s = ended.duration_since(began).as_secs_f64();
    let per_s = |before: u64, after: u64| after.saturating_sub(before) as f64 / over_s;
    Some(Rates {
        over_s,
        bytes_per_s: per_s(bytes_before, bytes_after),
        allocs_per_s: allocs_before
            .zip(allocs_after)
            .map(|(before, after)| per_s(before, after)),
        cpus: cpu_after.saturating_sub(cpu_before).as_secs_f64() / over_s,
    })
}

fn hit_cost(process: &Process, binary: &GoBinary, bias: LoadBias) -> Option<HitCost> {
    let plan = plan::exact(binary, Extras::NONE).ok()?;
    let settings = Settings {
        min_size: 0,
        stack_depth: MAX_FRAMES as u64,
        timestamps: false,
        ring_bytes: None,
        rings: None,
        verbose: false,
        anchors: Anchors::of(process, binary, bias, &plan),
    };
    kernel::hit_cost(&settings).unwrap_or_else(|error| {
        log::debug!("the cost of a hit is not known: {error}");
        None
    })
}

/// The whole chain of causes.
fn told(error: anyhow::Error) -> String {
    format!("{error:#}")
}
