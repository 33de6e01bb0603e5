//! Everything about one site, one type or one map: what they have in common, and sites.

mod map;
mod of_type;

pub(super) use map::map;
pub(super) use of_type::of_type;

use super::palette::{Palette, span};
use super::shapes::{Item, bar, fitting, width_of};
use super::table::place;
use crate::output::text::course::curve;
use crate::output::text::line::{cut_end, width};
use crate::output::text::names;
use crate::report::{Figures, Frame, Report, Site, SizeSummary, Stack};
use crate::tui::state::{Snapshot, State, Step, Timing};
use crate::units;
use ratatui::text::Line;

/// Columns of the labels.
const LABEL: usize = 9;
/// How far the curve of a site goes back.
const MINUTE_NS: u64 = 60_000_000_000;
/// Rows of each kind that are shown.
const TYPES: usize = 12;
const STACKS: usize = 5;
const FRAMES: usize = 32;
/// Cells of a bar.
const BAR: usize = 24;

type Lines = Vec<Line<'static>>;

/// Everything about the site with this id.
pub(super) fn site(
    state: &State,
    snapshot: &Snapshot,
    id: u32,
    palette: &Palette,
    columns: usize,
) -> Lines {
    let position = snapshot.sites.iter().position(|step| step.id == id);
    let found =
        position.and_then(|at| Some((snapshot.report.sites.get(at)?, snapshot.sites.get(at)?)));
    let Some((site, step)) = found else {
        return vec![span("this site is not in the report any more", palette.faint).into()];
    };
    let mut lines = frames(&site.frames, palette, columns);
    lines.push(Line::default());
    lines.extend(rates(state, snapshot, site, step, palette, columns));
    lines.extend(memory(site, palette, columns));
    lines.push(Line::default());
    lines.extend(types(site, palette, columns));
    lines.extend(sizes(&site.size, palette, columns));
    lines.extend(callers(&snapshot.report, site, palette, columns));
    lines
}

/// The logical frames of a place: what was inlined into what.
fn frames(frames: &[Frame], palette: &Palette, columns: usize) -> Lines {
    let Some((innermost, outer)) = frames.split_first() else {
        return vec![span("a place without a name", palette.strong).into()];
    };
    let name = names::function(&innermost.function, columns);
    let mut lines: Lines = vec![
        span(&name, palette.strong).into(),
        at(innermost, palette, columns),
    ];
    for frame in outer {
        let name = names::function(&frame.function, columns.saturating_sub(14));
        lines.push(Line::from(vec![
            span("inlined into ", palette.faint),
            span(&name, palette.plain),
        ]));
        lines.push(at(frame, palette, columns));
    }
    lines
}

fn at(frame: &Frame, palette: &Palette, columns: usize) -> Line<'static> {
    let place = names::place(frame, columns.saturating_sub(2));
    span(&format!("  {place}"), palette.faint).into()
}

/// What marks rates of a step, and whether they are known.
fn mark(step: &Step) -> (&'static str, bool) {
    match step.timing {
        Timing::Exact => ("", true),
        Timing::Mean => ("~", true),
        Timing::Unknown => ("", false),
    }
}

fn rates(
    state: &State,
    snapshot: &Snapshot,
    site: &Site,
    step: &Step,
    palette: &Palette,
    columns: usize,
) -> Lines {
    let per_s = |total: u64| units::per_second(total, snapshot.interval_ns);
    let share = |figures: &Figures, whole: &Figures| {
        let share = units::share(snapshot.bytes(figures), snapshot.bytes(whole));
        format!("{} of all", units::percent(share))
    };
    let (mark, is_known) = mark(step);
    let known = |rate: Option<f64>| rate.filter(|_| is_known);
    let bytes = units::byte_rate(known(per_s(snapshot.bytes(&step.figures))));
    let allocs = units::rate(known(per_s(step.figures.allocs)));
    let mut now: Vec<Item> = vec![
        (format!("{mark}{bytes}"), palette.strong),
        (format!("{mark}{allocs} allocs"), palette.plain),
    ];
    if step.timing == Timing::Exact {
        now.push((share(&step.figures, &snapshot.figures), palette.plain));
    }
    let total = &site.figures;
    let mut since: Vec<Item> = vec![
        (units::bytes(snapshot.bytes(total)), palette.strong),
        (
            format!("{} allocs", units::exact(total.allocs)),
            palette.plain,
        ),
        (share(total, &snapshot.report.totals), palette.plain),
    ];
    if let Some(estimate) = total.estimate {
        let error = estimate.alloc_bytes_error.zip(total.alloc_bytes);
        let error = error.and_then(|(error, of)| units::share(error, of));
        since.push((format!("± {}", units::percent(error)), palette.caution));
    }
    let mut lines = vec![
        labelled("now", &now, palette, columns),
        labelled("in all", &since, palette, columns),
    ];
    let history = state.history();
    let most = columns.saturating_sub(LABEL + width("  peak 1023 KiB/s in 1 m 00 s"));
    let rates = history.site(
        snapshot_id(snapshot, site),
        history.intervals_in(MINUTE_NS).min(most),
    );
    if rates.len() > 1 {
        let peak = rates.iter().copied().fold(0.0, f64::max);
        let text = format!(
            "  peak {} in {}",
            units::byte_rate(Some(peak)),
            units::duration(history.length_ns(rates.len()))
        );
        lines.push(Line::from(vec![
            label("course", palette),
            span(&curve(&rates), palette.bar),
            span(&text, palette.faint),
        ]));
    }
    lines
}

fn snapshot_id(snapshot: &Snapshot, site: &Site) -> u32 {
    let sites = snapshot.report.sites.iter();
    let position = sites.clone().position(|other| std::ptr::eq(other, site));
    let step = position.and_then(|at| snapshot.sites.get(at));
    step.map_or(0, |step| step.id)
}

/// What it has alive, what it touches, what it pays.
fn memory(site: &Site, palette: &Palette, columns: usize) -> Lines {
    let mut lines = Vec::new();
    let amount = site
        .live
        .as_ref()
        .map(|live| live.now)
        .or(site.recent.as_ref().map(|recent| recent.live));
    let mut live: Vec<Item> = vec![(units::maybe_bytes(site.figures.live_bytes), palette.strong)];
    live.extend(amount.map(|amount| (units::plural(amount.objects, "object"), palette.plain)));
    if site.live.is_none() && site.recent.is_some() {
        live.push((
            "of what it allocated since the start".to_owned(),
            palette.faint,
        ));
    }
    if let Some(growth) = &site.growth {
        let sign = if growth.bytes_per_s < 0.0 { "-" } else { "+" };
        let text = format!(
            "{sign}{} ± {} over {}",
            units::byte_rate(Some(growth.bytes_per_s.abs())),
            units::byte_rate(Some(growth.error)),
            units::plural(growth.cycles, "cycle")
        );
        live.push((text, palette.plain));
    }
    lines.push(labelled("live", &live, palette, columns));
    let faults = match &site.faults {
        None => vec![(units::UNKNOWN.to_owned(), palette.faint)],
        Some(faults) => vec![
            (
                format!("{} minor", units::exact(faults.minor)),
                palette.plain,
            ),
            (
                format!("{} major", units::exact(faults.major)),
                palette.plain,
            ),
        ],
    };
    lines.push(labelled("faults", &faults, palette, columns));
    if let Some(gc) = site.gc.filter(|gc| gc.assists > 0) {
        let paid = [(
            format!(
                "{} of marking in {}",
                units::duration(gc.assist_ns),
                units::plural(gc.assists, "assist")
            ),
            palette.plain,
        )];
        lines.push(labelled("GC", &paid, palette, columns));
    }
    lines
}

fn types(site: &Site, palette: &Palette, columns: usize) -> Lines {
    let mut lines = Vec::new();
    let whole = site.figures.weight();
    for of_type in site.types.iter().take(TYPES) {
        let share = units::percent(units::share(of_type.weight(), whole));
        let name = names::type_name(&of_type.name);
        let figures = format!("{share:>8}  {:>8}  ", units::bytes(of_type.weight()));
        let room = columns.saturating_sub(width(&figures) + LABEL);
        lines.push(vec![
            span(&figures, palette.plain),
            span(&cut_end(name, room), palette.bar),
        ]);
    }
    let more = site.types.len().saturating_sub(TYPES);
    if more > 0 {
        lines.push(vec![span(&format!("{more} more"), palette.faint)]);
    }
    section("types", lines, palette)
}

/// How many allocations there are of each size, sizes in powers of two.
fn sizes(size: &SizeSummary, palette: &Palette, columns: usize) -> Lines {
    let mut bins: Vec<(u64, u64)> = Vec::new();
    for (value, count) in &size.buckets {
        let top = value.checked_next_power_of_two().unwrap_or(u64::MAX);
        match bins.last_mut() {
            Some(last) if last.0 == top => last.1 = last.1.saturating_add(*count),
            _ => bins.push((top, *count)),
        }
    }
    let all = bins
        .iter()
        .fold(0, |sum: u64, bin| sum.saturating_add(bin.1));
    let most = bins.iter().map(|bin| bin.1).max().unwrap_or(0);
    if all == 0 {
        return Vec::new();
    }
    let facts = [
        (format!("min {}", units::size(size.min)), palette.plain),
        (format!("p50 {}", units::size(size.p50)), palette.plain),
        (format!("p90 {}", units::size(size.p90)), palette.plain),
        (format!("p99 {}", units::size(size.p99)), palette.plain),
        (format!("max {}", units::size(size.max)), palette.plain),
    ];
    let mut lines = vec![fitting(
        &facts,
        palette.faint,
        columns.saturating_sub(LABEL),
    )];
    for (top, count) in bins {
        let figures = format!(
            "≤{:>8} {:>7} {:>7}  ",
            units::bytes(top),
            units::percent(units::share(count, all)),
            units::count(count)
        );
        lines.push(vec![
            span(&figures, palette.plain),
            span(&bar(count, most, BAR), palette.bar),
        ]);
    }
    section("sizes", lines, palette)
}

/// The heaviest stacks, from the first caller of the site on.
fn callers(report: &Report, site: &Site, palette: &Palette, columns: usize) -> Lines {
    let mut lines = Vec::new();
    let room = columns.saturating_sub(LABEL + 9);
    for figures in site.stacks.iter().take(STACKS) {
        let stack = report.stacks.iter().find(|stack| stack.id == figures.id);
        let Some(stack) = stack else { continue };
        let share = units::percent(units::share(
            figures.figures.weight(),
            site.figures.weight(),
        ));
        let calls = calls(report, site, stack);
        if calls.is_empty() {
            lines.push(vec![
                span(&format!("{share:>7}  "), palette.plain),
                span("called by nothing that is known", palette.faint),
            ]);
        }
        for (depth, frame) in calls.iter().take(FRAMES).enumerate() {
            let share = if depth == 0 { share.as_str() } else { "" };
            let mut line = vec![span(&format!("{share:>7}  "), palette.plain)];
            line.extend(place(std::slice::from_ref(*frame), palette, room));
            lines.push(line);
        }
        let more = calls.len().saturating_sub(FRAMES);
        if more > 0 {
            lines.push(vec![span(&format!("         {more} more"), palette.faint)]);
        }
    }
    let more = site.stacks.len().saturating_sub(STACKS);
    if more > 0 {
        let text = format!("         {}", units::plural(more as u64, "more stack"));
        lines.push(vec![span(&text, palette.faint)]);
    }
    section("callers", lines, palette)
}

fn calls<'a>(report: &'a Report, site: &Site, stack: &Stack) -> Vec<&'a Frame> {
    let Some(start) = stack.start_of(site, &report.frames) else {
        return Vec::new();
    };
    let outside = stack.frames.iter().skip(start + site.frames.len());
    outside
        .filter_map(|index| report.frames.get(*index))
        .collect()
}

fn label(text: &str, palette: &Palette) -> ratatui::text::Span<'static> {
    span(&format!("{text:LABEL$}"), palette.faint)
}

fn labelled(text: &str, items: &[Item], palette: &Palette, columns: usize) -> Line<'static> {
    let mut line = vec![label(text, palette)];
    let room = columns.saturating_sub(width_of(&line));
    line.extend(fitting(items, palette.faint, room));
    line.into()
}

/// Lines under a label, and a blank one.
fn section(text: &str, lines: Vec<Vec<ratatui::text::Span<'static>>>, palette: &Palette) -> Lines {
    if lines.is_empty() {
        return Vec::new();
    }
    let labels = std::iter::once(text).chain(std::iter::repeat(""));
    let mut section: Lines = lines
        .into_iter()
        .zip(labels)
        .map(|(spans, text)| {
            let mut line = vec![label(text, palette)];
            line.extend(spans);
            Line::from(line)
        })
        .collect();
    section.push(Line::default());
    section
}
