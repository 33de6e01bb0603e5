//! Puts a plan's probes into the target, and switches recording on and off.

use super::counters::{self, Counters};
use super::load::{Settings, load, uprobe};
use super::{KernelError, log};
use crate::plan::{Dispatch, Pointers, ProbePlan};
use crate::stream::RingSource;
use crate::target::{FileOffset, Process};
use aya::Ebpf;
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeScope};
use std::fmt;
use std::num::NonZeroU32;
use tracer_common::config::{self, Cookie, Tiny};

/// Probes that are in the target. Dropping it detaches them, which takes about 0.1 s each: see
/// [`super::detach_in_background`].
#[derive(Debug)]
pub struct Attached {
    ebpf: Ebpf,
    recording: Recording,
    _log: Option<log::Reader>,
}

/// The switch that every program tests first.
struct Recording(Array<MapData, u32>);

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

/// Loads the programs, attaches every row of the plan to the one process, and gives the stream of records. Recording is
/// off until [`Attached::start`].
///
/// # Errors
/// The kernel refuses, or the target exits meanwhile; then nothing stays attached.
pub fn attach(
    process: &Process,
    plan: &ProbePlan,
    settings: &Settings,
) -> Result<(Attached, RingSource), KernelError> {
    let mut ebpf = load(settings)?;
    let log = if settings.verbose {
        Some(log::Reader::start(&mut ebpf)?)
    } else {
        None
    };
    let recording = Array::try_from(take_map(&mut ebpf, config::MAP_RECORDING)?)
        .map_err(|source| map_error(config::MAP_RECORDING, source))?;
    let events = RingBuf::try_from(take_map(&mut ebpf, config::MAP_EVENTS)?)
        .map_err(|source| map_error(config::MAP_EVENTS, source))?;
    attach_rows(&mut ebpf, process, plan, settings)?;
    Ok((
        Attached {
            ebpf,
            recording: Recording(recording),
            _log: log,
        },
        RingSource::new(events),
    ))
}

fn attach_rows(
    ebpf: &mut Ebpf,
    process: &Process,
    plan: &ProbePlan,
    settings: &Settings,
) -> Result<(), KernelError> {
    let pid = process.pid();
    let gone = || KernelError::TargetExited { pid };
    let scope = UProbeScope::OneProcess(NonZeroU32::new(pid.unsigned_abs()).ok_or_else(gone)?);
    // The link leads to the running file even if it was deleted, replaced or lies in another mount namespace.
    let exe = process.exe_path();
    let mut attach_one = |program, cookie: Cookie, offset: FileOffset, function: &str| {
        let point = UProbeAttachPoint {
            location: UProbeAttachLocation::AbsoluteOffset(offset.0),
            cookie: Some(cookie.0),
        };
        match uprobe(ebpf, program)?.attach(point, &exe, scope) {
            Ok(_link) => Ok(()),
            Err(_) if !process.is_alive() => Err(gone()),
            Err(source) => Err(KernelError::Attach {
                function: function.to_owned(),
                exe: exe.display().to_string(),
                source: Box::new(source),
            }),
        }
    };
    for (number, row) in (0..=u8::MAX).zip(&plan.rows) {
        let tiny = match row.pointers {
            Pointers::Tiny => Tiny::Always,
            Pointers::ByType => Tiny::ByType,
            Pointers::Never | Pointers::WithoutHeader | Pointers::WithHeader | Pointers::Large => {
                Tiny::Never
            }
        };
        let cookie = Cookie::new(number, row.site.frame_set_up, tiny);
        let (program, cookie) = match row.dispatch {
            None => (config::PROGRAM_ALLOC, cookie),
            Some(Dispatch { mask, specialised }) => (
                config::PROGRAM_ALLOC_DISPATCHED,
                cookie.dispatching(mask, specialised),
            ),
        };
        attach_one(program, cookie, row.offset, &row.function)?;
    }
    // A small object that is left out leaves no record to correct.
    if !settings.leaves_out_tiny() {
        for point in &plan.yield_points {
            attach_one(
                config::PROGRAM_RESUME,
                Cookie(0),
                point.offset,
                &point.function,
            )?;
        }
    }
    if process.is_alive() {
        Ok(())
    } else {
        Err(gone())
    }
}

impl Attached {
    /// Switches recording on.
    ///
    /// # Errors
    /// The kernel refuses to write the map.
    pub fn start(&mut self) -> Result<(), KernelError> {
        self.set_recording(config::RECORDING_ON)
    }

    /// Switches recording off: from now on a hit costs the bare trap.
    ///
    /// # Errors
    /// The kernel refuses to write the map.
    pub fn stop(&mut self) -> Result<(), KernelError> {
        self.set_recording(config::RECORDING_OFF)
    }

    /// Reads the kernel's counters.
    ///
    /// # Errors
    /// The kernel refuses to read the map.
    pub fn counters(&self) -> Result<Counters, KernelError> {
        counters::read(&self.ebpf)
    }

    fn set_recording(&mut self, state: u32) -> Result<(), KernelError> {
        self.recording
            .0
            .set(0, state, 0)
            .map_err(|source| map_error(config::MAP_RECORDING, source))
    }
}

fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, KernelError> {
    ebpf.take_map(name).ok_or(KernelError::Incomplete(name))
}

pub(super) fn map_error(map: &'static str, source: aya::maps::MapError) -> KernelError {
    KernelError::Map {
        map,
        source: Box::new(source),
    }
}
