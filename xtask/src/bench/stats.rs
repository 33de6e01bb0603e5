//! Medians with their range. Rounds that did not measure a figure are left out, never taken for 0.

use serde::Serialize;

/// The middle and the range of repeated measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// How many measurements there were.
    pub(super) count: usize,
}

impl Summary {
    /// `None` if nothing was measured. A figure that is not finite (a division by 0) was not.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self {
            median: (lower + upper) / 2.0,
            min,
            max,
            count: values.len(),
        })
    }

    /// Of the ratios of figures of the same round: what drifts from round to round drops out.
    pub(super) fn of_ratios(
        pairs: impl IntoIterator<Item = (Option<f64>, Option<f64>)>,
    ) -> Option<Self> {
        let ratios = pairs
            .into_iter()
            .filter_map(|(numerator, denominator)| Some(numerator? / denominator?));
        Self::of(ratios)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Option<(f64, f64, f64)> {
        Summary::of(values.iter().copied()).map(|s| (s.median, s.min, s.max))
    }

    #[test]
    fn the_median_is_the_middle_one_or_the_mean_of_the_two() {
        assert_eq!(of(&[3.0, 1.0, 100.0]), Some((3.0, 1.0, 100.0)));
        assert_eq!(of(&[4.0, 1.0, 2.0, 100.0]), Some((3.0, 1.0, 100.0)));
        assert_eq!(of(&[7.0]), Some((7.0, 7.0, 7.0)));
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[f64::NAN, f64::INFINITY]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine is twice as slow in the second round: the ratio is 2 all the same.
        let pairs = [
            (Some(20.0), Some(10.0)),
            (Some(40.0), Some(20.0)),
            (Some(1.0), None),
            (Some(1.0), Some(0.0)),
        ];
        let summary = Summary::of_ratios(pairs).unwrap();
        assert_eq!((summary.median, summary.count), (2.0, 2));
    }
}
