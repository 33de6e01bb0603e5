//! The runtime's own heap profile during a capture: whether it is on, and what it says from cycle to cycle.
//!
//! Hides that it may be off or not readable, and when it is worth a reading: what it publishes changes with the cycles of
//! the collector only.

use super::prepared::ProfiledStacks;
use crate::aggregate::HeapHistory;
use crate::plan::HeapProbes;
use crate::report::Profiler;
use crate::target::{GoBinary, HeapProfile, LoadBias, Process, ProfilerState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most of the agent's time that readings may take: one in so many parts.
const SHARE_OF_TIME: u32 = 50;

/// What the heap profile is good for, as it was when the capture was prepared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outlook {
    pub(super) profiler: Profiler,
    /// What to probe.
    pub(super) probes: HeapProbes,
    /// Why that, or why it is not known what is alive.
    pub(super) reason: Option<String>,
}

/// What is asked about the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeapAsked {
    /// Nothing is to be probed for it.
    Nothing,
    /// What of the allocations that are recorded stays alive.
    Live,
    /// Samples instead of records of all allocations.
    Samples,
}

impl Outlook {
    /// Looks at the profiler of `process`.
    pub(super) fn of(
        process: &Process,
        binary: &GoBinary,
        bias: LoadBias,
        asked: HeapAsked,
    ) -> Self {
        let state = HeapProfile::open(process, binary, bias).and_then(|profile| profile.state());
        let (profiler, why) = match state {
            Ok(ProfilerState::On { rate_bytes }) => {
                let profiler = Profiler {
                    rate_bytes: Some(rate_bytes),
                    linked: Some(true),
                };
                (profiler, None)
            }
            Ok(ProfilerState::Off { linked }) => {
                let profiler = Profiler {
                    rate_bytes: Some(0),
                    linked: Some(linked),
                };
                (profiler, Some(why_off(linked)))
            }
            Err(error) => (
                Profiler::default(),
                Some(format!("{:#}", anyhow::Error::from(error))),
            ),
        };
        let is_on = why.is_none();
        let probes = match asked {
            HeapAsked::Nothing => HeapProbes::Off,
            _ if is_on => HeapProbes::Profiler,
            HeapAsked::Live => HeapProbes::Off,
            HeapAsked::Samples => HeapProbes::Spans,
        };
        let reason = why.map(|why| match probes {
            HeapProbes::Spans => {
                format!("{why}; samples are the spans that allocations fill, of which it is not known what is alive")
            }
            _ => format!("{why}: it is not known what is alive"),
        });
        Outlook {
            profiler,
            probes,
            reason,
        }
    }
}

impl Outlook {
    /// Nothing was sampled, because the profiler is off.
    fn off(linked: bool) -> Self {
        Outlook {
            profiler: Profiler {
                rate_bytes: Some(0),
                linked: Some(linked),
            },
            probes: HeapProbes::Off,
            reason: Some(format!(
                "{}: it is not known what is alive",
                why_off(linked)
            )),
        }
    }

    /// Samples and frees were recorded for a while only: nobody knows what of the samples is alive.
    pub(super) fn given_up(self) -> Self {
        Outlook {
            probes: HeapProbes::Off,
            reason: Some(
                "recording samples of the heap cost too much: it is not known what is alive of what was allocated since the capture began"
                    .to_owned(),
            ),
            ..self
        }
    }

    /// Whether the profiler is on.
    pub(super) fn is_on(&self) -> bool {
        self.profiler.rate_bytes.is_some_and(|rate| rate > 0)
    }
}

fn why_off(linked: bool) -> String {
    if linked {
        "the program has switched the runtime's heap profiler off (MemProfileRate is 0)".to_owned()
    } else {
        "the runtime's heap profiler is off, because nothing in the program reads its profile (importing net/http/pprof switches it on)".to_owned()
    }
}

/// Readings of the profile during a capture.
#[derive(Debug)]
pub(super) struct HeapWatch {
    profile: Option<HeapProfile>,
    stacks: ProfiledStacks,
    history: HeapHistory,
    /// Number of the profile's cycle when it was read last.
    cycle: Option<u32>,
    /// Whether counts have been published by then: before, they change without a cycle.
    collected: bool,
    /// How long the last reading took, and when it was over.
    last: Option<(Duration, Instant)>,
}

impl HeapWatch {
    /// Reads the profile for the first time, if it is on.
    pub(super) fn start(
        process: &Process,
        binary: &Arc<GoBinary>,
        bias: LoadBias,
        outlook: &Outlook,
        time_ns: u64,
    ) -> Self {
        let profile = outlook
            .is_on()
            .then(|| HeapProfile::open(process, binary, bias));
        let mut watch = HeapWatch {
            profile: profile.and_then(Result::ok),
            stacks: ProfiledStacks::new(binary, bias),
            history: HeapHistory::default(),
            cycle: None,
            collected: false,
            last: None,
        };
        watch.read(time_ns);
        watch
    }

    /// Reads the profile again if it may have changed, and the last reading was cheap.
    pub(super) fn follow(&mut self, time_ns: u64) {
        let rested = self
            .last
            .is_none_or(|(took, at)| at.elapsed() >= took * SHARE_OF_TIME);
        if rested {
            self.finish(time_ns);
        }
    }

    /// Reads the profile for the last time, if it may have changed.
    pub(super) fn finish(&mut self, time_ns: u64) {
        let cycle = self.profile.as_ref().and_then(|of| of.cycle().ok());
        if cycle.is_some() && (cycle != self.cycle || !self.collected) {
            self.read(time_ns);
        }
    }

    fn read(&mut self, time_ns: u64) {
        let Some(profile) = &self.profile else {
            return;
        };
        let start = Instant::now();
        // A process that has exited tells nothing; what was read last stays.
        if let Ok(snapshot) = profile.read() {
            let physical = |pcs: &[u64]| self.stacks.of(pcs).into();
            self.history.take(&snapshot, time_ns, physical);
            self.cycle = Some(snapshot.cycle);
            self.collected = snapshot.collected;
        }
        self.last = Some((start.elapsed(), Instant::now()));
        log::debug!(
            "heap profile: {} buckets in {:?}",
            self.history.len(),
            start.elapsed()
        );
    }

    /// The outlook corrected by what came of it: when a program starts, its runtime has not yet switched off a profiler
    /// that nothing reads, and a program may set its rate at any time. `samples` tells how many there were.
    pub(super) fn hindsight(&self, outlook: &Outlook, samples: u64) -> Outlook {
        let state = self.profile.as_ref().and_then(|of| of.state().ok());
        match state {
            Some(ProfilerState::On { rate_bytes }) => Outlook {
                profiler: Profiler {
                    rate_bytes: Some(rate_bytes),
                    ..outlook.profiler
                },
                reason: outlook.reason.clone().or_else(|| self.remark()),
                ..outlook.clone()
            },
            Some(ProfilerState::Off { linked }) if samples == 0 => Outlook::off(linked),
            // What was sampled was sampled at the rate of then.
            _ => outlook.clone(),
        }
    }

    /// What is worth telling of a profiler that is on.
    fn remark(&self) -> Option<String> {
        (self.was_read() && self.history().is_none()).then(|| {
            "the runtime's heap profile has no entry yet: nothing was sampled, and no GC cycle has ended".to_owned()
        })
    }

    /// Whether the profile could be read.
    pub(super) fn was_read(&self) -> bool {
        self.history.readings > 0
    }

    /// What the readings said; `None` if there was none, or none of a runtime that had begun to count.
    pub(super) fn history(&self) -> Option<&HeapHistory> {
        let has_begun = self.cycle.is_some_and(|cycle| cycle > 0) || !self.history.is_empty();
        (self.was_read() && has_begun).then_some(&self.history)
    }
}
