//! Carries decisions out on the probes, and keeps the books: what windows stand for, and which steps were taken.

use super::Level;
use super::budget::{Budget, Observation};
use super::policy::{Action, Decision, Policy, Reason};
use crate::aggregate::Weight;
use std::time::Duration;
use tracer_common::config::RowState;
use tracer_common::family::Extra;

/// Time after which every record of a window has arrived: the collecting thread looks every few milliseconds.
const ARRIVAL: Duration = Duration::from_millis(100);
/// Most steps that are kept.
const MAX_STEPS: usize = 1000;

/// What the engine works on: the probes of a target, or a model of them.
pub(super) trait Host {
    /// What can go wrong.
    type Error;

    /// What the target and its probes have done so far.
    fn observe(&mut self) -> Result<Observation, Self::Error>;
    /// Says what a row records from now on.
    fn set_row(&mut self, row: u8, state: RowState) -> Result<(), Self::Error>;
    /// Begins to take a row's probe out of the target.
    fn take_out(&mut self, row: u8);
    /// Puts it back.
    fn put_in(&mut self, row: u8) -> Result<(), Self::Error>;
    /// Whether a probe is still on its way out.
    fn is_busy(&self) -> bool;
    /// The row that is hit without being counted: its program is detached, its breakpoint still there.
    fn uncounted(&self) -> Option<u8>;
    /// Says how much a window stands for; all its records have arrived.
    fn weigh(&mut self, weight: Weight);
    /// Says whether each allocation is recorded from now on.
    fn set_exact(&mut self, exact: bool);
    /// Gives up recording something besides allocations.
    fn give_up(&mut self, extra: Extra) -> Result<(), Self::Error>;
    /// Says that some rows record in windows only from now on.
    fn set_windows(&mut self);
}

/// A change of level.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When, since the start of recording.
    pub at: Duration,
    /// What is recorded from then on.
    pub level: Level,
    /// Hits per second before it.
    pub hits_per_s: f64,
    /// Share of the target's CPU time that recording each of them takes, 0 to 1.
    pub share: f64,
}

/// What is left when recording is over.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Changes of level, oldest first.
    pub steps: Vec<Step>,
    /// What the last windows stand for.
    pub weights: Vec<Weight>,
    /// Whether something was allocated that no window stands for: a row stopped recording everything, and the capture
    /// ended before its first window.
    pub unseen: bool,
    /// CPU time of the target in hits that no program counted, as far as it is known.
    pub uncounted: Duration,
}

impl End {
    /// Whether this was recorded no longer from some step on.
    pub fn has_given_up(&self, extra: Extra) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| step.level == Level::Without(extra))
    }
}

/// Steers the probes of one target.
#[derive(Debug)]
pub(super) struct Engine {
    policy: Policy,
    rows: u8,
    steps: Vec<Step>,
    /// Weights of windows whose records may still be on their way, and when they have arrived.
    due: Vec<(Duration, Weight)>,
}

impl Engine {
    pub(super) fn new(budget: Budget, rows: u8, extras: Vec<Extra>, seed: u64) -> Self {
        Engine {
            policy: Policy::new(budget, usize::from(rows), extras, seed),
            rows,
            steps: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Looks at the target and does what is necessary.
    pub(super) fn tick<H: Host>(&mut self, host: &mut H) -> Result<(), H::Error> {
        let now = host.observe()?;
        let busy = host.is_busy();
        if let Some(row) = host.uncounted() {
            self.policy.charge(row, &now);
        }
        if !busy && self.policy.windows().is_closing() {
            self.policy.window_out(&now);
        }
        let arrived = |due: &mut (Duration, Weight)| due.0 <= now.at;
        for (_, weight) in self.due.extract_if(.., arrived) {
            host.weigh(weight);
        }
        let was_exact = self.policy.is_exact();
        let at = now.at;
        let Some(decision) = self.policy.step(now, busy) else {
            return Ok(());
        };
        let Decision { actions, reason } = decision;
        let given_up = actions.iter().find_map(|action| match action {
            Action::GiveUp(extra) => Some(*extra),
            _ => None,
        });
        if was_exact && !self.policy.is_exact() {
            host.set_exact(false);
        }
        for action in actions {
            self.act(action, host)?;
        }
        if !was_exact && self.policy.is_exact() {
            host.set_exact(true);
        }
        if let Some(reason) = reason {
            let level = match given_up {
                Some(extra) => Level::Without(extra),
                None => self.level(),
            };
            self.note(at, level, reason);
        }
        Ok(())
    }

    /// Whether a window is open, which wants a closer look.
    pub(super) fn is_window_open(&mut self) -> bool {
        self.policy.windows().is_open()
    }

    /// Whether some rows are in windows.
    pub(super) fn has_windows(&mut self) -> bool {
        !self.policy.windows().is_empty()
    }

    /// What was done so far. What open windows stand for is not known yet.
    pub(super) fn so_far(&mut self) -> End {
        End {
            uncounted: Duration::from_secs_f64(self.policy.uncounted_ns() / 1e9),
            steps: self.steps.clone(),
            weights: Vec::new(),
            unseen: self.has_windows(),
        }
    }

    /// Settles everything at this progress: recording is over.
    pub(super) fn finish(mut self, progress: u64) -> End {
        let mut weights: Vec<Weight> = self.due.into_iter().map(|(_, weight)| weight).collect();
        let mut unseen = false;
        let windows = self.policy.windows();
        for row in windows.rows() {
            match windows.remove(row, progress) {
                Some(weight) => weights.push(weight),
                None => unseen = true,
            }
        }
        End {
            uncounted: Duration::from_secs_f64(self.policy.uncounted_ns() / 1e9),
            steps: self.steps,
            weights,
            unseen,
        }
    }

    fn act<H: Host>(&mut self, action: Action, host: &mut H) -> Result<(), H::Error> {
        match action {
            Action::Sample(distance_log2) => self.sample(distance_log2, host),
            Action::GiveUp(extra) => host.give_up(extra),
            Action::TakeOut(row) => {
                host.set_row(row, RowState::OFF)?;
                host.set_windows();
                host.take_out(row);
                Ok(())
            }
            Action::Open { row, early } => {
                host.put_in(row)?;
                let number = self.policy.windows().next_number(row);
                let opened = host.observe()?;
                host.set_row(row, RowState::window(number))?;
                if let Some(weight) = self.policy.windows().opened(row, early, opened) {
                    host.weigh(weight);
                }
                self.policy.changed();
                Ok(())
            }
            Action::Close(row) => {
                host.set_row(row, RowState::OFF)?;
                let now = host.observe()?;
                self.policy.windows().closed(row, now);
                host.take_out(row);
                Ok(())
            }
            Action::Keep(row) => {
                host.set_row(row, RowState::EXACT)?;
                let now = host.observe()?;
                let weight = self.policy.windows().remove(row, now.progress);
                self.due
                    .extend(weight.map(|weight| (now.at + ARRIVAL, weight)));
                self.policy.changed();
                Ok(())
            }
        }
    }

    /// Sets the sampling distance of all rows that are probed all the time.
    fn sample<H: Host>(&mut self, distance_log2: u8, host: &mut H) -> Result<(), H::Error> {
        for row in 0..self.rows {
            if !self.policy.windows().has(row) {
                host.set_row(row, RowState::sampling(distance_log2))?;
            }
        }
        Ok(())
    }

    /// What is recorded of allocations.
    fn level(&mut self) -> Level {
        let windows = self.policy.windows().rows();
        match (windows.is_empty(), self.policy.distance_log2()) {
            (true, 0) => Level::Exact,
            (true, distance_log2) => Level::Sampling {
                distance_bytes: 1 << distance_log2,
            },
            (false, _) => Level::Windows { rows: windows },
        }
    }

    fn note(&mut self, at: Duration, level: Level, reason: Reason) {
        log::debug!("{level:?} at {at:?}: {reason:?}");
        if self.steps.len() < MAX_STEPS {
            self.steps.push(Step {
                at,
                level,
                hits_per_s: reason.hits_per_s,
                share: reason.share,
            });
        }
    }
}
