//! The Go runtime's own figures of memory and garbage collection, read from outside while the target runs.
//!
//! Hides which variables hold them, how they are found in a stripped binary, and their layouts. Source: DWARF of binaries
//! built with each version; `src/runtime/mstats.go`, `mheap.go`.

use super::controller::{ControllerLayout, ControllerState};
use super::{GoBinary, LoadBias, Memory, Process, RuntimePc, VirtualAddress};
use std::sync::Arc;

/// Where the runtime keeps its spans, so that a kernel program can tell what an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaLayout {
    /// Address of `runtime.mheap_.arenas`.
    pub arenas: VirtualAddress,
    /// Byte offset of `heapArena.spans`.
    pub arena_spans: u64,
    /// Byte offset of `mspan.state`.
    pub span_state: u64,
}

impl ArenaLayout {
    /// That of a binary; `None` if the variable cannot be found.
    pub fn of(binary: &GoBinary) -> Option<Self> {
        let minor = binary.go_version().minor;
        Some(ArenaLayout {
            arenas: arenas(binary, minor)?,
            // Behind the bitmap of the heap, which Go 1.20 made smaller and 1.22 moved into the spans.
            arena_spans: match minor {
                ..=19 => 2_097_152,
                20 | 21 => 1_064_960,
                _ => 0,
            },
            // Go 1.21 inserted `pinnerBits`, 1.22 made `nelems` smaller.
            span_state: if minor == 21 { 107 } else { 99 },
        })
    }
}

/// `runtime.mheap_.arenas`: the first variable that `runtime.findObject` uses, in the inlined `spanOf`; else by the
/// symbol of `mheap_`.
fn arenas(binary: &GoBinary, minor: u16) -> Option<VirtualAddress> {
    let used = binary.variables_of("runtime.findObject").first().copied();
    used.or_else(|| {
        let offset = match minor {
            ..=19 => 65_936,
            20 | 21 => 65_944,
            _ => 66_008,
        };
        let heap = binary.variable("runtime.mheap_")?;
        heap.0.checked_add(offset).map(VirtualAddress)
    })
}

/// The runtime's figures at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeFigures {
    /// The pacer's state.
    pub controller: ControllerState,
    /// Finished cycles: `MemStats.NumGC`.
    pub cycles: Option<u32>,
    /// Those that the program asked for: `MemStats.NumForcedGC`.
    pub forced_cycles: Option<u32>,
    /// `MemStats.PauseTotalNs`.
    pub pause_total_ns: Option<u64>,
    /// Bytes of spans that are goroutines' stacks: `MemStats.StackInuse`.
    pub stacks: Option<u64>,
    /// Bytes of the runtime's own tables, work buffers and the bitmaps of the heap among them: `MSpanSys`, `MCacheSys`,
    /// `BuckHashSys`, `GCSys` and `OtherSys` of `MemStats`. Not all of them were ever touched.
    pub metadata: Option<u64>,
}

/// A way to read them.
#[derive(Debug)]
pub struct RuntimeView {
    memory: Arc<dyn Memory>,
    controller: RuntimePc,
    controller_layout: ControllerLayout,
    statistics: Option<Statistics>,
}

impl RuntimeView {
    /// Opens the memory of `process`; `None` if the pacer cannot be found or read. In a process that has just started it
    /// may show nothing yet.
    pub fn open(process: &Process, binary: &GoBinary, bias: LoadBias) -> Option<Self> {
        let memory = process.memory().ok()?;
        let controller = bias.to_runtime(binary.controller()?);
        memory.word(controller)?;
        Some(RuntimeView {
            memory,
            controller,
            controller_layout: ControllerLayout::of(binary.go_version().minor),
            statistics: Statistics::of(binary, bias),
        })
    }

    /// The figures now; `None` if the process is gone, or its runtime not initialized.
    pub fn read(&self) -> Option<RuntimeFigures> {
        let words = self.memory.words(self.controller)?;
        let figures = RuntimeFigures {
            controller: self.controller_layout.state(&words)?,
            ..RuntimeFigures::default()
        };
        let statistics = self.statistics.as_ref();
        Some(statistics.map_or(figures, |statistics| {
            statistics.read(&*self.memory, figures)
        }))
    }
}

impl RuntimeView {
    /// Objects allocated since the process started, as far as the runtime has counted them: it counts those of a span when
    /// the span is full, and a reading lags by some thousand. `None` if they cannot be read.
    pub fn allocations(&self) -> Option<u64> {
        let statistics = self.statistics.as_ref()?;
        (0..ATTEMPTS).find_map(|_| statistics.allocations(&*self.memory))
    }
}

/// How often counts are read again that were just being moved.
const ATTEMPTS: usize = 8;

/// The variable `runtime.memstats`.
#[derive(Clone, Copy, Debug)]
struct Statistics {
    address: RuntimePc,
    layout: StatisticsLayout,
}

/// Where a version keeps what in it.
#[derive(Clone, Copy, Debug)]
struct StatisticsLayout {
    /// Size of `heapStatsDelta`, of which `heapStats`, the first field, has three.
    delta: u64,
    /// `stacks_sys`, the first of the counters of memory that is no heap.
    systems: u64,
}

/// Bytes from `stacks_sys` to `last_gc_unix`.
const LAST_GC_UNIX: u64 = 48;
/// Bytes from `last_gc_unix` to `numgc`; `numforcedgc` is its other half.
const NUM_GC: u64 = 4112;
/// The fields, by their distance from `last_gc_unix`, that `gcMarkTermination` uses in all versions: that one,
/// `pause_total_ns`, `pause_ns`, `pause_end`, `numgc`, `last_gc_nanotime`.
const WITNESSES: [u64; 6] = [0, 8, 16, 2064, NUM_GC, 4128];
/// No figure of memory is as large.
const MAX_SIZE: u64 = 1 << 48;

impl StatisticsLayout {
    /// Go 1.25 removed `inPtrScalarBits`, the last field before the counts of objects.
    fn of(minor: u16) -> Self {
        let (delta, systems) = if minor <= 24 {
            (1176, 3544)
        } else {
            (1168, 3520)
        };
        StatisticsLayout { delta, systems }
    }

    /// The address of `memstats`, by its symbol, else by those of its fields that `gcMarkTermination` uses.
    fn find(&self, binary: &GoBinary) -> Option<VirtualAddress> {
        binary.variable("runtime.memstats").or_else(|| {
            let fields = WITNESSES.map(|distance| self.systems + LAST_GC_UNIX + distance);
            binary.place_of_variables("runtime.gcMarkTermination", &fields)
        })
    }
}

impl Statistics {
    fn of(binary: &GoBinary, bias: LoadBias) -> Option<Self> {
        let layout = StatisticsLayout::of(binary.go_version().minor);
        Some(Statistics {
            address: bias.to_runtime(layout.find(binary)?),
            layout,
        })
    }

    /// Adds to `figures` what it can read.
    fn read(&self, memory: &dyn Memory, figures: RuntimeFigures) -> RuntimeFigures {
        let at = |offset: u64| RuntimePc(self.address.0.wrapping_add(offset));
        let systems = self.layout.systems;
        let heap = self.heap(memory);
        let [
            _stacks,
            spans,
            caches,
            profile,
            collector,
            other,
            _,
            pause_total_ns,
        ] = match memory.words(at(systems)) {
            Some(words) => words.map(Some),
            None => [None; 8],
        };
        let counts = memory.word(at(systems + LAST_GC_UNIX + NUM_GC));
        let half = |word: u64| u32::try_from(word & 0xffff_ffff).ok();
        let metadata = [
            heap.map(|heap| heap.others),
            spans,
            caches,
            profile,
            collector,
            other,
        ];
        RuntimeFigures {
            cycles: counts.and_then(half),
            forced_cycles: counts.map(|counts| counts >> 32).and_then(half),
            pause_total_ns,
            stacks: heap.map(|heap| heap.stacks),
            metadata: size_of_all(&metadata),
            ..figures
        }
    }

    /// Objects ever allocated, that are counted; `None` if a reader of `runtime/metrics` was moving the counts meanwhile from
    /// one delta to the next, where both have them.
    fn allocations(&self, memory: &dyn Memory) -> Option<u64> {
        let delta_words = usize::try_from(self.layout.delta / 8).ok()?;
        let mut bytes = vec![0; 3 * delta_words * 8];
        let generation = || {
            memory.word(RuntimePc(
                self.address.0.wrapping_add(bytes_of(delta_words)),
            ))
        };
        let before = generation()?;
        if memory.read(self.address, &mut bytes) != bytes.len() || generation()? != before {
            return None;
        }
        let words: Vec<u64> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        counted(&words, delta_words, before)
    }

    /// What of the heap's spans holds no objects. The runtime adds to one of three deltas and moves sums from one to
    /// another; together they are right (`unsafeRead`).
    fn heap(&self, memory: &dyn Memory) -> Option<HeapUse> {
        let mut sums = [0_u64; 6];
        for generation in 0..3 {
            let delta = self.address.0.wrapping_add(generation * self.layout.delta);
            let words: [u64; 6] = memory.words(RuntimePc(delta))?;
            for (sum, word) in sums.iter_mut().zip(words) {
                // Signed, and so may each be negative.
                *sum = sum.wrapping_add(word);
            }
        }
        let [
            _committed,
            _released,
            _objects,
            stacks,
            work_buffers,
            program_bits,
        ] = sums;
        let has_program_bits = self.layout.systems == StatisticsLayout::of(24).systems;
        let program_bits = if has_program_bits { program_bits } else { 0 };
        Some(HeapUse {
            stacks: size_of_all(&[Some(stacks)])?,
            others: size_of_all(&[Some(work_buffers), Some(program_bits)])?,
        })
    }
}

/// Bytes of the three deltas, behind which is the number of the current generation.
fn bytes_of(delta_words: usize) -> u64 {
    3 * 8 * delta_words as u64
}

/// Objects allocated, out of three deltas; `None` if the next generation is not empty yet.
fn counted(words: &[u64], delta_words: usize, generation: u64) -> Option<u64> {
    // From the end: counts of freed objects by class, and of large ones, and their bytes; the same of allocated objects;
    // and before them the tiny ones.
    let tiny = delta_words.checked_sub(2 * (CLASSES + 2) + 1)?;
    let next = usize::try_from((generation & 0xffff_ffff) + 1).ok()? % 3;
    let mut sum = 0_u64;
    for (number, delta) in words.chunks_exact(delta_words).enumerate() {
        let counts = delta.get(tiny..)?;
        if number == next && counts.iter().any(|count| *count != 0) {
            return None;
        }
        let [tiny, _large_bytes, large, of_classes @ ..] = counts else {
            return None;
        };
        let of_classes = of_classes.get(..CLASSES)?;
        let all = of_classes.iter().chain([tiny, large]);
        // Each may be a difference to the others.
        sum = all.fold(sum, |sum, count| sum.wrapping_add(*count));
    }
    Some(sum)
}

/// Size classes of the allocator, the one of large objects included: the same in all versions.
const CLASSES: usize = 68;

/// Bytes of the heap's spans that hold no objects.
#[derive(Clone, Copy, Debug)]
struct HeapUse {
    /// `inStacks`.
    stacks: u64,
    /// `inWorkBufs`, and `inPtrScalarBits` where it exists.
    others: u64,
}

/// The sum of sizes; `None` if one is missing or makes no sense.
fn size_of_all(sizes: &[Option<u64>]) -> Option<u64> {
    let mut sizes = sizes.iter();
    sizes.try_fold(0_u64, |sum, size| {
        size.filter(|size| *size < MAX_SIZE)?.checked_add(sum)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_of_all_deltas_are_counted_unless_they_are_being_moved() {
        for layout in [24, 25].map(StatisticsLayout::of) {
            let delta = usize::try_from(layout.delta / 8).unwrap();
            let tiny = if delta == 147 { 6 } else { 5 };
            let mut words = vec![0; 3 * delta];
            words[tiny] = 1;
            words[tiny + 1] = 1 << 30;
            words[tiny + 2] = 20;
            words[delta + tiny + 3] = 300;
            words[delta + tiny + 3 + 67] = 4000;
            // Freed.
            words[delta + tiny + 3 + 68 + 1] = 50_000;
            assert_eq!(counted(&words, delta, 0), None);
            assert_eq!(counted(&words, delta, 1), Some(4321));
            assert_eq!(counted(&words, delta, 7 | 1 << 32), Some(4321));
        }
    }

    #[test]
    fn sizes_that_make_no_sense_have_no_sum() {
        assert_eq!(size_of_all(&[Some(1), Some(2)]), Some(3));
        assert_eq!(size_of_all(&[Some(1), None]), None);
        assert_eq!(size_of_all(&[Some(1), Some(u64::MAX)]), None);
    }
}
