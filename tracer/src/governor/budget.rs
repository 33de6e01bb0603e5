//! How much CPU time of the target the probes may take: an account that fills with the target's own work and is drawn on
//! by hits.

use crate::kernel::HitCost;
use std::time::Duration;
use tracer_common::family::PerExtra;

/// A target that hardly works is treated as if it used this share of one CPU: tracing it costs next to nothing, however
/// that compares to what it does.
const LEAST_CPUS: f64 = 0.1;
/// Time whose allowance can be saved up: longer rests do not buy longer bursts.
const SAVED: Duration = Duration::from_secs(1);

/// What the target and its probes have done by some moment, in sums since the start of recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Observation {
    /// The moment.
    pub(super) at: Duration,
    /// CPU time of the target, that of the probes included.
    pub(super) cpu: Duration,
    /// Bytes that the runtime has allocated.
    pub(super) progress: u64,
    /// Hits of each row of the plan, recorded or not.
    pub(super) row_hits: Vec<u64>,
    /// Hits that were recorded.
    pub(super) recorded: u64,
    /// Hits that were only counted.
    pub(super) silent: u64,
    /// Hits of the probes on anything but allocations that were recorded.
    pub(super) others: u64,
    /// Those among them that can be given up, by their kind.
    pub(super) extras: PerExtra<u64>,
}

impl Observation {
    /// CPU time that the probes have taken, in nanoseconds.
    pub(super) fn cost_ns(&self, cost: HitCost) -> f64 {
        let recorded = self.recorded as f64 * cost.recorded_ns;
        let others = cost.of_others(self.others, &self.extras);
        recorded + others + self.silent as f64 * cost.silent_ns
    }

    /// What happened since `earlier`.
    pub(super) fn since(&self, earlier: &Observation) -> Observation {
        let hits = self.row_hits.iter().zip(&earlier.row_hits);
        Observation {
            at: self.at.saturating_sub(earlier.at),
            cpu: self.cpu.saturating_sub(earlier.cpu),
            progress: self.progress.saturating_sub(earlier.progress),
            row_hits: hits.map(|(now, then)| now.saturating_sub(*then)).collect(),
            recorded: self.recorded.saturating_sub(earlier.recorded),
            silent: self.silent.saturating_sub(earlier.silent),
            others: self.others.saturating_sub(earlier.others),
            extras: PerExtra::from_fn(|extra| {
                self.extras[extra].saturating_sub(earlier.extras[extra])
            }),
        }
    }

    /// CPU time that the target counts as its own, of a difference of two observations: without that of the probes, and
    /// not less than a little.
    pub(super) fn own_ns(&self, cost: HitCost) -> f64 {
        let own = nanos(self.cpu) - self.cost_ns(cost);
        own.max(nanos(self.at) * LEAST_CPUS).max(1.0)
    }
}

/// The account.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// CPU time of probes for each unit of the target's own.
    ratio: f64,
    cost: HitCost,
    balance_ns: f64,
    /// Most that can be saved.
    cap_ns: f64,
}

impl Budget {
    /// A budget of `share` of the target's CPU time, 0 to 1.
    pub(super) fn new(share: f64, cost: HitCost) -> Self {
        let share = share.clamp(0.0, 0.99);
        let ratio = share / (1.0 - share);
        let cap_ns = ratio * LEAST_CPUS * nanos(SAVED);
        Budget {
            ratio,
            cost,
            balance_ns: cap_ns,
            cap_ns,
        }
    }

    /// CPU time of probes for each unit of the target's own.
    pub(super) fn ratio(&self) -> f64 {
        self.ratio
    }

    /// What a hit costs.
    pub(super) fn cost(&self) -> HitCost {
        self.cost
    }

    /// Books what happened. At least `reserve_ns` can be saved, however little the target works.
    pub(super) fn book(&mut self, step: &Observation, reserve_ns: f64) {
        let own = step.own_ns(self.cost);
        let seconds = step.at.as_secs_f64().max(1e-3);
        self.cap_ns = (self.ratio * own / seconds * SAVED.as_secs_f64()).max(reserve_ns);
        let balance = self.balance_ns + self.ratio * own - step.cost_ns(self.cost);
        self.balance_ns = balance.min(self.cap_ns);
    }

    /// Books CPU time that no counter shows, in nanoseconds.
    pub(super) fn charge(&mut self, ns: f64) {
        self.balance_ns -= ns;
    }

    /// CPU time that probes may take now, in nanoseconds; negative if they took too much.
    pub(super) fn balance_ns(&self) -> f64 {
        self.balance_ns
    }

    /// Whether nothing more can be saved.
    pub(super) fn is_full(&self) -> bool {
        self.balance_ns >= self.cap_ns
    }
}

pub(super) fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: HitCost = HitCost {
        recorded_ns: 1000.0,
        silent_ns: 800.0,
    };

    fn step(cpu_ms: u64, recorded: u64) -> Observation {
        Observation {
            at: Duration::from_millis(100),
            cpu: Duration::from_millis(cpu_ms),
            recorded,
            ..Observation::default()
        }
    }

    #[test]
    fn the_budget_is_a_share_of_all_cpu_time() {
        let mut budget = Budget::new(0.05, COST);
        budget.book(&step(100, 0), 0.0);
        let saved = budget.balance_ns();
        // 5 % of 100 ms are 5,000 hits.
        budget.book(&step(100, 5000), 0.0);
        assert!((budget.balance_ns() - saved).abs() < 1.0);
        budget.book(&step(100, 50_000), 0.0);
        assert!(budget.balance_ns() < 0.0);
    }

    #[test]
    fn an_idle_target_can_be_traced_and_saves_for_a_second_only() {
        let mut budget = Budget::new(0.05, COST);
        for _ in 0..100 {
            budget.book(&step(0, 400), 0.0);
        }
        assert!(budget.balance_ns() > 0.0);
        for _ in 0..100 {
            budget.book(&step(100, 0), 0.0);
        }
        assert!((budget.balance_ns() - 1e9 * 0.05 / 0.95).abs() < 1e6);
        assert!(budget.is_full());
    }
}
