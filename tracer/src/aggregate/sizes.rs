//! The distribution of the sizes of one stack: a few exact values, a histogram when there are many.

use hdrhistogram::Histogram;

/// Distinct sizes kept exactly; most call sites have fewer.
const MAX_EXACT: usize = 16;
/// Significant digits of a histogram: values within 1 %.
const DIGITS: u8 = 2;
/// Largest size a histogram tells apart: 1 TiB. Keeps one below 40 KiB.
const HIGHEST: u64 = 1 << 40;

/// Sizes in bytes, with their counts.
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    exact: Vec<(u64, u64)>,
    histogram: Option<Box<Histogram<u64>>>,
    unbinned: u64,
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
    /// Adds a size `times` times. A new histogram is taken from `histograms_left`; when that is used up, sizes beyond the exact ones
    /// are only counted.
    pub fn add(&mut self, size: u64, times: u64, histograms_left: &mut usize) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record_n(size, times);
            return;
        }
        if let Some((_, count)) = self.exact.iter_mut().find(|(known, _)| *known == size) {
            *count = count.saturating_add(times);
        } else if self.exact.len() < MAX_EXACT {
            // Most stacks ask for one size, and there are many stacks.
            self.exact.reserve_exact(1);
            self.exact.push((size, times));
        } else if *histograms_left > 0 && self.upgrade() {
            *histograms_left -= 1;
            self.add(size, times, histograms_left);
        } else {
            self.unbinned = self.unbinned.saturating_add(times);
        }
    }

    /// Moves the exact sizes into a histogram; false if there can be none.
    fn upgrade(&mut self) -> bool {
        let Ok(mut histogram) = Histogram::new_with_bounds(1, HIGHEST, DIGITS) else {
            return false;
        };
        for (size, count) in std::mem::take(&mut self.exact) {
            histogram.saturating_record_n(size, count);
        }
        self.histogram = Some(Box::new(histogram));
        true
    }

    fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let binned = self.histogram.iter().flat_map(|histogram| {
            histogram
                .iter_recorded()
                .map(|value| (value.value_iterated_to(), value.count_at_value()))
        });
        self.exact.iter().copied().chain(binned)
    }
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
        let mut left = 1;
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
    fn without_a_histogram_left_sizes_are_counted() {
        let mut sizes = Sizes::default();
        (0..20).for_each(|size| sizes.add(size, 1, &mut 0));
        let view = view(&sizes);
        assert_eq!((view.buckets.len(), view.unbinned), (MAX_EXACT, 4));
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

    #[test]
    fn a_histogram_stays_below_its_stated_size() {
        let histogram = Histogram::<u64>::new_with_bounds(1, HIGHEST, DIGITS).unwrap();
        assert!(
            histogram.distinct_values() * 8 <= 40 * 1024,
            "{} values",
            histogram.distinct_values()
        );
    }
}
