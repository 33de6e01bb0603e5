//! The governor on a model of a target: a loop that allocates in phases, slowed down by its probes.
//!
//! The model knows what the governor must find out, so that budget and estimates can be judged; it has the delays of a
//! real kernel. Real kernels and programs are in the live tests.

use super::Level;
use super::budget::{Budget, Observation};
use super::engine::{Engine, Host};
use crate::aggregate::{Progress, StandardError, Uncertainty, Weight, WindowId, whole};
use crate::kernel::HitCost;
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;
use tracer_common::config::RowState;
use tracer_common::family::{Extra, PerExtra};

const COST: HitCost = HitCost {
    recorded_ns: 1000.0,
    silent_ns: 750.0,
};
const TICK: Duration = Duration::from_millis(1);
/// How long it takes to put a probe in, until it has no effect any more, and until it is out.
const IN: Duration = Duration::from_millis(8);
const GONE: Duration = Duration::from_millis(8);
const OUT: Duration = Duration::from_millis(90);
const SIZE: u64 = 48;
const MAPS: [Extra; 2] = [Extra::MapWrites, Extra::MapGrowths];
/// Growths of maps for each operation.
const GROWTHS: f64 = 0.05;

/// Allocations of each row in each second of the target's own CPU time.
type Rates = [f64; 3];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    In,
    /// On its way out, first in the queue since then.
    Leaving(Duration),
    Queued,
    Out,
}

struct Model {
    now: Duration,
    own: Duration,
    in_probes: f64,
    rates: Rates,
    places: [Place; 3],
    states: [RowState; 3],
    /// Allocations made, hits, hits recorded one by one, hits recorded in windows, of each row.
    truth: [f64; 3],
    hits: [f64; 3],
    exact: [f64; 3],
    in_window: HashMap<WindowId, f64>,
    recorded: f64,
    /// Writes to maps in each second of the target's own CPU time, and how many of them were recorded.
    map_rate: f64,
    map_hits: [f64; 2],
    /// Whether those are growths, because writes are recorded no longer.
    map_kind: usize,
    silent: f64,
    sampled: [f64; 3],
    estimates: [f64; 3],
    progress: Progress,
    uncertainty: [Uncertainty; 3],
    noise: u64,
}

impl Model {
    fn new() -> Self {
        Model {
            now: Duration::ZERO,
            own: Duration::ZERO,
            in_probes: 0.0,
            rates: [0.0; 3],
            places: [Place::In; 3],
            states: [RowState::EXACT; 3],
            truth: [0.0; 3],
            hits: [0.0; 3],
            exact: [0.0; 3],
            in_window: HashMap::new(),
            recorded: 0.0,
            map_rate: 0.0,
            map_hits: [0.0; 2],
            map_kind: 0,
            silent: 0.0,
            sampled: [0.0; 3],
            estimates: [0.0; 3],
            progress: Progress::default(),
            uncertainty: Default::default(),
            noise: 1,
        }
    }

    /// Lets time go by: one CPU, fully used.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += TICK;
        self.leave();
        let mut probe_ns_per_own_s = self.map_rate * COST.recorded_ns;
        for row in 0..3 {
            probe_ns_per_own_s += self.rates[row] * self.cost_of_hit(row);
        }
        let own = TICK.as_secs_f64() / (1.0 + probe_ns_per_own_s / 1e9);
        self.own += Duration::from_secs_f64(own);
        self.map_hits[self.map_kind] += self.map_rate * own;
        self.in_probes += self.map_rate * own * COST.recorded_ns;
        for row in 0..3 {
            // The mix of the program moves a little all the time.
            self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005) + 1;
            let wobble = 0.5 + (self.noise >> 40) as f64 / (1u64 << 24) as f64;
            let allocs = self.rates[row] * own * wobble;
            self.truth[row] += allocs;
            self.hit(row, allocs);
        }
    }

    fn cost_of_hit(&self, row: usize) -> f64 {
        match (self.is_probed(row), self.states[row].is_on()) {
            (false, _) => 0.0,
            (_, false) => COST.silent_ns,
            (_, true) if self.states[row].distance_log2() > 0 => {
                let chance = SIZE as f64 / (1u64 << self.states[row].distance_log2()) as f64;
                COST.silent_ns + chance.min(1.0) * (COST.recorded_ns - COST.silent_ns)
            }
            (_, true) => COST.recorded_ns,
        }
    }

    fn hit(&mut self, row: usize, allocs: f64) {
        if !self.is_probed(row) {
            return;
        }
        self.in_probes += allocs * self.cost_of_hit(row);
        let state = self.states[row];
        if !state.is_on() {
            self.silent += allocs;
            return;
        }
        self.hits[row] += allocs;
        if state.distance_log2() > 0 {
            let chance = SIZE as f64 / (1u64 << state.distance_log2()) as f64;
            self.recorded += allocs * chance;
            self.silent += allocs * (1.0 - chance);
            self.sampled[row] += allocs;
            return;
        }
        self.recorded += allocs;
        if state.window_number() == 0 {
            self.exact[row] += allocs;
        } else {
            let window = WindowId {
                row: u8::try_from(row).unwrap(),
                number: state.window_number(),
            };
            *self.in_window.entry(window).or_default() += allocs;
        }
    }

    /// Probes leave the target one at a time.
    fn leave(&mut self) {
        for row in 0..3 {
            if let Place::Leaving(since) = self.places[row]
                && self.now.saturating_sub(since) >= OUT
            {
                self.places[row] = Place::Out;
            }
        }
        let leaving = |place: &Place| matches!(place, Place::Leaving(_));
        if !self.places.iter().any(leaving)
            && let Some(next) = self
                .places
                .iter_mut()
                .find(|place| **place == Place::Queued)
        {
            *next = Place::Leaving(self.now);
        }
    }

    /// Whether the row's instruction is a breakpoint.
    fn is_probed(&self, row: usize) -> bool {
        match self.places[row] {
            Place::In | Place::Queued => true,
            Place::Leaving(since) => self.now.saturating_sub(since) < GONE,
            Place::Out => false,
        }
    }

    fn target_share(&self) -> f64 {
        self.in_probes / 1e9 / self.now.as_secs_f64()
    }

    fn estimate(&self, row: usize) -> f64 {
        self.exact[row] + self.sampled[row] + self.estimates[row]
    }

    fn error(&self, rows: std::ops::Range<usize>) -> Option<StandardError> {
        self.progress.standard_error(self.uncertainty[rows].iter())
    }
}

impl Host for Model {
    type Error = Infallible;

    fn observe(&mut self) -> Result<Observation, Infallible> {
        let allocated: f64 = self.truth.iter().sum::<f64>() * SIZE as f64;
        Ok(Observation {
            at: self.now,
            cpu: self.now,
            // The runtime counts whole spans.
            progress: whole(allocated) / 8192 * 8192,
            row_hits: self.hits.iter().map(|hits| whole(*hits)).collect(),
            recorded: whole(self.recorded),
            silent: whole(self.silent),
            others: whole(self.map_hits.iter().sum()),
            extras: PerExtra::from_fn(|extra| {
                let kind = MAPS.iter().position(|map| *map == extra);
                kind.map_or(0, |kind| whole(self.map_hits[kind]))
            }),
        })
    }

    fn set_row(&mut self, row: u8, state: RowState) -> Result<(), Infallible> {
        self.states[usize::from(row)] = state;
        Ok(())
    }

    fn take_out(&mut self, row: u8) {
        self.places[usize::from(row)] = Place::Queued;
    }

    fn put_in(&mut self, row: u8) -> Result<(), Infallible> {
        assert_eq!(self.places[usize::from(row)], Place::Out);
        self.run(IN);
        self.places[usize::from(row)] = Place::In;
        Ok(())
    }

    fn is_busy(&self) -> bool {
        let idle = |place: &Place| matches!(place, Place::In | Place::Out);
        !self.places.iter().all(idle)
    }

    fn uncounted(&self) -> Option<u8> {
        None
    }

    fn weigh(&mut self, weight: Weight) {
        let row = usize::from(weight.window.row);
        let count = self.in_window.remove(&weight.window).unwrap_or(0.0);
        self.estimates[row] += count * weight.factor();
        self.progress.add(&weight);
        self.uncertainty[row].add_window(&weight, whole(count), Some(SIZE));
    }

    fn set_exact(&mut self, _exact: bool) {}

    fn set_windows(&mut self) {}

    fn give_up(&mut self, extra: Extra) -> Result<(), Infallible> {
        (self.map_rate, self.map_kind) = match extra {
            Extra::MapWrites => (self.map_rate * GROWTHS, 1),
            _ => (0.0, 1),
        };
        Ok(())
    }
}

/// Runs the phases under a governor with a budget of `share`.
fn governed(share: f64, phases: &[(u64, Rates)]) -> (Model, Vec<Level>) {
    governed_with_maps(share, 0.0, phases)
}

/// The same, with so many writes to maps a second.
fn governed_with_maps(share: f64, map_rate: f64, phases: &[(u64, Rates)]) -> (Model, Vec<Level>) {
    let mut model = Model::new();
    model.map_rate = map_rate;
    let mut engine = Engine::new(Budget::new(share, COST), 3, MAPS.to_vec(), 42);
    for (seconds, rates) in phases {
        model.rates = *rates;
        let end = model.now + Duration::from_secs(*seconds);
        while model.now < end {
            let pause = match (engine.is_window_open(), engine.has_windows()) {
                (true, _) => 1,
                (false, true) => 4,
                (false, false) => 10,
            };
            model.run(Duration::from_millis(pause));
            let Ok(()) = engine.tick(&mut model);
        }
    }
    let Ok(end) = model.observe();
    let end = engine.finish(end.progress);
    end.weights
        .into_iter()
        .for_each(|weight| model.weigh(weight));
    assert!(!end.unseen);
    (
        model,
        end.steps.into_iter().map(|step| step.level).collect(),
    )
}

#[test]
fn a_quiet_target_is_traced_exactly() {
    let (model, steps) = governed(0.05, &[(10, [20_000.0, 5_000.0, 0.0])]);
    assert_eq!(steps, []);
    assert_eq!(model.exact, model.truth);
}

#[test]
fn a_little_too_much_is_sampled_by_bytes() {
    // 58,000 hits cost 5.8 % if recorded and 4.4 % if not.
    let (model, steps) = governed(0.05, &[(10, [45_000.0, 13_000.0, 0.0])]);
    assert!(
        matches!(steps.as_slice(), [Level::Sampling { .. }]),
        "{steps:?}"
    );
    assert!(model.target_share() < 0.055, "{}", model.target_share());
}

#[test]
fn writes_to_maps_are_given_up_only_if_they_are_too_much() {
    let quiet = (10, [1000.0, 0.0, 0.0]);
    let (few, steps) = governed_with_maps(0.05, 10_000.0, &[quiet]);
    assert_eq!(steps, []);
    assert!(few.map_hits[0] > 90_000.0);
    let (many, steps) = governed_with_maps(0.05, 200_000.0, &[quiet]);
    assert_eq!(steps, [Level::Without(Extra::MapWrites)]);
    assert!(many.target_share() < 0.05, "{}", many.target_share());
    assert_eq!(many.exact, many.truth);
    let (too_many, steps) = governed_with_maps(0.05, 5_000_000.0, &[quiet]);
    assert_eq!(steps, MAPS.map(Level::Without));
    assert!(
        too_many.target_share() < 0.05,
        "{}",
        too_many.target_share()
    );
}

#[test]
fn a_surge_stays_within_the_budget_and_is_estimated() {
    let quiet = [700.0, 200.0, 100.0];
    let surge = [3_500_000.0, 1_400_000.0, 100_000.0];
    let (model, steps) = governed(0.05, &[(5, quiet), (20, surge), (15, quiet)]);
    assert!(
        matches!(
            (steps.first(), steps.last()),
            (Some(Level::Windows { .. }), Some(Level::Exact))
        ),
        "{steps:?}"
    );
    assert!(model.target_share() < 0.06, "{}", model.target_share());
    for row in 0..3 {
        let error = model.error(row..row + 1).map_or(0.0, |error| error.allocs);
        let off = (model.estimate(row) - model.truth[row]).abs();
        let truth = model.truth[row];
        // Whole spans and whole ticks are the model's own noise.
        assert!(
            off <= 3.0 * error + 0.01 * truth,
            "row {row}: off by {off} of {truth}, standard error {error}"
        );
        assert!(error < 0.2 * truth, "row {row}: {error} of {truth}");
    }
}

#[test]
fn the_budget_is_used_and_not_exceeded() {
    for share in [0.02, 0.05, 0.2] {
        let (model, _) = governed(share, &[(30, [8_000_000.0, 6_000_000.0, 5_000_000.0])]);
        let used = model.target_share();
        assert!(
            (0.4 * share..1.2 * share).contains(&used),
            "{used} of {share}"
        );
    }
}

#[test]
fn phases_are_estimated_by_what_they_allocate() {
    // Two kinds of phases with different mixes and rates, much shorter than the capture.
    let one = [6_000_000.0, 200_000.0, 0.0];
    let other = [100_000.0, 800_000.0, 0.0];
    let phases: Vec<(u64, Rates)> = (0..30)
        .map(|turn| if turn % 2 == 0 { (1, one) } else { (2, other) })
        .collect();
    let (model, _) = governed(0.05, &phases);
    assert!(model.target_share() < 0.065, "{}", model.target_share());
    for row in 0..2 {
        let error = model.error(row..row + 1).map_or(0.0, |error| error.allocs);
        let off = (model.estimate(row) - model.truth[row]).abs();
        assert!(
            off <= 3.0 * error + 0.02 * model.truth[row],
            "row {row}: off by {off} of {}, standard error {error}",
            model.truth[row]
        );
    }
}
