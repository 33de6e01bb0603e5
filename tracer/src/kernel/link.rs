//! A probe in the target, and on its way out of it.

use super::KernelError;
use super::load::uprobe;
use super::place::Place;
use super::probe::Probe;
use aya::Ebpf;
use aya::programs::perf_event::PerfEventLink;
use aya::programs::uprobe::{UProbeLink, UProbeLinkId};

/// A probe of the target that can be taken out.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) probe: Probe,
    /// `None` while it is taken out.
    link: Option<UProbeLinkId>,
}

impl Linked {
    /// Puts a probe into the target.
    pub(super) fn put(ebpf: &mut Ebpf, place: &Place, probe: Probe) -> Result<Self, KernelError> {
        let link = Some(place.attach(ebpf, &probe)?);
        Ok(Linked { probe, link })
    }

    /// Puts the probe back, unless it is there.
    pub(super) fn put_back(&mut self, ebpf: &mut Ebpf, place: &Place) -> Result<(), KernelError> {
        if self.link.is_none() {
            self.link = Some(place.attach(ebpf, &self.probe)?);
        }
        Ok(())
    }

    /// Gives out the probe; `None` if it is out already.
    pub(super) fn take(&mut self, ebpf: &mut Ebpf) -> Option<Detaching> {
        let link = self.link.take()?;
        let program = uprobe(ebpf, self.probe.program).ok()?;
        let link = program.take_link(link).ok()?;
        Some(Detaching::UProbe { _link: link })
    }
}

/// A probe that is no longer recording. Dropping it takes it out of the target, or away from the host: at once if no
/// other is on its way out, but the call returns only after about 0.1 s, when no program runs any more that it started.
#[derive(Debug)]
#[must_use = "dropping it waits for the kernel"]
#[expect(missing_docs, reason = "what kind it is matters to nobody")]
pub enum Detaching {
    UProbe { _link: UProbeLink },
    PerfEvent { _link: PerfEventLink },
}
