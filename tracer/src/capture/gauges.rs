//! What the target shows of its memory from outside, read at every tick: resident memory, the Go runtime's own figures, the
//! control group.
//!
//! Hides that a process which has exited shows nothing: what was read last stays.

use super::Prepared;
use crate::program::{Resident, RuntimeFigures, RuntimeView};
use crate::report::{Memory, TimelinePoint};

/// The gauges, and what they showed last.
#[derive(Debug)]
pub(super) struct Gauges {
    view: Option<RuntimeView>,
    resident: Option<Resident>,
    runtime: Option<RuntimeFigures>,
    /// Collections when the last point was made.
    cycles: Option<u32>,
}

impl Gauges {
    /// Reads the runtime's figures for the first time.
    pub(super) fn start(prepared: &Prepared) -> Self {
        let Prepared {
            process,
            binary,
            bias,
            ..
        } = prepared;
        let view = RuntimeView::open(process, binary, *bias);
        let runtime = view.as_ref().and_then(RuntimeView::read);
        Gauges {
            view,
            resident: process.resident(),
            cycles: runtime.and_then(|figures| figures.cycles),
            runtime,
        }
    }

    /// A point of the timeline with what they show now, and nothing else.
    pub(super) fn point(&mut self, prepared: &Prepared) -> TimelinePoint {
        let resident = prepared.process.resident();
        let runtime = self.view.as_ref().and_then(RuntimeView::read);
        self.resident = resident.or(self.resident);
        self.runtime = runtime.or(self.runtime);
        let cycles = runtime.and_then(|figures| figures.cycles);
        let group = prepared.process.memory_group();
        let before = self.cycles;
        self.cycles = cycles.or(before);
        TimelinePoint {
            rss_bytes: resident.map(|resident| resident.rss),
            rss_anon_bytes: resident.map(|resident| resident.anon),
            rss_file_bytes: resident.map(|resident| resident.file.saturating_add(resident.shmem)),
            swap_bytes: resident.map(|resident| resident.swap),
            heap_live: runtime.map(|figures| figures.controller.heap_live),
            heap_goal: runtime.and_then(|figures| figures.controller.goal()),
            gc_cycles: cycles
                .zip(before)
                .map(|(now, before)| u64::from(now.saturating_sub(before))),
            limit_used_bytes: group.limit_bytes.and(group.used_bytes),
            ..TimelinePoint::default()
        }
    }

    /// What resident memory consisted of when it was read last.
    pub(super) fn memory(&self) -> Option<Memory> {
        Some(Memory::of(&self.resident?, self.runtime.as_ref()))
    }
}
