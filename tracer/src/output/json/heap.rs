//! What of the heap is alive, in captures: the schema's objects, and both ways between them and a report.

use super::schema::{Float, OrderedMap, StackId};
use super::words;
use crate::report;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;

/// What was seen of the heap. Figures are `null` where nothing was probed.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Heap<'a> {
    /// What the samples are: those of the runtime's profiler, or spans.
    source: Option<Cow<'a, str>>,
    profiler: Profiler,
    /// Why that source, or why it is not known what is alive.
    reason: Option<Cow<'a, str>>,
    samples: Option<u64>,
    frees: Option<u64>,
    /// Those of objects that were sampled before the capture began.
    frees_before: Option<u64>,
    /// Live objects beyond the bound.
    unfollowed: Option<u64>,
    /// Sets of goroutine labels beyond the bound, and those that lack some labels.
    #[serde(default)]
    missing_labels: Option<u64>,
    #[serde(default)]
    incomplete_labels: Option<u64>,
    /// The runtime's own profile, as of the last complete cycle of the collector.
    history: Option<History>,
    live_since_attach: Option<Amount>,
}

/// `on` is `null` if the rate could not be read.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Profiler {
    on: Option<bool>,
    linked: Option<bool>,
    rate_bytes: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct History {
    buckets: u64,
    complete: bool,
    objects: u64,
    bytes: u64,
    objects_at_start: Option<u64>,
    bytes_at_start: Option<u64>,
}

/// Objects, and their bytes rounded to size classes.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Amount {
    objects: u64,
    bytes: u64,
}

/// Alive of all that the site ever allocated.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(in crate::output) struct Live {
    objects: u64,
    bytes: u64,
    bytes_error: u64,
    raw_objects: u64,
    objects_at_start: Option<u64>,
    bytes_at_start: Option<u64>,
    /// Since the start of the process.
    objects_allocated: u64,
    bytes_allocated: u64,
}

/// Alive of what the site allocated since the capture began. Times are `[below, count]`, each class from half of `below`.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Recent<'a> {
    samples: u64,
    freed: u64,
    objects: u64,
    bytes: u64,
    bytes_error: u64,
    ages_ns: Cow<'a, [(u64, u64)]>,
    lifetimes_ns: Cow<'a, [(u64, u64)]>,
    /// Number of the goroutine, live objects that were sampled.
    goroutines: Cow<'a, [(u64, u64)]>,
}

/// How that changes from cycle to cycle of the collector.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Growth<'a> {
    bytes_per_s: Float,
    error: Float,
    cycles: u64,
    first_bytes: u64,
    last_bytes: u64,
    /// `[t_ns, bytes]`
    course: Cow<'a, [(u64, u64)]>,
}

/// Who runs a stack: the position of the `go` statement among the frames, and labels.
#[derive(Serialize, Deserialize)]
pub(super) struct Goroutine<'a> {
    created_by: Option<usize>,
    labels: OrderedMap<Cow<'a, str>, Cow<'a, str>>,
}

impl From<report::Amount> for Amount {
    fn from(report::Amount { objects, bytes }: report::Amount) -> Self {
        Amount { objects, bytes }
    }
}

impl From<Amount> for report::Amount {
    fn from(Amount { objects, bytes }: Amount) -> Self {
        report::Amount { objects, bytes }
    }
}

impl<'a> From<&'a report::Heap> for Heap<'a> {
    fn from(heap: &'a report::Heap) -> Self {
        let probed = heap.probed.as_ref();
        let profiler = heap.profiler;
        Heap {
            source: heap
                .source
                .as_ref()
                .map(|source| words::heap_source(source).into()),
            profiler: Profiler {
                on: profiler.rate_bytes.map(|rate| rate > 0),
                linked: profiler.linked,
                rate_bytes: profiler.rate_bytes.filter(|rate| *rate > 0),
            },
            reason: heap.reason.as_deref().map(Into::into),
            samples: probed.map(|probed| probed.samples),
            frees: probed.map(|probed| probed.frees),
            frees_before: probed.map(|probed| probed.frees_before),
            unfollowed: probed.map(|probed| probed.unfollowed),
            missing_labels: probed.map(|probed| probed.missing_labels),
            incomplete_labels: probed.map(|probed| probed.incomplete_labels),
            history: heap.history.map(|history| History {
                buckets: history.buckets,
                complete: history.complete,
                objects: history.live.objects,
                bytes: history.live.bytes,
                objects_at_start: history.at_start.map(|amount| amount.objects),
                bytes_at_start: history.at_start.map(|amount| amount.bytes),
            }),
            live_since_attach: probed.and_then(|probed| probed.live).map(Into::into),
        }
    }
}

impl From<Heap<'_>> for report::Heap {
    fn from(heap: Heap<'_>) -> Self {
        let probed = || {
            Some(report::Probed {
                samples: heap.samples?,
                frees: heap.frees?,
                frees_before: heap.frees_before?,
                unfollowed: heap.unfollowed?,
                missing_labels: heap.missing_labels.unwrap_or(0),
                incomplete_labels: heap.incomplete_labels.unwrap_or(0),
                live: heap.live_since_attach.map(Into::into),
            })
        };
        report::Heap {
            source: heap.source.map(words::heap_source_of),
            profiler: report::Profiler {
                rate_bytes: match heap.profiler.on {
                    Some(false) => Some(0),
                    _ => heap.profiler.rate_bytes,
                },
                linked: heap.profiler.linked,
            },
            probed: probed(),
            history: heap.history.map(|history| report::History {
                buckets: history.buckets,
                complete: history.complete,
                live: report::Amount {
                    objects: history.objects,
                    bytes: history.bytes,
                },
                at_start: amount(history.objects_at_start, history.bytes_at_start),
            }),
            reason: heap.reason.map(Cow::into_owned),
        }
    }
}

fn amount(objects: Option<u64>, bytes: Option<u64>) -> Option<report::Amount> {
    let (objects, bytes) = objects.zip(bytes)?;
    Some(report::Amount { objects, bytes })
}

impl From<report::Live> for Live {
    fn from(live: report::Live) -> Self {
        Live {
            objects: live.now.objects,
            bytes: live.now.bytes,
            bytes_error: live.bytes_error,
            raw_objects: live.raw_objects,
            objects_at_start: live.at_start.map(|amount| amount.objects),
            bytes_at_start: live.at_start.map(|amount| amount.bytes),
            objects_allocated: live.allocated.objects,
            bytes_allocated: live.allocated.bytes,
        }
    }
}

impl From<Live> for report::Live {
    fn from(live: Live) -> Self {
        report::Live {
            now: report::Amount {
                objects: live.objects,
                bytes: live.bytes,
            },
            bytes_error: live.bytes_error,
            raw_objects: live.raw_objects,
            at_start: amount(live.objects_at_start, live.bytes_at_start),
            allocated: report::Amount {
                objects: live.objects_allocated,
                bytes: live.bytes_allocated,
            },
        }
    }
}

impl<'a> From<&'a report::Recent> for Recent<'a> {
    fn from(recent: &'a report::Recent) -> Self {
        Recent {
            samples: recent.samples,
            freed: recent.freed,
            objects: recent.live.objects,
            bytes: recent.live.bytes,
            bytes_error: recent.bytes_error,
            ages_ns: recent.ages.as_slice().into(),
            lifetimes_ns: recent.lifetimes.as_slice().into(),
            goroutines: recent.goroutines.as_slice().into(),
        }
    }
}

impl From<Recent<'_>> for report::Recent {
    fn from(recent: Recent<'_>) -> Self {
        report::Recent {
            samples: recent.samples,
            freed: recent.freed,
            live: report::Amount {
                objects: recent.objects,
                bytes: recent.bytes,
            },
            bytes_error: recent.bytes_error,
            ages: recent.ages_ns.into_owned(),
            lifetimes: recent.lifetimes_ns.into_owned(),
            goroutines: recent.goroutines.into_owned(),
        }
    }
}

impl<'a> From<&'a report::Growth> for Growth<'a> {
    fn from(growth: &'a report::Growth) -> Self {
        Growth {
            bytes_per_s: Float(growth.bytes_per_s),
            error: Float(growth.error),
            cycles: growth.cycles,
            first_bytes: growth.first_bytes(),
            last_bytes: growth.last_bytes(),
            course: growth.course.as_slice().into(),
        }
    }
}

impl From<Growth<'_>> for report::Growth {
    fn from(growth: Growth<'_>) -> Self {
        report::Growth {
            bytes_per_s: growth.bytes_per_s.0,
            error: growth.error.0,
            cycles: growth.cycles,
            course: growth.course.into_owned(),
        }
    }
}

/// What is known of the goroutines of stacks.
pub(super) fn goroutines(stacks: &[report::Stack]) -> OrderedMap<StackId, Goroutine<'_>> {
    let known = stacks
        .iter()
        .filter(|stack| stack.creator.is_some() || !stack.labels.is_empty());
    let goroutine = |stack: &report::Stack| Goroutine {
        created_by: stack.creator,
        labels: OrderedMap(
            stack
                .labels
                .iter()
                .map(|(key, value)| (key.clone().into(), value.clone().into()))
                .collect(),
        ),
    };
    OrderedMap(
        known
            .map(|stack| (StackId(stack.id), goroutine(stack)))
            .collect(),
    )
}

/// Gives stacks back what is known of their goroutines.
pub(super) fn restore(
    stacks: &mut [report::Stack],
    goroutines: OrderedMap<StackId, Goroutine<'_>>,
    frames: usize,
) {
    let mut known: HashMap<u64, Goroutine<'_>> = goroutines
        .0
        .into_iter()
        .map(|(StackId(id), goroutine)| (id, goroutine))
        .collect();
    for stack in stacks {
        let Some(goroutine) = known.remove(&stack.id) else {
            continue;
        };
        stack.creator = goroutine.created_by.filter(|frame| *frame < frames);
        let labels = goroutine.labels.0.into_iter();
        stack.labels = labels
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
    }
}
