//! Loads the programs with the settings of a capture.

use super::rings::Rings;
use super::{KernelError, object};
use crate::plan::TinyLayout;
use crate::target::RuntimePc;
use aya::programs::UProbe;
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
    /// Where the target keeps the tiny allocator's state.
    pub tiny: TinyLayout,
    /// Where the target keeps the pointer to the `mcache` of the time before there are Ps.
    pub mcache0: Option<RuntimePc>,
    /// Where the number of a goroutine is in its `g`.
    pub g_goid: u64,
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
    let mcache0 = settings.mcache0.map_or(0, |address| address.0);
    let ring_count = u64::from(rings.count);
    let mut loader = EbpfLoader::new();
    for (map, bytes) in config::MAP_EVENTS.into_iter().zip(rings.sizes()) {
        loader.map_max_entries(map, bytes);
    }
    loader
        // The programs read no kernel structure; parsing the kernel's BTF would take 60 ms.
        .btf(None)
        .override_global(config::GLOBAL_HASH_SEED, &seed, true)
        .override_global(config::GLOBAL_MIN_SIZE, &settings.min_size.max(1), true)
        .override_global(config::GLOBAL_STACK_DEPTH, &settings.stack_depth, true)
        .override_global(config::GLOBAL_TIMESTAMPS, &timestamps, true)
        .override_global(config::GLOBAL_G_M, &settings.tiny.g_m, true)
        .override_global(config::GLOBAL_M_P, &settings.tiny.m_p, true)
        .override_global(config::GLOBAL_P_MCACHE, &settings.tiny.p_mcache, true)
        .override_global(config::GLOBAL_MCACHE_TINY, &settings.tiny.mcache_tiny, true)
        .override_global(config::GLOBAL_MCACHE0, &mcache0, true)
        .override_global(config::GLOBAL_G_GOID, &settings.g_goid, true)
        .override_global(aya_log::LEVEL, &log_level, false)
        .override_global(config::GLOBAL_RINGS, &ring_count, true)
        .load(object)
        .map_err(|error| KernelError::Load(Box::new(error)))
}

/// A uprobe program, loaded into the kernel when it is first asked for.
pub(super) fn uprobe<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut UProbe, KernelError> {
    let failed = |source| KernelError::Program {
        program: name,
        source: Box::new(source),
    };
    let program: &mut UProbe = ebpf
        .program_mut(name)
        .ok_or(KernelError::Incomplete(name))?
        .try_into()
        .map_err(failed)?;
    if program.fd().is_err() {
        program.load().map_err(failed)?;
        if let Ok(info) = program.info() {
            let verified = info.verified_instruction_count();
            log::debug!("{name}: {verified:?} instructions verified");
        }
    }
    Ok(program)
}
