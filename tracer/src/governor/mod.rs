//! Keeps the cost of tracing within a budget: `--mode auto`.
//!
//! A thread of its own watches what hits cost the target, takes probes out when that is too much, and puts them back
//! when it is little. Hides how: a capture learns the steps and what the windows stand for. Decisions are in `policy`,
//! places of windows in `window`, what each stands for in `account`, CPU time in `budget`.

mod account;
mod budget;
mod engine;
mod policy;
#[cfg(test)]
mod simulation;
mod target;
mod window;

pub use engine::{End, Step};

use crate::collect::Remote;
use crate::kernel::{Attached, HitCost, KernelError};
use crate::program::{CpuClock, HeapCounter, Process, RuntimePc};
use budget::Budget;
use engine::{Engine, Host as _};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use target::Target;
use tracer_common::family::Extra;

/// How often the governor looks: at rest, when some rows are in windows, and while a window is open.
const AT_REST: Duration = Duration::from_millis(10);
const BETWEEN_WINDOWS: Duration = Duration::from_millis(4);
const IN_WINDOW: Duration = Duration::from_millis(1);

/// How much is recorded just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Each allocation.
    Exact,
    /// About one allocation in so many bytes.
    Sampling {
        /// The distance.
        distance_bytes: u64,
    },
    /// Each allocation, of some rows of the plan in short windows only.
    Windows {
        /// These rows.
        rows: Vec<u8>,
    },
    /// Allocations as before, but this no longer.
    Without(Extra),
}

/// What the governor needs to know.
#[derive(Debug)]
pub struct Terms {
    /// Share of the target's CPU time that probes may take, 0 to 1.
    pub max_overhead: f64,
    /// What a hit costs here.
    pub hit_cost: HitCost,
    /// The runtime's count of allocated bytes.
    pub heap: HeapCounter,
    /// Where the probe of each row of the plan is.
    pub probed: Vec<RuntimePc>,
    /// What is recorded besides allocations and may be given up.
    pub extras: Vec<Extra>,
}

/// A running governor. Dropping it ends it without a word.
#[derive(Debug)]
pub struct Governor {
    wishes: Sender<Wish>,
    thread: JoinHandle<Result<End, KernelError>>,
}

/// What the governor is asked for; it stops when nobody can ask any more.
type Wish = mpsc::SyncSender<End>;

impl Governor {
    /// Starts to govern the probes of `process`; `None` if its CPU time or memory cannot be read, because it
    /// is gone.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(
        process: &Process,
        attached: Arc<Mutex<Attached>>,
        collector: Remote,
        terms: Terms,
    ) -> io::Result<Option<Self>> {
        let (Some(cpu), Ok(memory)) = (CpuClock::of(process), process.memory()) else {
            return Ok(None);
        };
        let (wishes, asked) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("govern".to_owned())
            .spawn(move || {
                let rows = u8::try_from(terms.probed.len()).unwrap_or(u8::MAX);
                let budget = Budget::new(terms.max_overhead, terms.hit_cost);
                let seed = RandomState::new().hash_one(rows);
                let engine = Engine::new(budget, rows, terms.extras, seed);
                let places = (memory, terms.probed);
                let target = Target::new(attached, cpu, terms.heap, collector, places);
                govern(engine, target, &asked)
            })?;
        Ok(Some(Governor { wishes, thread }))
    }

    /// What was done so far; nothing if the governor has ended, because the target is gone.
    pub fn so_far(&self) -> Option<End> {
        let (answer, end) = mpsc::sync_channel(1);
        self.wishes.send(answer).ok()?;
        end.recv().ok()
    }

    /// Stops recording, and tells what was done. `None` if the thread has panicked.
    ///
    /// # Errors
    /// The kernel refuses to read or write its maps.
    pub fn finish(self) -> Result<Option<End>, KernelError> {
        drop(self.wishes);
        self.thread.join().ok().transpose()
    }
}

fn govern(
    mut engine: Engine,
    mut target: Target,
    asked: &mpsc::Receiver<Wish>,
) -> Result<End, KernelError> {
    let mut in_control = true;
    loop {
        match asked.recv_timeout(pause(&mut engine)) {
            Ok(answer) => {
                let mut so_far = engine.so_far();
                so_far.unseen |= !in_control;
                // Whoever asked may have given up.
                drop(answer.send(so_far));
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !in_control {
            continue;
        }
        match engine.tick(&mut target) {
            Ok(()) => {}
            // Nothing is there any more.
            Err(_) if target.is_gone() => break,
            Err(error) => {
                // Without control there is no budget: nothing stays in the target.
                log::warn!("the governor takes all probes out: {error}");
                in_control = false;
                target.take_all_out();
            }
        }
    }
    target.stop()?;
    let end = target.observe()?.progress;
    let mut end = engine.finish(end);
    end.unseen |= !in_control;
    log::debug!("uncounted hits took {:?}", end.uncounted);
    Ok(end)
}

fn pause(engine: &mut Engine) -> Duration {
    match (engine.is_window_open(), engine.has_windows()) {
        (true, _) => IN_WINDOW,
        (false, true) => BETWEEN_WINDOWS,
        (false, false) => AT_REST,
    }
}
