//! Probes that do nothing, at the places of a plan: what a capture's own work costs is measured against them.

use super::place::{Place, explain};
use super::probe::{self, Probe};
use super::{KernelError, object};
use crate::plan::ProbePlan;
use crate::program::Process;
use aya::{Ebpf, EbpfLoader};
use tracer_common::config::PROGRAM_EMPTY;
use tracer_common::family::Family;

/// Probes that do nothing. Dropping it detaches them, which takes about 0.1 s each.
#[derive(Debug)]
pub struct EmptyProbes {
    _ebpf: Ebpf,
    /// How many there are.
    pub count: usize,
}

/// Attaches a program that does nothing wherever [`super::attach`] would attach one that records.
///
/// # Errors
/// The kernel refuses, or the target exits meanwhile; then nothing stays attached.
pub fn attach_empty(process: &Process, plan: &ProbePlan) -> Result<EmptyProbes, KernelError> {
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .load(object::bytes()?)
        .map_err(|error| KernelError::Load(Box::new(error)))?;
    let place = Place::of(process)?;
    let probes = Family::ALL
        .into_iter()
        .flat_map(|family| probe::of_family(family, plan));
    let mut count = 0;
    for probe in probes {
        let empty = Probe {
            program: PROGRAM_EMPTY,
            ..probe
        };
        place
            .attach(&mut ebpf, &empty)
            .map_err(|error| explain(process, error))?;
        count += 1;
    }
    Ok(EmptyProbes { _ebpf: ebpf, count })
}
