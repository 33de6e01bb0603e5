//! The distribution of the sizes of one stack: exact values, a histogram when there are many.

use hdrhistogram::Histogram;
use smallvec::SmallVec;

/// Distinct sizes kept exactly: as many as take a tenth of what a histogram takes.
const MAX_EXACT: usize = 64;
/// Significant digits of a histogram: values within 1 %.
const DIGITS: u8 = 2;
/// Largest size a histogram tells apart: 1 TiB. Keeps one below 40 KiB.
const HIGHEST: u64 = (1 << 40) - 1;
/// Largest size that a new histogram tells apart, so that it seldom has to grow.
const HIGHEST_AT_FIRST: u64 = (1 << 13) - 1;

/// Sizes in bytes, with their counts.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    /// Ascending. The first is in place: most stacks ask for one size, and looking elsewhere for it is what an event
    /// costs.
    exact: SmallVec<[(u64, u64); 1]>,
    binned: Option<Box<Binned>>,
    unbinned: u64,
}

#[derive(Clone, Debug)]
struct Binned {
    histogram: Histogram<u64>,
    min: u64,
    max: u64,
}

/// Sizes of several stacks together, ready to be asked.
#[derive(Debug)]
pub struct SizesView {
    /// `(size, count)`, ascending.
    pub buckets: Vec<(u64, u64)>,
    /// Sizes that are in no bucket.
    pub unbinned: u64,
}

impl Sizes {
    /// Adds a size `times` times. The memory of histograms is taken off `bytes_left`; when that is used up, sizes that would
    /// need more are only counted.
    pub fn add(&mut self, size: u64, times: u64, bytes_left: &mut usize) {
        if self.binned.is_some() {
            self.record(size, times, bytes_left);
            return;
        }
        match self.exact.binary_search_by_key(&size, |(known, _)| *known) {
            Ok(at) => self.exact[at].1 = self.exact[at].1.saturating_add(times),
            Err(at) if self.exact.len() < MAX_EXACT => self.exact.insert(at, (size, times)),
            Err(_) => {
                let largest = self.exact.last().map_or(0, |(largest, _)| *largest);
                if self.make_room(largest, bytes_left) {
                    self.record(size, times, bytes_left);
                } else {
                    self.unbinned = self.unbinned.saturating_add(times);
                }
            }
        }
    }

    fn record(&mut self, size: u64, times: u64, bytes_left: &mut usize) {
        let has_room = |binned: &Binned| size.min(HIGHEST) <= binned.histogram.high();
        if !self.binned.as_deref().is_some_and(has_room) && !self.make_room(size, bytes_left) {
            self.unbinned = self.unbinned.saturating_add(times);
        } else if let Some(binned) = &mut self.binned {
            binned.record(size, times);
        }
    }

    /// Moves everything into a histogram that goes up to `size`; false if there is no memory for it.
    fn make_room(&mut self, size: u64, bytes_left: &mut usize) -> bool {
        // Just below a power of two a histogram has no more places than it needs.
        let high = (size.min(HIGHEST) + 1).next_power_of_two() - 1;
        let high = high.clamp(HIGHEST_AT_FIRST, HIGHEST);
        let Ok(mut larger) = Histogram::new_with_bounds(1, high, DIGITS) else {
            return false;
        };
        let before = self.binned.as_deref();
        let left = *bytes_left + before.map_or(0, |binned| bytes(&binned.histogram));
        let Some(left) = left.checked_sub(bytes(&larger)) else {
            return false;
        };
        let (mut min, mut max) = (u64::MAX, 0);
        if let Some(smaller) = self.binned.take() {
            (min, max) = (smaller.min, smaller.max);
            let moved = larger.add(smaller.histogram);
            debug_assert!(moved.is_ok(), "the larger has room");
        }
        let mut binned = Box::new(Binned {
            histogram: larger,
            min,
            max,
        });
        for (size, count) in std::mem::take(&mut self.exact) {
            binned.record(size, count);
        }
        *bytes_left = left;
        self.binned = Some(binned);
        true
    }

    /// Adds the sizes of `other`. Memory of histograms is taken off `bytes_left`, as in [`Sizes::add`].
    pub fn merge(&mut self, other: &Sizes, bytes_left: &mut usize) {
        for (size, count) in other.buckets() {
            self.add(size, count, bytes_left);
        }
        self.unbinned = self.unbinned.saturating_add(other.unbinned);
    }

    /// Memory of the histogram.
    pub(super) fn histogram_bytes(&self) -> usize {
        let binned = self.binned.as_deref();
        binned.map_or(0, |binned| bytes(&binned.histogram))
    }

    /// How many sizes are only counted.
    pub fn unbinned(&self) -> u64 {
        self.unbinned
    }

    fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let binned = self.binned.iter().flat_map(|binned| binned.buckets());
        self.exact.iter().copied().chain(binned)
    }
}

impl Binned {
    fn record(&mut self, size: u64, times: u64) {
        self.histogram.saturating_record_n(size, times);
        self.min = self.min.min(size);
        self.max = self.max.max(size);
    }

    /// `(size, count)`, ascending: the highest size of each bucket, but the smallest and the largest as they are.
    fn buckets(&self) -> Vec<(u64, u64)> {
        let recorded = self.histogram.iter_recorded();
        let mut buckets: Vec<(u64, u64)> = recorded
            .map(|value| (value.value_iterated_to(), value.count_at_value()))
            .collect();
        if let [(size, count)] = buckets[..]
            && count > 1
        {
            buckets = vec![(size, 1), (size, count - 1)];
        }
        if let [(smallest, _), .., (largest, _)] = &mut buckets[..] {
            (*smallest, *largest) = (self.min, self.max);
        }
        buckets
    }
}

/// Memory of a histogram.
fn bytes(histogram: &Histogram<u64>) -> usize {
    histogram.distinct_values() * size_of::<u64>()
}

impl SizesView {
    /// The sizes of all of `parts`.
    pub fn merged<'a>(parts: impl Iterator<Item = &'a Sizes>) -> Self {
        let mut unbinned = 0;
        let mut buckets: Vec<(u64, u64)> = Vec::new();
        for sizes in parts {
            unbinned += sizes.unbinned;
            buckets.extend(sizes.buckets());
        }
        Self::of(buckets, unbinned)
    }

    /// The sizes of `buckets` in any order, where a size may be there more than once.
    pub fn of(mut buckets: Vec<(u64, u64)>, unbinned: u64) -> Self {
        buckets.sort_unstable();
        buckets.dedup_by(|(size, count), (kept, sum)| {
            let same = size == kept;
            if same {
                *sum = sum.saturating_add(*count);
            }
            same
        });
        SizesView { buckets, unbinned }
    }

    /// The smallest size that at least `percent` of all sizes do not exceed; `None` if there are no sizes.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let total: u128 = self
            .buckets
            .iter()
            .map(|(_, count)| u128::from(*count))
            .sum();
        let wanted = (total * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        self.buckets.iter().find_map(|(size, count)| {
            seen += u128::from(*count);
            (seen >= wanted).then_some(*size)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sizes: impl IntoIterator<Item = u64>) -> Sizes {
        let mut result = Sizes::default();
        let mut left = 1 << 20;
        sizes
            .into_iter()
            .for_each(|size| result.add(size, 1, &mut left));
        result
    }

    fn view(sizes: &Sizes) -> SizesView {
        SizesView::merged(std::iter::once(sizes))
    }

    #[test]
    fn few_sizes_are_exact() {
        let view = view(&of([24, 24, 100, 3]));
        assert_eq!(view.buckets, [(3, 1), (24, 2), (100, 1)]);
        assert_eq!(
            (
                view.percentile(50),
                view.percentile(99),
                view.percentile(100)
            ),
            (Some(24), Some(100), Some(100))
        );
    }

    #[test]
    fn many_sizes_become_a_histogram_within_one_percent() {
        let view = view(&of(1..=10_000));
        assert_eq!(
            view.buckets.iter().map(|(_, count)| count).sum::<u64>(),
            10_000
        );
        let median = view.percentile(50).unwrap();
        assert!((4_950..=5_050).contains(&median), "{median}");
    }

    #[test]
    fn without_memory_for_a_histogram_sizes_are_counted() {
        let mut sizes = Sizes::default();
        (0..70).for_each(|size| sizes.add(size, 1, &mut 0));
        let view = view(&sizes);
        assert_eq!((view.buckets.len(), view.unbinned), (MAX_EXACT, 6));
    }

    #[test]
    fn a_histogram_grows_with_its_sizes_and_its_memory_is_accounted() {
        let mut sizes = Sizes::default();
        let mut left = 1 << 20;
        let mut seen = Vec::new();
        for size in (0..100).chain([1 << 20, 1 << 50]) {
            sizes.add(size, 1, &mut left);
            seen.push((1 << 20) - left);
        }
        let taken = bytes(&sizes.binned.as_deref().unwrap().histogram);
        assert_eq!(seen.last(), Some(&taken));
        assert!(taken <= 40 * 1024, "{taken} bytes");
        seen.dedup();
        assert_eq!(seen.len(), 4, "none, small, larger, largest: {seen:?}");
        let view = view(&sizes);
        assert_eq!(
            view.buckets.iter().map(|(_, count)| count).sum::<u64>(),
            102
        );
        assert_eq!(view.unbinned, 0);
    }

    #[test]
    fn the_smallest_and_the_largest_size_are_exact() {
        for sizes in [1001..=20_001, 1_000_001..=1_000_100] {
            let (min, max) = (*sizes.start(), *sizes.end());
            let view = view(&of(sizes));
            let (first, last) = (view.buckets.first(), view.buckets.last());
            assert_eq!(
                first.zip(last).map(|(first, last)| (first.0, last.0)),
                Some((min, max))
            );
            assert!(view.buckets.is_sorted());
            assert_eq!(
                view.buckets.iter().map(|(_, count)| count).sum::<u64>(),
                max - min + 1
            );
        }
    }

    #[test]
    fn a_size_larger_than_any_memory_is_taken() {
        let view = view(&of((0..70).chain([u64::MAX]).rev().chain([u64::MAX - 1])));
        assert_eq!(view.buckets.last(), Some(&(u64::MAX, 2)));
        assert_eq!(view.unbinned, 0);
    }

    #[test]
    fn sizes_beyond_a_histogram_that_cannot_grow_are_counted() {
        let mut sizes = Sizes::default();
        let mut left = 10_000;
        (0..100).for_each(|size| sizes.add(size, 1, &mut left));
        sizes.add(1 << 30, 1, &mut left);
        sizes.add(99, 1, &mut left);
        let view = view(&sizes);
        assert_eq!((view.buckets.last(), view.unbinned), (Some(&(99, 2)), 1));
    }

    #[test]
    fn sizes_of_several_stacks_merge() {
        let parts = [of([8, 16]), of([16, 32])];
        assert_eq!(
            SizesView::merged(parts.iter()).buckets,
            [(8, 1), (16, 2), (32, 1)]
        );
    }

    #[test]
    fn no_sizes_have_no_percentile() {
        assert_eq!(view(&of([])).percentile(50), None);
    }
}
