//! How uncertain sums are that were estimated from some of the allocations: their standard errors.
//!
//! Two sources. Sampling by bytes decides on each allocation at random: variances add up. Windows are clusters of
//! allocations: their estimates are kept in a few random groups, whose scatter tells the error of their sum (the method
//! of random groups, K. Wolter, "Introduction to Variance Estimation", chapter 2). Both add up over stacks, so that a
//! site's error, or that of the whole capture, is as well founded as that of a stack.

use super::{Weight, WindowId};
use std::collections::BTreeMap;

/// Random groups of windows.
pub const GROUPS: usize = 16;

/// Allocations and bytes.
type Pair = [f64; 2];

/// An estimate as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "estimates are not negative, and what is too large becomes the largest number"
)]
pub(crate) fn whole(estimate: f64) -> u64 {
    estimate as u64
}

/// How uncertain the sums of a stack are.
#[derive(Clone, Debug, Default)]
pub struct Uncertainty {
    /// Variance that sampling by bytes has made.
    variance: Pair,
    windows: Option<Box<Grouped>>,
}

/// Estimates from windows, by random group. A stack starts with the instruction that was probed, so that all its windows
/// are of one row.
#[derive(Clone, Debug)]
struct Grouped {
    row: u8,
    estimates: [Pair; GROUPS],
}

/// What the windows of each row stand for, by random group.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    rows: BTreeMap<u8, [f64; GROUPS]>,
}

/// Standard error of an estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StandardError {
    /// Of the number of allocations.
    pub allocs: f64,
    /// Of their bytes after rounding to size classes.
    pub alloc_bytes: f64,
}

impl Uncertainty {
    /// Adds one allocation that was sampled by bytes and stands for `weight` of them, `rounded` bytes each.
    pub fn add_sample(&mut self, weight: u64, rounded: Option<u64>) {
        // Horvitz-Thompson: an allocation taken with probability p adds (1 - p) / p² = w (w - 1), times its value squared.
        let weight = weight as f64;
        let bytes = rounded.unwrap_or(0) as f64;
        let spread = weight * (weight - 1.0);
        self.variance[0] += spread;
        self.variance[1] += spread * bytes * bytes;
    }

    /// Adds `count` allocations of a window, `rounded` bytes each.
    pub fn add_window(&mut self, weight: &Weight, count: u64, rounded: Option<u64>) {
        let WindowId { row, .. } = weight.window;
        let grouped = self.windows.get_or_insert_with(|| {
            Box::new(Grouped {
                row,
                estimates: [[0.0; 2]; GROUPS],
            })
        });
        let allocs = count as f64 * weight.factor();
        if let Some([group_allocs, group_bytes]) = grouped.estimates.get_mut(weight.group()) {
            *group_allocs += allocs;
            *group_bytes += allocs * rounded.unwrap_or(0) as f64;
        }
    }

    /// Adds that of sums which are added to these: of the same stack, or of one that starts with the same instruction.
    pub fn merge(&mut self, other: &Uncertainty) {
        add(&mut self.variance, &other.variance);
        match (&mut self.windows, &other.windows) {
            (Some(grouped), Some(other)) => {
                for (sum, estimate) in grouped.estimates.iter_mut().zip(&other.estimates) {
                    add(sum, estimate);
                }
            }
            (windows @ None, Some(other)) => *windows = Some(other.clone()),
            (_, None) => {}
        }
    }
}

impl Progress {
    /// Adds a window.
    pub fn add(&mut self, weight: &Weight) {
        let groups = self.rows.entry(weight.window.row).or_default();
        if let Some(progress) = groups.get_mut(weight.group()) {
            *progress += weight.stands_for;
        }
    }

    /// Standard error of the sum over stacks of these uncertainties; `None` if there are too few windows to tell.
    pub fn standard_error<'a>(
        &self,
        parts: impl Iterator<Item = &'a Uncertainty>,
    ) -> Option<StandardError> {
        let mut variance: Pair = [0.0; 2];
        let mut by_row: BTreeMap<u8, [Pair; GROUPS]> = BTreeMap::new();
        for part in parts {
            add(&mut variance, &part.variance);
            if let Some(grouped) = &part.windows {
                let sums = by_row.entry(grouped.row).or_default();
                for (sum, estimate) in sums.iter_mut().zip(&grouped.estimates) {
                    add(sum, estimate);
                }
            }
        }
        let mut scatter = [[0.0; 2]; GROUPS];
        let mut groups = GROUPS;
        for (row, estimates) in &by_row {
            let progress = self.rows.get(row)?;
            groups = groups.min(progress.iter().filter(|share| **share > 0.0).count());
            add_scatter(&mut scatter, estimates, progress);
        }
        if groups < 2 {
            return None;
        }
        if !by_row.is_empty() {
            let correction = groups as f64 / (groups as f64 - 1.0);
            for group in &scatter {
                let squares = group.map(|deviation| deviation * deviation * correction);
                add(&mut variance, &squares);
            }
        }
        let [allocs, alloc_bytes] = variance.map(f64::sqrt);
        Some(StandardError {
            allocs,
            alloc_bytes,
        })
    }
}

/// Adds how far each group's estimate is from its share of the row's sum.
fn add_scatter(scatter: &mut [Pair; GROUPS], estimates: &[Pair; GROUPS], progress: &[f64; GROUPS]) {
    let mut sum = [0.0; 2];
    estimates
        .iter()
        .for_each(|estimate| add(&mut sum, estimate));
    let all: f64 = progress.iter().sum();
    for ((deviation, estimate), share) in scatter.iter_mut().zip(estimates).zip(progress) {
        let expected = sum.map(|sum| sum * share / all);
        add(
            deviation,
            &[estimate[0] - expected[0], estimate[1] - expected[1]],
        );
    }
}

fn add(sum: &mut Pair, other: &Pair) {
    sum[0] += other[0];
    sum[1] += other[1];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(turn: u64) -> Weight {
        Weight {
            window: WindowId { row: 0, number: 1 },
            inside: 1.0,
            stands_for: 10.0,
            turn,
        }
    }

    /// Numbers that look random, 0 to 1.
    fn noise(seed: u64) -> f64 {
        let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) as f64 / u64::MAX as f64
    }

    #[test]
    fn sampling_by_bytes_has_the_variance_of_its_weights() {
        let mut uncertainty = Uncertainty::default();
        for _ in 0..100 {
            uncertainty.add_sample(4, Some(16));
        }
        let error = Progress::default().standard_error(std::iter::once(&uncertainty));
        let expected = (100.0_f64 * 12.0).sqrt();
        assert_eq!(
            error,
            Some(StandardError {
                allocs: expected,
                alloc_bytes: 16.0 * expected
            })
        );
    }

    #[test]
    fn windows_alike_have_no_error_and_one_window_tells_none() {
        let mut uncertainty = Uncertainty::default();
        let mut progress = Progress::default();
        for turn in 0..40 {
            if turn == 1 {
                assert_eq!(progress.standard_error(std::iter::once(&uncertainty)), None);
            }
            progress.add(&weight(turn));
            uncertainty.add_window(&weight(turn), 7, Some(8));
        }
        let error = progress.standard_error(std::iter::once(&uncertainty));
        assert!(error.is_some_and(|error| error.allocs < 1e-9), "{error:?}");
    }

    #[test]
    fn the_scatter_of_windows_tells_the_error_of_their_sum() {
        // Each window has 0 to 100 allocations, evenly: a variance of 100² / 12 that the factor of 10 enlarges.
        let mut progress = Progress::default();
        let mut one = Uncertainty::default();
        // The same in two stacks whose windows are each other's complement: together they have no error.
        let mut complement = Uncertainty::default();
        const WINDOWS: u64 = 1600;
        for turn in 0..WINDOWS {
            let count = whole(noise(turn) * 100.0);
            progress.add(&weight(turn));
            one.add_window(&weight(turn), count, Some(8));
            complement.add_window(&weight(turn), 100 - count, Some(8));
        }
        let expected = 10.0 * (WINDOWS as f64 * 10_000.0 / 12.0).sqrt();
        let error = progress.standard_error(std::iter::once(&one)).unwrap();
        assert!(
            (0.5..2.0).contains(&(error.allocs / expected)),
            "{error:?} {expected}"
        );
        let both = progress.standard_error([&one, &complement].into_iter());
        assert!(both.unwrap().allocs < 1e-6 * expected);
    }
}
