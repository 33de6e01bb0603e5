//! What of the heap is alive, and since when: samples of a capture, and the runtime's own profile of the time before.
//!
//! Hides the scaling, and how a trend is told from noise.

mod growth;
mod scale;

pub use growth::Growth;
pub(super) use scale::{Scaled, Scaling, allocated, sizes};

use crate::aggregate::{BucketHistory, HeapHistory, HeapStack, LiveObject, Moments};
use crate::program::Counts;
use std::collections::HashMap;

/// Goroutines that are named at a site, those with most live objects.
const GOROUTINES: usize = 10;

/// What was seen of the heap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heap {
    /// What samples are of; `None` if nothing was probed.
    pub source: Option<HeapSource>,
    /// The runtime's profiler.
    pub profiler: Profiler,
    /// Why this was probed, or why it is not known what is alive.
    pub reason: Option<String>,
    /// What the probes saw; `None` if nothing was probed.
    pub probed: Option<Probed>,
    /// The runtime's own profile; `None` if it could not be read, or is off.
    pub history: Option<History>,
}

impl Heap {
    /// Bytes alive: of all that was ever allocated if that is known, else of what was allocated since the capture began.
    pub fn live_bytes(&self) -> Option<u64> {
        let history = self.history.map(|history| history.live);
        let live = history.or_else(|| self.probed?.live);
        live.map(|live| live.bytes)
    }
}

/// What samples of the heap are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeapSource {
    /// Those of the runtime's profiler.
    Profiler,
    /// Spans that allocations fill.
    Spans,
    /// As a version called it that is newer than this one.
    Other(String),
}

/// The runtime's profiler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profiler {
    /// Bytes between two samples, on average; 0 if it is off, `None` if that cannot be read.
    pub rate_bytes: Option<u64>,
    /// Whether the program has the code that reads a profile; the runtime switches the profiler off without.
    pub linked: Option<bool>,
}

/// What the probes saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// Samples.
    pub samples: u64,
    /// Sampled objects that were freed.
    pub frees: u64,
    /// Those of them that had been sampled before the capture began.
    pub frees_before: u64,
    /// Live objects beyond the bound: not followed.
    pub unfollowed: u64,
    /// Sets of goroutine labels that are missing, and those that lack some of their labels.
    pub missing_labels: u64,
    /// See `missing_labels`.
    pub incomplete_labels: u64,
    /// What is alive of what was allocated since the capture began; `None` for spans, of which that is not known.
    pub live: Option<Amount>,
}

/// Objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Objects.
    pub objects: u64,
    /// Bytes, rounded to size classes.
    pub bytes: u64,
}

/// The runtime's own profile, since the start of the process, as of the last complete cycle of the collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its entries: stacks, told apart by the size of objects.
    pub buckets: u64,
    /// Whether all entries were read.
    pub complete: bool,
    /// What is alive.
    pub live: Amount,
    /// The same when the capture began; `None` if there is one reading only.
    pub at_start: Option<Amount>,
}

/// What a site has alive of all that it ever allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Live {
    /// As of the last complete cycle of the collector.
    pub now: Amount,
    /// Standard error of the bytes.
    pub bytes_error: u64,
    /// Sampled objects that are alive, not scaled.
    pub raw_objects: u64,
    /// What was alive when the capture began; `None` if there is one reading only.
    pub at_start: Option<Amount>,
    /// What it allocated since the start of the process.
    pub allocated: Amount,
}

/// What a site has alive of what it allocated since the capture began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    /// Samples.
    pub samples: u64,
    /// Sampled objects that were freed.
    pub freed: u64,
    /// What is alive.
    pub live: Amount,
    /// Standard error of the bytes.
    pub bytes_error: u64,
    /// Ages of live objects: how many are younger than so many nanoseconds, and not younger than half of that.
    pub ages: Vec<(u64, u64)>,
    /// The same of the lifetimes of freed ones.
    pub lifetimes: Vec<(u64, u64)>,
    /// Numbers of the goroutines that allocated most of the live objects, and how many of the samples.
    pub goroutines: Vec<(u64, u64)>,
}

impl Recent {
    /// What these stacks have alive: what was sampled there, and what of that is in `live`.
    pub(super) fn of<'a>(
        stacks: impl Iterator<Item = &'a HeapStack>,
        live: &[LiveObject],
        rate: u64,
        end_ns: u64,
    ) -> Self {
        let mut recent = Recent::default();
        let mut lifetimes = Moments::default();
        for stack in stacks {
            lifetimes.merge(&stack.lifetimes);
            for counts in stack.sizes.values() {
                recent.samples += counts.samples;
                recent.freed += counts.freed;
            }
        }
        let (mut sum, mut ages) = (Scaled::default(), Moments::default());
        let mut goroutines: HashMap<u64, u64> = HashMap::new();
        for object in live {
            sum.add(1, object.size, rate);
            ages.add(end_ns.saturating_sub(object.since_ns));
            if object.goroutine_id != 0 {
                *goroutines.entry(object.goroutine_id).or_default() += 1;
            }
        }
        let mut goroutines: Vec<(u64, u64)> = goroutines.into_iter().collect();
        goroutines.sort_by_key(|(id, objects)| (std::cmp::Reverse(*objects), *id));
        goroutines.truncate(GOROUTINES);
        Recent {
            live: sum.amount(),
            bytes_error: sum.errors().bytes,
            ages: ages.iter().collect(),
            lifetimes: lifetimes.iter().collect(),
            goroutines,
            ..recent
        }
    }
}

/// What these buckets have alive after so many of their objects were allocated and freed.
fn live_of<'a>(
    buckets: impl Iterator<Item = &'a BucketHistory>,
    rate: u64,
    counts: impl Fn(&BucketHistory) -> Counts,
) -> Scaled {
    let mut sum = Scaled::default();
    for bucket in buckets {
        sum.add(counts(bucket).live(), bucket.size, rate);
    }
    sum
}

impl History {
    pub(super) fn of(history: &HeapHistory) -> Self {
        let live = |counts: fn(&BucketHistory) -> Counts| {
            live_of(history.buckets(), history.rate_bytes, counts).amount()
        };
        History {
            buckets: history.len() as u64,
            complete: history.complete,
            live: live(|bucket| bucket.last),
            at_start: (history.readings > 1).then(|| live(|bucket| bucket.first)),
        }
    }
}

impl Live {
    /// What a site has alive, all of whose entries are `buckets`.
    pub(super) fn of(buckets: &[&BucketHistory], history: &HeapHistory) -> Self {
        let rate = history.rate_bytes;
        let all = || buckets.iter().copied();
        let now = live_of(all(), rate, |bucket| bucket.last);
        let at_start = || live_of(all(), rate, |bucket| bucket.first).amount();
        let mut allocated = Scaled::default();
        for bucket in all() {
            allocated.add(bucket.last.allocs, bucket.size, rate);
        }
        Live {
            now: now.amount(),
            bytes_error: now.errors().bytes,
            raw_objects: all().map(|bucket| bucket.last.live()).sum(),
            at_start: (history.readings > 1).then(at_start),
            allocated: allocated.amount(),
        }
    }
}
