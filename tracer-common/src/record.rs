//! Every record of the event ring, byte for byte.
//!
//! Records start with a [`RecordHeader`]; integers are in native byte order, because both ends run on one machine.

use crate::limits::{
    CONTROLLER_WORDS, LABEL_KEY_BYTES, LABEL_VALUE_BYTES, MAP_WORDS, MAX_FRAMES, MAX_LABELS,
    MESSAGE_BYTES,
};
use core::mem::{offset_of, size_of};

/// [`RecordHeader::flags`]: [`RecordHeader::time`] was measured.
pub const FLAG_TIMED: u16 = 1 << 0;
/// [`RecordHeader::flags`] of a stack: there are more frames than the limit allows.
pub const FLAG_TRUNCATED: u16 = 1 << 1;
/// [`RecordHeader::flags`] of a stack: the walk met memory it could not read, outer frames are missing. Of a
/// resumption: the tiny allocator's state could not be read. Of a map's record: the map could not be read, or there is
/// none. Of a crash: its message could not be read. Of a collector's record: its state could not be read, or is not asked
/// for.
pub const FLAG_UNREADABLE: u16 = 1 << 2;
/// [`RecordHeader::flags`] of a stack: its second frame was on top of the stack, which is the return address only if the
/// instruction of the first frame runs before its function has a frame. Who knows the code drops it otherwise.
pub const FLAG_CANDIDATE: u16 = 1 << 3;
/// [`RecordHeader::flags`] of a stack: it is one of the runtime's heap profile, which has a program counter for each
/// logical frame: those of functions that are inlined, too.
pub const FLAG_LOGICAL: u16 = 1 << 4;
/// [`RecordHeader::flags`] of an allocation: a tiny object that takes a new block of 16 bytes.
pub const FLAG_TINY_NEW: u16 = 1 << 3;
/// [`RecordHeader::flags`] of an allocation: a tiny object that fits into the current block.
pub const FLAG_TINY_SHARED: u16 = 1 << 4;

/// [`RecordHeader::flags`] of a fault: it was major, something had to be read from a device.
pub const FLAG_MAJOR: u16 = 1 << 0;
/// [`RecordHeader::flags`] of a fault: the kernel touched the page, for the system call at the first frame of the stack.
pub const FLAG_IN_KERNEL: u16 = 1 << 1;

/// [`RecordHeader::row`] of a fault: not in the runtime's arenas, or that could not be told.
pub const MEMORY_ELSEWHERE: u8 = 0;
/// [`RecordHeader::row`] of a fault: in a span of the runtime's arenas that holds, or will hold, objects.
pub const MEMORY_HEAP: u8 = 1;
/// [`RecordHeader::row`] of a fault: in a span that the runtime manages by hand: a goroutine's stack, or a work buffer of
/// the collector.
pub const MEMORY_STACK: u8 = 2;

/// [`RecordHeader::flags`] of an allocation: five bits from here are the logarithm of its weight, that is how many
/// allocations of its size it stands for.
pub const FLAG_WEIGHT_SHIFT: u32 = 5;
/// Largest logarithm of a sampling distance, hence of a weight: what five bits hold.
pub const MAX_DISTANCE_LOG2: u8 = 31;
/// [`RecordHeader::flags`] of an allocation: six bits from here are the number of the window it was recorded in, 0 for
/// none.
pub const FLAG_WINDOW_SHIFT: u32 = 10;
/// Largest number of a window: what six bits hold.
pub const MAX_WINDOW: u8 = 63;

/// Units of [`RecordHeader::time`]: nanoseconds are shifted right by this, so that 32 bits last 73 minutes.
pub const TIME_SHIFT: u32 = 10;

/// The first eight bytes of every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RecordHeader {
    /// Which record follows: [`crate::family::Family::kind`].
    pub kind: u8,
    /// The row of the probe plan, or of its part about maps, crashes or the collector, that fired; 0 for a stack. Of a
    /// fault: one of the `MEMORY_` constants.
    pub row: u8,
    /// `FLAG_` bits.
    pub flags: u16,
    /// Low 32 bits of the monotonic clock in units of 2^[`TIME_SHIFT`] ns; valid with [`FLAG_TIMED`] only.
    pub time: u32,
}

/// One heap allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct AllocRecord {
    /// Kind, plan row, flags, time.
    pub header: RecordHeader,
    /// Identity of the stack, defined by a [`StackRecord`] that comes before or after.
    pub stack: u64,
    /// Bytes asked for, before rounding to a size class.
    pub size: u64,
    /// Address of the Go type (`abi.Type`), 0 for untyped memory.
    pub type_pointer: u64,
    /// Address of the running `g`: tells goroutines apart while they live, is reused after.
    pub goroutine: u64,
}

/// A call stack. Only the first `depth` frames are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct StackRecord {
    /// Kind and flags.
    pub header: RecordHeader,
    /// Seeded hash of the frames, and of what follows.
    pub id: u64,
    /// Number of frames.
    pub depth: u64,
    /// Program counter behind the `go` statement that made the goroutine, `g.gopc`; 0 if it was not asked for or could not
    /// be read.
    pub creator: u64,
    /// Identity of the goroutine's profiler labels, defined by a [`LabelsRecord`]; 0 for none.
    pub labels: u64,
    /// Program counters in the target, innermost first: the probed instruction, then return addresses.
    pub frames: [u64; MAX_FRAMES],
}

/// A goroutine that goes on after it may have changed its P, between the probe that recorded its last allocation and
/// the tiny allocator. What the record of that allocation says about its block may not hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ResumeRecord {
    /// Kind and flags.
    pub header: RecordHeader,
    /// Address of the running `g`.
    pub goroutine: u64,
    /// Bit n: a tiny object of n bytes shares the current block of the P, none: it takes a new one.
    pub shared: u64,
}

/// A write, a delete or a clear of a map; which one it is, the row tells. [`RecordHeader::time`] is no time here, but a
/// [`storage_tag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct MapRecord {
    /// Kind, row, flags.
    pub header: RecordHeader,
    /// Identity of the stack.
    pub stack: u64,
    /// Address of the map's Go type.
    pub map_type: u64,
    /// Address of the map, 0 for a nil map.
    pub map: u64,
    /// Entries before the operation, [`u32::MAX`] for more than that.
    pub entries: u32,
    /// Bytes 12 to 16 of the map: random bits of its hash seed, in every Go version.
    pub seed: u32,
}

/// What is kept of the address of a map's buckets or directory, of which the lowest bits are 0: enough to tell whether it
/// is the same.
pub const fn storage_tag(address: u64) -> u32 {
    (address >> 3 & 0xffff_ffff) as u32
}

/// A map that is about to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct GrowthRecord {
    /// Kind, row, flags.
    pub header: RecordHeader,
    /// Identity of the stack.
    pub stack: u64,
    /// Address of the map's Go type.
    pub map_type: u64,
    /// Address of the map.
    pub map: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
    /// The first eight bytes of the table that grows (`maps.table`), 0 for a map without tables.
    pub table: u64,
    /// The map's header: `runtime.hmap`, or `maps.Map` from Go 1.24.
    pub words: [u64; MAP_WORDS],
}

/// The runtime ends the program, or a goroutine panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CrashRecord {
    /// Kind, row, flags.
    pub header: RecordHeader,
    /// Identity of the stack.
    pub stack: u64,
    /// Address of the running `g`.
    pub goroutine: u64,
    /// Its number, `goid`; 0 if it could not be read.
    pub goroutine_id: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
    /// Bytes of the message, of which the first [`MESSAGE_BYTES`] follow.
    pub length: u64,
    /// The message.
    pub message: [u8; MESSAGE_BYTES],
}

/// A page fault of the target, completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FaultRecord {
    /// Kind, kind of memory, flags.
    pub header: RecordHeader,
    /// Identity of the stack.
    pub stack: u64,
    /// The address that was touched.
    pub address: u64,
}

/// An event of the garbage collector; which one, the row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct GcRecord {
    /// Kind, row, flags.
    pub header: RecordHeader,
    /// Identity of the stack.
    pub stack: u64,
    /// The monotonic clock, nanoseconds: that of Go's `nanotime`.
    pub time_ns: u64,
    /// The first four integer argument registers, for the second one that which the row names.
    pub arguments: [u64; 4],
    /// What the row asks for: the first words of `runtime.gcController`.
    pub words: [u64; CONTROLLER_WORDS],
}

/// The begin or the end of a mark assist; which one, the row tells. It runs on the system stack of one thread from begin
/// to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct AssistRecord {
    /// Kind, row, flags.
    pub header: RecordHeader,
    /// Identity of the stack, 0 at the end.
    pub stack: u64,
    /// Address of the `g` of that system stack, the same at begin and end.
    pub worker: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
}

/// What the runtime's heap profiler samples, or the objects that a span was filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HeapSampleRecord {
    /// Kind, row, flags.
    pub header: RecordHeader,
    /// Identity of the stack.
    pub stack: u64,
    /// Address of the object; 0 if it stands for all of a span.
    pub address: u64,
    /// Bytes of one object, rounded to its size class.
    pub size: u64,
    /// How many of them: 1 for an object.
    pub objects: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
    /// Number of the goroutine that allocates, `goid`; 0 if it could not be read.
    pub goroutine_id: u64,
}

/// The runtime frees an object that its heap profiler had sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HeapFreeRecord {
    /// Kind, row, flags.
    pub header: RecordHeader,
    /// Address of the object.
    pub address: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
}

/// A label of a goroutine, as `runtime/pprof.Do` sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Label {
    /// Bytes of the key, of which the first [`LABEL_KEY_BYTES`] follow.
    pub key_bytes: u32,
    /// Bytes of the value, of which the first [`LABEL_VALUE_BYTES`] follow.
    pub value_bytes: u32,
    /// The key.
    pub key: [u8; LABEL_KEY_BYTES],
    /// The value.
    pub value: [u8; LABEL_VALUE_BYTES],
}

/// The labels of a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct LabelsRecord {
    /// Kind; [`FLAG_TRUNCATED`] if there are more labels, [`FLAG_UNREADABLE`] if some could not be read.
    pub header: RecordHeader,
    /// Seeded hash of what follows.
    pub id: u64,
    /// Number of labels that follow.
    pub count: u64,
    /// The labels.
    pub labels: [Label; MAX_LABELS],
}

/// Bytes of a [`StackRecord`] before its frames.
pub const STACK_HEADER_BYTES: usize = offset_of!(StackRecord, frames);

const _: () = assert!(size_of::<RecordHeader>() == 8);
const _: () = assert!(offset_of!(RecordHeader, flags) == 2 && offset_of!(RecordHeader, time) == 4);
const _: () = assert!(
    size_of::<AllocRecord>() == 40,
    "an event record has at most 40 bytes"
);
const _: () = assert!(size_of::<ResumeRecord>() == 24);
const _: () = assert!(
    size_of::<MapRecord>() == 40,
    "an event record has at most 40 bytes"
);
const _: () = assert!(size_of::<GrowthRecord>() == 48 + 8 * MAP_WORDS);
const _: () = assert!(size_of::<CrashRecord>() == 48 + MESSAGE_BYTES);
const _: () = assert!(size_of::<FaultRecord>() == 24);
const _: () = assert!(size_of::<GcRecord>() == 56 + 8 * CONTROLLER_WORDS);
const _: () = assert!(size_of::<AssistRecord>() == 32);
const _: () = assert!(size_of::<HeapSampleRecord>() == 56);
const _: () = assert!(size_of::<HeapFreeRecord>() == 24);
const _: () = assert!(size_of::<LabelsRecord>() == 24 + MAX_LABELS * size_of::<Label>());
const _: () = assert!(STACK_HEADER_BYTES == 40);
const _: () = assert!(size_of::<StackRecord>() == STACK_HEADER_BYTES + 8 * MAX_FRAMES);
