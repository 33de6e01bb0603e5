//! The runtime's own heap profile, read from outside while the target runs: what was allocated and freed since the
//! start of the process, by stack, as far as the profiler has sampled it.
//!
//! Hides where the runtime keeps it: a list of buckets that only grows at its head, and the variables that say how to
//! count. Nothing is written, and the target does not notice. Source: `src/runtime/mprof.go`.

mod bucket;
mod variables;
mod window;

use super::{GoBinary, LoadBias, Memory, Process, RuntimePc, TargetError};
pub use bucket::{Bucket, Counts};
use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use variables::Variables;
use window::Window;

/// Most buckets that are read, at some 300 bytes each; a large service has some ten thousand.
const MAX_BUCKETS: usize = 200_000;
/// The last Go 1.N in which `runtime.MemProfileRate` is 0 until the runtime's initialisers run.
const LAST_WITH_LATE_RATE: u16 = 20;
/// What it is then, if a reader of the profile is linked.
const DEFAULT_RATE: u64 = 512 << 10;
/// How often the list is read again because a cycle of the collector ended meanwhile.
const ATTEMPTS: usize = 4;

/// Why there is no profile to read.
#[derive(Debug, thiserror::Error)]
pub enum HeapProfileError {
    /// The memory of the process may not be read.
    #[error("cannot read the runtime's heap profile")]
    Memory(#[source] TargetError),
    /// A variable has no symbol, and the code that uses it was not found.
    #[error(
        "the runtime's variable {name} was not found in the executable, so that its heap profile cannot be read; keep the symbol table (build without -s) to have it"
    )]
    NotFound {
        /// The variable.
        name: &'static str,
    },
    /// There is no memory where a variable should be.
    #[error(
        "the runtime's variable {name} could not be read at {address}; the process may have exited"
    )]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// Where it should be.
        address: RuntimePc,
    },
}

/// Whether the runtime samples allocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfilerState {
    /// It does.
    On {
        /// One sample for that many allocated bytes, on average (`runtime.MemProfileRate`).
        rate_bytes: u64,
    },
    /// It does not: the rate is 0.
    Off {
        /// Whether the program has the code that reads a profile. Without it the runtime switches the profiler off
        /// itself; with it the program has.
        linked: bool,
    },
}

/// The profile of a running process, to be read as often as wanted.
#[derive(Debug)]
pub struct HeapProfile {
    memory: Arc<dyn Memory>,
    pid: i32,
    variables: Variables,
    /// Whether the rate is 0 until the runtime's initialisers run.
    has_late_rate: bool,
    /// Whether the program has the code that reads a profile.
    linked: bool,
    /// Whether the records count bytes besides objects.
    counts_bytes: bool,
}

/// The profile at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapSnapshot {
    /// `runtime.MemProfileRate`.
    pub rate_bytes: u64,
    /// Number of the profile's cycle, one for each of the collector's; it starts again after some ten million.
    pub cycle: u32,
    /// Whether the counts of this cycle have become active.
    pub flushed: bool,
    /// The newest first.
    pub buckets: Vec<Bucket>,
    /// Whether all buckets are there: not if there are too many, or the list is broken.
    pub complete: bool,
    /// Whether no cycle of the collector ended while it was read; else the counts are of two cycles.
    pub steady: bool,
    /// Whether any bucket has active counts, which is so from the end of the first cycles on.
    pub collected: bool,
}

impl HeapProfile {
    /// Finds the profile of `process`, which runs `binary`, moved by `bias`.
    ///
    /// # Errors
    /// The variables are not found or not readable.
    pub fn open(
        process: &Process,
        binary: &GoBinary,
        bias: LoadBias,
    ) -> Result<Self, HeapProfileError> {
        let memory = process.memory().map_err(HeapProfileError::Memory)?;
        let minor = binary.go_version().minor;
        let profile = HeapProfile {
            memory,
            pid: process.pid(),
            has_late_rate: minor <= LAST_WITH_LATE_RATE,
            variables: Variables::find(binary, bias)?,
            linked: variables::reader_is_linked(binary),
            counts_bytes: minor <= bucket::LAST_WITH_BYTES,
        };
        profile.rate()?;
        profile.cycle_word()?;
        profile.head()?;
        Ok(profile)
    }

    /// Whether the profiler is on, now. A program may switch it at any time.
    ///
    /// # Errors
    /// The process is gone.
    pub fn state(&self) -> Result<ProfilerState, HeapProfileError> {
        Ok(match self.rate()? {
            0 if self.linked && self.has_late_rate && !self.has_started()? => ProfilerState::On {
                rate_bytes: DEFAULT_RATE,
            },
            0 => ProfilerState::Off {
                linked: self.linked,
            },
            // The runtime has not started yet: it will switch it off.
            _ if !self.linked && self.head()? == 0 => ProfilerState::Off { linked: false },
            rate_bytes => ProfilerState::On { rate_bytes },
        })
    }

    /// Whether the runtime's initialisers run, or have run: it starts its monitor as a second thread before
    /// (`main` in `src/runtime/proc.go`).
    fn has_started(&self) -> Result<bool, HeapProfileError> {
        if self.cycle_word()? != 0 || self.head()? != 0 {
            return Ok(true);
        }
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid));
        Ok(threads.is_ok_and(|threads| threads.take(2).count() > 1))
    }

    /// Number of the profile's cycle, cheap: only with it changes what is published.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cycle(&self) -> Result<u32, HeapProfileError> {
        Ok(self.cycle_word()? >> 1)
    }

    /// Reads the whole profile.
    ///
    /// # Errors
    /// The process is gone.
    pub fn read(&self) -> Result<HeapSnapshot, HeapProfileError> {
        let mut snapshot = self.attempt()?;
        for _ in 1..ATTEMPTS {
            if snapshot.steady {
                break;
            }
            snapshot = self.attempt()?;
        }
        Ok(snapshot)
    }

    fn attempt(&self) -> Result<HeapSnapshot, HeapProfileError> {
        let rate_bytes = self.rate()?;
        let before = self.cycle_word()?;
        let (buckets, complete) = self.buckets(self.head()?);
        let mut snapshot = HeapSnapshot {
            rate_bytes,
            // `mProfCycleHolder`: the lowest bit is a flag.
            cycle: before >> 1,
            flushed: before & 1 != 0,
            buckets,
            complete,
            steady: self.cycle_word()? == before,
            collected: false,
        };
        snapshot.collected = snapshot.has_active();
        Ok(snapshot)
    }

    /// The buckets of the list that starts at `head`, and whether these are all.
    fn buckets(&self, head: u64) -> (Vec<Bucket>, bool) {
        let mut window = Window::new(&*self.memory);
        let (mut buckets, mut seen) = (Vec::new(), HashSet::new());
        let mut address = head;
        while address != 0 {
            // A list that leads back into itself is not the runtime's.
            if buckets.len() == MAX_BUCKETS || !seen.insert(address) {
                return (buckets, false);
            }
            let Some((bucket, next)) = Bucket::read(&mut window, address, self.counts_bytes) else {
                return (buckets, false);
            };
            buckets.push(bucket);
            address = next;
        }
        (buckets, true)
    }

    fn rate(&self) -> Result<u64, HeapProfileError> {
        let rate = self.word("runtime.MemProfileRate", self.variables.rate)?;
        // An `int`, which a program may set to anything; the runtime takes no samples then.
        Ok(u64::try_from(rate.cast_signed()).unwrap_or_default())
    }

    fn head(&self) -> Result<u64, HeapProfileError> {
        self.word("runtime.mbuckets", self.variables.buckets)
    }

    fn cycle_word(&self) -> Result<u32, HeapProfileError> {
        let (name, address) = ("runtime.mProfCycle", self.variables.cycle);
        let mut bytes = [0; 4];
        if self.memory.read(address, &mut bytes) != bytes.len() {
            return Err(HeapProfileError::Unreadable { name, address });
        }
        Ok(u32::from_le_bytes(bytes))
    }

    fn word(&self, name: &'static str, address: RuntimePc) -> Result<u64, HeapProfileError> {
        let word = self.memory.word(address);
        word.ok_or(HeapProfileError::Unreadable { name, address })
    }
}

impl HeapSnapshot {
    /// What `runtime.MemProfile` would say of a bucket at this moment: the objects allocated up to the end of the last
    /// cycle but one or two, and those of them that were freed. Before the first such end it is what there is.
    pub fn published(&self, bucket: &Bucket) -> Counts {
        if self.collected {
            bucket.active.plus(self.pending(bucket))
        } else {
            bucket.now()
        }
    }

    /// What `mProf_Flush` has not yet added to the active counts: none if `flushed`.
    fn pending(&self, bucket: &Bucket) -> Counts {
        let [first, second, third] = bucket.future;
        match self.cycle % 3 {
            0 => first,
            1 => second,
            _ => third,
        }
    }

    fn has_active(&self) -> bool {
        let mut buckets = self.buckets.iter();
        buckets.any(|bucket| bucket.active.plus(self.pending(bucket)) != Counts::default())
    }
}

#[cfg(test)]
mod tests;
