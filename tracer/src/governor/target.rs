//! The real target of the governor: its probes, its CPU clock, and its runtime's count of allocated bytes.

use super::budget::Observation;
use super::engine::Host;
use crate::aggregate::Weight;
use crate::collect::Remote;
use crate::kernel::{Attached, Detaching, KernelError};
use crate::program::{CpuClock, HeapCounter, Memory, RuntimePc};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use tracer_common::config::RowState;
use tracer_common::family::{Extra, Family};

/// The instruction that the kernel puts in the place of a probed one (`UPROBE_SWBP_INSN`).
const BREAKPOINT: u64 = 0xcc;

/// A target under the governor.
#[derive(Debug)]
pub(super) struct Target {
    attached: Arc<Mutex<Attached>>,
    cpu: CpuClock,
    heap: HeapCounter,
    collector: Remote,
    detacher: Detacher,
    memory: Arc<dyn Memory>,
    /// Where the probes of the rows are.
    probed: Vec<RuntimePc>,
    started: Instant,
    cpu_at_start: Duration,
    /// As it was last seen: a process that has exited tells nothing.
    last: Observation,
}

impl Target {
    pub(super) fn new(
        attached: Arc<Mutex<Attached>>,
        cpu: CpuClock,
        heap: HeapCounter,
        collector: Remote,
        (memory, probed): (Arc<dyn Memory>, Vec<RuntimePc>),
    ) -> Self {
        Target {
            attached,
            cpu_at_start: cpu.now().unwrap_or_default(),
            cpu,
            heap,
            collector,
            detacher: Detacher::start(),
            memory,
            probed,
            started: Instant::now(),
            last: Observation::default(),
        }
    }

    /// Whether the process is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.cpu.now().is_none()
    }

    /// Stops recording.
    pub(super) fn stop(&mut self) -> Result<(), KernelError> {
        self.attached().stop()
    }

    /// Takes the probes of all rows out, and of what can be given up.
    pub(super) fn take_all_out(&mut self) {
        (0..=u8::MAX).for_each(|row| self.take_out(row));
        for extra in Extra::ALL {
            if let Err(error) = self.give_up(extra) {
                log::debug!("{extra:?}: {error}");
            }
        }
    }

    fn attached(&self) -> MutexGuard<'_, Attached> {
        lock(&self.attached)
    }
}

/// A panic elsewhere leaves the probes as they are.
fn lock(attached: &Mutex<Attached>) -> MutexGuard<'_, Attached> {
    attached.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host for Target {
    type Error = KernelError;

    fn observe(&mut self) -> Result<Observation, KernelError> {
        let counters = self.attached().counters()?;
        let cpu = self.cpu.now();
        self.last = Observation {
            at: self.started.elapsed(),
            cpu: cpu.map_or(self.last.cpu, |cpu| cpu.saturating_sub(self.cpu_at_start)),
            progress: self.heap.growth().unwrap_or(self.last.progress),
            row_hits: counters.passes().to_vec(),
            recorded: counters.due(Family::Alloc),
            silent: counters.silent(),
            others: counters.other_hits(),
            extras: counters.extra_hits(),
        };
        Ok(self.last.clone())
    }

    fn set_row(&mut self, row: u8, state: RowState) -> Result<(), KernelError> {
        self.attached().set_row(row, state)
    }

    fn take_out(&mut self, row: u8) {
        let probe = self.attached().detach_row(row);
        if let Some(probe) = probe {
            self.detacher.take(row, probe);
        }
    }

    fn put_in(&mut self, row: u8) -> Result<(), KernelError> {
        self.attached().attach_row(row)
    }

    fn is_busy(&self) -> bool {
        self.detacher.is_busy()
    }

    fn uncounted(&self) -> Option<u8> {
        let row = self.detacher.current()?;
        let word = self.memory.word(*self.probed.get(usize::from(row))?)?;
        (word & 0xff == BREAKPOINT).then_some(row)
    }

    fn weigh(&mut self, weight: Weight) {
        self.collector.weigh(weight);
    }

    fn set_exact(&mut self, exact: bool) {
        self.collector.set_exact(exact);
    }

    fn give_up(&mut self, extra: Extra) -> Result<(), KernelError> {
        let probes = self.attached().give_up(extra)?;
        // Takes a second or two; a probe in a window does not wait for it.
        thread::spawn(move || drop(probes));
        Ok(())
    }

    fn set_windows(&mut self) {
        self.collector.set_windows();
    }
}

/// A thread that waits for probes to be out of the target, one after the other.
#[derive(Debug)]
struct Detacher {
    queue: mpsc::Sender<(u8, Detaching)>,
    /// Probes in the queue and the one on its way.
    waiting: Arc<AtomicUsize>,
    /// Row of the one on its way, or [`NONE`].
    current: Arc<AtomicUsize>,
}

/// No row.
const NONE: usize = usize::MAX;

impl Detacher {
    fn start() -> Self {
        let (queue, probes) = mpsc::channel::<(u8, Detaching)>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let current = Arc::new(AtomicUsize::new(NONE));
        let (left, row_on_its_way) = (Arc::clone(&waiting), Arc::clone(&current));
        thread::spawn(move || {
            for (row, probe) in probes {
                row_on_its_way.store(usize::from(row), Ordering::Release);
                drop(probe);
                row_on_its_way.store(NONE, Ordering::Release);
                left.fetch_sub(1, Ordering::Release);
            }
        });
        Detacher {
            queue,
            waiting,
            current,
        }
    }

    fn take(&self, row: u8, probe: Detaching) {
        self.waiting.fetch_add(1, Ordering::Acquire);
        // Without the thread the probe comes back in the error, and is dropped here.
        if self.queue.send((row, probe)).is_err() {
            self.waiting.fetch_sub(1, Ordering::Release);
        }
    }

    fn is_busy(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    fn current(&self) -> Option<u8> {
        u8::try_from(self.current.load(Ordering::Acquire)).ok()
    }
}
