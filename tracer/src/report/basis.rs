//! What the figures of sites are made of: each allocation, samples, or the runtime's own heap profile.
//!
//! Hides which of the three it is from whoever groups stacks to sites.

use super::figures::{estimate, figures, figures_of};
use super::heap::{
    Growth, Heap, HeapSource, History, Live, Probed, Profiler, Recent, Scaled, Scaling, allocated,
    sizes,
};
use super::{Amount, Estimate, Figures, SizeSummary, TypeFigures, types};
use crate::aggregate::{
    BucketHistory, HeapHistory, HeapStack, HeapTotals, LiveObject, SizesView, StackMap,
    StackTotals, Totals,
};
use crate::decode::StackId;
use crate::plan::HeapProbes;
use crate::symbolize::Symbols;
use tracer_common::family::{Family, PerFamily};

/// What the figures are made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Basis {
    /// Records of allocations.
    Allocations,
    /// Samples of the heap.
    Samples(Scaling),
    /// The runtime's own profile, since the start of the process.
    History,
}

/// Everything that is known of the heap, besides records of allocations.
#[derive(Debug)]
pub(super) struct HeapView<'a> {
    pub(super) basis: Basis,
    totals: &'a HeapTotals,
    live: StackMap<Vec<LiveObject>>,
    /// How samples are scaled; `None` if there are none.
    scaling: Option<Scaling>,
    pub(super) history: Option<&'a HeapHistory>,
    start_ns: u64,
    end_ns: u64,
}

/// What is known of one stack.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) id: StackId,
    pub(super) pcs: &'a [u64],
    /// `None` if no record tells that it allocates.
    pub(super) allocations: Option<&'a StackTotals>,
    samples: Option<&'a HeapStack>,
    buckets: Vec<&'a BucketHistory>,
}

impl<'a> HeapView<'a> {
    /// A view of samples that are scaled like that, of a capture from `start_ns` to `end_ns` on the monotonic clock.
    pub(super) fn new(
        basis: Basis,
        totals: &'a HeapTotals,
        scaling: Option<Scaling>,
        history: Option<&'a HeapHistory>,
        (start_ns, end_ns): (u64, u64),
    ) -> Self {
        HeapView {
            basis,
            totals,
            live: totals.live_of(),
            scaling,
            history,
            start_ns,
            end_ns,
        }
    }

    /// Nothing is known.
    #[cfg(test)]
    pub(super) fn none(totals: &'a HeapTotals) -> Self {
        Self::new(Basis::Allocations, totals, None, None, (0, 0))
    }

    /// Figures of the whole capture.
    pub(super) fn totals(&self, totals: &Totals) -> Figures {
        match self.basis {
            Basis::Allocations => figures(&totals.sums, estimate(totals, totals.stacks.values())),
            Basis::Samples(scaling) => {
                let all = estimated(&allocated(self.totals.stacks.values(), scaling));
                match scaling {
                    Scaling::Profiler(_) => all,
                    // Which site filled a span is uncertain, not that it was filled.
                    Scaling::Spans => Figures {
                        estimate: Some(Estimate::default()),
                        ..all
                    },
                }
            }
            Basis::History => {
                let mut sum = Scaled::default();
                for bucket in self.history.iter().flat_map(|history| history.buckets()) {
                    sum.add(bucket.last.allocs, bucket.size, self.rate());
                }
                estimated(&sum)
            }
        }
    }

    /// What was seen of the heap in all.
    pub(super) fn heap(
        &self,
        arrived: &PerFamily<u64>,
        probes: HeapProbes,
        profiler: Profiler,
        reason: Option<String>,
    ) -> Heap {
        let HeapTotals {
            unknown_frees,
            unfollowed,
            refused_labels,
            incomplete_labels,
            ..
        } = *self.totals;
        Heap {
            source: match probes {
                HeapProbes::Off => None,
                HeapProbes::Profiler => Some(HeapSource::Profiler),
                HeapProbes::Spans => Some(HeapSource::Spans),
            },
            profiler,
            reason,
            probed: (probes != HeapProbes::Off).then_some(Probed {
                samples: arrived[Family::HeapSample],
                frees: arrived[Family::HeapFree],
                // Those beyond the bound are not known by name either.
                frees_before: unknown_frees,
                unfollowed,
                missing_labels: refused_labels,
                incomplete_labels,
                live: self.recently_live(),
            }),
            history: self.history.map(History::of),
        }
    }

    /// Bytes alive in all.
    pub(super) fn live_bytes(&self) -> Option<u64> {
        let history = self.history.map(|history| History::of(history).live);
        let live = history.or(self.recently_live());
        live.map(|live| live.bytes)
    }

    fn recently_live(&self) -> Option<Amount> {
        let Some(Scaling::Profiler(rate)) = self.scaling else {
            return None;
        };
        let mut sum = Scaled::default();
        let objects = self.totals.live.values();
        objects.for_each(|object| sum.add(1, object.size, rate));
        Some(sum.amount())
    }

    /// What is known of a stack, but for the runtime's own profile.
    pub(super) fn stack(&self, id: StackId, pcs: &'a [u64], totals: &'a Totals) -> Known<'a> {
        Known {
            id,
            pcs,
            allocations: totals.stacks.get(&id),
            samples: self.totals.stacks.get(&id),
            buckets: Vec::new(),
        }
    }

    /// Figures of these stacks together.
    pub(super) fn figures(&self, stacks: &[&Known<'_>], totals: &Totals) -> Figures {
        match self.basis {
            Basis::Allocations => {
                let stacks = stacks.iter();
                figures_of(totals, stacks.filter_map(|stack| stack.allocations))
            }
            Basis::Samples(scaling) => estimated(&allocated(
                stacks.iter().filter_map(|stack| stack.samples),
                scaling,
            )),
            Basis::History => estimated(&self.ever_allocated(stacks)),
        }
    }

    /// The distribution of sizes of these stacks, whose figures are `figures`.
    pub(super) fn sizes(&self, stacks: &[&Known<'_>], figures: &Figures) -> SizeSummary {
        let view = match self.basis {
            Basis::Allocations => SizesView::merged(
                stacks
                    .iter()
                    .filter_map(|stack| Some(&stack.allocations?.sizes)),
            ),
            Basis::Samples(scaling) => SizesView::of(
                sizes(stacks.iter().filter_map(|stack| stack.samples), scaling),
                0,
            ),
            Basis::History => {
                let buckets = stacks.iter().flat_map(|stack| &stack.buckets);
                let sizes = buckets.map(|bucket| {
                    let mut sum = Scaled::default();
                    sum.add(bucket.last.allocs, bucket.size, self.rate());
                    (bucket.size, sum.amount().objects)
                });
                SizesView::of(sizes.collect(), 0)
            }
        };
        SizeSummary::of(view, figures)
    }

    /// Go types of a stack, most bytes first. Some may have nothing: see [`with_something`].
    pub(super) fn types(&self, stack: &Known<'_>, symbols: &Symbols) -> Vec<TypeFigures> {
        if let Basis::Allocations = self.basis {
            let of_stack = |known: &StackTotals| types::of_stack(stack.pcs, &known.types, symbols);
            return types::by_name(stack.allocations.map(of_stack).unwrap_or_default());
        }
        let by_size = self.by_size(stack).into_iter();
        let allocated = by_size.map(|(pcs, size, sum)| {
            let figures = estimated(&sum);
            types::from_code(pcs, size, &figures, symbols)
        });
        let alive = stack.buckets.iter().map(|bucket| {
            let mut sum = Scaled::default();
            sum.add(bucket.last.live(), bucket.size, self.rate());
            types::live_from_code(bucket, sum.amount().bytes, symbols)
        });
        types::by_name(allocated.chain(alive).collect())
    }

    /// What a stack has alive, of all and of what it allocated since the capture began; `None` where nothing is known of
    /// it: what the runtime's own profile has of the place may be at another stack.
    pub(super) fn of_stack(&self, stack: &Known<'_>) -> (Option<Amount>, Option<Amount>) {
        let live = (!stack.buckets.is_empty()).then(|| self.alive(&[stack]));
        let recent = stack.samples.map(|_| self.recent(&[stack]));
        (
            live.flatten().map(|live| live.now),
            recent.flatten().map(|recent| recent.live),
        )
    }

    /// What a stack allocated, by the size of objects.
    fn by_size<'k>(&self, stack: &Known<'k>) -> Vec<(&'k [u64], u64, Scaled)> {
        match self.basis {
            Basis::Allocations => Vec::new(),
            Basis::Samples(scaling) => {
                let samples = stack.samples.into_iter().flat_map(|samples| &samples.sizes);
                samples
                    .map(|(size, counts)| (stack.pcs, *size, scaling.sum(*size, counts)))
                    .collect()
            }
            Basis::History => {
                let buckets = stack.buckets.iter();
                buckets
                    .map(|bucket| {
                        let mut sum = Scaled::default();
                        sum.add(bucket.last.allocs, bucket.size, self.rate());
                        (stack.pcs, bucket.size, sum)
                    })
                    .collect()
            }
        }
    }

    /// What these stacks have alive of what they allocated since the capture began.
    pub(super) fn recent(&self, stacks: &[&Known<'_>]) -> Option<Recent> {
        let Some(Scaling::Profiler(rate)) = self.scaling else {
            return None;
        };
        let live = stacks.iter().filter_map(|stack| self.live.get(&stack.id));
        let live: Vec<LiveObject> = live.flatten().copied().collect();
        let samples = stacks.iter().filter_map(|stack| stack.samples);
        Some(Recent::of(samples, &live, rate, self.end_ns))
    }

    /// What these stacks have alive of all that they ever allocated.
    pub(super) fn alive(&self, stacks: &[&Known<'_>]) -> Option<Live> {
        let buckets = buckets(stacks);
        // A site that the profile does not know yet is not one that has nothing.
        if buckets.is_empty() {
            return None;
        }
        Some(Live::of(&buckets, self.history?))
    }

    /// How that changes.
    pub(super) fn growth(&self, stacks: &[&Known<'_>]) -> Option<Growth> {
        let buckets = buckets(stacks);
        if buckets.is_empty() {
            return None;
        }
        Growth::of(&buckets, self.history?, self.start_ns)
    }

    fn ever_allocated(&self, stacks: &[&Known<'_>]) -> Scaled {
        let mut sum = Scaled::default();
        for bucket in buckets(stacks) {
            sum.add(bucket.last.allocs, bucket.size, self.rate());
        }
        sum
    }

    fn rate(&self) -> u64 {
        self.history.map_or(0, |history| history.rate_bytes)
    }
}

impl<'a> Known<'a> {
    /// A stack of the runtime's own profile.
    pub(super) fn of_bucket(id: StackId, bucket: &'a BucketHistory) -> Self {
        Known {
            id,
            pcs: &bucket.pcs,
            allocations: None,
            samples: None,
            buckets: vec![bucket],
        }
    }

    /// Adds what the runtime's own profile knows.
    pub(super) fn add(&mut self, bucket: &'a BucketHistory) {
        self.buckets.push(bucket);
    }
}

fn buckets<'a>(stacks: &[&Known<'a>]) -> Vec<&'a BucketHistory> {
    let buckets = stacks.iter().flat_map(|stack| &stack.buckets);
    buckets.copied().collect()
}

/// The types of which something was allocated or is alive.
pub(super) fn with_something(mut types: Vec<TypeFigures>) -> Vec<TypeFigures> {
    types.retain(|row| row.allocs > 0 || row.live_bytes.is_some_and(|bytes| bytes > 0));
    types.shrink_to_fit();
    types
}

/// Figures that samples stand for.
pub(super) fn estimated(sum: &Scaled) -> Figures {
    let (amount, errors) = (sum.amount(), sum.errors());
    Figures {
        allocs: amount.objects,
        alloc_bytes: Some(amount.bytes),
        requested_bytes: None,
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate: Some(Estimate {
            allocs_error: Some(errors.objects),
            alloc_bytes_error: Some(errors.bytes),
        }),
    }
}
