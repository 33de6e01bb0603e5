//! The garbage collector: how often, how long the world stood, what it cost, and who paid.

use super::{
    TextOptions,
    header::LABEL,
    interval::push_name,
    line::{Line, wrap},
    style::{CAUTION, FAINT, PLAIN, STRONG},
    units,
};
use crate::report::{Gc, PauseFigures, Report, Site};
use anstyle::Style;
use std::cmp::Reverse;
use tracer_common::family::Extra;

/// Places that are shown, whatever the limit.
const MAX_PLACES: usize = 5;
/// Where the columns of a place end, and where its name starts.
const ID_END: usize = 2;
const TIME_END: usize = 10;
const COUNT_END: usize = 26;
const NAME: usize = 28;

type Item = (String, Style);

pub(super) fn lines(report: &Report, options: &TextOptions) -> Vec<Line> {
    let Some(gc) = &report.gc else {
        return Vec::new();
    };
    let columns = options.columns();
    let labelled =
        |label: &str, items: Vec<Item>| wrap(Line::starting(label, FAINT), LABEL, &items, columns);
    let mut lines = labelled("GC", work(gc, report.window.duration_ns));
    for (label, sums) in [("paused", gc.gc_pauses), ("also", gc.other_pauses)] {
        if sums.count > 0 {
            lines.extend(labelled(label, paused(gc, &sums, label == "also")));
        }
    }
    if gc.overflowed > 0 {
        let text = format!(
            "{} assists and calls at no place",
            units::exact(gc.overflowed)
        );
        lines.push(Line::starting(&text, CAUTION));
    }
    for skipped in &gc.skipped {
        lines.push(Line::starting(&format!("not seen: {skipped}"), CAUTION));
    }
    if gc.assists > 0 {
        let given_up = report.window.given_up(Extra::Assists);
        lines.extend(labelled("assists", assists(gc, given_up)));
        lines.extend(places(report, options, |gc| gc.assist_ns, assisting));
    }
    if gc.calls > 0 {
        let text = format!("{} of runtime.GC", units::plural(gc.calls, "call"));
        lines.extend(labelled("called", vec![(text, PLAIN)]));
        lines.extend(places(report, options, |gc| gc.calls, calling));
    }
    lines
}

pub(super) fn work(gc: &Gc, duration_ns: u64) -> Vec<Item> {
    let mut items = vec![(units::plural(gc.cycles_total, "cycle"), STRONG)];
    if gc.cycles_total == 0 {
        return items;
    }
    if let Some(every) = duration_ns.checked_div(gc.cycles_total) {
        items.push((format!("one in {}", units::duration(every)), PLAIN));
    }
    let triggers = [
        ("heap", "by its size"),
        ("call", "by runtime.GC"),
        ("time", "by time"),
    ];
    let of = |trigger: &str| {
        let cycles = gc.cycles.iter();
        cycles
            .filter(|cycle| cycle.trigger.as_deref() == Some(trigger))
            .count() as u64
    };
    let triggers = triggers.iter().filter(|(trigger, _)| of(trigger) > 0);
    let triggers: Vec<String> = triggers
        .map(|(trigger, words)| format!("{} {words}", units::exact(of(trigger))))
        .collect();
    if !triggers.is_empty() {
        items.push((triggers.join(", "), PLAIN));
    }
    if let Some(cpu) = gc.cpu_ns().filter(|_| !gc.is_cut()) {
        let share = units::percent(units::share(cpu, duration_ns));
        items.push((format!("marking {share} of one CPU"), PLAIN));
    }
    if let Some(last) = gc.cycles.last() {
        let heap = format!(
            "last: heap {} → {} live, goal {}",
            units::maybe_bytes(last.heap_peak),
            units::maybe_bytes(last.heap_after),
            units::maybe_bytes(last.heap_goal)
        );
        items.push((heap, PLAIN));
    }
    items
}

pub(super) fn paused(gc: &Gc, sums: &PauseFigures, for_other_reasons: bool) -> Vec<Item> {
    let mut items = vec![
        (units::nanoseconds(sums.total_ns as f64), PLAIN),
        (units::plural(sums.count, "pause"), PLAIN),
        (
            format!("longest {}", units::nanoseconds(sums.longest_ns as f64)),
            PLAIN,
        ),
    ];
    if for_other_reasons {
        let pauses = gc.pauses.iter().filter(|pause| !pause.gc);
        let mut reasons: Vec<&str> = pauses.filter_map(|pause| pause.reason.as_deref()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        items.extend(reasons.iter().map(|reason| ((*reason).to_owned(), PLAIN)));
    }
    items
}

pub(super) fn assists(gc: &Gc, given_up: Option<u64>) -> Vec<Item> {
    let mut items = vec![
        (units::nanoseconds(gc.assist_ns as f64), PLAIN),
        (
            format!(
                "goroutines that allocate helped to mark {}",
                units::plural(gc.assists, "time")
            ),
            PLAIN,
        ),
    ];
    if let Some(at) = given_up {
        items.push((format!("recorded for {}", units::duration(at)), CAUTION));
    }
    items
}

/// The sites that pay most.
fn places(
    report: &Report,
    options: &TextOptions,
    price: impl Fn(&crate::report::GcFigures) -> u64,
    figures: impl Fn(&mut Line, &crate::report::GcFigures),
) -> Vec<Line> {
    let price_of = |site: &Site| site.gc.as_ref().map_or(0, &price);
    let mut sites: Vec<&Site> = report
        .sites
        .iter()
        .filter(|site| price_of(site) > 0)
        .collect();
    sites.sort_by_key(|site| (Reverse(price_of(site)), site.id));
    let shown = sites.iter().take(options.limit.min(MAX_PLACES));
    shown
        .map(|site| {
            let mut line = Line::default();
            line.push_right(&site.id.to_string(), ID_END, PLAIN);
            if let Some(gc) = &site.gc {
                figures(&mut line, gc);
            }
            line.pad_to(NAME);
            push_name(&mut line, &site.frames, STRONG, options.columns());
            line
        })
        .collect()
}

fn assisting(line: &mut Line, gc: &crate::report::GcFigures) {
    line.push_right(&units::nanoseconds(gc.assist_ns as f64), TIME_END, PLAIN);
    line.push_right(&units::plural(gc.assists, "assist"), COUNT_END, FAINT);
}

fn calling(line: &mut Line, gc: &crate::report::GcFigures) {
    line.push_right(&units::plural(gc.calls, "call"), COUNT_END, FAINT);
}
