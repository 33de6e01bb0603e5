//! What a profile's figures cover and cost, as its comments: `go tool pprof -comments` shows them.

use crate::report::{Estimate, Mode, Report, State};
use crate::units::{bytes, duration, exact, percent, rate};

/// The comments, one line each.
pub(super) fn of(report: &Report) -> Vec<String> {
    let target = &report.target;
    let window = &report.window;
    let length = match window.duration_ns {
        0 => String::new(),
        ns => format!(", {}", duration(ns)),
    };
    let mut comments = vec![format!(
        "tracer {}: {} pid {}, {} {}, mode {}{length}",
        env!("CARGO_PKG_VERSION"),
        target.exe,
        target.pid,
        target.go_version,
        target.arch,
        window.mode
    )];
    comments.extend(window.mode_steps.iter().map(|step| {
        format!(
            "after {}: {}: {}",
            duration(step.at_ns),
            step.to,
            step.reason
        )
    }));
    if window.state == State::Running {
        comments.extend(window.state.words());
    }
    comments.extend(completeness(report));
    comments.extend(report.completeness.lower_bound().map(str::to_owned));
    if let Some(estimate) = report.totals.estimate {
        comments.push(estimated(estimate));
    }
    if report.window.mode != Mode::Heap {
        comments.push(overhead(report));
    }
    comments
}

/// Nothing where nothing was recorded.
fn completeness(report: &Report) -> Option<String> {
    let completeness = &report.completeness;
    let records = report.records()?;
    let lost = records.lost.iter().filter(|(_, count)| *count > 0);
    let lost: Vec<String> = lost
        .map(|(cause, count)| format!("{cause} {}", exact(*count)))
        .collect();
    let lost = match lost.as_slice() {
        [] => "0".to_owned(),
        causes => causes.join(", "),
    };
    Some(format!(
        "delivered {} of {} {}, sampled out {}, lost {lost}; at no stack {}; stacks cut short {}; coverage {}",
        exact(records.delivered),
        exact(records.hits),
        records.noun(),
        exact(completeness.sampled_out),
        exact(
            completeness
                .undefined_stacks
                .saturating_add(completeness.overflowed)
        ),
        exact(completeness.truncated_stacks),
        percent(completeness.coverage.map(|share| share * 100.0))
    ))
}

fn estimated(estimate: Estimate) -> String {
    let of = |error: Option<u64>, shown: fn(u64) -> String| {
        error.map_or_else(|| "not known".to_owned(), shown)
    };
    format!(
        "some allocations were not recorded: values are estimates; standard error of all allocations {}, of all allocated bytes {}",
        of(estimate.allocs_error, exact),
        of(estimate.alloc_bytes_error, bytes)
    )
}

fn overhead(report: &Report) -> String {
    let overhead = &report.overhead;
    format!(
        "probes took {} of one CPU, {} of what the target used; {} hits; agent {} of one CPU, {} resident",
        percent(overhead.target_cpu_pct),
        percent(overhead.target_share_pct),
        rate(Some(overhead.hits_per_s)),
        percent(overhead.agent_cpu_pct),
        overhead
            .agent_rss_bytes
            .map_or_else(|| "-".to_owned(), bytes)
    )
}
