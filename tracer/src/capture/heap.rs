//! The runtime's own heap profile during a capture: whether it is on, and what it says from cycle to cycle.
//!
//! Hides that it may be off or not readable, and when it is worth a reading: what it publishes changes with the cycles of
//! the collector only.

use super::now::Now;
use super::prepared::Prepared;
use super::profiled::ProfiledStacks;
use super::readings::thread_cpu;
use super::request::HeapAsked;
use crate::aggregate::HeapHistory;
use crate::plan::HeapProbes;
use crate::program::{
    GoBinary, HeapProfile, HeapProfileError, LoadBias, Process, ProfilerState, TargetError,
};
use crate::report::Profiler;
use std::time::Duration;

/// Most of the agent's time that readings may take: one in so many parts.
const SHARE_OF_TIME: u32 = 50;

/// The profiler's rate below which its samples are no longer rare: its default is 512 KiB.
const FREQUENT_SAMPLES: u64 = 16 << 10;

/// What the heap profile is good for, as it was when the capture was prepared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outlook {
    pub(super) profiler: Profiler,
    /// What to probe.
    pub(super) probes: HeapProbes,
    /// Why that, or why it is not known what is alive.
    pub(super) reason: Option<String>,
    /// Whether the profiler is on, or was.
    pub(super) was_on: bool,
    /// The rate to scale with what was sampled: the last that was not 0.
    pub(super) scale_rate: Option<u64>,
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
        let was_on = why.is_none();
        let probes = match asked {
            HeapAsked::Nothing => HeapProbes::Off,
            _ if was_on => HeapProbes::Profiler,
            HeapAsked::Live => HeapProbes::Off,
            HeapAsked::Samples => HeapProbes::Spans,
        };
        let reason = why.map(|why| match probes {
            HeapProbes::Spans => on_spans(&why),
            _ => format!("{why}: it is not known what is alive"),
        });
        Outlook {
            profiler,
            probes,
            reason,
            was_on,
            scale_rate: profiler.rate_bytes.filter(|_| was_on),
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
            was_on: false,
            scale_rate: None,
        }
    }

    /// What is probed instead of the profiler, if its probes lack `skipped`; `None` if they lack nothing.
    pub(super) fn without(&self, asked: HeapAsked, skipped: &[String]) -> Option<Self> {
        if self.probes != HeapProbes::Profiler || skipped.is_empty() {
            return None;
        }
        let why = format!("no probe sees {}", skipped.join("; "));
        let (probes, reason) = match asked {
            HeapAsked::Samples => (HeapProbes::Spans, on_spans(&why)),
            HeapAsked::Live | HeapAsked::Nothing => (
                HeapProbes::Off,
                format!(
                    "{why}: it is not known what is alive of what was allocated since the capture began"
                ),
            ),
        };
        Some(Outlook {
            probes,
            reason: Some(reason),
            ..self.clone()
        })
    }

    /// Tells the user of a profiler that takes so many samples that recording them is felt.
    pub(super) fn warn_of_frequent_samples(&self) {
        let rate = self.scale_rate.filter(|rate| *rate < FREQUENT_SAMPLES);
        if let Some(rate) = rate.filter(|_| self.probes == HeapProbes::Profiler) {
            log::warn!(
                "about one allocation in {rate} bytes is sampled, as the target has set MemProfileRate: that costs the target more than the default of one in 524288"
            );
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

    /// The profiler is on, at this rate. `remark` is worth telling if nothing else is.
    fn on(&self, rate_bytes: u64, remark: Option<String>) -> Self {
        Outlook {
            profiler: Profiler {
                rate_bytes: Some(rate_bytes),
                ..self.profiler
            },
            reason: self.reason.clone().or(remark),
            scale_rate: Some(rate_bytes),
            ..self.clone()
        }
    }

    /// The program has switched the profiler off after it had sampled something at `rate_bytes`.
    fn switched_off(&self, rate_bytes: u64) -> Self {
        let reason = match self.probes {
            // Its reason stays the reason.
            HeapProbes::Spans => self.reason.clone(),
            _ => None,
        };
        let reason = reason.unwrap_or_else(|| {
            format!("the runtime's heap profiler was switched off during the capture (MemProfileRate is 0): what was allocated since is not sampled; figures are scaled with its rate before, {rate_bytes}")
        });
        Outlook {
            profiler: Profiler {
                rate_bytes: Some(0),
                ..self.profiler
            },
            reason: Some(reason),
            scale_rate: Some(rate_bytes),
            ..self.clone()
        }
    }
}

fn on_spans(why: &str) -> String {
    format!(
        "{why}; samples are the spans that allocations fill, of which it is not known what is alive"
    )
}

fn why_off(linked: bool) -> String {
    if linked {
        "the program has switched the runtime's heap profiler off (MemProfileRate is 0)".to_owned()
    } else {
        "the runtime's heap profiler is off, because nothing in the program reads its profile (importing net/http/pprof switches it on)".to_owned()
    }
}

/// That the profile may be read, if it can be found.
///
/// # Errors
/// The memory of the process may not be read, or the process has ended.
pub(super) fn require_memory(
    process: &Process,
    binary: &GoBinary,
    bias: LoadBias,
) -> Result<(), TargetError> {
    match HeapProfile::open(process, binary, bias) {
        Err(HeapProfileError::Memory(error)) => Err(error),
        Err(HeapProfileError::Unreadable { .. }) if !process.is_alive() => {
            Err(TargetError::Gone { pid: process.pid() })
        }
        _ => Ok(()),
    }
}

/// Readings of the profile during a capture.
#[derive(Debug)]
pub(super) struct HeapWatch {
    profile: Option<HeapProfile>,
    stacks: ProfiledStacks,
    history: HeapHistory,
    /// The profiler as it was last: a process that has exited tells nothing.
    state: Option<ProfilerState>,
    /// Number of the profile's cycle when it was read last.
    cycle: Option<u32>,
    /// Whether counts have been published by then: before, they change without a cycle.
    collected: bool,
    /// CPU time that the last reading took, and when it was.
    last: Option<(Duration, Now)>,
}

impl HeapWatch {
    /// Reads the profile for the first time, if it is on.
    pub(super) fn start(prepared: &Prepared, now: Now) -> Self {
        let Prepared {
            process,
            binary,
            bias,
            heap,
            ..
        } = prepared;
        let profile = heap
            .was_on
            .then(|| HeapProfile::open(process, binary, *bias));
        let mut watch = HeapWatch {
            profile: profile.and_then(Result::ok),
            stacks: ProfiledStacks::new(binary, *bias),
            history: HeapHistory::default(),
            state: None,
            cycle: None,
            collected: false,
            last: None,
        };
        watch.read(now);
        watch
    }

    /// Reads the profile again if it may have changed, and the last reading was cheap.
    pub(super) fn follow(&mut self, now: Now) {
        self.look();
        let rested = self
            .last
            .is_none_or(|(took, at)| now.since(at) >= took * SHARE_OF_TIME);
        if rested {
            self.read_if_changed(now);
        }
    }

    /// Reads the profile for the last time, if it may have changed.
    pub(super) fn finish(&mut self, now: Now) {
        self.look();
        self.read_if_changed(now);
    }

    fn look(&mut self) {
        let state = self.profile.as_ref().and_then(|of| of.state().ok());
        self.state = state.or(self.state);
    }

    fn read_if_changed(&mut self, now: Now) {
        let cycle = self.profile.as_ref().and_then(|of| of.cycle().ok());
        if cycle.is_some() && (cycle != self.cycle || !self.collected) {
            self.read(now);
        }
    }

    fn read(&mut self, now: Now) {
        let Some(profile) = &self.profile else {
            return;
        };
        let start = thread_cpu();
        // A process that has exited tells nothing; what was read last stays.
        if let Ok(snapshot) = profile.read() {
            let physical = |pcs: &[u64]| self.stacks.of(pcs).into();
            self.history.take(&snapshot, now.monotonic_ns(), physical);
            self.cycle = Some(snapshot.cycle);
            self.collected = snapshot.collected;
        }
        let took = thread_cpu().saturating_sub(start);
        self.last = Some((took, now));
        log::debug!("heap profile: {} buckets in {took:?}", self.history.len());
    }

    /// The outlook corrected by what came of it: when a program starts, its runtime has not yet switched off a profiler
    /// that nothing reads, and a program may set its rate at any time. `samples` tells how many there were.
    pub(super) fn hindsight(&self, outlook: &Outlook, samples: u64) -> Outlook {
        let last_rate = Some(self.history.rate_bytes).filter(|rate| *rate > 0);
        match self.state {
            Some(ProfilerState::On { rate_bytes }) => {
                outlook.on(rate_bytes, self.remark(rate_bytes, samples))
            }
            Some(ProfilerState::Off { linked })
                if samples == 0 && (!linked || self.history.is_empty()) =>
            {
                Outlook::off(linked)
            }
            // What was sampled was sampled at the rate of then.
            Some(ProfilerState::Off { .. }) => match last_rate.or(outlook.scale_rate) {
                Some(rate_bytes) => outlook.switched_off(rate_bytes),
                None => outlook.clone(),
            },
            None => match last_rate {
                Some(rate_bytes) => outlook.on(rate_bytes, self.remark(rate_bytes, samples)),
                None => outlook.clone(),
            },
        }
    }

    /// What is worth telling of a profiler that is on, now at the rate `now`, of which the probes saw so many samples.
    fn remark(&self, now: u64, samples: u64) -> Option<String> {
        if samples == 0 && self.was_read() && self.history().is_none() {
            return Some("the runtime's heap profile has no entry yet: nothing was sampled, and no GC cycle has ended".to_owned());
        }
        let first = self.history.changed_rate().map(|(first, _)| first);
        let first = first.or(Some(self.history.rate_bytes))?;
        (first != 0 && first != now).then(|| {
            format!("MemProfileRate changed from {first} to {now} during the capture: figures are scaled with {now}")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::HeapSnapshot;
    use crate::program::fixture::{Fixture, MemoryFile};
    use std::sync::Arc;

    const ON: u64 = 512 << 10;

    fn outlook() -> Outlook {
        Outlook {
            profiler: Profiler {
                rate_bytes: Some(ON),
                linked: Some(true),
            },
            probes: HeapProbes::Profiler,
            reason: None,
            was_on: true,
            scale_rate: Some(ON),
        }
    }

    /// What is said after a capture with these states of the profiler at its readings: a rate, 0 if it is off.
    fn said(rates: &[u64], linked: bool, samples: u64) -> Outlook {
        let image = Fixture::default().build();
        let file = MemoryFile::new(&image.bytes);
        let binary = Arc::new(GoBinary::open(&file.path()).unwrap());
        let mut watch = HeapWatch {
            profile: None,
            stacks: ProfiledStacks::new(&binary, LoadBias::NONE),
            history: HeapHistory::default(),
            state: None,
            cycle: None,
            collected: false,
            last: None,
        };
        for (cycle, rate) in (1..).zip(rates) {
            let snapshot = HeapSnapshot {
                rate_bytes: *rate,
                cycle,
                complete: true,
                ..HeapSnapshot::default()
            };
            watch.history.take(&snapshot, 0, |pcs| pcs.into());
            watch.cycle = Some(cycle);
            watch.state = Some(match *rate {
                0 => ProfilerState::Off { linked },
                rate_bytes => ProfilerState::On { rate_bytes },
            });
        }
        watch.hindsight(&outlook(), samples)
    }

    #[test]
    fn a_profiler_that_stays_as_it_is_needs_no_remark() {
        assert_eq!(said(&[ON, ON], true, 5), outlook());
        assert_eq!(said(&[], true, 5), outlook());
    }

    #[test]
    fn one_that_was_switched_off_later_is_scaled_with_its_rate() {
        let found = said(&[ON, 0], true, 5);
        assert_eq!(
            (found.profiler.rate_bytes, found.scale_rate),
            (Some(0), Some(ON))
        );
        assert!(found.was_on && found.probes == HeapProbes::Profiler);
        let reason = found.reason.unwrap_or_default();
        assert!(
            reason.contains("was switched off during the capture"),
            "{reason}"
        );
    }

    #[test]
    fn one_that_was_switched_off_before_it_sampled_is_off() {
        for linked in [true, false] {
            let found = said(&[0], linked, 0);
            assert_eq!(found, Outlook::off(linked));
            assert!(found.reason.is_some_and(|reason| reason.contains("off")));
        }
    }

    #[test]
    fn a_profiler_that_cannot_be_probed_is_replaced_by_spans_or_nothing() {
        let skipped = ["runtime.freeSpecial, which the binary does not have".to_owned()];
        assert_eq!(outlook().without(HeapAsked::Samples, &[]), None);
        let check = |asked, probes| {
            let found = outlook().without(asked, &skipped).unwrap();
            assert_eq!(found.probes, probes);
            let reason = found.reason.unwrap();
            assert!(
                reason.starts_with("no probe sees runtime.freeSpecial"),
                "{reason}"
            );
        };
        check(HeapAsked::Samples, HeapProbes::Spans);
        check(HeapAsked::Live, HeapProbes::Off);
    }

    #[test]
    fn a_rate_that_changes_is_told() {
        let found = said(&[ON, 4096], true, 5);
        assert_eq!(
            (found.profiler.rate_bytes, found.scale_rate),
            (Some(4096), Some(4096))
        );
        assert_eq!(
            found.reason.as_deref(),
            Some(
                "MemProfileRate changed from 524288 to 4096 during the capture: figures are scaled with 4096"
            )
        );
    }
}
