//! What the captures of one host share, so that many targets cost little more than one: the thread that takes their records
//! in, the binaries that several processes run, and what a hit costs here.

use super::error::CaptureError;
use super::prepared::Prepared;
use super::request::Wanted;
use crate::collect::Collecting;
use crate::kernel::{HitCost, Settings};
use crate::program::{Binaries, Process};

/// The shared part of captures.
#[derive(Debug)]
pub struct Host {
    pub(super) collecting: Collecting,
    binaries: Binaries,
    /// What a hit costs where it is recorded so.
    hit_costs: Vec<(Recorded, HitCost)>,
}

/// What the cost of a hit depends on: bytes from which allocations are recorded, frames of a stack, times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Recorded(u64, u64, bool);

impl Recorded {
    fn as_in(settings: &Settings) -> Self {
        let Settings {
            min_size,
            stack_depth,
            timestamps,
            ..
        } = settings;
        Recorded(*min_size, *stack_depth, *timestamps)
    }
}

impl Host {
    /// Nothing is captured yet.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn new() -> Result<Self, CaptureError> {
        Ok(Host {
            collecting: Collecting::start().map_err(CaptureError::Thread)?,
            binaries: Binaries::default(),
            hit_costs: Vec::new(),
        })
    }

    /// Looks at a process and plans the probes, as [`Prepared::new`]; a binary that another process of this host runs is
    /// opened and read once.
    ///
    /// # Errors
    /// The process is gone, is no Go program, or cannot be planned for.
    pub fn prepare(&mut self, pid: i32, wanted: Wanted) -> Result<Prepared, CaptureError> {
        let process = Process::open(pid)?;
        let binary = self.binaries.of(&process)?;
        Prepared::of(process, binary, wanted)
    }

    /// What a hit costs, if a capture with such settings has measured it.
    pub(super) fn hit_cost(&self, settings: &Settings) -> Option<HitCost> {
        let recorded = Recorded::as_in(settings);
        let mut known = self.hit_costs.iter();
        known.find_map(|(of, cost)| (*of == recorded).then_some(*cost))
    }

    /// Keeps what a capture with these settings has measured.
    pub(super) fn keep_hit_cost(&mut self, settings: &Settings, cost: Option<HitCost>) {
        if let Some(cost) = cost.filter(|_| self.hit_cost(settings).is_none()) {
            self.hit_costs.push((Recorded::as_in(settings), cost));
        }
    }
}
