//! The events of the host's page faults.

use super::KernelError;
use super::link::Detaching;
use super::load::perf_event;
use aya::Ebpf;
use aya::programs::perf_event::{
    PerfEventConfig, PerfEventLinkId, PerfEventScope, SamplePolicy, SoftwareEvent,
};
use aya::util::online_cpus;
use tracer_common::config;

/// A program, and the event that it is attached to.
type FaultKind = (&'static str, SoftwareEvent);
const MINOR: FaultKind = (config::PROGRAM_FAULT_MINOR, SoftwareEvent::PageFaultsMin);
const MAJOR: FaultKind = (config::PROGRAM_FAULT_MAJOR, SoftwareEvent::PageFaultsMaj);

/// Opens the event of minor page faults on one CPU, with its program, and takes it away again.
pub(super) fn try_faults(ebpf: &mut Ebpf) -> Result<(), KernelError> {
    let cpus = online_cpus().map_err(|(_, source)| KernelError::Cpus(source))?;
    let first = cpus.get(..1).unwrap_or_default();
    let mut events = FaultEvents::default();
    let opened = events.attach_kind(ebpf, MINOR, first);
    drop(events.take(ebpf));
    opened
}

/// The events that page faults raise: one for each kind and CPU.
#[derive(Debug, Default)]
pub(super) struct FaultEvents(Vec<(&'static str, PerfEventLinkId)>);

impl FaultEvents {
    /// Attaches the programs. An event of a process would be that of one thread of it, so that these are those of the host,
    /// and the programs look who it is. A CPU that comes online later has none.
    ///
    /// What was attached before an error is detached again.
    pub(super) fn attach(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let cpus = online_cpus().map_err(|(_, source)| KernelError::Cpus(source))?;
        let mut events = FaultEvents::default();
        let attached = [MINOR, MAJOR]
            .into_iter()
            .try_for_each(|kind| events.attach_kind(ebpf, kind, &cpus));
        if attached.is_err() {
            drop(events.take(ebpf));
        }
        attached.map(|()| events)
    }

    fn attach_kind(
        &mut self,
        ebpf: &mut Ebpf,
        (name, event): FaultKind,
        cpus: &[u32],
    ) -> Result<(), KernelError> {
        for &cpu in cpus {
            let attached = perf_event(ebpf, name)?.attach(
                PerfEventConfig::Software(event),
                PerfEventScope::AllProcessesOneCpu { cpu },
                SamplePolicy::Period(1),
                false,
            );
            let link = attached.map_err(|source| KernelError::Faults(Box::new(source)))?;
            self.0.push((name, link));
        }
        Ok(())
    }

    /// Gives them out, to be taken away by dropping them.
    pub(super) fn take(&mut self, ebpf: &mut Ebpf) -> Vec<Detaching> {
        let links = self.0.drain(..).filter_map(|(name, link)| {
            let link = perf_event(ebpf, name).ok()?.take_link(link).ok()?;
            Some(Detaching::PerfEvent { _link: link })
        });
        links.collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}
