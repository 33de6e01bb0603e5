//! What a capture found, as plain data: names resolved, sites ranked, completeness stated.
//!
//! Outputs render a [`Report`] and know nothing else; it hides stack ids, program counters and type addresses. A
//! figure that was not measured is `None`, never 0.

mod basis;
mod build;
mod completeness;
mod course;
mod faults;
mod figures;
#[cfg(test)]
pub(crate) mod fixture;
mod gc;
mod group;
mod heap;
mod maps;
mod memory;
mod origin;
mod records;
mod single;
mod sites;
mod stacks;
mod types;
mod value;
mod window;

pub use build::{Capture, HeapFacts, build};
pub use completeness::{Completeness, Family};
pub use course::thinned;
pub use faults::{FaultFigures, FaultMemory, FaultsByMemory};
pub use gc::{Gc, GcCycle, GcFigures, GcPause, PauseFigures};
pub use group::{Group, GroupBy, GroupSite, Grouped, SortBy};
pub use heap::{Amount, Growth, Heap, HeapSource, History, Live, Probed, Profiler, Recent};
pub use maps::{Crash, MapInstance, MapOperations, MapPart, MapSite, Maps};
pub use memory::{Memory, MemoryPart, PartKind};
pub use origin::Origin;
pub use records::{Counted, Records};
pub use single::{SingleAlloc, type_name};
pub use sites::to_site;
pub(crate) use value::Alive;
pub use value::Value;
pub use window::{EndedBy, Mode, ModeStep, State, Step, Window};

use crate::aggregate::SizesView;
use crate::symbolize;

/// A whole capture.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The traced process and its binary.
    pub target: Target,
    /// When and how it was traced.
    pub window: Window,
    /// Sums over all sites.
    pub totals: Figures,
    /// What the figures cover and what is missing from them.
    pub completeness: Completeness,
    /// What tracing cost.
    pub overhead: Overhead,
    /// Each distinct logical frame once; stacks point into it.
    pub frames: Vec<Frame>,
    /// Call sites, most allocated bytes first.
    pub sites: Vec<Site>,
    /// Every distinct stack, by its id.
    pub stacks: Vec<Stack>,
    /// What was seen of maps; `None` if they were not probed.
    pub maps: Option<Maps>,
    /// Fatal errors of the runtime, and panics that maps are the cause of.
    pub crashes: Vec<Crash>,
    /// Page faults; `None` if they were not recorded.
    pub faults: Option<FaultFigures>,
    /// What the garbage collector did; `None` if it was not probed.
    pub gc: Option<Gc>,
    /// What of the heap is alive; `None` in captures of versions that did not look.
    pub heap: Option<Heap>,
    /// What resident memory consists of at the end; `None` if that could not be read.
    pub memory: Option<Memory>,
    /// The course of the capture, oldest first.
    pub timeline: Vec<TimelinePoint>,
}

/// The traced process and its binary.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Process id in the tracer's pid namespace.
    pub pid: u32,
    /// Path of the executable as the target sees it.
    pub exe: String,
    /// Build id: GNU, else Go's.
    pub build_id: Option<String>,
    /// As the binary tells it: `go1.27.3`, with `-X:` experiments.
    pub go_version: String,
    /// Go's name of the architecture: `amd64`, `arm64`.
    pub arch: String,
    /// Whether the symbol table is missing.
    pub stripped: bool,
    /// Whether the executable is position independent.
    pub pie: bool,
    /// Whether the executable links C code.
    pub cgo: bool,
    /// Id of the container the process runs in.
    pub container: Option<String>,
    /// Least memory limit of its control groups; `None` if there is none.
    pub memory_limit_bytes: Option<u64>,
}

/// Numbers of a site or of the whole capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Heap allocations: equals the delta of `MemStats.Mallocs`.
    pub allocs: u64,
    /// Bytes after rounding to size classes: equals the delta of `MemStats.TotalAlloc`; `None` where the rounding
    /// cannot be known.
    pub alloc_bytes: Option<u64>,
    /// Bytes asked for; `None` where only what they are rounded to is known.
    pub requested_bytes: Option<u64>,
    /// Page faults of both kinds; `None` if they were not recorded, or belong to something else.
    pub faults: Option<u64>,
    /// Bytes alive: of all that was ever allocated if that is known, else of what was allocated since the capture began;
    /// `None` if neither is.
    pub live_bytes: Option<u64>,
    /// How fast that grows, in bytes per second; `None` with fewer than three cycles of the collector.
    pub growth_per_s: Option<i64>,
    /// Set if some allocations were not recorded, so that these figures are estimates.
    pub estimate: Option<Estimate>,
}

impl Figures {
    /// Bytes to compare by: those asked for where the rounding is not known.
    pub fn bytes(&self) -> u64 {
        self.alloc_bytes.or(self.requested_bytes).unwrap_or(0)
    }

    /// Bytes to tell shares by: those asked for, where they are known.
    pub(crate) fn weight(&self) -> u64 {
        self.requested_bytes.or(self.alloc_bytes).unwrap_or(0)
    }
}

/// How good an estimate is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Standard error of [`Figures::allocs`]; `None` if there is too little to tell.
    pub allocs_error: Option<u64>,
    /// Standard error of [`Figures::alloc_bytes`].
    pub alloc_bytes_error: Option<u64>,
}

/// What tracing cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overhead {
    /// Nanoseconds that one hit costs the target.
    pub ns_per_hit: Option<f64>,
    /// Hits per second of recording.
    pub hits_per_s: f64,
    /// CPU time spent in probes, percent of one CPU.
    pub target_cpu_pct: Option<f64>,
    /// The same, percent of the CPU time that the target used.
    pub target_share_pct: Option<f64>,
    /// All CPU time that the target used, that of the probes included, percent of one CPU.
    pub target_used_pct: Option<f64>,
    /// CPU time of the agent, percent of one CPU.
    pub agent_cpu_pct: Option<f64>,
    /// Peak resident memory of the agent in bytes.
    pub agent_rss_bytes: Option<u64>,
}

/// One logical frame: a function, or a function inlined into the next frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// Full name as Go prints it: `net/http.(*conn).serve`.
    pub function: String,
    /// Import path of its package.
    pub package: String,
    /// Source file, empty if unknown.
    pub file: String,
    /// Line in `file`.
    pub line: Option<u32>,
    /// Whether the compiler inlined it into the frame that follows.
    pub inlined: bool,
}

impl From<&symbolize::Frame> for Frame {
    fn from(frame: &symbolize::Frame) -> Self {
        Frame {
            function: frame.function.to_string(),
            package: frame.package.to_string(),
            file: frame.file.as_deref().unwrap_or_default().to_owned(),
            line: frame.line,
            inlined: frame.inlined,
        }
    }
}

/// A place in the code that allocates.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Position in the ranking by bytes, from 1.
    pub id: u32,
    /// Logical frames at the place, innermost first; empty if the place has no name.
    pub frames: Vec<Frame>,
    /// What was allocated here.
    pub figures: Figures,
    /// Distribution of the sizes asked for.
    pub size: SizeSummary,
    /// Go types allocated here, most bytes first.
    pub types: Vec<TypeFigures>,
    /// Page faults here; `None` if they were not recorded.
    pub faults: Option<FaultFigures>,
    /// What it pays for the garbage collector; `None` if that was not probed.
    pub gc: Option<GcFigures>,
    /// What it has alive of all that it ever allocated; `None` if the runtime's own profile could not be read.
    pub live: Option<Live>,
    /// What it has alive of what it allocated since the capture began; `None` if that was not recorded.
    pub recent: Option<Recent>,
    /// How what it has alive changes; `None` with fewer than three cycles of the collector.
    pub growth: Option<Growth>,
    /// Stacks that end here, most bytes first.
    pub stacks: Vec<StackFigures>,
}

/// Distribution of the sizes asked for, in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SizeSummary {
    /// Smallest, exact.
    pub min: u64,
    /// Median; exact for a site of few sizes, else within 1 %.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Largest, exact.
    pub max: u64,
    /// Mean, exact.
    pub mean: f64,
    /// `(size, count)` in ascending order; sizes are exact or the highest equivalent value of a histogram bucket.
    pub buckets: Vec<(u64, u64)>,
    /// Allocations that are in the figures but in no bucket, because the bound on histograms was reached.
    pub unbinned: u64,
}

impl SizeSummary {
    /// Sums up the sizes of what `figures` counts.
    pub(crate) fn of(view: SizesView, figures: &Figures) -> Self {
        let at = |percent| view.percentile(percent).unwrap_or(0);
        SizeSummary {
            min: view.buckets.first().map_or(0, |(size, _)| *size),
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
            mean: if figures.allocs > 0 {
                figures.weight() as f64 / figures.allocs as f64
            } else {
                0.0
            },
            unbinned: view.unbinned,
            buckets: view.buckets,
        }
    }

    /// The sizes of all of `parts`, which `figures` counts together.
    pub(crate) fn merged(parts: &[&SizeSummary], figures: &Figures) -> Self {
        let buckets = parts.iter().flat_map(|part| part.buckets.iter().copied());
        let unbinned = parts.iter().map(|part| part.unbinned);
        let view = SizesView::of(buckets.collect(), unbinned.fold(0, u64::saturating_add));
        Self::of(view, figures)
    }
}

/// What a site allocated of one Go type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeFigures {
    /// Name as Go prints it; `-` if the type is not known.
    pub name: String,
    /// Allocations.
    pub allocs: u64,
    /// Bytes after rounding to size classes; `None` where the rounding cannot be known.
    pub alloc_bytes: Option<u64>,
    /// Bytes asked for; `None` where only what they are rounded to is known.
    pub bytes: Option<u64>,
    /// Bytes that the garbage collector must scan for pointers; `None` if that is not known.
    pub pointer_bytes: Option<u64>,
    /// Bytes alive of all that was ever allocated; `None` if that is not known of the type.
    pub live_bytes: Option<u64>,
}

impl TypeFigures {
    /// Its figures, as those of a site.
    pub(crate) fn figures(&self) -> Figures {
        Figures {
            faults: None,
            live_bytes: self.live_bytes,
            growth_per_s: None,
            allocs: self.allocs,
            alloc_bytes: self.alloc_bytes,
            requested_bytes: self.bytes,
            estimate: None,
        }
    }

    /// Bytes to compare types of one place by: those asked for, where they are known.
    pub(crate) fn weight(&self) -> u64 {
        self.bytes.or(self.alloc_bytes).unwrap_or(0)
    }

    /// Adds what was allocated elsewhere of the same type.
    pub(crate) fn merge(&mut self, other: &Self) {
        let sum = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a.saturating_add(b));
        self.allocs = self.allocs.saturating_add(other.allocs);
        self.alloc_bytes = sum(self.alloc_bytes, other.alloc_bytes);
        self.bytes = sum(self.bytes, other.bytes);
        self.pointer_bytes = sum(self.pointer_bytes, other.pointer_bytes);
        self.live_bytes = match (self.live_bytes, other.live_bytes) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
    }
}

/// What came through one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackFigures {
    /// Which stack.
    pub id: u64,
    /// What it allocated.
    pub figures: Figures,
    /// Go types allocated through it, most bytes first; empty in captures of versions that did not keep them apart, unless
    /// its site has one type only.
    pub types: Vec<TypeFigures>,
    /// What it has alive of all that it ever allocated; `None` if that is not known, as in captures of versions that did
    /// not look.
    pub live: Option<Amount>,
    /// The same of what it allocated since the capture began.
    pub recent: Option<Amount>,
}

/// One distinct stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Identity within the capture.
    pub id: u64,
    /// Indices into [`Report::frames`], innermost first.
    pub frames: Vec<usize>,
    /// The `go` statement that made the goroutine, index into [`Report::frames`]; `None` if that is not known.
    pub creator: Option<usize>,
    /// Labels of the goroutine, as `runtime/pprof.Do` sets them.
    pub labels: Vec<(String, String)>,
}

/// One point of the course of a capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelinePoint {
    /// Nanoseconds since the start of recording, at the end of the interval.
    pub t_ns: u64,
    /// Allocations in the interval; `None` while some were recorded in windows only: it is known too late for which
    /// interval a window stands.
    pub allocs: Option<u64>,
    /// Bytes of the interval, rounded to size classes; while there are windows, as the runtime counts them: when a span
    /// is full.
    pub alloc_bytes: Option<u64>,
    /// Resident memory of the target at the end of the interval.
    pub rss_bytes: Option<u64>,
    /// Its part of no file.
    pub rss_anon_bytes: Option<u64>,
    /// Its part of files, and shared.
    pub rss_file_bytes: Option<u64>,
    /// What was swapped out.
    pub swap_bytes: Option<u64>,
    /// Bytes that the collector takes for live: `heapLive`.
    pub heap_live: Option<u64>,
    /// The size at which the next collection should be done: `MemStats.NextGC`.
    pub heap_goal: Option<u64>,
    /// Page faults in the interval.
    pub faults: Option<u64>,
    /// Collections that ended in the interval, as the runtime counts them.
    pub gc_cycles: Option<u64>,
    /// What the control group with the least memory limit uses.
    pub limit_used_bytes: Option<u64>,
}
