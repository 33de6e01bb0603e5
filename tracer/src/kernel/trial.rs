//! Tries on this host what a capture does: loads the programs, attaches a probe, opens an event. What is there is found by
//! trying it; versions of kernels tell little, because distributions carry features back.
//!
//! Hides what is probed for it, a function of the agent's own. Nothing stays.

use super::load::uprobe;
use super::{KernelError, calibrate, faults, object, preflight};
use aya::{Ebpf, EbpfLoader};
use tracer_common::config;

/// Something that a host can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// The agent has its eBPF programs.
    Agent,
    /// The agent has the capability that uprobes ask for.
    Privilege,
    /// The kernel describes its types (BTF).
    Btf,
    /// The kernel accepts the programs that record.
    Programs,
    /// A probe can be attached.
    Probes,
    /// Page faults can be recorded.
    Faults,
}

impl Ability {
    /// All of them; each needs those before it, but for [`Ability::Btf`].
    pub const ALL: [Ability; 6] = [
        Ability::Agent,
        Ability::Privilege,
        Ability::Btf,
        Ability::Programs,
        Ability::Probes,
        Ability::Faults,
    ];
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It works.
    Works,
    /// It does not; what the kernel says.
    Fails(String),
    /// Something else is missing that it needs, or there is no way to try it on this machine.
    Untried,
}

/// Tries everything, in the order of [`Ability::ALL`].
pub fn try_host() -> [(Ability, Trial); 6] {
    let agent = trial(object::bytes().map(drop));
    let privilege = match preflight::privileged() {
        true => Trial::Works,
        false => Trial::Fails("no CAP_SYS_ADMIN".to_owned()),
    };
    let btf = match preflight::reads_btf() {
        Ok(()) => Trial::Works,
        Err(error) => Trial::Fails(format!("{}: {error}", preflight::BTF)),
    };
    let [programs, probes, faults] = if agent == Trial::Works && privilege == Trial::Works {
        match recording_programs() {
            Ok(mut ebpf) => [
                Trial::Works,
                calibrate::try_probe(&mut ebpf).map_or(Trial::Untried, trial),
                trial(faults::try_faults(&mut ebpf)),
            ],
            Err(error) => [trial(Err(error)), Trial::Untried, Trial::Untried],
        }
    } else {
        [const { Trial::Untried }; 3]
    };
    [
        (Ability::Agent, agent),
        (Ability::Privilege, privilege),
        (Ability::Btf, btf),
        (Ability::Programs, programs),
        (Ability::Probes, probes),
        (Ability::Faults, faults),
    ]
}

/// Loads the object, and of its programs the largest that records allocations.
fn recording_programs() -> Result<Ebpf, KernelError> {
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .load(object::bytes()?)
        .map_err(|error| KernelError::Load(Box::new(error)))?;
    uprobe(&mut ebpf, config::PROGRAM_ALLOC_DISPATCHED)?;
    Ok(ebpf)
}

fn trial(result: Result<(), KernelError>) -> Trial {
    match result {
        Ok(()) => Trial::Works,
        // The first line: what the verifier says fills pages.
        Err(error) => {
            let told = format!("{:#}", anyhow::Error::from(error));
            Trial::Fails(told.lines().next().unwrap_or_default().to_owned())
        }
    }
}
