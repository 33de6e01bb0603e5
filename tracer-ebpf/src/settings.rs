//! What user space sets: constants before the load, and the switches that start and stop recording.

use aya_ebpf::Global;
use core::cell::UnsafeCell;
use tracer_common::config::{RECORDING_OFF, RowState, SWITCH_RECORDING, SWITCH_ROWS, SWITCHES};
use tracer_common::family::Extra;
use tracer_common::limits::MAX_FRAMES;

#[unsafe(no_mangle)]
static HASH_SEED: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static RINGS: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
static MIN_SIZE: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
static STACK_DEPTH: Global<u64> = Global::new(MAX_FRAMES as u64);
#[unsafe(no_mangle)]
static TIMESTAMPS: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
static G_M: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static M_P: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static P_MCACHE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static MCACHE_TINY: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static MCACHE0: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static G_GOID: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static TARGET_TGID: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static TARGET_NS_DEVICE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static TARGET_NS_INODE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static TEXT_START: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static TEXT_END: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static ARENAS: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static ARENA_SPANS: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static SPAN_STATE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static M_CURG: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static G_GOPC: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static G_LABELS: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static LABELS_FORM: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static SPECIAL_KIND: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static SPECIAL_PROFILE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static MCACHE_ALLOC: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static SPAN_ALLOC_COUNT: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static SPAN_COUNT_BEFORE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static SPAN_ELEMSIZE: Global<u64> = Global::new(0);

/// The memory of a map that user space writes, which a program reaches without a look-up. Its section is its name:
/// [`tracer_common::config::MAP_SWITCHES`].
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.switches")]
static SWITCH_WORDS: Shared<[u64; SWITCHES]> = Shared(UnsafeCell::new([RECORDING_OFF; SWITCHES]));

/// Memory that others write.
#[repr(transparent)]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: programs only read it, a word at a time.
unsafe impl<T> Sync for Shared<T> {}

/// Whether programs record. Probes stay attached for seconds after a capture has ended, and fire before it starts.
#[inline(always)]
pub fn recording() -> bool {
    switch(SWITCH_RECORDING) != RECORDING_OFF
}

/// What a row of the plan records now.
#[inline(always)]
pub fn row(row: u8) -> RowState {
    RowState(switch(SWITCH_ROWS + row as usize))
}

/// Whether something is recorded that can be given up.
#[inline(always)]
pub fn records(extra: Extra) -> bool {
    switch(extra.switch()) != RECORDING_OFF
}

#[inline(always)]
fn switch(number: usize) -> u64 {
    // SAFETY: a word of a live map value; callers give a number below SWITCHES.
    unsafe { (&raw const (*SWITCH_WORDS.0.get())[number]).read_volatile() }
}

/// Allocations of fewer bytes are left out; at least 1.
#[inline(always)]
pub fn min_size() -> u64 {
    MIN_SIZE.load()
}

/// Frames of a stack.
#[inline(always)]
pub fn stack_depth() -> u64 {
    STACK_DEPTH.load()
}

/// Event rings in use, a power of two.
#[inline(always)]
pub fn rings() -> u64 {
    RINGS.load()
}

/// Seed of the stack hash.
#[inline(always)]
pub fn hash_seed() -> u64 {
    HASH_SEED.load()
}

/// Whether records carry the time.
#[inline(always)]
pub fn timestamps() -> bool {
    TIMESTAMPS.load() != 0
}

/// Byte offsets from the running `g` to the tiny allocator's state.
pub struct TinyPath {
    pub g_m: u64,
    pub m_p: u64,
    pub p_mcache: u64,
    pub mcache_tiny: u64,
    /// Address of the pointer to the `mcache` of an M without a P; 0 if it is not known.
    pub mcache0: u64,
}

/// Where the target's Go version keeps the tiny allocator's state.
#[inline(always)]
pub fn tiny_path() -> TinyPath {
    TinyPath {
        g_m: G_M.load(),
        m_p: M_P.load(),
        p_mcache: P_MCACHE.load(),
        mcache_tiny: MCACHE_TINY.load(),
        mcache0: MCACHE0.load(),
    }
}

/// Byte offset of `g.goid`; 0 if it is not known.
#[inline(always)]
pub fn g_goid() -> u64 {
    G_GOID.load()
}

/// The traced process: its id in its own pid namespace, and that namespace's device and inode.
pub struct TargetProcess {
    pub tgid: u64,
    pub ns_device: u64,
    pub ns_inode: u64,
}

/// Which process is traced.
#[inline(always)]
pub fn target_process() -> TargetProcess {
    TargetProcess {
        tgid: TARGET_TGID.load(),
        ns_device: TARGET_NS_DEVICE.load(),
        ns_inode: TARGET_NS_INODE.load(),
    }
}

/// Whether an address is in the code that the Go toolchain compiled.
#[inline(always)]
pub fn is_text(address: u64) -> bool {
    address.wrapping_sub(TEXT_START.load()) < TEXT_END.load() - TEXT_START.load()
}

/// Where the runtime keeps its spans.
pub struct ArenaPath {
    /// Address of `mheap_.arenas`; 0 if it is not known.
    pub arenas: u64,
    pub arena_spans: u64,
    pub span_state: u64,
}

/// Where the target's Go version keeps its spans.
#[inline(always)]
pub fn arena_path() -> ArenaPath {
    ArenaPath {
        arenas: ARENAS.load(),
        arena_spans: ARENA_SPANS.load(),
        span_state: SPAN_STATE.load(),
    }
}

/// Byte offsets from the running `g` to the goroutine, and in that.
pub struct GoroutinePath {
    pub g_m: u64,
    pub m_curg: u64,
    pub g_gopc: u64,
    pub g_labels: u64,
}

/// Where the target's Go version keeps what is told of a goroutine.
#[inline(always)]
pub fn goroutine_path() -> GoroutinePath {
    GoroutinePath {
        g_m: G_M.load(),
        m_curg: M_CURG.load(),
        g_gopc: G_GOPC.load(),
        g_labels: G_LABELS.load(),
    }
}

/// What `g.labels` points to.
#[inline(always)]
pub fn labels_form() -> u64 {
    LABELS_FORM.load()
}

/// How a special of the heap profiler is told.
pub struct Special {
    /// Byte offset of `special.kind`.
    pub kind: u64,
    /// Its value.
    pub profile: u64,
}

/// How the target's Go version marks specials.
#[inline(always)]
pub fn special() -> Special {
    Special {
        kind: SPECIAL_KIND.load(),
        profile: SPECIAL_PROFILE.load(),
    }
}

/// Byte offsets in an `mcache` and an `mspan`.
pub struct SpanLayout {
    pub mcache_alloc: u64,
    pub alloc_count: u64,
    pub count_before: u64,
    pub elemsize: u64,
}

/// Where the target's Go version keeps what was allocated from a span.
#[inline(always)]
pub fn span() -> SpanLayout {
    SpanLayout {
        mcache_alloc: MCACHE_ALLOC.load(),
        alloc_count: SPAN_ALLOC_COUNT.load(),
        count_before: SPAN_COUNT_BEFORE.load(),
        elemsize: SPAN_ELEMSIZE.load(),
    }
}
