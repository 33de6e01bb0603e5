//! What to do when the probes cost too much, and when they could do more: pure decisions from numbers.
//!
//! Hides the rates it decides by. Three levels: each allocation is recorded; allocations are sampled by bytes, which
//! saves what recording costs beyond the bare hit; the hottest functions are probed in short windows only, one function
//! at a time, because taking a probe out is quick only while no other is on its way out. What is recorded
//! besides allocations is given up before that.

use super::budget::{Budget, Observation, nanos};
use super::window::Schedule;
use crate::aggregate::whole;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tracer_common::family::Extra;
use tracer_common::record::MAX_DISTANCE_LOG2;

/// Rates are those of this time, and of no less than the second after a change.
const RECENT: Duration = Duration::from_millis(100);
const ENOUGH: Duration = Duration::from_millis(20);
/// Time of low rates after which more is recorded again.
const CALM: Duration = Duration::from_secs(1);
/// Share of the budget that a sampling distance is planned for: it only has to be a little too much, the hits themselves
/// take three quarters of the cost.
const SAFE: f64 = 0.95;
/// Share of the budget for functions that are probed all the time, when others are probed in windows.
const STEADY: f64 = 0.5;
/// Share of the budget from which on what is recorded besides allocations is what is too much.
const EXTRAS: f64 = 0.25;
/// The same for what of the heap is alive alone: nothing else tells that, and at the usual rate of the runtime's profiler it
/// costs next to nothing.
const LIVE: f64 = 0.6;
/// Share of the budget that everything must fit into before more is recorded again.
const LOW: f64 = 0.6;

/// What to do with the probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// Sample the rows that are probed all the time at a distance of 2^n bytes; 0 records each allocation.
    Sample(u8),
    /// Record this no longer.
    GiveUp(Extra),
    /// Take a row's probe out of the target.
    TakeOut(u8),
    /// Probe a row for the time of a window; early if the place was not chosen on the progress.
    Open {
        /// The row.
        row: u8,
        /// Whether it opens because little happens.
        early: bool,
    },
    /// End the window of a row.
    Close(u8),
    /// Go on with the row whose window is open: probe it all the time.
    Keep(u8),
}

/// Decisions, and the figures they were made by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decision {
    pub(super) actions: Vec<Action>,
    /// Why, for a change of level.
    pub(super) reason: Option<Reason>,
}

/// Rates that led to a change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reason {
    /// Hits per second of what is probed all the time.
    pub(super) hits_per_s: f64,
    /// Share of the target's CPU time that recording them all takes, 0 to 1.
    pub(super) share: f64,
}

/// The state of the probes, as the policy wants them.
#[derive(Debug)]
pub(super) struct Policy {
    budget: Budget,
    rows: usize,
    /// What is recorded besides allocations and may be given up.
    extras: Vec<Extra>,
    distance_log2: u8,
    /// Rows in windows.
    windows: Schedule,
    recent: VecDeque<Observation>,
    last: Observation,
    calm_since: Option<Duration>,
    /// CPU time of hits for each unit of the target's own, of rows that were taken out.
    left: BTreeMap<u8, f64>,
    uncounted_ns: f64,
}

impl Policy {
    /// A policy for a plan of so many rows, all of them recording. `seed` makes the places of windows unforeseeable.
    pub(super) fn new(budget: Budget, rows: usize, extras: Vec<Extra>, seed: u64) -> Self {
        Policy {
            windows: Schedule::new(seed),
            budget,
            rows,
            extras,
            distance_log2: 0,
            recent: VecDeque::new(),
            last: Observation::default(),
            calm_since: None,
            left: BTreeMap::new(),
            uncounted_ns: 0.0,
        }
    }

    /// Books hits of a row that nothing counted since the last step: it is still a breakpoint, without a program.
    pub(super) fn charge(&mut self, row: u8, now: &Observation) {
        let ratio = self.left.get(&row).copied().unwrap_or(0.0);
        let ns = nanos(now.since(&self.last).cpu) * ratio / (1.0 + ratio);
        self.budget.charge(ns);
        self.windows.charge(ns);
        self.uncounted_ns += ns;
    }

    /// CPU time of all hits that nothing counted, in nanoseconds.
    pub(super) fn uncounted_ns(&self) -> f64 {
        self.uncounted_ns
    }

    /// Takes note of what happened, and decides. `busy` tells that a probe is on its way out.
    pub(super) fn step(&mut self, now: Observation, busy: bool) -> Option<Decision> {
        let step = now.since(&self.last);
        self.budget.book(&step, self.windows.reserve_ns());
        self.last = now.clone();
        self.recent.push_back(now.clone());
        while self.recent.len() > 2
            && self
                .recent
                .get(1)
                .is_some_and(|second| now.at.saturating_sub(second.at) >= RECENT)
        {
            self.recent.pop_front();
        }
        if self.windows.is_open() {
            return self.in_window(&now);
        }
        let rates = self.rates()?;
        if let Some(decision) = self.give_up(&rates) {
            return Some(decision);
        }
        if let Some(decision) = self.step_down(&rates) {
            return Some(decision);
        }
        if let Some(decision) = self.step_up(&rates, now.at) {
            return Some(decision);
        }
        let left = self.budget.ratio() - self.steady_ratio(&rates);
        let action = self
            .windows
            .next(&now, &rates, &self.budget, left.max(0.0), busy)?;
        Some(Decision {
            actions: vec![action],
            reason: None,
        })
    }

    /// A window has opened or closed, or a probe was taken out: rates before that tell nothing of those to come.
    pub(super) fn changed(&mut self) {
        self.recent.clear();
        self.recent.push_back(self.last.clone());
    }

    /// The windows, to be told what became of them.
    pub(super) fn windows(&mut self) -> &mut Schedule {
        &mut self.windows
    }

    /// The probe of the last window is out of the target.
    pub(super) fn window_out(&mut self, now: &Observation) {
        self.windows.out(now, &self.budget);
        self.changed();
    }

    /// Whether each allocation of the target is recorded.
    pub(super) fn is_exact(&self) -> bool {
        self.distance_log2 == 0 && self.windows.is_empty()
    }

    /// Logarithm of the sampling distance.
    pub(super) fn distance_log2(&self) -> u8 {
        self.distance_log2
    }

    /// What happened lately; `None` if there is too little of it.
    fn rates(&self) -> Option<Observation> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let rates = last.since(first);
        (rates.at >= ENOUGH).then_some(rates)
    }

    /// Rows that are probed all the time, and their hits.
    fn steady<'a>(&'a self, rates: &'a Observation) -> impl Iterator<Item = (u8, u64)> + 'a {
        let rows = (0..=u8::MAX).zip(&rates.row_hits).take(self.rows);
        rows.map(|(row, hits)| (row, *hits))
            .filter(|(row, _)| !self.windows.has(*row))
    }

    /// CPU time for recording all hits of the steady rows, for each unit of the target's own.
    fn steady_ratio(&self, rates: &Observation) -> f64 {
        let cost = self.budget.cost();
        let hits: u64 = self.steady(rates).map(|(_, hits)| hits).sum();
        hits as f64 * cost.recorded_ns / rates.own_ns(cost)
    }

    /// Gives up the dearest of what is recorded besides allocations, if all that is a good part of what is too much: a
    /// sample of it would not tell what each did.
    fn give_up(&mut self, rates: &Observation) -> Option<Decision> {
        let cost = self.budget.cost();
        let of = |extra: &Extra| rates.extras[*extra];
        // What was given up may still have a hit or two.
        let ns = |extra: &Extra| of(extra) as f64 * cost.of_extra(*extra);
        let is_much = |extras: &[&Extra], share: f64| {
            let all: f64 = extras.iter().map(|extra| ns(extra)).sum();
            all / rates.own_ns(cost) > self.budget.ratio() * share
        };
        let (live, others): (Vec<&Extra>, Vec<&Extra>) =
            (self.extras.iter()).partition(|extra| **extra == Extra::Live);
        let too_much = [(others, EXTRAS), (live, LIVE)]
            .into_iter()
            .find(|(extras, share)| is_much(extras, *share));
        let (extras, _) = too_much.filter(|_| self.budget.balance_ns() < 0.0)?;
        let dearest = **extras.iter().max_by(|a, b| ns(a).total_cmp(&ns(b)))?;
        self.extras.retain(|extra| *extra != dearest);
        self.changed();
        let of_dearest = of(&dearest);
        let ratio = ns(&dearest) / rates.own_ns(cost);
        Some(Decision {
            actions: vec![Action::GiveUp(dearest)],
            reason: Some(Reason {
                hits_per_s: of_dearest as f64 / rates.at.as_secs_f64().max(1e-9),
                share: ratio / (1.0 + ratio),
            }),
        })
    }

    fn step_down(&mut self, rates: &Observation) -> Option<Decision> {
        let ratio = self.steady_ratio(rates);
        let allowed = self.budget.ratio();
        let share_for_steady = if self.windows.is_empty() { 1.0 } else { STEADY };
        let paid = if self.windows.is_empty() {
            rates.cost_ns(self.budget.cost()) / rates.own_ns(self.budget.cost())
        } else {
            ratio
        };
        if self.budget.balance_ns() >= 0.0 || paid <= allowed * share_for_steady {
            return None;
        }
        let reason = Some(self.reason(rates, ratio));
        let actions = self
            .sampling(rates)
            .unwrap_or_else(|| self.hottest_out(rates, allowed * STEADY));
        self.calm_since = None;
        self.changed();
        (!actions.is_empty()).then_some(Decision { actions, reason })
    }

    /// A sampling distance that keeps the budget, if there is one and no row is in windows.
    fn sampling(&mut self, rates: &Observation) -> Option<Vec<Action>> {
        if !self.windows.is_empty() {
            return None;
        }
        let cost = self.budget.cost();
        let hits = rates.row_hits.iter().sum::<u64>() as f64;
        let affordable = SAFE * self.budget.ratio() * rates.own_ns(cost) / hits;
        let chance = (affordable - cost.silent_ns) / (cost.recorded_ns - cost.silent_ns);
        if !(0.0..1.0).contains(&chance) || chance <= 0.0 {
            return None;
        }
        let mean_size = rates.progress as f64 / hits;
        let distance = (mean_size / chance).max(2.0).log2().ceil();
        let distance = u8::try_from(whole(distance)).ok()?;
        // A distance that was meant to suffice, and does not, is no answer.
        if distance > MAX_DISTANCE_LOG2 || distance <= self.distance_log2 {
            return None;
        }
        self.distance_log2 = distance;
        Some(vec![Action::Sample(distance)])
    }

    /// Takes the hottest rows out until the rest fits into `allowed`, CPU time for each unit of the target's own.
    fn hottest_out(&mut self, rates: &Observation, allowed: f64) -> Vec<Action> {
        let cost = self.budget.cost();
        let own = rates.own_ns(cost);
        let mut steady: Vec<(u8, u64)> = self.steady(rates).collect();
        steady.sort_unstable_by_key(|(row, hits)| (*hits, *row));
        let mut rest: u64 = steady.iter().map(|(_, hits)| hits).sum();
        let mut actions = Vec::new();
        if self.distance_log2 != 0 {
            self.distance_log2 = 0;
            actions.push(Action::Sample(0));
        }
        while rest as f64 * cost.recorded_ns / own > allowed
            && let Some((row, hits)) = steady.pop()
        {
            rest -= hits;
            self.windows.add(row, &self.last, rates, &self.budget);
            self.left.insert(row, hits as f64 * cost.silent_ns / own);
            actions.push(Action::TakeOut(row));
        }
        actions
    }

    /// Back to recording each allocation once rates have been low for a while.
    fn step_up(&mut self, rates: &Observation, now: Duration) -> Option<Decision> {
        let ratio = self.steady_ratio(rates);
        if self.distance_log2 == 0 || ratio > LOW * self.budget.ratio() {
            self.calm_since = None;
            return None;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_sub(since) < CALM {
            return None;
        }
        self.distance_log2 = 0;
        Some(Decision {
            actions: vec![Action::Sample(0)],
            reason: Some(self.reason(rates, ratio)),
        })
    }

    fn in_window(&mut self, now: &Observation) -> Option<Decision> {
        let balance_ns = self.budget.balance_ns();
        let (row, inside) = self.windows.over(now, balance_ns)?;
        // The window lasted long because there was little to record.
        let ratio = self.steady_ratio(&inside) + self.windows.ratio_of(row, &inside, &self.budget);
        if inside.at >= self.windows.longest() && ratio <= LOW * self.budget.ratio() {
            let reason = Some(self.reason(&inside, ratio));
            return Some(Decision {
                actions: vec![Action::Keep(row)],
                reason,
            });
        }
        let cost = self.budget.cost();
        let of_row = self.windows.ratio_of(row, &inside, &self.budget);
        self.left
            .insert(row, of_row * cost.silent_ns / cost.recorded_ns);
        Some(Decision {
            actions: vec![Action::Close(row)],
            reason: None,
        })
    }

    fn reason(&self, rates: &Observation, ratio: f64) -> Reason {
        let seconds = rates.at.as_secs_f64().max(1e-9);
        let hits: u64 = rates.row_hits.iter().sum();
        Reason {
            hits_per_s: hits as f64 / seconds,
            share: ratio / (1.0 + ratio),
        }
    }
}
