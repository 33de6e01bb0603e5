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

/// The events that page faults raise: one for each kind and CPU.
#[derive(Debug, Default)]
pub(super) struct FaultEvents(Vec<(&'static str, PerfEventLinkId)>);

impl FaultEvents {
    /// Attaches the programs. An event of a process would be that of one thread of it, so that these are those of the host,
    /// and the programs look who it is. A CPU that comes online later has none.
    ///
    /// What was attached before an error is detached again.
    pub(super) fn attach(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let mut events = FaultEvents::default();
        let attached = events.attach_all(ebpf);
        if attached.is_err() {
            drop(events.take(ebpf));
        }
        attached.map(|()| events)
    }

    fn attach_all(&mut self, ebpf: &mut Ebpf) -> Result<(), KernelError> {
        let kinds = [
            (config::PROGRAM_FAULT_MINOR, SoftwareEvent::PageFaultsMin),
            (config::PROGRAM_FAULT_MAJOR, SoftwareEvent::PageFaultsMaj),
        ];
        let cpus = online_cpus().map_err(|(_, source)| KernelError::Cpus(source))?;
        for (name, event) in kinds {
            for &cpu in &cpus {
                let attached = perf_event(ebpf, name)?.attach(
                    PerfEventConfig::Software(event),
                    PerfEventScope::AllProcessesOneCpu { cpu },
                    SamplePolicy::Period(1),
                    false,
                );
                let link = attached.map_err(|source| KernelError::Faults(Box::new(source)))?;
                self.0.push((name, link));
            }
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
