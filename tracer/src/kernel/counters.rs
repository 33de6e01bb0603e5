//! Reads the kernel's counters, summed over CPUs.

use super::KernelError;
use crate::aggregate::Counters;
use aya::Ebpf;
use aya::maps::PerCpuArray;
use tracer_common::config::MAP_COUNTERS;
use tracer_common::counter::SLOTS;

pub(super) fn read(ebpf: &Ebpf) -> Result<Counters, KernelError> {
    let failed = |source| KernelError::map(MAP_COUNTERS, source);
    let map = ebpf
        .map(MAP_COUNTERS)
        .ok_or(KernelError::Incomplete(MAP_COUNTERS))?;
    let per_cpu: PerCpuArray<_, [u64; SLOTS]> = PerCpuArray::try_from(map).map_err(failed)?;
    let mut sums = Counters::default();
    for values in per_cpu.get(&0, 0).map_err(failed)?.iter() {
        sums.add(values);
    }
    Ok(sums)
}
