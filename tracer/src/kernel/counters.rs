//! The kernel's counters, summed over CPUs.

use super::attach::map_error;
use super::{Extra, KernelError};
use aya::Ebpf;
use aya::maps::PerCpuArray;
use tracer_common::config::MAP_COUNTERS;
use tracer_common::counter::{Counter, MAP_PASSES, PASSES, SLOTS};

/// Hits of each kind that can be given up.
pub type ExtraHits = [u64; Extra::ALL.len()];

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
                let silent = self.get(Counter::Filtered) + self.get(Counter::Paused);
                passes.saturating_sub(silent)
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

    /// Passes that were counted and not recorded.
    pub fn silent(&self) -> u64 {
        self.sum(&[
            Counter::Filtered,
            Counter::Paused,
            Counter::SampledOut,
            Counter::MapWritesPaused,
            Counter::MapGrowthsPaused,
            Counter::FaultsPaused,
            Counter::AssistsPaused,
            Counter::LivePaused,
        ])
    }

    /// Hits of the probes on anything but allocations that were recorded, or should have been.
    pub fn other_hits(&self) -> u64 {
        self.sum(&[
            Counter::MapWrites,
            Counter::MapGrowths,
            Counter::Crashes,
            Counter::Faults,
            Counter::GcEvents,
            Counter::Assists,
            Counter::HeapSamples,
            Counter::HeapFrees,
        ])
    }

    /// The same of what can be given up, in the order of [`Extra::ALL`].
    pub fn extra_hits(&self) -> ExtraHits {
        Extra::ALL.map(|extra| self.sum(extra.counters()))
    }

    fn sum(&self, counters: &[Counter]) -> u64 {
        counters.iter().map(|counter| self.get(*counter)).sum()
    }

    /// What was counted since `earlier`, which must be an earlier state of these counters.
    pub fn since(&self, earlier: &Counters) -> Counters {
        let mut difference = self.clone();
        for (slot, before) in difference.0.iter_mut().zip(&earlier.0) {
            *slot = slot.saturating_sub(*before);
        }
        difference
    }

    /// Records of allocations that were sent, or should have been.
    pub fn expected(&self) -> u64 {
        let sampled_out = self.get(Counter::SampledOut);
        self.get(Counter::Hits).saturating_sub(sampled_out)
    }

    /// Every cause of loss with its count.
    pub fn losses(&self) -> impl Iterator<Item = (Counter, u64)> {
        Counter::ALL
            .into_iter()
            .filter(|counter| counter.is_loss())
            .map(|counter| (counter, self.get(counter)))
    }

    /// Allocations lost to any cause.
    pub fn lost(&self) -> u64 {
        self.losses().map(|(_, count)| count).sum()
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

pub(super) fn read(ebpf: &Ebpf) -> Result<Counters, KernelError> {
    let failed = |source| map_error(MAP_COUNTERS, source);
    let map = ebpf
        .map(MAP_COUNTERS)
        .ok_or(KernelError::Incomplete(MAP_COUNTERS))?;
    let per_cpu: PerCpuArray<_, [u64; SLOTS]> = PerCpuArray::try_from(map).map_err(failed)?;
    let mut sums = Counters::default();
    for values in per_cpu.get(&0, 0).map_err(failed)?.iter() {
        for (sum, value) in sums.0.iter_mut().zip(values) {
            *sum += value;
        }
    }
    Ok(sums)
}
