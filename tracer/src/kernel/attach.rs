//! Puts a plan's probes into the target, takes single ones out and in again, and switches recording on and off.

use super::cost::HitCost;
use super::faults::FaultEvents;
use super::link::{Detaching, Linked};
use super::load::{Settings, load};
use super::log::Reader as LogReader;
use super::place::{Place, explain, gone};
use super::probe::{self, Probe};
use super::rings::Rings;
use super::switches::Switches;
use super::{KernelError, calibrate, counters};
use crate::aggregate::Counters;
use crate::plan::ProbePlan;
use crate::program::Process;
use crate::stream::RingSource;
use aya::Ebpf;
use aya::maps::RingBuf;
use std::cmp::Reverse;
use tracer_common::config::{self, RowState};
use tracer_common::family::{Extra, Family};

/// Probes that are in the target. Dropping it detaches them, which takes about 0.1 s each: see
/// [`super::detach_in_background`].
#[derive(Debug)]
pub struct Attached {
    ebpf: Ebpf,
    place: Place,
    rows: Vec<Linked>,
    /// Probes of what can be given up.
    extras: Vec<(Extra, Linked)>,
    faults: FaultEvents,
    /// Number of the probes that stay.
    others: usize,
    switches: Switches,
    hit_cost: Option<HitCost>,
    /// Counters before the first record: what calibration counted.
    baseline: Counters,
    _log: Option<LogReader>,
}

/// Loads the programs, attaches the probes of the plan to the one process, and gives the stream of records. Recording is
/// off until [`Attached::start`]. What a hit costs is measured, unless it is known.
///
/// # Errors
/// The kernel refuses, or the target exits meanwhile; then nothing stays attached.
pub fn attach(
    process: &Process,
    plan: &ProbePlan,
    settings: &Settings,
    hit_cost: Option<HitCost>,
) -> Result<(Attached, RingSource), KernelError> {
    let Loaded {
        ebpf,
        log,
        switches,
        source,
        hit_cost,
    } = Loaded::new(settings, plan.rows.len(), hit_cost)?;
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

/// Measures what a hit would cost the target of these settings on this host, without a probe in it; `None` if that cannot be
/// measured here.
///
/// # Errors
/// The kernel refuses.
pub fn hit_cost(settings: &Settings) -> Result<Option<HitCost>, KernelError> {
    Loaded::new(settings, 0, None).map(|loaded| loaded.hit_cost)
}

/// The programs in the kernel, and what a hit of them costs, before there is a probe in the target.
struct Loaded {
    ebpf: Ebpf,
    log: Option<LogReader>,
    switches: Switches,
    source: RingSource,
    hit_cost: Option<HitCost>,
}

impl Loaded {
    /// Loads them for a plan of so many rows, and measures what a hit costs unless it is `known`.
    fn new(settings: &Settings, rows: usize, known: Option<HitCost>) -> Result<Self, KernelError> {
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
                RingBuf::try_from(ring).map_err(|source| KernelError::map(name, source))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut source = RingSource::new(events);
        let measure = || calibrate::measure(&mut ebpf, &mut switches, &mut source, rows);
        let hit_cost = known.or_else(measure);
        Ok(Loaded {
            ebpf,
            log,
            switches,
            source,
            hit_cost,
        })
    }
}

impl Attached {
    fn attach_all(&mut self, plan: &ProbePlan, settings: &Settings) -> Result<(), KernelError> {
        for family in Family::ALL {
            for probe in probe::of_family(family, plan) {
                // Without records of some tiny objects there is nothing to correct.
                if family != Family::Resume || !settings.leaves_out_tiny() {
                    self.put(probe)?;
                }
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

    fn put(&mut self, probe: Probe) -> Result<(), KernelError> {
        let facts = probe.family.facts();
        let (is_row, row) = (probe.family == Family::Alloc, probe.cookie.row());
        let linked = Linked::put(&mut self.ebpf, &self.place, probe)?;
        match facts.extra {
            Some(extra) => self.extras.push((extra, linked)),
            None if is_row => {
                self.rows.push(linked);
                self.switches.set_row(row, RowState::EXACT)?;
            }
            None => self.others += 1,
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
        match self.rows.get_mut(usize::from(row)) {
            Some(row) => row.put_back(&mut self.ebpf, &self.place),
            None => Ok(()),
        }
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
        let passes = |row: &Linked| {
            let row = usize::from(row.probe.cookie.row());
            let passes = counters.map_passes().get(row).copied();
            passes.filter(|_| extra == Extra::MapWrites)
        };
        let rows = self.extras.iter_mut().filter(|(of, _)| *of == extra);
        let mut rows: Vec<&mut Linked> = rows.map(|(_, row)| row).collect();
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
