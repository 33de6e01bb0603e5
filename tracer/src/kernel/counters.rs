//! The kernel's counters, summed over CPUs.

use super::KernelError;
use super::attach::map_error;
use aya::Ebpf;
use aya::maps::PerCpuArray;
use tracer_common::config::MAP_COUNTERS;
use tracer_common::counter::{COUNTERS, Counter};

/// What the kernel programs have counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters([u64; COUNTERS]);

impl Counters {
    /// One counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter.slot()).copied().unwrap_or(0)
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
            counters.0[counter.slot()] = *value;
        }
        counters
    }
}

pub(super) fn read(ebpf: &Ebpf) -> Result<Counters, KernelError> {
    let failed = |source| map_error(MAP_COUNTERS, source);
    let map = ebpf
        .map(MAP_COUNTERS)
        .ok_or(KernelError::Incomplete(MAP_COUNTERS))?;
    let per_cpu: PerCpuArray<_, [u64; COUNTERS]> = PerCpuArray::try_from(map).map_err(failed)?;
    let mut sums = Counters::default();
    for values in per_cpu.get(&0, 0).map_err(failed)?.iter() {
        for (sum, value) in sums.0.iter_mut().zip(values) {
            *sum += value;
        }
    }
    Ok(sums)
}
