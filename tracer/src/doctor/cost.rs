//! What each mode would cost a process, by what it does now and what a hit costs here. Pure; all are estimates.

use super::target::{Rates, Target};
use crate::kernel::HitCost;
use crate::program::ProfilerState;
use crate::units;
use tracer_common::family::Extra;

/// Bytes of the smallest span: where the profiler is off, at most one hit for so many allocated bytes.
const SMALLEST_SPAN: f64 = 8192.0;

/// What a mode would cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The mode.
    pub mode: &'static str,
    /// Share of the process's CPU time, that of the probes included, 0 to 1; `None` if it cannot be told.
    pub share: Option<f64>,
    /// Whether it may be less.
    pub at_most: bool,
    /// What that is estimated from, or why it cannot be.
    pub basis: String,
}

/// The cost of each mode; `budget` is that of mode auto, 0 to 1.
pub fn costs(target: &Target, budget: f64) -> [Cost; 3] {
    let (Some(rates), Some(hit)) = (target.rates, target.hit_cost) else {
        let why = if target.rates.is_none() {
            "what it allocates cannot be read"
        } else {
            "the cost of a hit was not measured"
        };
        let unknown = |mode| Cost {
            mode,
            share: None,
            at_most: false,
            basis: why.to_owned(),
        };
        return ["exact", "auto", "sampled"].map(unknown);
    };
    let exact = exact(&rates, hit);
    let auto = auto(&exact, budget);
    [exact, auto, sampled(target, &rates, hit)]
}

fn exact(rates: &Rates, hit: HitCost) -> Cost {
    let Some(allocs) = rates.allocs_per_s else {
        return Cost {
            mode: "exact",
            share: None,
            at_most: false,
            basis: "the runtime's count of allocations was not found".to_owned(),
        };
    };
    Cost {
        mode: "exact",
        share: share(allocs * hit.recorded_ns, rates),
        at_most: false,
        basis: format!(
            "{} allocations/s, {} each",
            units::amount(Some(allocs), false, false),
            units::nanoseconds(hit.recorded_ns)
        ),
    }
}

/// Records each allocation as long as that fits into the budget.
fn auto(exact: &Cost, budget: f64) -> Cost {
    let budget_text = units::percent(Some(100.0 * budget));
    match exact.share {
        Some(share) if share <= budget => Cost {
            mode: "auto",
            basis: format!(
                "every allocation is recorded: that fits into the budget of {budget_text}"
            ),
            ..exact.clone()
        },
        share => Cost {
            mode: "auto",
            share: Some(budget),
            at_most: true,
            basis: match share {
                Some(_) => "the budget; the busiest functions are sampled".to_owned(),
                None => "the budget".to_owned(),
            },
        },
    }
}

fn sampled(target: &Target, rates: &Rates, hit: HitCost) -> Cost {
    match target.profiler {
        Ok(ProfilerState::On { rate_bytes }) => {
            let samples = rates.bytes_per_s / (rate_bytes as f64).max(1.0);
            // An object is recorded when it is sampled, and when it is freed.
            let ns = 2.0 * hit.of_extra(Extra::Live);
            Cost {
                mode: "sampled",
                share: share(samples * ns, rates),
                at_most: false,
                basis: format!(
                    "{} samples/s, {} each with its free",
                    units::amount(Some(samples), false, false),
                    units::nanoseconds(ns)
                ),
            }
        }
        Ok(ProfilerState::Off { .. }) => {
            let spans = rates.bytes_per_s / SMALLEST_SPAN;
            Cost {
                mode: "sampled",
                share: share(spans * hit.recorded_ns, rates),
                at_most: true,
                basis: format!(
                    "the heap profiler is off: up to {} spans/s, {} each",
                    units::amount(Some(spans), false, false),
                    units::nanoseconds(hit.recorded_ns)
                ),
            }
        }
        Err(_) => Cost {
            mode: "sampled",
            share: None,
            at_most: false,
            basis: "the heap profiler cannot be read".to_owned(),
        },
    }
}

/// The share of the process's CPU time that `ns` in each second would be.
fn share(ns: f64, rates: &Rates) -> Option<f64> {
    let cpus = ns / 1e9;
    if cpus == 0.0 {
        return Some(0.0);
    }
    let share = cpus / (rates.cpus + cpus);
    share.is_finite().then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::text::tests::target;

    fn shares(target: &Target) -> [(Option<f64>, bool); 3] {
        // In tenths of a percent.
        let tenths = |share: f64| (share * 1000.0).round();
        costs(target, 0.05).map(|cost| (cost.share.map(tenths), cost.at_most))
    }

    fn doing(allocs_per_s: Option<f64>, bytes_per_s: f64, cpus: f64) -> Target {
        Target {
            rates: Some(Rates {
                over_s: 0.5,
                bytes_per_s,
                allocs_per_s,
                cpus,
            }),
            ..target()
        }
    }

    #[test]
    fn a_busy_process_costs_the_budget_in_mode_auto() {
        // 200,000 hits of 1 us are a fifth of a CPU, half of what there is with them.
        let busy = doing(Some(200_000.0), 52_428_800.0, 0.2);
        // A hundred samples of 3 us.
        let sampled = Some(1.0);
        assert_eq!(
            shares(&busy),
            [(Some(500.0), false), (Some(50.0), true), (sampled, false)]
        );
    }

    #[test]
    fn a_quiet_process_is_recorded_whole() {
        let quiet = doing(Some(1_000.0), 65_536.0, 0.5);
        assert_eq!(
            shares(&quiet),
            [(Some(2.0), false), (Some(2.0), false), (Some(0.0), false)]
        );
        let idle = doing(Some(0.0), 0.0, 0.0);
        assert_eq!(shares(&idle), [(Some(0.0), false); 3]);
    }

    #[test]
    fn without_the_profiler_spans_are_an_upper_bound() {
        let off = Target {
            profiler: Ok(ProfilerState::Off { linked: false }),
            ..doing(Some(200_000.0), 819_200_000.0, 0.9)
        };
        // 100,000 spans of 1 us are a tenth of a CPU.
        assert_eq!(shares(&off)[2], (Some(100.0), true));
    }

    #[test]
    fn what_is_not_known_is_not_estimated() {
        let nothing_read = Target {
            rates: None,
            ..target()
        };
        assert_eq!(shares(&nothing_read), [(None, false); 3]);
        let not_measured = Target {
            hit_cost: None,
            ..doing(Some(1.0), 1.0, 1.0)
        };
        assert_eq!(shares(&not_measured), [(None, false); 3]);
        let uncounted = doing(None, 65_536.0, 0.5);
        assert_eq!(
            shares(&uncounted),
            [(None, false), (Some(50.0), true), (Some(0.0), false)]
        );
        let unread = Target {
            profiler: Err("no".to_owned()),
            ..doing(Some(1_000.0), 65_536.0, 0.5)
        };
        assert_eq!(shares(&unread)[2], (None, false));
    }
}
