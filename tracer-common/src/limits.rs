//! Every bound of the kernel half, with its reason.

/// Most frames of one stack. Go's own profiler keeps 128 since 1.23 (`GODEBUG=profstackdepth`).
pub const MAX_FRAMES: usize = 128;

/// Bytes of the goroutine stack read at once. Most stacks of twenty frames fit, so a walk costs one read, or two. A read
/// costs 140 ns whatever its size, and 15 ns for each 1024 bytes.
pub const CHUNK_BYTES: usize = 2048;

/// Entries of the direct-mapped table of stacks that user space already has. A collision sends a stack again, nothing
/// is lost.
pub const SEEN_STACKS: u32 = 1 << 16;

/// Stack walks that may be under way on one CPU at the same time. A uprobe program can be preempted by another thread
/// of the target (`CONFIG_PREEMPT`, kernel 6.0 and later run them preemptible), so per-CPU memory is claimed, not
/// assumed.
pub const SCRATCH_SLOTS: u32 = 4;

/// Most event rings, a power of two. A ring has one lock, which all CPUs that write to it wait for; maps of maps would
/// allow any number, but a look-up in one costs a hit more than a choice among eight.
pub const MAX_RINGS: usize = 8;

/// Most rows of one probe plan: the row number travels in one byte.
pub const MAX_ROWS: usize = 256;

/// Words of a map's header: `runtime.hmap` and `maps.Map` have 48 bytes.
pub const MAP_WORDS: usize = 6;

/// Bytes of a crash's message that are kept: the runtime's own are shorter.
pub const MESSAGE_BYTES: usize = 128;

/// Words of `runtime.gcController` that are sent with events of the collector: up to `mappedReady`, the last one that is
/// read, which no supported version has later.
pub const CONTROLLER_WORDS: usize = 48;

/// Labels of a goroutine that are kept. Most programs set one to three.
pub const MAX_LABELS: usize = 8;

/// Bytes of a label's key that are kept.
pub const LABEL_KEY_BYTES: usize = 32;

/// Bytes of a label's value that are kept: a UUID has 36, a path of an HTTP route is seldom longer.
pub const LABEL_VALUE_BYTES: usize = 64;

/// Entries of the direct-mapped table of label sets that user space already has; see [`SEEN_STACKS`].
pub const SEEN_LABELS: u32 = 1 << 12;
