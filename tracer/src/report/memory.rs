//! What resident memory consists of at the end of a capture: resident memory is the kernel's figure, its parts are the Go
//! runtime's own.
//!
//! Hides how the two fit together: the runtime counts memory as its own before it touches it, and knows nothing of C.

use crate::program::{Resident, RuntimeFigures};

/// Resident memory and its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub rss_bytes: u64,
    /// Of no file.
    pub anon_bytes: u64,
    /// Of files, and shared.
    pub file_bytes: u64,
    /// Swapped out.
    pub swap_bytes: u64,
    /// What it is used for, largest first; empty if the runtime's figures cannot be read.
    pub parts: Vec<MemoryPart>,
    /// What the runtime counts among the parts and is not resident: never touched, or swapped out.
    pub untouched_bytes: Option<u64>,
    /// `GOGC`, in percent; negative if it is off. `None`, like the next, if the runtime's figures cannot be read.
    pub gc_percent: Option<i32>,
    /// `GOMEMLIMIT`, in bytes; also `None` if there is none.
    pub go_limit_bytes: Option<u64>,
}

/// A part of resident memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPart {
    /// What it is.
    pub kind: PartKind,
    /// Its size.
    pub bytes: u64,
}

/// What a part of resident memory is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Objects found live by the last collection.
    Live,
    /// Objects made since then, and those found dead and not swept.
    NotCollected,
    /// Room between the objects of spans.
    Slots,
    /// Free spans that were not returned to the operating system.
    FreeSpans,
    /// Stacks of goroutines.
    Stacks,
    /// The runtime's own tables.
    Metadata,
    /// Mapped files, the executable among them.
    Files,
    /// What the runtime does not know: C's memory, mappings of the program's own, stacks of threads.
    Other,
    /// What only a version knows that is newer than this one.
    Unknown,
}

impl PartKind {
    /// All kinds that this version knows.
    pub const ALL: [PartKind; 8] = [
        PartKind::Live,
        PartKind::NotCollected,
        PartKind::Slots,
        PartKind::FreeSpans,
        PartKind::Stacks,
        PartKind::Metadata,
        PartKind::Files,
        PartKind::Other,
    ];

    /// Name in captures.
    pub fn name(self) -> &'static str {
        match self {
            PartKind::Live => "live_heap",
            PartKind::NotCollected => "not_collected",
            PartKind::Slots => "free_slots",
            PartKind::FreeSpans => "free_spans",
            PartKind::Stacks => "stacks",
            PartKind::Metadata => "runtime",
            PartKind::Files => "files",
            PartKind::Other => "other",
            PartKind::Unknown => "unknown",
        }
    }

    /// What it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            PartKind::Live => "live heap",
            PartKind::NotCollected => "garbage and new objects not yet collected",
            PartKind::Slots => "free slots between live objects",
            PartKind::FreeSpans => "free spans kept by the runtime",
            PartKind::Stacks => "goroutine stacks",
            PartKind::Metadata => "the runtime's own tables",
            PartKind::Files => "mapped files",
            PartKind::Other => "memory outside the Go runtime (C, mmap, threads)",
            PartKind::Unknown => "parts that a newer version of tracer tells apart",
        }
    }

    /// What a large part of the kind means, and what can be done.
    pub fn advice(self) -> &'static str {
        match self {
            PartKind::Live => "the program holds on to it: see what grows among sites and maps",
            PartKind::NotCollected => {
                "a lower GOGC collects earlier, GOMEMLIMIT does so near a limit only; both cost CPU time"
            }
            PartKind::Slots => {
                "few live objects keep whole spans: objects of one size that live long among many that do not"
            }
            PartKind::FreeSpans => {
                "the heap was larger: the runtime returns such memory slowly, sooner near GOMEMLIMIT or by debug.FreeOSMemory"
            }
            PartKind::Stacks => {
                "many goroutines, or deep ones: a goroutine dump shows where they wait"
            }
            PartKind::Metadata => "it grows with the heap's largest size and is not returned",
            PartKind::Files => "the kernel drops clean pages of files when it needs the memory",
            PartKind::Other => {
                "no Go profile shows it: look at C libraries, threads, and mappings of the program's own"
            }
            PartKind::Unknown => "read the capture with that version",
        }
    }
}

impl Memory {
    /// Splits `resident` up by what the runtime says.
    pub fn of(resident: &Resident, runtime: Option<&RuntimeFigures>) -> Self {
        let mut memory = Memory {
            rss_bytes: resident.rss,
            anon_bytes: resident.anon,
            file_bytes: resident.file.saturating_add(resident.shmem),
            swap_bytes: resident.swap,
            parts: Vec::new(),
            untouched_bytes: None,
            gc_percent: runtime.map(|figures| figures.controller.gc_percent),
            go_limit_bytes: runtime.and_then(|figures| figures.controller.limit()),
        };
        let Some(parts) = runtime.and_then(of_runtime) else {
            return memory;
        };
        let sum: u64 = parts.iter().map(|part| part.bytes).sum();
        memory.parts = parts;
        memory.untouched_bytes = Some(sum.saturating_sub(memory.anon_bytes));
        let others = [
            (PartKind::Files, memory.file_bytes),
            (PartKind::Other, memory.anon_bytes.saturating_sub(sum)),
        ];
        let others = others.map(|(kind, bytes)| MemoryPart { kind, bytes });
        memory.parts.extend(others);
        memory
            .parts
            .sort_by_key(|part| std::cmp::Reverse(part.bytes));
        memory
    }

    /// The part that is the reason for most of the memory; `None` if nothing is known.
    pub fn reason(&self) -> Option<MemoryPart> {
        self.parts.first().copied().filter(|part| part.bytes > 0)
    }

    /// The size of a part.
    pub fn part(&self, kind: PartKind) -> Option<u64> {
        let part = self.parts.iter().find(|part| part.kind == kind)?;
        Some(part.bytes)
    }
}

/// What the runtime counts as its own and ready for use.
fn of_runtime(figures: &RuntimeFigures) -> Option<Vec<MemoryPart>> {
    let state = &figures.controller;
    // Before the first collection the runtime only assumes how much is live.
    let live = match figures.cycles? {
        0 => 0,
        _ => state.heap_marked.min(state.heap_in_use),
    };
    let objects = state
        .total_alloc
        .saturating_sub(state.total_free)
        .clamp(live, state.heap_in_use.max(live));
    let parts = [
        (PartKind::Live, live),
        (PartKind::NotCollected, objects - live),
        (PartKind::Slots, state.heap_in_use.saturating_sub(objects)),
        (PartKind::FreeSpans, state.heap_free),
        (PartKind::Stacks, figures.stacks?),
        (PartKind::Metadata, figures.metadata?),
    ];
    Some(parts.map(|(kind, bytes)| MemoryPart { kind, bytes }).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::ControllerState;

    const MIB: u64 = 1 << 20;

    fn figures() -> RuntimeFigures {
        RuntimeFigures {
            controller: ControllerState {
                heap_marked: 100 * MIB,
                heap_in_use: 160 * MIB,
                heap_free: 300 * MIB,
                total_alloc: 1000 * MIB,
                total_free: 850 * MIB,
                ..ControllerState::default()
            },
            cycles: Some(3),
            stacks: Some(4 * MIB),
            metadata: Some(6 * MIB),
            ..RuntimeFigures::default()
        }
    }

    fn resident(anon: u64) -> Resident {
        Resident {
            rss: (anon + 20) * MIB,
            anon: anon * MIB,
            file: 20 * MIB,
            ..Resident::default()
        }
    }

    #[test]
    fn parts_add_up_to_resident_memory() {
        let memory = Memory::of(&resident(500), Some(&figures()));
        let part = |kind| memory.part(kind).map(|bytes| bytes / MIB);
        assert_eq!(part(PartKind::Live), Some(100));
        assert_eq!(part(PartKind::NotCollected), Some(50));
        assert_eq!(part(PartKind::Slots), Some(10));
        assert_eq!(part(PartKind::Other), Some(30));
        let sum: u64 = memory.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(sum, memory.rss_bytes);
        assert_eq!(memory.untouched_bytes, Some(0));
        assert_eq!(
            memory.reason().map(|part| part.kind),
            Some(PartKind::FreeSpans)
        );
    }

    #[test]
    fn what_was_never_touched_is_told() {
        let memory = Memory::of(&resident(400), Some(&figures()));
        assert_eq!(memory.untouched_bytes, Some(70 * MIB));
        assert_eq!(memory.part(PartKind::Other), Some(0));
    }

    #[test]
    fn nothing_is_live_before_the_first_collection() {
        let early = RuntimeFigures {
            cycles: Some(0),
            ..figures()
        };
        let memory = Memory::of(&resident(500), Some(&early));
        assert_eq!(memory.part(PartKind::Live), Some(0));
        assert_eq!(memory.part(PartKind::NotCollected), Some(150 * MIB));
    }

    #[test]
    fn without_the_runtimes_figures_there_are_no_parts() {
        let memory = Memory::of(&resident(500), None);
        assert_eq!((memory.parts.len(), memory.reason()), (0, None));
    }
}
