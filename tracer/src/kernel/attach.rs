//! Puts a plan's probes into the target, takes single ones out and in again, and switches recording on and off.

use super::KernelError;
use super::calibrate::{self, HitCost};
use super::counters::{self, Counters};
use super::extra::{Extra, FaultEvents};
use super::load::{Settings, load, uprobe};
use super::log::Reader as LogReader;
use super::probe::{self, Probe};
use super::rings::Rings;
use crate::plan::ProbePlan;
use crate::program::Process;
use crate::stream::RingSource;
use aya::Ebpf;
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::perf_event::PerfEventLink;
use aya::programs::uprobe::{
    UProbeAttachLocation, UProbeAttachPoint, UProbeLink, UProbeLinkId, UProbeScope,
};
use std::cmp::Reverse;
use std::fmt;
use std::fs::File;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use tracer_common::config::{self, RowState, SWITCHES};

/// Probes that are in the target. Dropping it detaches them, which takes about 0.1 s each: see
/// [`super::detach_in_background`].
#[derive(Debug)]
pub struct Attached {
    ebpf: Ebpf,
    place: Place,
    rows: Vec<Row>,
    /// Probes of what can be given up.
    extras: Vec<(Extra, Row)>,
    faults: FaultEvents,
    /// Number of the probes that stay.
    others: usize,
    switches: Switches,
    hit_cost: Option<HitCost>,
    /// Counters before the first record: what calibration counted.
    baseline: Counters,
    _log: Option<LogReader>,
}

/// A row of the plan whose probe can be taken out.
#[derive(Debug)]
struct Row {
    probe: Probe,
    /// `None` while it is taken out.
    link: Option<UProbeLinkId>,
}

impl Row {
    /// Gives out the probe; `None` if it is out already.
    fn take(&mut self, ebpf: &mut Ebpf) -> Option<Detaching> {
        let link = self.link.take()?;
        let program = uprobe(ebpf, self.probe.program).ok()?;
        let link = program.take_link(link).ok()?;
        Some(Detaching::UProbe { _link: link })
    }
}

/// A probe that is no longer recording. Dropping it takes it out of the target, or away from the host: at once if no
/// other is on its way out, but the call returns only after about 0.1 s, when no program runs any more that it started.
#[derive(Debug)]
#[must_use = "dropping it waits for the kernel"]
#[expect(missing_docs, reason = "what kind it is matters to nobody")]
pub enum Detaching {
    UProbe { _link: UProbeLink },
    PerfEvent { _link: PerfEventLink },
}

/// Whose instructions are probed.
#[derive(Debug)]
pub(super) struct Place {
    /// The running file, held open: its path in this process leads to it even if it was deleted, replaced or lies in
    /// another mount namespace, and to no other one when the process id is used again.
    file: File,
    scope: UProbeScope,
}

impl Place {
    pub(super) fn new(file: File, pid: NonZeroU32) -> Self {
        Place {
            file,
            scope: UProbeScope::OneProcess(pid),
        }
    }

    /// The place of all probes of a process.
    pub(super) fn of(process: &Process) -> Result<Self, KernelError> {
        let pid = NonZeroU32::new(process.pid().unsigned_abs()).ok_or_else(|| gone(process))?;
        let exe = process.exe_path();
        let file = File::open(&exe).map_err(|source| {
            let exe = exe.display().to_string();
            explain(process, KernelError::Executable { exe, source })
        })?;
        Ok(Self::new(file, pid))
    }

    /// Attaches a probe, with the program that it names.
    pub(super) fn attach(
        &self,
        ebpf: &mut Ebpf,
        probe: &Probe,
    ) -> Result<UProbeLinkId, KernelError> {
        let Probe {
            program,
            cookie,
            offset,
            ref function,
        } = *probe;
        let point = UProbeAttachPoint {
            location: UProbeAttachLocation::AbsoluteOffset(offset.0),
            cookie: Some(cookie.0),
        };
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        let attached = uprobe(ebpf, program)?.attach(point, path, self.scope);
        attached.map_err(|source| KernelError::Attach {
            function: function.clone(),
            source: Box::new(source),
        })
    }
}

/// The switches that the programs test first.
pub(super) struct Switches {
    map: Array<MapData, [u64; SWITCHES]>,
    words: [u64; SWITCHES],
}

impl fmt::Debug for Switches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switches")
    }
}

impl Switches {
    fn take(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let name = config::MAP_SWITCHES;
        let map = ebpf.take_map(name).ok_or(KernelError::Incomplete(name))?;
        Ok(Switches {
            map: Array::try_from(map).map_err(|source| map_error(name, source))?,
            words: [0; SWITCHES],
        })
    }

    pub(super) fn set_recording(&mut self, state: u64) -> Result<(), KernelError> {
        self.set(config::SWITCH_RECORDING, state)
    }

    pub(super) fn set_row(&mut self, row: u8, state: RowState) -> Result<(), KernelError> {
        self.set(config::SWITCH_ROWS + usize::from(row), state.0)
    }

    fn set_extra(&mut self, extra: Extra, state: u64) -> Result<(), KernelError> {
        self.set(extra.switch(), state)
    }

    fn set(&mut self, number: usize, word: u64) -> Result<(), KernelError> {
        if let Some(switch) = self.words.get_mut(number) {
            *switch = word;
        }
        let written = self.map.set(0, self.words, 0);
        written.map_err(|source| map_error(config::MAP_SWITCHES, source))
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
        Some(LogReader::start(&mut ebpf)?)
    } else {
        None
    };
    let mut switches = Switches::take(&mut ebpf)?;
    let events = rings
        .names()
        .map(|name| {
            let ring = ebpf.take_map(name).ok_or(KernelError::Incomplete(name))?;
            RingBuf::try_from(ring).map_err(|source| map_error(name, source))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut source = RingSource::new(events);
    let hit_cost = calibrate::measure(&mut ebpf, &mut switches, &mut source, plan.rows.len());
    let mut attached = Attached {
        baseline: counters::read(&ebpf)?,
        ebpf,
        place: Place::of(process)?,
        rows: Vec::new(),
        extras: Vec::new(),
        faults: FaultEvents::default(),
        others: 0,
        switches,
        hit_cost,
        _log: log,
    };
    attached
        .attach_all(plan, settings)
        .map_err(|error| explain(process, error))?;
    if process.is_alive() {
        Ok((attached, source))
    } else {
        Err(gone(process))
    }
}

/// What it means that something failed: often that the target has exited.
pub(super) fn explain(process: &Process, error: KernelError) -> KernelError {
    if process.is_alive() {
        error
    } else {
        gone(process)
    }
}

fn gone(process: &Process) -> KernelError {
    KernelError::TargetExited { pid: process.pid() }
}

impl Attached {
    fn attach_all(&mut self, plan: &ProbePlan, settings: &Settings) -> Result<(), KernelError> {
        for (number, probe) in (0..=u8::MAX).zip(probe::of_rows(plan)) {
            let link = Some(self.place.attach(&mut self.ebpf, &probe)?);
            self.rows.push(Row { probe, link });
            self.switches.set_row(number, RowState::EXACT)?;
        }
        let others = probe::of_yield_points(plan, settings.leaves_out_tiny())
            .into_iter()
            .chain(probe::of_crashes(plan))
            .chain(probe::of_maps(plan))
            .chain(probe::of_gc(plan))
            .chain(probe::of_heap(plan));
        for probe in others {
            let link = Some(self.place.attach(&mut self.ebpf, &probe)?);
            match probe.extra() {
                Some(extra) => self.extras.push((extra, Row { probe, link })),
                None => self.others += 1,
            }
        }
        if plan.faults && settings.anchors.knows_process() {
            match FaultEvents::attach(&mut self.ebpf) {
                Ok(events) => self.faults = events,
                Err(error) => log::warn!(
                    "page faults are not recorded: {:#}",
                    anyhow::Error::from(error)
                ),
            }
        }
        for extra in Extra::ALL {
            self.switches.set_extra(extra, config::RECORDING_ON)?;
        }
        Ok(())
    }

    /// Number of probes.
    pub fn probes(&self) -> usize {
        self.rows.len() + self.extras.len() + self.faults.count() + self.others
    }

    /// Whether page faults are recorded, which a host may not allow.
    pub fn has_faults(&self) -> bool {
        self.faults.count() > 0
    }

    /// What a hit costs on this host; `None` if it could not be measured.
    pub fn hit_cost(&self) -> Option<HitCost> {
        self.hit_cost
    }

    /// Switches recording on.
    ///
    /// # Errors
    /// The kernel refuses to write the map.
    pub fn start(&mut self) -> Result<(), KernelError> {
        self.switches.set_recording(config::RECORDING_ON)
    }

    /// Switches recording off: from now on a hit costs the bare trap. Events of page faults, which other processes pay for,
    /// go at once.
    ///
    /// # Errors
    /// The kernel refuses to write the map.
    pub fn stop(&mut self) -> Result<(), KernelError> {
        let stopped = self.switches.set_recording(config::RECORDING_OFF);
        drop(self.faults.take(&mut self.ebpf));
        stopped
    }

    /// Says what a row of the plan records from now on.
    ///
    /// # Errors
    /// The kernel refuses to write the map.
    pub fn set_row(&mut self, row: u8, state: RowState) -> Result<(), KernelError> {
        self.switches.set_row(row, state)
    }

    /// Gives out the probe of a row, to be taken out of the target by dropping it; `None` if it is out already.
    pub fn detach_row(&mut self, row: u8) -> Option<Detaching> {
        self.rows.get_mut(usize::from(row))?.take(&mut self.ebpf)
    }

    /// Puts the probe of a row back into the target, unless it is there.
    ///
    /// # Errors
    /// The kernel refuses: the target may have exited.
    pub fn attach_row(&mut self, row: u8) -> Result<(), KernelError> {
        let number = usize::from(row);
        if let Some(row) = self.rows.get_mut(number).filter(|row| row.link.is_none()) {
            row.link = Some(self.place.attach(&mut self.ebpf, &row.probe)?);
        }
        Ok(())
    }

    /// Gives up recording something, and gives out its probes, to be taken out of the target by dropping them; of writes
    /// to maps those first that were hit most.
    ///
    /// # Errors
    /// The kernel refuses to read or write its maps.
    pub fn give_up(&mut self, extra: Extra) -> Result<Vec<Detaching>, KernelError> {
        self.switches.set_extra(extra, config::RECORDING_OFF)?;
        if extra == Extra::Faults {
            return Ok(self.faults.take(&mut self.ebpf));
        }
        let counters = self.counters()?;
        // Of others it is not known; they have few probes.
        let passes = |row: &Row| {
            let row = usize::from(row.probe.cookie.row());
            let passes = counters.map_passes().get(row).copied();
            passes.filter(|_| extra == Extra::MapWrites)
        };
        let rows = self.extras.iter_mut().filter(|(of, _)| *of == extra);
        let mut rows: Vec<&mut Row> = rows.map(|(_, row)| row).collect();
        rows.sort_by_key(|row| Reverse(passes(row)));
        let probes = rows.into_iter().filter_map(|row| row.take(&mut self.ebpf));
        Ok(probes.collect())
    }

    /// Reads the kernel's counters.
    ///
    /// # Errors
    /// The kernel refuses to read the map.
    pub fn counters(&self) -> Result<Counters, KernelError> {
        Ok(counters::read(&self.ebpf)?.since(&self.baseline))
    }
}

pub(super) fn map_error(map: &'static str, source: aya::maps::MapError) -> KernelError {
    KernelError::Map {
        map,
        source: Box::new(source),
    }
}
