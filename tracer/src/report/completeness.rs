//! What of a capture is there and what is missing, by cause.
//!
//! Hides how the kernel's counters, what arrived, and what was cut short on the way make that up.

use crate::aggregate::{Counters, Cut, TINY_BLOCK, Totals};
use crate::symbolize::Symbols;
use std::collections::BTreeMap;
use tracer_common::counter::Counter;
use tracer_common::family;

/// What the figures cover and what is missing from them.
#[derive(Clone, Debug, PartialEq)]
pub struct Completeness {
    /// Allocations that the probes saw, counted in the kernel.
    pub hits: u64,
    /// Allocations that reached the report.
    pub delivered: u64,
    /// Allocations that the sampling distance left out: others stand for them.
    pub sampled_out: u64,
    /// Allocations lost, by cause; causes that did not occur are listed with 0.
    pub lost: Vec<(String, u64)>,
    /// Distinct program counters without a name.
    pub unknown_pcs: u64,
    /// Allocations whose stack lacks its outer frames.
    pub truncated_stacks: u64,
    /// The same by cause; causes that did not occur are listed with 0. Empty in captures of versions that did not tell.
    pub truncated_by: Vec<(String, u64)>,
    /// Allocations whose stack never arrived: they are in the totals, at no site.
    pub undefined_stacks: u64,
    /// Allocations beyond the bound on distinct stacks: they are in the totals, at no site.
    pub overflowed: u64,
    /// Allocations whose size is in no distribution, because the bound on their memory was reached.
    pub unbinned_sizes: u64,
    /// Whether there were allocations that no figure stands for: their functions are probed in windows, and what the last
    /// one stands for is known when it has ended. Figures are lower bounds then.
    pub unseen: bool,
    /// Most bytes by which `alloc_bytes` can be wrong: a block for each tiny object whose correction was lost.
    /// `None` in captures of versions that did not correct.
    pub unsure_bytes: Option<u64>,
    /// Everything that the kernel half counted. Empty in captures of versions that did not tell.
    pub counters: Vec<(String, u64)>,
    /// What else is sent through the ring. Empty in captures of versions that did not tell.
    pub families: Vec<Family>,
    /// Share of the target's allocations that is at a site of this report, 0 to 1; `None` if it cannot be known.
    pub coverage: Option<f64>,
}

/// Records of a kind other than allocations: hits = delivered + lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// What they are.
    pub name: String,
    /// How many there should be, counted in the kernel; `None` if it does not count them.
    pub hits: Option<u64>,
    /// How many reached the report.
    pub delivered: u64,
    /// Lost ones by cause; causes that did not occur are listed with 0.
    pub lost: Vec<(String, u64)>,
}

impl Family {
    /// Sum of all causes of loss.
    pub fn lost_total(&self) -> u64 {
        let counts = self.lost.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// How far hits are from what was delivered and lost.
    pub fn unaccounted(&self) -> u64 {
        let accounted = self.delivered.saturating_add(self.lost_total());
        self.hits.map_or(0, |hits| hits.abs_diff(accounted))
    }
}

impl Completeness {
    /// How many records of a family there were; `None` for allocations themselves, and in captures of versions that did not
    /// tell.
    pub fn family(&self, family: family::Family) -> Option<&Family> {
        self.families.iter().find(|of| of.name == family.name())
    }

    /// What the kernel half counted; `None` in captures of versions that did not tell.
    pub fn counter(&self, counter: Counter) -> Option<u64> {
        let mut counters = self.counters.iter();
        let (_, count) = counters.find(|(name, _)| name == counter.name())?;
        Some(*count)
    }

    /// What figures are if they are less than what happened, for people.
    pub fn lower_bound(&self) -> Option<&'static str> {
        self.unseen.then_some(
            "figures are lower bounds: functions too hot for --max-overhead are recorded in windows, and it is not known yet what these stand for; record longer, or with --mode exact or sampled",
        )
    }

    /// Of a capture that goes on: leaves out what was counted in the kernel and is still under way.
    #[must_use]
    pub fn arrived(mut self) -> Self {
        let accounted = self
            .delivered
            .saturating_add(self.lost_total())
            .saturating_add(self.sampled_out);
        self.hits = self.hits.min(accounted);
        for family in &mut self.families {
            let accounted = family.delivered.saturating_add(family.lost_total());
            family.hits = family.hits.map(|hits| hits.min(accounted));
        }
        self
    }

    /// Sum of all causes of loss.
    pub fn lost_total(&self) -> u64 {
        self.lost.iter().map(|(_, count)| count).sum()
    }
}

/// What of a capture is there and what is missing. `sampled` says that figures are made of samples.
pub(super) fn completeness(
    totals: &Totals,
    counters: &Counters,
    probed_share: Option<f64>,
    sampled: bool,
    symbols: &Symbols,
) -> Completeness {
    let hits = counters.seen(family::Family::Alloc);
    let delivered = totals.arrived[family::Family::Alloc];
    let mut lost = named(counters.losses(family::Family::Alloc));
    lost.push(("undecodable".to_owned(), totals.undecodable));
    let mut undefined_stacks = 0;
    let mut cut: BTreeMap<Cut, u64> = BTreeMap::new();
    for (id, stack) in &totals.stacks {
        match totals.frames.get(id) {
            None => undefined_stacks += stack.sums.allocs,
            Some(frames) => {
                if let Some(cause) = frames.cut {
                    *cut.entry(cause).or_default() += stack.sums.allocs;
                }
            }
        }
    }
    if sampled {
        // Here the figures are made of samples.
        for (id, stack) in &totals.heap.stacks {
            let samples: u64 = stack.sizes.values().map(|counts| counts.samples).sum();
            match totals.frames.get(id).map(|frames| frames.cut) {
                None => undefined_stacks += samples,
                Some(Some(cause)) => *cut.entry(cause).or_default() += samples,
                Some(None) => {}
            }
        }
    }
    let unbinned = totals.stacks.values().map(|stack| stack.sizes.unbinned());
    let allocs = totals.sums.allocs;
    let at_a_site = allocs
        .saturating_sub(undefined_stacks)
        .saturating_sub(totals.overflowed);
    let sampled_out = counters.sampled_out(family::Family::Alloc);
    let arrived = (delivered + sampled_out) as f64 / hits as f64;
    let coverage = if sampled {
        probed_share
    } else {
        probed_share
            .filter(|_| hits > 0 && allocs > 0)
            .map(|share| share * arrived * at_a_site as f64 / allocs as f64)
    };
    Completeness {
        hits,
        delivered,
        sampled_out,
        lost,
        unknown_pcs: symbols.unknown_pcs(),
        truncated_stacks: cut.values().sum(),
        truncated_by: [Cut::TooDeep, Cut::Unreadable, Cut::Folded]
            .map(|cause| {
                (
                    cut_name(cause).to_owned(),
                    cut.get(&cause).copied().unwrap_or(0),
                )
            })
            .into(),
        undefined_stacks,
        overflowed: totals.overflowed + totals.heap.overflowed_samples,
        unseen: false,
        unbinned_sizes: unbinned.fold(totals.heap.merged_sizes, u64::saturating_add),
        counters: Counter::ALL
            .map(|counter| (counter.name().to_owned(), counters.get(counter)))
            .into(),
        families: families(totals, counters),
        unsure_bytes: Some(TINY_BLOCK * counters.lost(family::Family::Resume)),
        coverage,
    }
}

fn cut_name(cut: Cut) -> &'static str {
    match cut {
        Cut::TooDeep => "too_deep",
        Cut::Unreadable => "unreadable",
        Cut::Folded => "folded",
    }
}

/// Everything in the ring that is no allocation.
fn families(totals: &Totals, counters: &Counters) -> Vec<Family> {
    let others = family::Family::ALL
        .into_iter()
        .filter(|family| *family != family::Family::Alloc);
    let counts = others.map(|family| Family {
        name: family.name().to_owned(),
        hits: Some(counters.seen(family)),
        delivered: totals.arrived[family],
        lost: named(counters.losses(family)),
    });
    counts.collect()
}

fn named(counts: impl Iterator<Item = (Counter, u64)>) -> Vec<(String, u64)> {
    let named = counts.map(|(counter, count)| (counter.name().to_owned(), count));
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Aggregator;
    use crate::decode::{decode, encoded};

    fn completeness_of(
        records: &[Vec<u8>],
        counters: &[(Counter, u64)],
        probed_share: Option<f64>,
    ) -> Completeness {
        let mut aggregator = Aggregator::for_tests();
        records
            .iter()
            .for_each(|record| aggregator.apply(decode(record)));
        completeness(
            aggregator.totals(),
            &Counters::of(counters),
            probed_share,
            false,
            &Symbols::default(),
        )
    }

    #[test]
    fn every_loss_is_listed_with_its_cause() {
        let records = [
            encoded::stack(1, &[7]),
            encoded::alloc(0, 1, 8, 0),
            vec![99],
        ];
        let counters = [(Counter::Hits, 5), (Counter::LostRingFull, 3)];
        let completeness = completeness_of(&records, &counters, Some(1.0));
        assert_eq!(
            (
                completeness.hits,
                completeness.delivered,
                completeness.lost_total()
            ),
            (5, 1, 4)
        );
        let ring_full = completeness
            .lost
            .iter()
            .find(|(cause, _)| cause == "ring_full");
        assert_eq!(ring_full.map(|(_, count)| *count), Some(3));
        assert_eq!(completeness.coverage, Some(0.2));
    }

    #[test]
    fn a_stack_that_never_arrived_lowers_the_coverage() {
        let records = [
            encoded::stack(1, &[7]),
            encoded::alloc(0, 1, 8, 0),
            encoded::alloc(0, 2, 8, 0),
        ];
        let completeness = completeness_of(&records, &[(Counter::Hits, 2)], Some(1.0));
        assert_eq!(
            (completeness.undefined_stacks, completeness.coverage),
            (1, Some(0.5))
        );
    }

    #[test]
    fn the_coverage_of_an_unknown_runtime_is_not_known() {
        let completeness =
            completeness_of(&[encoded::alloc(0, 1, 8, 0)], &[(Counter::Hits, 1)], None);
        assert_eq!(completeness.coverage, None);
    }
}
