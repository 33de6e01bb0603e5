//! What a capture has cost its target, from counters and clocks. Pure.

use crate::aggregate::Counters;
use crate::kernel::HitCost;
use crate::report::Overhead;
use std::time::Duration;
use tracer_common::family::Family;

/// What was measured.
#[derive(Debug)]
pub(super) struct Spent<'a> {
    /// Since the start of recording.
    pub(super) duration: Duration,
    /// What the kernel half has counted.
    pub(super) counters: &'a Counters,
    /// What a hit costs here; `None` if it could not be measured.
    pub(super) hit_cost: Option<HitCost>,
    /// CPU time of the target in hits that no program counted.
    pub(super) uncounted: Duration,
    /// CPU time of the target, that of the probes included.
    pub(super) by_target: Option<Duration>,
    /// CPU time of the agent.
    pub(super) by_agent: Duration,
    /// Most memory that the agent had, bytes.
    pub(super) agent_rss_bytes: Option<u64>,
}

impl Spent<'_> {
    /// The figures for a report, to which the rate of hits is left.
    pub(super) fn overhead(&self) -> Overhead {
        let in_probes = self.in_probes();
        let per_time = |part| percent(part, self.duration);
        Overhead {
            ns_per_hit: self.hit_cost.map(|cost| cost.recorded_ns),
            hits_per_s: 0.0,
            target_cpu_pct: in_probes.and_then(per_time),
            target_share_pct: in_probes
                .zip(self.by_target)
                .and_then(|(part, all)| percent(part, all)),
            target_used_pct: self.by_target.and_then(per_time),
            agent_cpu_pct: per_time(self.by_agent),
            agent_rss_bytes: self.agent_rss_bytes,
        }
    }

    /// CPU time of the target in probes, as far as a hit's cost is known.
    fn in_probes(&self) -> Option<Duration> {
        let (cost, counters) = (self.hit_cost?, self.counters);
        let recorded = counters.due(Family::Alloc) as f64 * cost.recorded_ns;
        let others = cost.of_others(counters.other_hits(), &counters.extra_hits());
        let silent = counters.silent() as f64 * cost.silent_ns;
        Some(Duration::from_secs_f64((recorded + others + silent) / 1e9) + self.uncounted)
    }
}

fn percent(part: Duration, whole: Duration) -> Option<f64> {
    (!whole.is_zero()).then(|| 100.0 * part.as_secs_f64() / whole.as_secs_f64())
}
