//! Whether the collector takes too much.

use super::{Finding, Rule, Severity};
use crate::report::{Gc, GcCycle, Memory, Report};
use crate::units;

/// Least cycles, and least a second, of which it can be said that they are too many.
const MIN_CYCLES: u64 = 5;
const MIN_CYCLES_PER_S: f64 = 1.0;
/// Share of the time in which the collector marks, and of the target's CPU time that it takes, that is too much.
const MUCH_TIME: f64 = 0.5;
const MUCH_CPU: f64 = 0.25;
/// By what share of itself the estimate of what the probes took may be wrong: what they cost depends on the caches of the
/// target.
const PROBES_ERROR: f64 = 0.5;
/// From this share of either on, little else is done.
const MOST: f64 = 0.75;
/// The heap could be this much larger if only GOGC bounded it: then GOMEMLIMIT does.
const SQUEEZED: f64 = 1.1;

/// Whether the collector runs most of the time.
pub(super) fn find(report: &Report) -> Option<Finding> {
    let gc = report.gc.as_ref()?;
    let seconds = report.window.duration_ns as f64 / 1e9;
    let per_s = gc.cycles_total as f64 / seconds;
    if !per_s.is_finite() || gc.cycles_total < MIN_CYCLES || per_s < MIN_CYCLES_PER_S {
        return None;
    }
    let load = Load::of(gc, report)?;
    let most = load.time.max(load.cpu.unwrap_or(0.0));
    if load.time < MUCH_TIME && load.cpu.is_none_or(|cpu| cpu < MUCH_CPU) {
        return None;
    }
    let percent = |share: f64| units::percent(Some(100.0 * share));
    let mut evidence = format!(
        "{per_s:.1} cycles/s, marking {} of the time",
        percent(load.time)
    );
    if let Some(cpu) = load.cpu {
        evidence += &format!(
            "; {} of the program's CPU time is the collector's, {} in assists of goroutines that allocate",
            percent(cpu),
            percent(load.assists)
        );
    }
    Some(Finding {
        rule: Rule::GcThrashing,
        severity: if most >= MOST {
            Severity::Critical
        } else {
            Severity::Warning
        },
        title: "the garbage collector runs most of the time".to_owned(),
        evidence,
        advice: advice(gc, report.memory.as_ref()),
        site: None,
        map: None,
    })
}

/// What the collector takes, as shares: 0 to 1.
struct Load {
    /// Of the time of the capture that was kept.
    time: f64,
    /// Of the target's CPU time without that of the probes; `None` if that is not known.
    cpu: Option<f64>,
    /// The part of `cpu` that assists are.
    assists: f64,
}

impl Load {
    fn of(gc: &Gc, report: &Report) -> Option<Self> {
        // Cycles that were not kept are those at the end.
        let kept_ns = if gc.is_cut() {
            gc.cycles.last()?.end_ns
        } else {
            report.window.duration_ns
        };
        let marking: u64 = gc
            .cycles
            .iter()
            .map(|cycle| cycle.end_ns.saturating_sub(cycle.start_ns.unwrap_or(0)))
            .fold(0, u64::saturating_add);
        // What the probes took is not the program's own.
        let probes = report.overhead.target_cpu_pct.unwrap_or(0.0);
        let used = report.overhead.target_used_pct.map(|used| used - probes);
        // That is an estimate: what it leaves of little is not known.
        let used = used.filter(|used| *used > PROBES_ERROR * probes);
        let used_ns = used.map(|used| used / 100.0 * kept_ns as f64);
        let assists = gc.cycles.iter().filter_map(|cycle| cycle.assist_ns);
        let assists = assists.fold(0, u64::saturating_add);
        let cpu = gc.cpu_ns().zip(used_ns);
        let cpu = cpu.map(|(of_gc, used)| (of_gc as f64 / used).min(1.0));
        let of_gc = gc.cpu_ns().filter(|of_gc| *of_gc > 0).unwrap_or(1);
        Some(Load {
            time: marking as f64 / kept_ns.max(1) as f64,
            cpu,
            assists: cpu.unwrap_or(0.0) * assists as f64 / of_gc as f64,
        })
    }
}

/// What GOGC or GOMEMLIMIT would change.
fn advice(gc: &Gc, memory: Option<&Memory>) -> String {
    let called = |cycle: &&GcCycle| cycle.trigger.as_deref() == Some("call");
    if gc.cycles.iter().filter(called).count() > gc.cycles.len() / 2 {
        return "The program asks for most cycles itself: do without its calls of runtime.GC."
            .to_owned();
    }
    let last = gc.cycles.last();
    let live = last.and_then(|cycle| cycle.heap_after);
    let goal = last.and_then(|cycle| cycle.heap_goal);
    let percent = memory.and_then(|memory| memory.gc_percent);
    let limit = memory.and_then(|memory| memory.go_limit_bytes);
    let percent = percent.and_then(|percent| u64::try_from(percent).ok());
    let by_percent = percent
        .zip(live)
        .map(|(percent, live)| live.saturating_add((live / 100).saturating_mul(percent)));
    if let (Some(limit), Some(live), Some(goal)) = (limit, live, goal)
        && by_percent.is_none_or(|by_percent| by_percent as f64 > goal as f64 * SQUEEZED)
    {
        return format!(
            "GOMEMLIMIT={} is what makes it run: {} are live, and the heap may grow to {} only. Raise the limit, or keep less.",
            units::bytes(limit),
            units::bytes(live),
            units::bytes(goal)
        );
    }
    let (Some(live), Some(goal), Some(percent @ 1..)) = (live, goal, percent) else {
        return "A larger GOGC collects less often, for a larger heap; so does allocating less."
            .to_owned();
    };
    let double = percent.saturating_mul(2);
    format!(
        "GOGC={double} instead of {percent} would halve the cycles; with {} live the heap would grow to about {} instead of {}. Allocating less does both.",
        units::bytes(live),
        units::bytes(live.saturating_add((live / 100).saturating_mul(double))),
        units::bytes(goal)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// A report whose cycles each take so many milliseconds, a hundred in ten seconds, on 1.5 CPUs.
    fn thrashing(ms: u64) -> Report {
        let mut report = fixture::with_pages();
        for cycle in &mut report.gc.as_mut().unwrap().cycles {
            cycle.end_ns = cycle.start_ns.unwrap_or(0) + ms * 1_000_000;
            cycle.worker_ns = Some(ms * 250_000);
        }
        report
    }

    #[test]
    fn a_collector_that_runs_half_the_time_is_found() {
        assert_eq!(find(&thrashing(9)), None);
        let finding = find(&thrashing(60)).unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.evidence,
            "10.0 cycles/s, marking 60.0 % of the time; 17.5 % of the program's CPU time is the collector's, \
             1.1 % in assists of goroutines that allocate"
        );
        assert!(
            finding.advice.starts_with("GOGC=200 instead of 100"),
            "{}",
            finding.advice
        );
        assert_eq!(find(&thrashing(90)).unwrap().severity, Severity::Critical);
    }

    #[test]
    fn what_costs_much_cpu_time_is_found_though_it_is_short() {
        let mut report = thrashing(30);
        for cycle in &mut report.gc.as_mut().unwrap().cycles {
            cycle.assist_ns = Some(40_000_000);
        }
        let finding = find(&report).unwrap();
        assert!(finding.evidence.contains("52.0 %"), "{}", finding.evidence);
    }

    #[test]
    fn what_probes_leave_of_the_cpu_is_no_measure_if_they_take_most_of_it() {
        let mut report = thrashing(9);
        report.overhead.target_used_pct = Some(43.0);
        report.overhead.target_cpu_pct = Some(42.5);
        assert_eq!(find(&report), None);
    }

    #[test]
    fn a_capture_without_a_duration_has_no_rate_of_cycles() {
        let mut report = thrashing(90);
        report.window.duration_ns = 0;
        assert_eq!(find(&report), None);
    }

    #[test]
    fn cycles_that_the_program_asks_for_are_its_own() {
        let mut report = thrashing(60);
        for cycle in &mut report.gc.as_mut().unwrap().cycles {
            cycle.trigger = Some("call".to_owned());
        }
        let finding = find(&report).unwrap();
        assert!(finding.advice.contains("runtime.GC"), "{}", finding.advice);
    }

    #[test]
    fn no_gogc_is_no_advice_to_double_it() {
        for percent in [-1, 0, i32::MAX] {
            let mut report = thrashing(60);
            report.memory.as_mut().unwrap().gc_percent = Some(percent);
            let finding = find(&report).unwrap();
            assert_eq!(finding.advice.starts_with("GOGC="), percent > 0);
        }
    }

    #[test]
    fn a_limit_that_squeezes_is_told() {
        let mut report = thrashing(60);
        report.memory.as_mut().unwrap().go_limit_bytes = Some(100 << 20);
        for cycle in &mut report.gc.as_mut().unwrap().cycles {
            cycle.heap_goal = Some(70 << 20);
        }
        let finding = find(&report).unwrap();
        assert!(
            finding.advice.starts_with("GOMEMLIMIT=100 MiB"),
            "{}",
            finding.advice
        );
    }
}
