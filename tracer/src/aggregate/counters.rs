//! What the kernel programs have counted, and whether all that is due has arrived.
//!
//! Hides which slots a figure is made of: by family, that is what [`tracer_common::family`] says.

use tracer_common::counter::{Counter, MAP_PASSES, PASSES, SLOTS};
use tracer_common::family::{Extra, Family, PerExtra, PerFamily};

/// What the kernel programs have counted so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters([u64; SLOTS]);

impl Default for Counters {
    fn default() -> Self {
        Counters([0; SLOTS])
    }
}

impl Counters {
    /// One counter.
    pub fn get(&self, counter: Counter) -> u64 {
        match counter {
            Counter::Hits => {
                let passes: u64 = self.passes().iter().sum();
                passes.saturating_sub(self.sum(Family::Alloc.facts().silent))
            }
            _ => self.0.get(counter.slot()).copied().unwrap_or(0),
        }
    }

    /// How often each row of the plan was passed.
    pub fn passes(&self) -> &[u64] {
        self.0.get(PASSES..MAP_PASSES).unwrap_or_default()
    }

    /// How often each row of the plan's part about maps was passed, of those that see writes.
    pub fn map_passes(&self) -> &[u64] {
        self.0.get(MAP_PASSES..).unwrap_or_default()
    }

    /// Records of a family that were to be sent or left out by the sampling distance.
    pub fn seen(&self, family: Family) -> u64 {
        self.get(family.facts().seen)
    }

    /// Records of a family that were left out by the sampling distance.
    pub fn sampled_out(&self, family: Family) -> u64 {
        let sampled_out = family.facts().sampled_out;
        sampled_out.map_or(0, |counter| self.get(counter))
    }

    /// Records of a family that were sent, or should have been.
    pub fn due(&self, family: Family) -> u64 {
        self.seen(family).saturating_sub(self.sampled_out(family))
    }

    /// Every cause of loss of a family with its count.
    pub fn losses(&self, family: Family) -> impl Iterator<Item = (Counter, u64)> {
        let causes = family.facts().lost.iter();
        causes.map(|counter| (*counter, self.get(*counter)))
    }

    /// Records of a family lost to any cause.
    pub fn lost(&self, family: Family) -> u64 {
        self.sum(family.facts().lost)
    }

    /// Whether each record that is due is among those that `arrived`, or is counted as lost.
    pub fn are_settled(&self, arrived: &PerFamily<u64>) -> bool {
        arrived
            .iter()
            .all(|(family, arrived)| self.due(family) == arrived + self.lost(family))
    }

    /// Passes that were counted and not recorded.
    pub fn silent(&self) -> u64 {
        let of_families = Family::ALL.iter().map(|family| {
            let silent = self.sum(family.facts().silent);
            silent + self.sampled_out(*family)
        });
        let paused = Extra::ALL.iter().map(|extra| self.get(extra.paused()));
        of_families.chain(paused).sum()
    }

    /// Hits of the probes on anything but allocations that were recorded, or should have been.
    pub fn other_hits(&self) -> u64 {
        Family::ALL
            .into_iter()
            .filter(|family| *family != Family::Alloc && family.facts().has_hit)
            .map(|family| self.seen(family))
            .sum()
    }

    /// The same of what can be given up.
    pub fn extra_hits(&self) -> PerExtra<u64> {
        PerExtra::from_fn(|extra| extra.families().map(|family| self.seen(family)).sum())
    }

    fn sum(&self, counters: &[Counter]) -> u64 {
        counters.iter().map(|counter| self.get(*counter)).sum()
    }

    /// Adds what was counted elsewhere, such as on another CPU.
    pub fn add(&mut self, slots: &[u64; SLOTS]) {
        for (sum, value) in self.0.iter_mut().zip(slots) {
            *sum = sum.saturating_add(*value);
        }
    }

    /// What was counted since `earlier`, which must be an earlier state of these counters.
    pub fn since(&self, earlier: &Counters) -> Counters {
        let mut difference = self.clone();
        for (slot, before) in difference.0.iter_mut().zip(&earlier.0) {
            *slot = slot.saturating_sub(*before);
        }
        difference
    }

    /// Counters of given values, for tests of what is made of them.
    #[cfg(test)]
    pub(crate) fn of(values: &[(Counter, u64)]) -> Self {
        let mut counters = Counters::default();
        for (counter, value) in values {
            let slot = match counter {
                Counter::Hits => PASSES,
                other => other.slot(),
            };
            counters.0[slot] = *value;
        }
        counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_settled_when_its_records_have_arrived_or_are_lost() {
        for family in Family::ALL {
            let facts = family.facts();
            let mut values = vec![(facts.seen, 10)];
            values.extend(facts.lost.iter().map(|cause| (*cause, 2)));
            let due = 10 - 2 * facts.lost.len() as u64;
            let settled = |arrived| {
                let mut all = PerFamily::default();
                all[family] = arrived;
                Counters::of(&values).are_settled(&all)
            };
            assert!(settled(due), "{family:?}");
            assert!(!settled(due - 1), "{family:?}");
        }
    }

    #[test]
    fn what_sampling_left_out_is_not_due() {
        let counters = Counters::of(&[(Counter::Hits, 10), (Counter::SampledOut, 7)]);
        assert_eq!(
            (counters.seen(Family::Alloc), counters.due(Family::Alloc)),
            (10, 3)
        );
        assert_eq!(counters.silent(), 7);
    }

    #[test]
    fn each_hit_is_that_of_an_allocation_or_another_one_and_definitions_are_none() {
        for family in Family::ALL {
            let facts = family.facts();
            let counters = Counters::of(&[(facts.seen, 5)]);
            let is_other = facts.has_hit && family != Family::Alloc;
            assert_eq!(
                counters.other_hits(),
                if is_other { 5 } else { 0 },
                "{family:?}"
            );
            for (extra, hits) in counters.extra_hits().iter() {
                let expected = if facts.extra == Some(extra) { 5 } else { 0 };
                assert_eq!(*hits, expected, "{family:?} {extra:?}");
            }
        }
    }

    #[test]
    fn what_is_given_up_and_still_hit_is_silent() {
        for extra in Extra::ALL {
            assert_eq!(
                Counters::of(&[(extra.paused(), 4)]).silent(),
                4,
                "{extra:?}"
            );
        }
    }
}
