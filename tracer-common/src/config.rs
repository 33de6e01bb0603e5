//! What user space sets in the kernel half: names of programs, maps and globals, and the state of a row.

use crate::family::Extra;
use crate::limits::{MAX_RINGS, MAX_ROWS};
use crate::record::{MAX_DISTANCE_LOG2, MAX_WINDOW};

/// Program that records an allocation: size in the first, type in the second argument register.
pub const PROGRAM_ALLOC: &str = "alloc";

/// The same for a function that passes some allocations on: see [`crate::cookie::AllocCookie::dispatching`].
pub const PROGRAM_ALLOC_DISPATCHED: &str = "alloc_dispatched";

/// Program that records that a goroutine goes on where it may have changed its P.
pub const PROGRAM_RESUME: &str = "resume";

/// Program that records a write, a delete or a clear of a map.
pub const PROGRAM_MAP_WRITE: &str = "map_write";

/// Program that records that a map grows.
pub const PROGRAM_MAP_GROWTH: &str = "map_growth";

/// Program that records a fatal error or a panic.
pub const PROGRAM_CRASH: &str = "crash";

/// Programs that record page faults, for the two software events of perf.
pub const PROGRAM_FAULT_MINOR: &str = "fault_minor";
/// See [`PROGRAM_FAULT_MINOR`].
pub const PROGRAM_FAULT_MAJOR: &str = "fault_major";

/// Program that records an event of the garbage collector.
pub const PROGRAM_GC: &str = "gc";

/// Program that records the begin or the end of a mark assist.
pub const PROGRAM_ASSIST: &str = "assist";

/// Program that records what the runtime's heap profiler samples: `setprofilebucket(address, bucket)`.
pub const PROGRAM_HEAP_SAMPLE: &str = "heap_sample";

/// Program that records that a sampled object is freed: `freeSpecial(special, address, size)`.
pub const PROGRAM_HEAP_FREE: &str = "heap_free";

/// Program that records what a span was filled with when it is given back: `(*mcache).refill(mcache, class)`.
pub const PROGRAM_SPAN_REFILL: &str = "span_refill";

/// The same where that function is inlined: `(*mcentral).uncacheSpan(mcentral, span)` is called.
pub const PROGRAM_SPAN_UNCACHE: &str = "span_uncache";

/// Program that records a large object: `(*mcache).allocLarge(mcache, size, noscan)`.
pub const PROGRAM_SPAN_LARGE: &str = "span_large";

/// Program that does nothing, to measure what the probes cost without it.
pub const PROGRAM_EMPTY: &str = "empty";

/// Ring buffers of records. A goroutine's records all go to one ring, so that their order is kept.
pub const MAP_EVENTS: [&str; MAX_RINGS] = [
    "EVENTS_0", "EVENTS_1", "EVENTS_2", "EVENTS_3", "EVENTS_4", "EVENTS_5", "EVENTS_6", "EVENTS_7",
];
/// Per-CPU array with one element: an array of [`crate::counter::SLOTS`] `u64`.
pub const MAP_COUNTERS: &str = "COUNTERS";
/// Array of one element, the [`SWITCHES`] words that user space changes while the programs run: a data section of the
/// object, which the loader makes a map.
pub const MAP_SWITCHES: &str = ".data.switches";

/// Switch that every program tests first: [`RECORDING_ON`] or [`RECORDING_OFF`].
pub const SWITCH_RECORDING: usize = 0;
/// First of the switches with the [`RowState`] of each row of the plan.
pub const SWITCH_ROWS: usize = 1;
/// First of the switches of each [`Extra`]: [`RECORDING_ON`] or [`RECORDING_OFF`].
pub const SWITCH_EXTRAS: usize = SWITCH_ROWS + MAX_ROWS;
/// Number of switches.
pub const SWITCHES: usize = SWITCH_EXTRAS + Extra::COUNT;

/// Programs record.
pub const RECORDING_ON: u64 = 1;
/// Programs return at once. The initial state.
pub const RECORDING_OFF: u64 = 0;

/// Global `u64`: how many of [`MAP_EVENTS`] are written to, a power of two.
pub const GLOBAL_RINGS: &str = "RINGS";
/// Global `u64`: seed of the stack hash.
pub const GLOBAL_HASH_SEED: &str = "HASH_SEED";
/// Global `u64`: allocations of fewer bytes are left out. At least 1: size 0 allocates nothing.
pub const GLOBAL_MIN_SIZE: &str = "MIN_SIZE";
/// Global `u64`: frames of a stack, at most [`crate::limits::MAX_FRAMES`].
pub const GLOBAL_STACK_DEPTH: &str = "STACK_DEPTH";
/// Global `u8`: 1 if records carry the time.
pub const GLOBAL_TIMESTAMPS: &str = "TIMESTAMPS";
/// Globals `u64`: byte offsets on the way from the running `g` to the tiny allocator: `g.m`.
pub const GLOBAL_G_M: &str = "G_M";
/// `m.p`.
pub const GLOBAL_M_P: &str = "M_P";
/// `p.mcache`.
pub const GLOBAL_P_MCACHE: &str = "P_MCACHE";
/// `g.goid`; 0 if it is not known.
pub const GLOBAL_G_GOID: &str = "G_GOID";
/// `mcache.tiny`, with `mcache.tinyoffset` behind it.
pub const GLOBAL_MCACHE_TINY: &str = "MCACHE_TINY";
/// Global `u64`: address of the variable `runtime.mcache0`, 0 if it is not known.
pub const GLOBAL_MCACHE0: &str = "MCACHE0";

/// Globals `u64`: the traced process, by its id in its own pid namespace, and that namespace as `nsfs` names it: device
/// and inode. Page faults are those of the whole host, and a program knows no other namespace than the innermost.
pub const GLOBAL_TARGET_TGID: &str = "TARGET_TGID";
/// See [`GLOBAL_TARGET_TGID`].
pub const GLOBAL_TARGET_NS_DEVICE: &str = "TARGET_NS_DEVICE";
/// See [`GLOBAL_TARGET_TGID`].
pub const GLOBAL_TARGET_NS_INODE: &str = "TARGET_NS_INODE";
/// Globals `u64`: first address of the code that the Go toolchain compiled, and the first one behind it.
pub const GLOBAL_TEXT_START: &str = "TEXT_START";
/// See [`GLOBAL_TEXT_START`].
pub const GLOBAL_TEXT_END: &str = "TEXT_END";
/// Global `u64`: address of `runtime.mheap_.arenas`, 0 if it is not known.
pub const GLOBAL_ARENAS: &str = "ARENAS";
/// Global `u64`: byte offset of `heapArena.spans`.
pub const GLOBAL_ARENA_SPANS: &str = "ARENA_SPANS";
/// Global `u64`: byte offset of `mspan.state`.
pub const GLOBAL_SPAN_STATE: &str = "SPAN_STATE";

/// Globals `u64`: byte offsets on the way to who allocates when the heap profiler samples, on the system stack: `m.curg`.
pub const GLOBAL_M_CURG: &str = "M_CURG";
/// `g.gopc`.
pub const GLOBAL_G_GOPC: &str = "G_GOPC";
/// `g.labels`.
pub const GLOBAL_G_LABELS: &str = "G_LABELS";
/// Global `u64`: what `g.labels` points to: [`LABELS_UNKNOWN`], [`LABELS_MAP`] or [`LABELS_LIST`].
pub const GLOBAL_LABELS_FORM: &str = "LABELS_FORM";
/// Labels are not read.
pub const LABELS_UNKNOWN: u64 = 0;
/// A `map[string]string`, up to Go 1.23 (`runtime.hmap`).
pub const LABELS_MAP: u64 = 1;
/// A slice of keys and values, from Go 1.24.
pub const LABELS_LIST: u64 = 2;
/// Globals `u64`: byte offset of `special.kind`.
pub const GLOBAL_SPECIAL_KIND: &str = "SPECIAL_KIND";
/// Its value for a special of the heap profiler.
pub const GLOBAL_SPECIAL_PROFILE: &str = "SPECIAL_PROFILE";
/// Globals `u64`: byte offset of `mcache.alloc`.
pub const GLOBAL_MCACHE_ALLOC: &str = "MCACHE_ALLOC";
/// `mspan.allocCount`, a `u16`.
pub const GLOBAL_SPAN_ALLOC_COUNT: &str = "SPAN_ALLOC_COUNT";
/// `mspan.allocCountBeforeCache`, a `u16`.
pub const GLOBAL_SPAN_COUNT_BEFORE: &str = "SPAN_COUNT_BEFORE";
/// `mspan.elemsize`.
pub const GLOBAL_SPAN_ELEMSIZE: &str = "SPAN_ELEMSIZE";

/// Whether a row of the plan records now, and which of its allocations. The initial state is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct RowState(pub u64);

impl RowState {
    const ON: u64 = 1;
    const DISTANCE: u32 = 8;
    const WINDOW: u32 = 16;

    /// Not recording.
    pub const OFF: RowState = RowState(0);

    /// Records each allocation.
    pub const EXACT: RowState = RowState(Self::ON);

    /// Records one allocation in about 2^`distance_log2` bytes; 0 for each.
    pub const fn sampling(distance_log2: u8) -> Self {
        RowState(Self::ON | ((distance_log2 & MAX_DISTANCE_LOG2) as u64) << Self::DISTANCE)
    }

    /// Records each allocation, as part of a window with this number, 1 to [`MAX_WINDOW`].
    pub const fn window(number: u8) -> Self {
        RowState(Self::ON | ((number & MAX_WINDOW) as u64) << Self::WINDOW)
    }

    /// Whether it records at all.
    pub const fn is_on(self) -> bool {
        self.0 & Self::ON != 0
    }

    /// Logarithm of the sampling distance in bytes.
    pub const fn distance_log2(self) -> u8 {
        low_byte(self.0 >> Self::DISTANCE) & MAX_DISTANCE_LOG2
    }

    /// Number of the window, 0 for none.
    pub const fn window_number(self) -> u8 {
        low_byte(self.0 >> Self::WINDOW) & MAX_WINDOW
    }
}

const fn low_byte(word: u64) -> u8 {
    (word & 0xff) as u8
}
