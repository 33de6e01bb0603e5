//! What samples stand for.
//!
//! The profiler samples an object of `size` bytes with the probability 1 - exp(-size/rate) (`nextSample` in
//! `src/runtime/malloc.go`), so that a sample stands for one over that (`scaleHeapSample` in
//! `src/runtime/pprof/protomem.go`). Counts are scaled by size before they are added up.

use super::Amount;
use crate::aggregate::{HeapStack, SizeCounts, whole};
use std::collections::BTreeMap;

/// How many objects of `size` bytes one sample stands for, at one sample in `rate` bytes.
pub(in crate::report) fn scale(size: u64, rate: u64) -> f64 {
    // The same special cases as in the runtime.
    if size == 0 || rate <= 1 {
        return 1.0;
    }
    -1.0 / (-(size as f64) / rate as f64).exp_m1()
}

/// A sum of scaled counts.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::report) struct Scaled {
    objects: f64,
    bytes: f64,
    objects_variance: f64,
    bytes_variance: f64,
}

impl Scaled {
    /// Adds `count` sampled objects of `size` bytes.
    pub(in crate::report) fn add(&mut self, count: u64, size: u64, rate: u64) {
        let scale = scale(size, rate);
        let (count, size) = (count as f64, size as f64);
        self.objects += count * scale;
        self.bytes += count * scale * size;
        // A sample is taken with the probability 1/scale: what the others are is estimated.
        let variance = count * scale * (scale - 1.0);
        self.objects_variance += variance;
        self.bytes_variance += variance * size * size;
    }

    /// Adds spans with `objects` objects of `size` bytes in `samples` records: each counts for the site that allocated the
    /// last of its objects.
    fn add_spans(&mut self, samples: u64, objects: u64, size: u64) {
        let (samples, objects, size) = (samples.max(1) as f64, objects as f64, size as f64);
        self.objects += objects;
        self.bytes += objects * size;
        let variance = objects * objects / samples;
        self.objects_variance += variance;
        self.bytes_variance += variance * size * size;
    }

    fn merge(&mut self, other: &Self) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.objects_variance += other.objects_variance;
        self.bytes_variance += other.bytes_variance;
    }

    pub(in crate::report) fn amount(&self) -> Amount {
        Amount {
            objects: whole(self.objects),
            bytes: whole(self.bytes),
        }
    }

    /// Standard errors of the objects and of the bytes.
    pub(in crate::report) fn errors(&self) -> Amount {
        Amount {
            objects: whole(self.objects_variance.sqrt()),
            bytes: whole(self.bytes_variance.sqrt()),
        }
    }
}

/// How samples are scaled.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) enum Scaling {
    /// The runtime's, at its rate in bytes.
    Profiler(u64),
    /// A record says how many objects it stands for.
    Spans,
}

impl Scaling {
    /// What samples of one size stand for.
    pub(in crate::report) fn sum(self, size: u64, counts: &SizeCounts) -> Scaled {
        let mut sum = Scaled::default();
        match self {
            Scaling::Profiler(rate) => sum.add(counts.samples, size, rate),
            Scaling::Spans => sum.add_spans(counts.samples, counts.objects, size),
        }
        sum
    }
}

/// What these stacks allocated, from their samples.
pub(in crate::report) fn allocated<'a>(
    stacks: impl Iterator<Item = &'a HeapStack>,
    scaling: Scaling,
) -> Scaled {
    let mut all = Scaled::default();
    for (size, counts) in stacks.flat_map(|stack| &stack.sizes) {
        all.merge(&scaling.sum(*size, counts));
    }
    all
}

/// The same by size: `(size, objects)` in ascending order.
pub(in crate::report) fn sizes<'a>(
    stacks: impl Iterator<Item = &'a HeapStack>,
    scaling: Scaling,
) -> Vec<(u64, u64)> {
    let mut sizes: BTreeMap<u64, f64> = BTreeMap::new();
    for (size, counts) in stacks.flat_map(|stack| &stack.sizes) {
        let scale = match scaling {
            Scaling::Profiler(rate) => scale(*size, rate),
            Scaling::Spans => 1.0,
        };
        *sizes.entry(*size).or_default() += counts.objects as f64 * scale;
    }
    let sizes = sizes.into_iter();
    sizes
        .map(|(size, objects)| (size, whole(objects)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_stands_for_what_the_runtime_says() {
        // scaleHeapSample(1, 48, 524288) and (1, 524288, 524288) of src/runtime/pprof.
        assert!((scale(48, 524_288) - 10_923.166_67).abs() < 0.01);
        assert!((scale(524_288, 524_288) - 1.581_976_7).abs() < 1e-6);
        assert_eq!((scale(0, 512), scale(48, 1), scale(48, 0)), (1.0, 1.0, 1.0));
    }

    #[test]
    fn the_error_of_few_samples_is_large_and_that_of_large_objects_small() {
        let mut few = Scaled::default();
        few.add(4, 48, 524_288);
        let relative = few.errors().bytes as f64 / few.amount().bytes as f64;
        assert!((relative - 0.5).abs() < 0.01, "{relative}");
        let mut large = Scaled::default();
        large.add(4, 64 << 20, 524_288);
        assert_eq!((large.amount().objects, large.errors().bytes), (4, 0));
    }
}
