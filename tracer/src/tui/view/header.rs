//! What is above the lists: the target, its rates, its memory, what tracing loses and costs, the tabs.

use super::palette::{Palette, span};
use super::shapes::{Item, fitting, width_of};
use crate::output::text::course::curve;
use crate::output::text::line::{cut_end, cut_start, width};
use crate::report::{Mode, Report, Step};
use crate::tui::state::{Snapshot, State, Tab};
use crate::units;
use ratatui::text::Line;
use tracer_common::family::Extra;

/// Columns of the labels.
const LABEL: usize = 9;
/// With fewer there is no blank after the titles of lists.
const COLUMNS_FOR_TABS: usize = 44;
/// The curve shows at most so much.
const CURVE: usize = 60;

/// The header, most important lines first.
pub(super) fn lines(state: &State, palette: &Palette, columns: usize) -> Vec<Line<'static>> {
    let Some(snapshot) = state.shown() else {
        return vec![Line::default(); 4];
    };
    vec![
        title(state, snapshot, palette, columns),
        allocated(state, snapshot, palette, columns),
        memory(snapshot, palette, columns),
        tracing(&snapshot.report, palette, columns),
    ]
}

fn title(state: &State, snapshot: &Snapshot, palette: &Palette, columns: usize) -> Line<'static> {
    let report = &snapshot.report;
    let (target, window) = (&report.target, &report.window);
    let badge = if let Some(why) = state.ended() {
        format!(" {why} ")
    } else if state.is_frozen() {
        " FROZEN ".to_owned()
    } else {
        String::new()
    };
    let name = target.exe.rsplit('/').next().unwrap_or_default();
    let mut items: Vec<Item> = vec![
        (cut_start(name, columns / 3).into_owned(), palette.strong),
        (format!("pid {}", target.pid), palette.plain),
        (units::duration(window.duration_ns), palette.plain),
        mode(report, palette),
    ];
    items.extend(given_up(report).map(|text| (text, palette.caution)));
    items.push((
        cut_end(&target.go_version, columns / 3).into_owned(),
        palette.plain,
    ));
    let room = columns.saturating_sub(width(&badge) + usize::from(!badge.is_empty()));
    let mut line = fitting(&items, palette.faint, room);
    if !badge.is_empty() {
        let gap = columns.saturating_sub(width_of(&line) + width(&badge));
        line.push(span(&" ".repeat(gap), palette.plain));
        line.push(span(&badge, palette.caution.patch(palette.selected)));
    }
    line.into()
}

/// What is recorded now.
fn mode(report: &Report, palette: &Palette) -> Item {
    let window = &report.window;
    let steps = window.mode_steps.iter().rev();
    let now = steps
        .map(|step| &step.to)
        .find(|step| step.is_of_allocations());
    match (&window.mode, now) {
        (Mode::Auto, None) => (format!("{}: {}", Mode::Auto, Step::Exact), palette.plain),
        (mode, None) | (mode @ Mode::Exact, Some(Step::Exact)) => (mode.to_string(), palette.plain),
        (mode, Some(now)) => {
            let style = if *now == Step::Exact {
                palette.plain
            } else {
                palette.caution
            };
            let estimated = if report.totals.estimate.is_some() {
                ", estimated"
            } else {
                ""
            };
            (format!("{mode}: {now}{estimated}"), style)
        }
    }
}

/// What is not recorded any more, to keep the budget.
fn given_up(report: &Report) -> Option<String> {
    let given_up = Extra::ALL
        .into_iter()
        .filter(|extra| report.window.given_up(*extra).is_some());
    let names: Vec<&str> = given_up
        .map(|extra| match extra {
            Extra::MapWrites => "map writes",
            Extra::MapGrowths => "maps",
            Extra::Faults => "faults",
            Extra::Assists => "GC assists",
            Extra::Live => "live",
        })
        .collect();
    (!names.is_empty()).then(|| format!("given up: {}", names.join(", ")))
}

fn allocated(
    state: &State,
    snapshot: &Snapshot,
    palette: &Palette,
    columns: usize,
) -> Line<'static> {
    let bytes = units::byte_rate(snapshot.bytes_per_s());
    let allocs = format!("{} allocs", units::rate(snapshot.allocs_per_s()));
    let mut items: Vec<Item> = vec![(bytes, palette.strong), (allocs, palette.plain)];
    if snapshot.report.completeness.lower_bound().is_some() {
        items.push(("figures so far are lower bounds".to_owned(), palette.bad));
    }
    if snapshot.requested {
        items.push(("bytes as requested".to_owned(), palette.caution));
    }
    let mut line = vec![label("alloc", palette)];
    line.extend(fitting(
        &items,
        palette.faint,
        columns.saturating_sub(LABEL),
    ));
    // The curve has the room that is left, at a place that does not depend on the digits of the figures.
    let start = (LABEL + 32).max(width_of(&line) + 2);
    let history = state.history();
    let peak = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let end = |rates: &[f64]| format!("  peak {}", units::byte_rate(Some(peak(rates))));
    let room = columns.saturating_sub(start + width("  peak 1023 KiB/s"));
    let rates = history.totals(room.min(CURVE));
    if room >= 8 && rates.len() > 1 {
        line.push(span(
            &" ".repeat(start.saturating_sub(width_of(&line))),
            palette.plain,
        ));
        line.push(span(&curve(&rates), palette.bar));
        line.push(span(&end(&rates), palette.faint));
    }
    line.into()
}

fn memory(snapshot: &Snapshot, palette: &Palette, columns: usize) -> Line<'static> {
    let point = &snapshot.point;
    let per_s = |total: Option<u64>| {
        let rate = total.and_then(|total| units::per_second(total, snapshot.point_ns));
        units::rate(rate)
    };
    let heap = match point.heap_goal {
        Some(goal) => format!(
            "heap {} of {} goal",
            units::maybe_bytes(point.heap_live),
            units::bytes(goal)
        ),
        None => format!("heap {}", units::maybe_bytes(point.heap_live)),
    };
    let limit = point
        .limit_used_bytes
        .zip(snapshot.report.target.memory_limit_bytes);
    let limit = limit.map(|(used, limit)| {
        let share = units::share(used, limit);
        let style = if share.is_some_and(|share| share >= 90.0) {
            palette.bad
        } else {
            palette.plain
        };
        (format!("limit {} used", units::percent(share)), style)
    });
    let mut items: Vec<Item> = vec![
        (
            format!("RSS {}", units::maybe_bytes(point.rss_bytes)),
            palette.plain,
        ),
        (heap, palette.plain),
        (format!("GC {}", per_s(point.gc_cycles)), palette.plain),
        (format!("faults {}", per_s(point.faults)), palette.plain),
    ];
    items.extend(limit);
    labelled("memory", &items, palette, columns)
}

fn tracing(report: &Report, palette: &Palette, columns: usize) -> Line<'static> {
    let completeness = &report.completeness;
    let families = completeness.families.iter();
    let all: u64 = families
        .map(crate::report::Family::lost_total)
        .fold(completeness.lost_total(), u64::saturating_add);
    let lost = report.records().map_or(0, |records| records.lost_total());
    let others = all.saturating_sub(lost);
    let style = if lost == 0 { palette.good } else { palette.bad };
    let overhead = &report.overhead;
    let each = overhead
        .ns_per_hit
        .map(|ns| format!(", {} each", units::nanoseconds(ns)));
    let mut items: Vec<Item> = vec![(format!("lost {}", units::exact(lost)), style)];
    if others > 0 {
        items.push((
            format!("of others {}", units::exact(others)),
            palette.caution,
        ));
    }
    items.push((
        format!(
            "probes {} CPU{}",
            // An estimate: it may come out above what the target used.
            units::percent(overhead.target_share_pct.map(|share| share.min(100.0))),
            each.unwrap_or_default()
        ),
        palette.plain,
    ));
    items.push((
        format!(
            "agent {} CPU, {}",
            units::percent(overhead.agent_cpu_pct),
            units::maybe_bytes(overhead.agent_rss_bytes)
        ),
        palette.plain,
    ));
    labelled("tracing", &items, palette, columns)
}

fn label(text: &str, palette: &Palette) -> ratatui::text::Span<'static> {
    span(&format!("{text:LABEL$}"), palette.faint)
}

fn labelled(text: &str, items: &[Item], palette: &Palette, columns: usize) -> Line<'static> {
    let mut line = vec![label(text, palette)];
    line.extend(fitting(items, palette.faint, columns.saturating_sub(LABEL)));
    line.into()
}

/// The tabs, and on the right what the figures are.
pub(super) fn tabs(state: &State, palette: &Palette, columns: usize) -> Line<'static> {
    let mut line = Vec::new();
    for (tab, number) in Tab::ALL.into_iter().zip(1..) {
        let found = state.shown().map_or(0, |shown| shown.findings.len());
        let mut title = format!(" {number} {} ", tab.title());
        let is_open = tab == state.tab();
        let mut style = if is_open {
            palette.strong.patch(palette.selected)
        } else {
            palette.plain
        };
        if tab == Tab::Findings && found > 0 {
            title = format!(" {number} {} ({found}) ", tab.title());
            style = style.patch(palette.caution);
        }
        let title = if columns < COLUMNS_FOR_TABS {
            title.trim_end()
        } else {
            &title
        };
        line.push(span(title, style));
    }
    let figures = match state.shown() {
        _ if matches!(state.tab(), Tab::Maps | Tab::Findings) => String::new(),
        Some(_) if state.is_since_start() => "since the start".to_owned(),
        Some(shown) => format!("last {}", units::duration(to_tenths(shown.interval_ns))),
        None => String::new(),
    };
    let (filter, is_typing) = state.filter();
    let (rows, all) = (state.rows().len(), state.rows_without_filter());
    let mut right: Vec<String> = Vec::new();
    if !filter.is_empty() && !is_typing {
        right.push(format!("/{} {rows} of {all}", cut_end(filter, columns / 4)));
    } else if rows > 0 && state.opened().is_none() {
        right.push(format!("{}/{rows}", state.cursor().line + 1));
    }
    right.push(figures);
    right.retain(|part| !part.is_empty());
    let right = right.join(" · ");
    let room = columns.saturating_sub(width_of(&line) + 1);
    let right = cut_end(&right, room).into_owned();
    line.push(span(
        &" ".repeat((room + 1).saturating_sub(width(&right))),
        palette.plain,
    ));
    line.push(span(&right, palette.faint));
    line.into()
}

/// An interval is a little shorter or longer than it was asked for, which would flicker.
fn to_tenths(ns: u64) -> u64 {
    const TENTH: u64 = 100_000_000;
    if ns < TENTH {
        return ns;
    }
    ns.saturating_add(TENTH / 2) / TENTH * TENTH
}
