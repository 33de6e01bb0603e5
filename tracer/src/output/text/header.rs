//! The top of the report: what was traced, how much it allocated, what is missing, what tracing cost.

use std::path::Path;

use anstyle::Style;

use super::{
    TextOptions, heap,
    line::{Line, cut_end, cut_start, width, wrap},
    style::{BAD, CAUTION, FAINT, GOOD, PLAIN, STRONG},
    units,
};
use crate::report::{
    Completeness, Estimate, Family, Figures, Mode, ModeStep, Overhead, Records, Report, Target,
    Window,
};

/// Columns for the words at the left.
pub(super) const LABEL: usize = 11;

/// Changes of the mode that are shown; all are in the JSON.
const MOST_STEPS: usize = 6;

/// Characters of a container id that people use.
const CONTAINER_ID: usize = 12;

/// How spans are an estimate.
const WEIGHED: &str = "each span counts where it was filled up";

type Item = (String, Style);

pub(super) fn lines(report: &Report, options: &TextOptions) -> Vec<Line> {
    let columns = options.columns();
    let labelled =
        |label: &str, items: Vec<Item>| wrap(Line::starting(label, FAINT), LABEL, &items, columns);
    let mut lines = title(&report.target, &report.window, columns);
    lines.push(Line::default());
    if let Some(heap) = report
        .heap
        .as_ref()
        .filter(|_| report.window.mode == Mode::Heap)
    {
        lines.extend(labelled("alive", heap::alive(report, heap)));
        lines.extend(labelled("allocated", ever_allocated(&report.totals)));
        return lines;
    }
    lines.extend(labelled(
        "allocated",
        allocated(&report.totals, report.window.duration_ns),
    ));
    if report.totals.requested_bytes.is_some() {
        lines.extend(labelled("requested", requested(&report.totals)));
    }
    if let Some(estimate) = &report.totals.estimate {
        lines.extend(labelled("estimated", estimated(report, estimate)));
    }
    lines.extend(labelled("complete", complete(report, columns)));
    lines.extend(labelled("overhead", overhead(&report.overhead)));
    lines.extend(steps(&report.window, columns));
    lines
}

/// How good the totals are, where not each allocation was recorded.
pub(super) fn estimated(report: &Report, estimate: &Estimate) -> Vec<Item> {
    let totals = &report.totals;
    if let Some(text) = report.completeness.lower_bound() {
        let parts = text.split("; ").map(|part| (part.to_owned(), BAD));
        return parts.collect();
    }
    if report.window.mode == Mode::Sampled && *estimate == Estimate::default() {
        return vec![(WEIGHED.to_owned(), PLAIN)];
    }
    let error = |error: Option<u64>, of: Option<u64>, what: &str| {
        let relative = error
            .zip(of)
            .and_then(|(error, of)| units::share(error, of));
        (format!("{what} ± {}", units::percent(relative)), CAUTION)
    };
    vec![
        error(estimate.alloc_bytes_error, totals.alloc_bytes, "bytes"),
        error(estimate.allocs_error, Some(totals.allocs), "allocations"),
        (
            "standard error, from those that were recorded".to_owned(),
            PLAIN,
        ),
    ]
}

/// What was recorded when: the first steps and the last one.
fn steps(window: &Window, columns: usize) -> Vec<Line> {
    let shown = |step: &ModeStep| {
        let mut items = vec![(step.to.to_string(), CAUTION)];
        // Its parts fit on lines of their own.
        items.extend(step.reason.split("; ").map(|part| (part.to_owned(), PLAIN)));
        let at = format!("at {}", units::duration(step.at_ns));
        wrap(Line::starting(&at, FAINT), LABEL, &items, columns)
    };
    let steps = &window.mode_steps;
    if steps.len() <= MOST_STEPS {
        return steps.iter().flat_map(shown).collect();
    }
    let (first, rest) = steps.split_at(MOST_STEPS - 1);
    let mut lines: Vec<Line> = first.iter().flat_map(shown).collect();
    let left_out = format!("… {} more steps", rest.len() - 1);
    lines.push(Line::starting(&left_out, FAINT));
    lines.extend(rest.last().into_iter().flat_map(shown));
    lines
}

fn title(target: &Target, window: &Window, columns: usize) -> Vec<Line> {
    let (name, items) = identity(target, window, columns);
    let name = Line::starting(&name, STRONG);
    let indent = name.width() + 2;
    wrap(name, indent, &items, columns)
}

/// The name of the program that was traced, and what else tells which it was, and how.
pub(super) fn identity(target: &Target, window: &Window, columns: usize) -> (String, Vec<Item>) {
    let file_name = Path::new(&target.exe)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let name = cut_start(&file_name, columns / 3).into_owned();

    let go_version = cut_end(&target.go_version, columns / 2);
    let mut items = vec![
        format!("pid {}", target.pid),
        format!("{go_version} {}", target.arch),
    ];
    let traits = [
        (target.stripped, "stripped"),
        (target.pie, "pie"),
        (target.cgo, "cgo"),
    ];
    items.extend(
        traits
            .iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, word)| (*word).to_owned()),
    );
    items.extend(target.container.iter().map(|id| {
        let short: String = id.chars().take(CONTAINER_ID).collect();
        format!("container {short}")
    }));
    items.push(if window.duration_ns == 0 {
        window.mode.to_string()
    } else {
        format!(
            "{} for {}",
            window.mode,
            units::duration(window.duration_ns)
        )
    });

    let items = items.into_iter().map(|item| (item, PLAIN));
    let early = window.state.words().map(|words| (words, CAUTION));
    (name, items.chain(early).collect())
}

pub(super) fn allocated(totals: &Figures, duration_ns: u64) -> Vec<Item> {
    let per_s = |total: u64| units::per_second(total, duration_ns);
    let bytes = totals.alloc_bytes.map_or_else(
        || units::UNKNOWN.into(),
        |bytes| {
            format!(
                "{} at {}",
                units::bytes(bytes),
                units::byte_rate(per_s(bytes))
            )
        },
    );
    let rate = units::rate(per_s(totals.allocs));
    let allocs = format!("{} allocations at {rate}", units::exact(totals.allocs));
    vec![(bytes, STRONG), (allocs, PLAIN)]
}

/// Since the start of the process.
pub(super) fn ever_allocated(totals: &Figures) -> Vec<Item> {
    vec![
        (
            format!(
                "{} since the process started",
                units::maybe_bytes(totals.alloc_bytes)
            ),
            PLAIN,
        ),
        (
            format!("{} allocations", units::count(totals.allocs)),
            PLAIN,
        ),
    ]
}

pub(super) fn requested(totals: &Figures) -> Vec<Item> {
    let Some(requested) = totals.requested_bytes else {
        return vec![("-".to_owned(), PLAIN)];
    };
    let bytes = (units::bytes(requested), PLAIN);
    let waste = match totals.alloc_bytes {
        Some(0) => return vec![bytes],
        Some(allocated) => {
            let waste = units::share(allocated.saturating_sub(requested), allocated);
            (
                format!(
                    "{} wasted by rounding to size classes",
                    units::percent(waste)
                ),
                PLAIN,
            )
        }
        None => ("rounding to size classes unknown".to_owned(), CAUTION),
    };
    vec![bytes, waste]
}

/// How much of what figures are made of is there; nothing if nothing was recorded.
pub(super) fn complete(report: &Report, columns: usize) -> Vec<Item> {
    let completeness = &report.completeness;
    let Some(records) = report.records() else {
        return Vec::new();
    };
    let Records {
        counted,
        hits,
        delivered,
        lost,
    } = records;
    let noun = counted.noun();
    let coverage = completeness.coverage;
    let lost_total = records.lost_total();
    let all_arrived = delivered.saturating_add(completeness.sampled_out) == hits && lost_total == 0;
    let style = match all_arrived {
        // Of what was not even a hit this says nothing.
        true if completeness.unseen => PLAIN,
        true => GOOD,
        false => BAD,
    };
    let of_hits = format!(
        "delivered {} of {} {noun}",
        units::exact(delivered),
        units::exact(hits)
    );
    let lost_text = format!("lost {}", units::exact(lost_total));
    let mut items = vec![(format!("{of_hits}, {lost_text}"), style)];
    if items.iter().any(|(text, _)| LABEL + width(text) > columns) {
        // The loss must not be what is cut off.
        items = vec![(of_hits, style), (lost_text, style)];
    }

    let accounted = delivered
        .saturating_add(lost_total)
        .saturating_add(completeness.sampled_out);
    let gap = ("unaccounted for", hits.abs_diff(accounted));
    let causes = lost.iter().map(|(cause, count)| (cause.as_str(), *count));
    items.extend(
        causes
            .chain([gap])
            .filter_map(|(what, count)| more_than_none(what, count, BAD)),
    );

    let short = |what, count| more_than_none(what, count, CAUTION);
    items.extend(short("sampled out", completeness.sampled_out));
    items.extend(short("unknown pcs", completeness.unknown_pcs));
    items.extend(truncated(completeness));
    items.extend(short("stack never arrived", completeness.undefined_stacks));
    items.extend(short("beyond the bound on stacks", completeness.overflowed));
    items.extend(short(
        "beyond the bound on sizes",
        completeness.unbinned_sizes,
    ));
    items.extend(short(
        "bytes unsure by",
        completeness.unsure_bytes.unwrap_or(0),
    ));
    items.extend(completeness.families.iter().flat_map(shortfall));
    if report.window.mode == Mode::Sampled && coverage.is_none() {
        return items;
    }
    items.push(match coverage {
        Some(share) if share >= 1.0 => ("coverage 100 %".into(), GOOD),
        Some(share) => (
            format!("coverage {}", units::percent(Some(share * 100.0))),
            CAUTION,
        ),
        None => ("coverage unknown".into(), FAINT),
    });
    items
}

/// How many stacks lack outer frames, and why.
fn truncated(completeness: &Completeness) -> Option<Item> {
    let (mut text, style) =
        more_than_none("truncated stacks", completeness.truncated_stacks, CAUTION)?;
    let by = completeness
        .truncated_by
        .iter()
        .filter(|(_, count)| *count > 0);
    let causes: Vec<String> = by
        .map(|(cause, count)| format!("{} {}", cause.replace('_', " "), units::exact(*count)))
        .collect();
    if !causes.is_empty() {
        text = format!("{text}: {}", causes.join(", "));
    }
    Some((text, style))
}

/// What is missing of other records than allocations.
fn shortfall(family: &Family) -> impl Iterator<Item = Item> {
    let name = family.name.replace('_', " ");
    let lost = more_than_none(&format!("{name} lost"), family.lost_total(), CAUTION);
    let gap = more_than_none(
        &format!("{name} unaccounted for"),
        family.unaccounted(),
        BAD,
    );
    lost.into_iter().chain(gap)
}

fn more_than_none(what: &str, count: u64, style: Style) -> Option<Item> {
    (count > 0).then(|| (format!("{what} {}", units::exact(count)), style))
}

pub(super) fn overhead(overhead: &Overhead) -> Vec<Item> {
    let agent = format!(
        "agent CPU {}, RSS {}",
        units::percent(overhead.agent_cpu_pct),
        units::maybe_bytes(overhead.agent_rss_bytes)
    );
    let cost = overhead
        .ns_per_hit
        .map(|ns| format!(" at {} each", units::nanoseconds(ns)));
    let target = format!(
        "probes {} of CPU, hits {}{}",
        units::percent(overhead.target_share_pct),
        units::rate(Some(overhead.hits_per_s)),
        cost.unwrap_or_default()
    );
    vec![(agent, PLAIN), (target, PLAIN)]
}
