//! What the garbage collector did: cycles, pauses of the world, who assisted, who called it.
//!
//! Hides how events of several probes make up a cycle, a pause or an assist. The world is stopped by one at a time, and a
//! thread's assist is not interrupted: so events belong together by their order.

use super::StackMap;
use crate::decode::{Assist, Gc, StackId};
use crate::plan::GcEvent;
use crate::program::{ControllerLayout, ControllerState};
use std::collections::HashMap;

/// Most cycles and pauses that are kept, the first ones: sums go on.
const MAX_KEPT: usize = 10_000;
/// Most distinct stacks that assist or call the collector.
const MAX_GC_STACKS: usize = 100_000;
/// Most pauses of one cycle: it has two, and one more for each time that marking was not over after all.
const MAX_PAUSES: usize = 64;
/// Most assists under way: one for each thread.
const MAX_OPEN: usize = 1 << 16;

/// What the rows of the plan's part about the collector stand for.
#[derive(Clone, Debug, Default)]
pub struct GcRules {
    /// What happens at each row.
    pub events: Vec<GcEvent>,
    /// Where the pacer keeps what; `None` if that is not asked for.
    pub controller: Option<ControllerLayout>,
    /// Whether the runtime says why it stops the world: from Go 1.21 on.
    pub reasons: bool,
}

/// Everything seen of the collector.
#[derive(Clone, Debug, Default)]
pub struct GcTotals {
    /// The first cycles, oldest first. One that was not over is not among them.
    pub cycles: Vec<Cycle>,
    /// All cycles that ended: as `MemStats.NumGC` counts.
    pub cycle_count: u64,
    /// The first pauses, oldest first.
    pub pauses: Vec<Pause>,
    /// Pauses that are part of a cycle.
    pub gc_pauses: PauseSums,
    /// All others.
    pub other_pauses: PauseSums,
    /// Assists per stack.
    pub assists: StackMap<AssistSums>,
    /// All assists.
    pub assist_sums: AssistSums,
    /// Calls of `runtime.GC` per stack.
    pub calls: StackMap<u64>,
    /// All of them.
    pub call_count: u64,
    /// Assists and calls beyond the bound on stacks: at no stack.
    pub overflowed: u64,
    cycle: Option<Cycle>,
    pause: Option<Stopping>,
    open_assists: HashMap<u64, (StackId, u64)>,
}

/// One cycle. Times are of the monotonic clock, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// Start of its first pause; `None` if that was before the capture.
    pub start_ns: Option<u64>,
    /// End of its last pause: all is marked, sweeping begins.
    pub end_ns: u64,
    /// Why it started; `None` like `start_ns`.
    pub trigger: Option<Trigger>,
    /// Bytes of the heap when it started.
    pub heap_before: Option<u64>,
    /// The size at which it should have been done.
    pub heap_goal: Option<u64>,
    /// Bytes of the heap when all was marked.
    pub heap_peak: Option<u64>,
    /// Bytes found live.
    pub heap_after: Option<u64>,
    /// CPU time of assists, as the runtime counts it.
    pub assist_ns: Option<u64>,
    /// CPU time of dedicated and fractional mark workers.
    pub worker_ns: Option<u64>,
    /// CPU time of idle mark workers.
    pub idle_ns: Option<u64>,
    /// Its pauses.
    pub stw_ns: Vec<u64>,
}

/// Why a cycle starts: `gcTriggerKind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The heap has reached the size for it.
    Heap,
    /// There was none for two minutes.
    Time,
    /// `runtime.GC` was called.
    Call,
}

/// The world stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// From when on, nanoseconds of the monotonic clock.
    pub start_ns: u64,
    /// How long, nanoseconds.
    pub duration_ns: u64,
    /// Why: `stwReason`, from Go 1.21 on.
    pub reason: Option<u64>,
    /// Whether as part of a cycle.
    pub gc: bool,
}

/// Sums over pauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseSums {
    /// How many.
    pub count: u64,
    /// How long together, nanoseconds.
    pub total_ns: u64,
    /// The longest, nanoseconds.
    pub longest_ns: u64,
}

/// Sums over assists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssistSums {
    /// How many.
    pub count: u64,
    /// Their time, nanoseconds.
    pub ns: u64,
}

/// A pause that is not over.
#[derive(Clone, Copy, Debug)]
struct Stopping {
    start_ns: u64,
    reason: Option<u64>,
    /// Whether a cycle has started or ended in it.
    in_cycle: bool,
}

/// `stwGCMarkTerm` and `stwGCSweepTerm` of `src/runtime/proc.go`.
const MARK_TERMINATION: u64 = 1;
const SWEEP_TERMINATION: u64 = 2;
const GC_REASONS: [u64; 2] = [MARK_TERMINATION, SWEEP_TERMINATION];

impl GcTotals {
    /// The same with other stacks in the place of these.
    pub fn renamed(self, mut name: impl FnMut(StackId) -> StackId) -> Self {
        let mut assists: StackMap<AssistSums> = StackMap::default();
        for (stack, sums) in &self.assists {
            let renamed = assists.entry(name(*stack)).or_default();
            renamed.count += sums.count;
            renamed.ns += sums.ns;
        }
        let mut calls: StackMap<u64> = StackMap::default();
        for (stack, count) in &self.calls {
            *calls.entry(name(*stack)).or_default() += count;
        }
        GcTotals {
            assists,
            calls,
            ..self
        }
    }

    /// Takes an event of the stack `stack`.
    pub(super) fn event(&mut self, rules: &GcRules, stack: StackId, event: &Gc<'_>) {
        let state = || {
            rules
                .controller
                .and_then(|layout| layout.state(&event.words()?))
        };
        let [first, second, _, fourth] = event.arguments;
        match rules.events.get(usize::from(event.row)) {
            Some(GcEvent::CycleStart) => self.start(event.time_ns, fourth, state()),
            Some(GcEvent::Marked) => self.marked(second, state()),
            Some(GcEvent::PauseStart) => {
                self.pause = Some(Stopping {
                    start_ns: event.time_ns,
                    // One byte: nobody promises the rest of the register.
                    reason: rules.reasons.then_some(first & 0xff),
                    in_cycle: false,
                });
            }
            Some(GcEvent::PauseEnd) => self.pause_over(event.time_ns, Some(second)),
            Some(GcEvent::Restart) => self.pause_over(self.restarted(event.time_ns, first), None),
            Some(GcEvent::Call) => {
                self.call_count += 1;
                if let Some(calls) = bounded(&mut self.calls, stack) {
                    *calls += 1;
                } else {
                    self.overflowed += 1;
                }
            }
            Some(GcEvent::AssistStart | GcEvent::AssistEnd) | None => {}
        }
    }

    /// Takes the begin of an assist by the stack `stack`, or the end of one.
    pub(super) fn assist(&mut self, rules: &GcRules, stack: StackId, assist: &Assist) {
        match rules.events.get(usize::from(assist.row)) {
            // One whose end was not passed had nothing to do.
            Some(GcEvent::AssistStart)
                if self.open_assists.len() < MAX_OPEN
                    || self.open_assists.contains_key(&assist.worker) =>
            {
                self.open_assists
                    .insert(assist.worker, (stack, assist.time_ns));
            }
            Some(GcEvent::AssistEnd) => {
                let Some((stack, start_ns)) = self.open_assists.remove(&assist.worker) else {
                    return;
                };
                let ns = assist.time_ns.saturating_sub(start_ns);
                self.assist_sums.add(ns);
                match bounded(&mut self.assists, stack) {
                    Some(sums) => sums.add(ns),
                    None => self.overflowed += 1,
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, time_ns: u64, trigger: u64, state: Option<ControllerState>) {
        let start_ns = self.in_pause().unwrap_or(time_ns);
        self.cycle = Some(Cycle {
            start_ns: Some(start_ns),
            trigger: match trigger {
                0 => Some(Trigger::Heap),
                1 => Some(Trigger::Time),
                2 => Some(Trigger::Call),
                _ => None,
            },
            heap_before: state.map(|state| state.heap_live),
            heap_goal: state.and_then(|state| state.goal()),
            ..Cycle::default()
        });
    }

    fn marked(&mut self, marked_bytes: u64, state: Option<ControllerState>) {
        self.in_pause();
        let cycle = self.cycle.get_or_insert_default();
        cycle.heap_after = Some(marked_bytes);
        cycle.heap_peak = state.map(|state| state.heap_live);
        cycle.assist_ns = state.map(|state| state.assist_ns);
        cycle.worker_ns = state.map(|state| state.worker_ns);
        cycle.idle_ns = state.map(|state| state.idle_ns);
    }

    /// Notes that the pause that goes on is part of a cycle, and tells when it began.
    fn in_pause(&mut self) -> Option<u64> {
        let pause = self.pause.as_mut()?;
        pause.in_cycle = true;
        Some(pause.start_ns)
    }

    /// When the runtime took the world for running again: by its own clock, if that is known.
    fn restarted(&self, time_ns: u64, taken_ns: u64) -> u64 {
        let start_ns = self.pause.map_or(0, |pause| pause.start_ns);
        if (start_ns..time_ns).contains(&taken_ns) {
            taken_ns
        } else {
            time_ns
        }
    }

    /// A pause is over; the runtime may say how long it took.
    fn pause_over(&mut self, time_ns: u64, noted_ns: Option<u64>) {
        let stopping = self.pause.take();
        let since_start = stopping.map(|pause| time_ns.saturating_sub(pause.start_ns));
        let Some(duration_ns) = noted_ns.or(since_start) else {
            return;
        };
        let marked = self
            .cycle
            .as_ref()
            .is_some_and(|cycle| cycle.heap_after.is_some());
        let (reason, gc) = match stopping {
            // It began before the capture.
            None => (None, self.cycle.is_some()),
            Some(Stopping {
                reason: Some(reason),
                ..
            }) => (Some(reason), GC_REASONS.contains(&reason)),
            Some(Stopping { in_cycle: true, .. }) if marked => (Some(MARK_TERMINATION), true),
            Some(Stopping { in_cycle: true, .. }) => (Some(SWEEP_TERMINATION), true),
            // A runtime that tells no reasons notes the collector's pauses only: all was marked but for what turned up.
            Some(_) if noted_ns.is_some() => (Some(MARK_TERMINATION), true),
            Some(_) => (None, false),
        };
        self.add(Pause {
            start_ns: time_ns.saturating_sub(duration_ns),
            duration_ns,
            reason,
            gc,
        });
        if !gc {
            return;
        }
        if let Some(cycle) = &mut self.cycle
            && cycle.stw_ns.len() < MAX_PAUSES
        {
            cycle.stw_ns.push(duration_ns);
        }
        if marked && let Some(mut cycle) = self.cycle.take() {
            cycle.end_ns = time_ns;
            self.cycle_count += 1;
            if self.cycles.len() < MAX_KEPT {
                self.cycles.push(cycle);
            }
        }
    }

    fn add(&mut self, pause: Pause) {
        let sums = if pause.gc {
            &mut self.gc_pauses
        } else {
            &mut self.other_pauses
        };
        sums.count += 1;
        sums.total_ns = sums.total_ns.saturating_add(pause.duration_ns);
        sums.longest_ns = sums.longest_ns.max(pause.duration_ns);
        if self.pauses.len() < MAX_KEPT {
            self.pauses.push(pause);
        }
    }
}

impl AssistSums {
    /// Adds the sums of `other`.
    pub fn merge(&mut self, other: &AssistSums) {
        self.count += other.count;
        self.ns = self.ns.saturating_add(other.ns);
    }

    fn add(&mut self, ns: u64) {
        self.count += 1;
        self.ns = self.ns.saturating_add(ns);
    }
}

/// The entry of a stack; `None` if it is new and there are too many.
fn bounded<V: Default>(map: &mut StackMap<V>, stack: StackId) -> Option<&mut V> {
    if map.len() >= MAX_GC_STACKS && !map.contains_key(&stack) {
        return None;
    }
    Some(map.entry(stack).or_default())
}

#[cfg(test)]
mod tests;
