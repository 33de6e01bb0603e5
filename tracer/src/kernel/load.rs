//! Loads the programs with the settings of a capture.

use super::rings::Rings;
use super::{KernelError, object};
use crate::plan::{HeapLayout, ProbePlan, TinyLayout};
use crate::program::{ArenaLayout, GoBinary, LoadBias, NamespaceIds, Process, RuntimePc};
use aya::programs::{PerfEvent, Program, ProgramError, ProgramInfo, UProbe};
use aya::{Ebpf, EbpfLoader};
use std::hash::{BuildHasher as _, RandomState};
use tracer_common::config;

/// What a capture asks of the kernel programs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Allocations of fewer bytes are left out.
    pub min_size: u64,
    /// Most frames of a stack.
    pub stack_depth: u64,
    /// Whether records carry the time.
    pub timestamps: bool,
    /// Bytes of all event rings, a power of two of at least a page; `None` for what suits the number of CPUs.
    pub ring_bytes: Option<u32>,
    /// Number of event rings, a power of two; `None` for what suits the number of CPUs.
    pub rings: Option<u32>,
    /// Whether the programs log, for diagnosis.
    pub verbose: bool,
    /// Where the programs find what they read of the target.
    pub anchors: Anchors,
}

/// Where the programs find what they read of one target.
#[derive(Clone, Copy, Debug)]
pub struct Anchors {
    tiny: TinyLayout,
    /// The pointer to the `mcache` of the time before there are Ps.
    mcache0: Option<RuntimePc>,
    /// The number of a goroutine in its `g`.
    g_goid: u64,
    /// The process as its own pid namespace knows it: page faults are told by it. `None` if that cannot be read.
    ids: Option<NamespaceIds>,
    /// Start and end of the code that the Go toolchain compiled.
    text: (RuntimePc, RuntimePc),
    /// Where spans are, and the address of `runtime.mheap_.arenas`.
    arenas: Option<(ArenaLayout, RuntimePc)>,
    /// What samples of the heap are read from.
    heap: HeapLayout,
}

impl Anchors {
    /// Those of `process`, which runs `binary`, moved by `bias`.
    pub fn of(process: &Process, binary: &GoBinary, bias: LoadBias, plan: &ProbePlan) -> Self {
        let at = |address| bias.to_runtime(address);
        let text = binary.text().map(|(start, end)| (at(start), at(end)));
        let ids = process.namespace_ids();
        if let Err(error) = &ids {
            log::warn!("page faults are not recorded: {error}");
        }
        Anchors {
            tiny: plan.tiny,
            mcache0: plan.mcache0.map(at),
            g_goid: plan.g_goid,
            ids: ids.ok(),
            text: text.unwrap_or((RuntimePc(0), RuntimePc(0))),
            arenas: plan.arenas.map(|layout| (layout, at(layout.arenas))),
            heap: plan.heap.layout,
        }
    }

    /// Whether page faults of the process can be told from those of others.
    pub(super) fn knows_process(&self) -> bool {
        self.ids.is_some()
    }
}

impl Settings {
    /// Whether some tiny objects are left out.
    pub(super) fn leaves_out_tiny(&self) -> bool {
        self.min_size > 1
    }
}

/// Loads the object with these event rings; nothing is attached yet and the programs do not record.
pub(super) fn load(settings: &Settings, rings: &Rings) -> Result<Ebpf, KernelError> {
    let object = object::bytes()?;
    // Random on every run, so that a target cannot choose its stacks' identities.
    let seed = RandomState::new().hash_one(std::process::id());
    let timestamps = u8::from(settings.timestamps);
    // Level 0 switches every log statement of the programs off.
    let log_level = if settings.verbose {
        aya_log::Level::Debug as u8
    } else {
        0
    };
    let ring_count = u64::from(rings.count);
    let Anchors {
        tiny,
        mcache0,
        g_goid,
        ids,
        text: (text_start, text_end),
        arenas,
        heap,
    } = settings.anchors;
    let mcache0 = mcache0.map_or(0, |address| address.0);
    let (arenas, arena_spans, span_state) = arenas.map_or((0, 0, 0), |(layout, arenas)| {
        (arenas.0, layout.arena_spans, layout.span_state)
    });
    // No process has the id 0: without ids no fault is the target's.
    let (pid, device, inode) = ids.map_or((0, 0, 0), |ids| (ids.pid, ids.device, ids.inode));
    let mut loader = EbpfLoader::new();
    for (map, bytes) in config::MAP_EVENTS.into_iter().zip(rings.sizes()) {
        loader.map_max_entries(map, bytes);
    }
    let of_heap = heap_globals(&heap);
    for (global, value) in &of_heap {
        loader.override_global(global, value, true);
    }
    loader
        // The programs read no kernel structure by its BTF, which would take 60 ms to parse.
        .btf(None)
        .override_global(config::GLOBAL_HASH_SEED, &seed, true)
        .override_global(config::GLOBAL_MIN_SIZE, &settings.min_size.max(1), true)
        .override_global(config::GLOBAL_STACK_DEPTH, &settings.stack_depth, true)
        .override_global(config::GLOBAL_TIMESTAMPS, &timestamps, true)
        .override_global(config::GLOBAL_G_M, &tiny.g_m, true)
        .override_global(config::GLOBAL_M_P, &tiny.m_p, true)
        .override_global(config::GLOBAL_P_MCACHE, &tiny.p_mcache, true)
        .override_global(config::GLOBAL_MCACHE_TINY, &tiny.mcache_tiny, true)
        .override_global(config::GLOBAL_MCACHE0, &mcache0, true)
        .override_global(config::GLOBAL_G_GOID, &g_goid, true)
        .override_global(config::GLOBAL_TARGET_TGID, &u64::from(pid), true)
        .override_global(config::GLOBAL_TARGET_NS_DEVICE, &device, true)
        .override_global(config::GLOBAL_TARGET_NS_INODE, &inode, true)
        .override_global(config::GLOBAL_TEXT_START, &text_start.0, true)
        .override_global(config::GLOBAL_TEXT_END, &text_end.0, true)
        .override_global(config::GLOBAL_ARENAS, &arenas, true)
        .override_global(config::GLOBAL_ARENA_SPANS, &arena_spans, true)
        .override_global(config::GLOBAL_SPAN_STATE, &span_state, true)
        .override_global(aya_log::LEVEL, &log_level, false)
        .override_global(config::GLOBAL_RINGS, &ring_count, true)
        .load(object)
        .map_err(|error| KernelError::Load(Box::new(error)))
}

/// Globals of the programs that sample the heap.
fn heap_globals(layout: &HeapLayout) -> [(&'static str, u64); 10] {
    [
        (config::GLOBAL_M_CURG, layout.m_curg),
        (config::GLOBAL_G_GOPC, layout.g_gopc),
        (config::GLOBAL_G_LABELS, layout.g_labels),
        (config::GLOBAL_LABELS_FORM, layout.labels_form),
        (config::GLOBAL_SPECIAL_KIND, layout.special_kind),
        (config::GLOBAL_SPECIAL_PROFILE, layout.special_profile),
        (config::GLOBAL_MCACHE_ALLOC, layout.mcache_alloc),
        (config::GLOBAL_SPAN_ALLOC_COUNT, layout.span_alloc_count),
        (config::GLOBAL_SPAN_COUNT_BEFORE, layout.span_count_before),
        (config::GLOBAL_SPAN_ELEMSIZE, layout.span_elemsize),
    ]
}

/// A uprobe program, loaded into the kernel when it is first asked for.
pub(super) fn uprobe<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut UProbe, KernelError> {
    let program: &mut UProbe = named(ebpf, name)?;
    if program.fd().is_err() {
        let loaded = program.load();
        note(name, loaded, program.info())?;
    }
    Ok(program)
}

/// The same, of a program for perf events.
pub(super) fn perf_event<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut PerfEvent, KernelError> {
    let program: &mut PerfEvent = named(ebpf, name)?;
    if program.fd().is_err() {
        let loaded = program.load();
        note(name, loaded, program.info())?;
    }
    Ok(program)
}

fn named<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<P, KernelError>
where
    P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = ebpf
        .program_mut(name)
        .ok_or(KernelError::Incomplete(name))?;
    program.try_into().map_err(|source| failed(name, source))
}

/// Logs what it took to load a program, or tells why it could not be loaded.
fn note(
    name: &'static str,
    loaded: Result<(), ProgramError>,
    info: Result<ProgramInfo, ProgramError>,
) -> Result<(), KernelError> {
    loaded.map_err(|source| failed(name, source))?;
    if let Ok(info) = info {
        let verified = info.verified_instruction_count();
        log::debug!("{name}: {verified:?} instructions verified");
    }
    Ok(())
}

fn failed(program: &'static str, source: ProgramError) -> KernelError {
    KernelError::Program {
        program,
        source: Box::new(source),
    }
}
