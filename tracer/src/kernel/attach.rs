//! Puts a plan's probes into the target, and switches recording on and off.

use super::counters::{self, Counters};
use super::load::{Settings, load, uprobe};
use super::rings::Rings;
use super::{KernelError, log};
use crate::plan::{Dispatch, PlanRow, Pointers, ProbePlan};
use crate::stream::RingSource;
use crate::target::{FileOffset, Process};
use aya::Ebpf;
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeScope};
use std::fmt;
use std::num::NonZeroU32;
use tracer_common::config::{self, Cookie, SWITCH_RECORDING, SWITCHES, Tiny};

/// Probes that are in the target. Dropping it detaches them, which takes about 0.1 s each: see
/// [`super::detach_in_background`].
#[derive(Debug)]
pub struct Attached {
    ebpf: Ebpf,
    probes: usize,
    switches: SwitchMap,
    _log: Option<log::Reader>,
}

/// What the programs look at on every hit.
struct SwitchMap(Array<MapData, [u64; SWITCHES]>);

impl fmt::Debug for SwitchMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SwitchMap")
    }
}

/// Loads the programs, attaches the probes of the plan to the one process, and gives the stream of records. Recording is
/// off until [`Attached::start`].
///
/// # Errors
/// The kernel refuses, or the target exits meanwhile; then nothing stays attached.
pub fn attach(
    process: &Process,
    plan: &ProbePlan,
    settings: &Settings,
) -> Result<(Attached, RingSource), KernelError> {
    let rings = Rings::of_host(settings.ring_bytes, settings.rings);
    let mut ebpf = load(settings, &rings)?;
    let log = if settings.verbose {
        Some(log::Reader::start(&mut ebpf)?)
    } else {
        None
    };
    let switches = Array::try_from(take_map(&mut ebpf, config::MAP_SWITCHES)?)
        .map_err(|source| map_error(config::MAP_SWITCHES, source))?;
    let events = rings
        .names()
        .map(|name| {
            RingBuf::try_from(take_map(&mut ebpf, name)?).map_err(|source| map_error(name, source))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let probes = probes(plan, settings);
    attach_all(&mut ebpf, process, &probes)?;
    Ok((
        Attached {
            ebpf,
            probes: probes.len(),
            switches: SwitchMap(switches),
            _log: log,
        },
        RingSource::new(events),
    ))
}

/// A probe to attach.
struct Probe<'a> {
    program: &'static str,
    cookie: Cookie,
    offset: FileOffset,
    function: &'a str,
}

/// The probes of a plan: of its rows, and of the places where goroutines go on, unless some tiny objects are left out
/// and have no record to correct.
fn probes<'a>(plan: &'a ProbePlan, settings: &Settings) -> Vec<Probe<'a>> {
    let rows = (0..=u8::MAX).zip(&plan.rows).map(|(number, row)| {
        let (program, cookie) = program_of(number, row);
        Probe {
            program,
            cookie,
            offset: row.offset,
            function: &row.function,
        }
    });
    let points = plan.yield_points.iter().map(|point| Probe {
        program: config::PROGRAM_RESUME,
        cookie: Cookie(0),
        offset: point.offset,
        function: &point.function,
    });
    rows.chain(points.filter(|_| !settings.leaves_out_tiny()))
        .collect()
}

/// The program for a row of the plan, and what it is told of its place.
fn program_of(number: u8, row: &PlanRow) -> (&'static str, Cookie) {
    let tiny = match row.pointers {
        Pointers::Tiny => Tiny::Always,
        Pointers::ByType => Tiny::ByType,
        Pointers::Never | Pointers::WithoutHeader | Pointers::WithHeader | Pointers::Large => {
            Tiny::Never
        }
    };
    let cookie = Cookie::new(number, row.site.frame_set_up, tiny);
    match row.dispatch {
        None => (config::PROGRAM_ALLOC, cookie),
        Some(Dispatch { mask, specialised }) => (
            config::PROGRAM_ALLOC_DISPATCHED,
            cookie.dispatching(mask, specialised),
        ),
    }
}

fn attach_all(ebpf: &mut Ebpf, process: &Process, probes: &[Probe<'_>]) -> Result<(), KernelError> {
    let pid = process.pid();
    let gone = || KernelError::TargetExited { pid };
    let scope = UProbeScope::OneProcess(NonZeroU32::new(pid.unsigned_abs()).ok_or_else(gone)?);
    // The link leads to the running file even if it was deleted, replaced or lies in another mount namespace.
    let exe = process.exe_path();
    for probe in probes {
        let point = UProbeAttachPoint {
            location: UProbeAttachLocation::AbsoluteOffset(probe.offset.0),
            cookie: Some(probe.cookie.0),
        };
        if let Err(source) = uprobe(ebpf, probe.program)?.attach(point, &exe, scope) {
            if !process.is_alive() {
                return Err(gone());
            }
            return Err(KernelError::Attach {
                function: probe.function.to_owned(),
                exe: exe.display().to_string(),
                source: Box::new(source),
            });
        }
    }
    if process.is_alive() {
        Ok(())
    } else {
        Err(gone())
    }
}

impl Attached {
    /// Number of probes.
    pub fn probes(&self) -> usize {
        self.probes
    }

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

    fn set_recording(&mut self, recording: u64) -> Result<(), KernelError> {
        let mut switches = [0; SWITCHES];
        switches[SWITCH_RECORDING] = recording;
        self.switches
            .0
            .set(0, switches, 0)
            .map_err(|source| map_error(config::MAP_SWITCHES, source))
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
