//! What user space sets in the kernel half: names of programs, maps and globals, the state of a row, and the attach
//! cookie.

use crate::limits::{MAX_RINGS, MAX_ROWS};
use crate::record::{MAX_DISTANCE_LOG2, MAX_WINDOW};

/// Program that records an allocation: size in the first, type in the second argument register.
pub const PROGRAM_ALLOC: &str = "alloc";

/// The same for a function that passes some allocations on: see [`Cookie::dispatching`].
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

/// Number of switches.
pub const SWITCHES: usize = SWITCH_LIVE + 1;
/// Switch that every program tests first: [`RECORDING_ON`] or [`RECORDING_OFF`].
pub const SWITCH_RECORDING: usize = 0;
/// First of the switches with the [`RowState`] of each row of the plan.
pub const SWITCH_ROWS: usize = 1;

/// Switch of [`PROGRAM_MAP_WRITE`]: [`RECORDING_ON`] or [`RECORDING_OFF`].
pub const SWITCH_MAP_WRITES: usize = SWITCH_ROWS + MAX_ROWS;
/// Switch of [`PROGRAM_MAP_GROWTH`], likewise.
pub const SWITCH_MAP_GROWTHS: usize = SWITCH_MAP_WRITES + 1;
/// Switch of [`PROGRAM_FAULT_MINOR`] and [`PROGRAM_FAULT_MAJOR`], likewise.
pub const SWITCH_FAULTS: usize = SWITCH_MAP_GROWTHS + 1;
/// Switch of [`PROGRAM_ASSIST`], likewise.
pub const SWITCH_ASSISTS: usize = SWITCH_FAULTS + 1;

/// Switch of the programs that sample the heap, likewise.
pub const SWITCH_LIVE: usize = SWITCH_ASSISTS + 1;

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

/// What a probe's attach cookie says about its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie(pub u64);

/// Which allocations of a function go through the tiny allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiny {
    /// None.
    Never,
    /// All.
    Always,
    /// Those of fewer than 16 bytes whose type has no pointers.
    ByType,
}

/// Which argument registers of a function that works on a map hold what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapArguments {
    /// The map's type, then the map: `mapassign`, `mapdelete`, `mapclear`, `hashGrow`.
    TypeMap,
    /// The map, then its type: `(*Map).growToTable`.
    MapType,
    /// A table of the map, the map's type, then the map: `(*table).rehash`.
    TableTypeMap,
}

/// Which memory is sent with an event of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcWords {
    /// None.
    None,
    /// That at the first argument.
    Argument,
}

/// How a function that ends the program is told why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageArgument {
    /// A string: `fatal`, `throw`.
    String,
    /// An interface value with a string in it, or anything else: `gopanic`.
    Interface,
}

/// Bits of a dispatcher's mask: to which allocation function it passes an allocation on.
pub mod dispatch {
    /// Without pointers, fewer than 16 bytes.
    pub const TINY: u32 = 0;
    /// Without pointers, of any small size.
    pub const SMALL_NOSCAN: u32 = 1;
    /// With pointers, at most 512 bytes.
    pub const SMALL_SCAN_NO_HEADER: u32 = 2;
    /// With pointers, more than 512 bytes.
    pub const SMALL_SCAN_HEADER: u32 = 3;
    /// Larger than small.
    pub const LARGE: u32 = 4;
    /// Specialised, without pointers: this plus the number of the size class.
    pub const NOSCAN_CLASS: u32 = 8;
    /// Specialised, with pointers: this plus the number of the size class.
    pub const SCAN_CLASS: u32 = 16;
    /// Largest size class that has a bit of its own: 80 bytes.
    pub const MAX_CLASS: u32 = 7;
}

impl Cookie {
    const SPECIALISED: u64 = 1 << 11;
    const DISPATCHED: u32 = 32;
    const FRAME_SET_UP: u64 = 1 << 8;
    const TINY_ALWAYS: u64 = 1 << 9;
    const TINY_BY_TYPE: u64 = 1 << 10;
    /// Two bits of a map's probe, one of a crash's, two of the collector's.
    const ARGUMENTS: u32 = 12;
    /// Four bits of the collector's probes.
    const SECOND_ARGUMENT: u32 = 16;
    /// Number of RBX in machine code, the register of the second argument.
    const RBX: u8 = 3;

    /// A cookie for row `row` of the plan. `frame_set_up` tells whether the probed instruction runs after the function
    /// has pushed its frame pointer: the return address is then above the frame pointer, not at the stack pointer.
    pub const fn new(row: u8, frame_set_up: bool, tiny: Tiny) -> Self {
        let frame = if frame_set_up { Self::FRAME_SET_UP } else { 0 };
        let tiny = match tiny {
            Tiny::Never => 0,
            Tiny::Always => Self::TINY_ALWAYS,
            Tiny::ByType => Self::TINY_BY_TYPE,
        };
        Cookie(row as u64 | frame | tiny)
    }

    /// A cookie for row `row` of the plan's part about maps.
    pub const fn of_map(row: u8, frame_set_up: bool, arguments: MapArguments) -> Self {
        let arguments = match arguments {
            MapArguments::TypeMap => 0,
            MapArguments::MapType => 1,
            MapArguments::TableTypeMap => 2,
        };
        Cookie(Self::new(row, frame_set_up, Tiny::Never).0 | arguments << Self::ARGUMENTS)
    }

    /// Where the arguments of a map's function are.
    pub const fn map_arguments(self) -> MapArguments {
        match self.0 >> Self::ARGUMENTS & 3 {
            0 => MapArguments::TypeMap,
            1 => MapArguments::MapType,
            _ => MapArguments::TableTypeMap,
        }
    }

    /// A cookie for row `row` of the plan's part about crashes.
    pub const fn of_crash(row: u8, frame_set_up: bool, message: MessageArgument) -> Self {
        let message = match message {
            MessageArgument::String => 0,
            MessageArgument::Interface => 1,
        };
        Cookie(Self::new(row, frame_set_up, Tiny::Never).0 | message << Self::ARGUMENTS)
    }

    /// How a crash's function is told why.
    pub const fn message_argument(self) -> MessageArgument {
        match self.0 >> Self::ARGUMENTS & 1 {
            0 => MessageArgument::String,
            _ => MessageArgument::Interface,
        }
    }

    /// A cookie for row `row` of the plan's part about the collector. `stack` tells whether a walk is asked for, `words`
    /// which memory is.
    pub const fn of_gc(row: u8, frame_set_up: bool, stack: bool, words: GcWords) -> Self {
        let words = match words {
            GcWords::None => 0,
            GcWords::Argument => 1,
        };
        let bits = words | (stack as u64) << 1;
        let second = (Self::RBX as u64) << Self::SECOND_ARGUMENT;
        Cookie(Self::new(row, frame_set_up, Tiny::Never).0 | bits << Self::ARGUMENTS | second)
    }

    /// The same for a place where what would be the second argument is in another register, of this number in machine
    /// code.
    pub const fn with_second_argument(self, register: u8) -> Self {
        let bits = (register as u64 & 15) << Self::SECOND_ARGUMENT;
        Cookie(self.0 & !(15 << Self::SECOND_ARGUMENT) | bits)
    }

    /// Number in machine code of the register in which an event of the collector finds its second argument.
    pub const fn second_argument(self) -> u8 {
        low_byte(self.0 >> Self::SECOND_ARGUMENT & 15)
    }

    /// Which memory of an event of the collector is asked for.
    pub const fn words(self) -> GcWords {
        match self.0 >> Self::ARGUMENTS & 1 {
            1 => GcWords::Argument,
            _ => GcWords::None,
        }
    }

    /// Whether a walk of an event of the collector is asked for.
    pub const fn has_stack(self) -> bool {
        self.0 >> Self::ARGUMENTS & 2 != 0
    }

    /// The same for a function that passes allocations on to others, and has those in `mask` ([`dispatch`]) inlined:
    /// only these are its own. `specialised` tells whether sizes up to 80 bytes go to functions of their size class.
    pub const fn dispatching(self, mask: u32, specialised: bool) -> Self {
        let specialised = if specialised { Self::SPECIALISED } else { 0 };
        Cookie(self.0 | specialised | (mask as u64) << Self::DISPATCHED)
    }

    /// Which allocations of a dispatcher are its own; 0 if the function is none.
    pub const fn dispatched(self) -> u32 {
        (self.0 >> Self::DISPATCHED) as u32
    }

    /// Whether the dispatcher passes small sizes to specialised functions.
    pub const fn specialised(self) -> bool {
        self.0 & Self::SPECIALISED != 0
    }

    /// Row of the probe plan.
    pub const fn row(self) -> u8 {
        low_byte(self.0)
    }

    /// Whether the frame pointer is the function's own.
    pub const fn frame_set_up(self) -> bool {
        self.0 & Self::FRAME_SET_UP != 0
    }

    /// Which allocations go through the tiny allocator.
    pub const fn tiny(self) -> Tiny {
        match self.0 & (Self::TINY_ALWAYS | Self::TINY_BY_TYPE) {
            Self::TINY_ALWAYS => Tiny::Always,
            Self::TINY_BY_TYPE => Tiny::ByType,
            _ => Tiny::Never,
        }
    }
}
