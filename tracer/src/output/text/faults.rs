//! Page faults: how many, what for, and who touched the pages first.

use super::{
    TextOptions,
    header::LABEL,
    interval::push_name,
    line::{Line, wrap},
    style::{CAUTION, FAINT, PLAIN, STRONG},
    units,
};
use crate::report::{FaultFigures, Report, Site, Window};
use anstyle::Style;
use std::cmp::Reverse;
use tracer_common::family::Extra;

/// Places that are shown, whatever the limit.
const MAX_PLACES: usize = 10;
/// Where the columns of a place end, and where its name starts.
const ID_END: usize = 2;
const SHARE_END: usize = 10;
const COUNT_END: usize = 22;
const NAME: usize = 24;

pub(super) fn lines(report: &Report, options: &TextOptions) -> Vec<Line> {
    let Some(faults) = report.faults.filter(|faults| faults.all() > 0) else {
        return Vec::new();
    };
    let mut lines = head(&faults, &report.window, options.columns());
    let count = |site: &Site| site.figures.faults.unwrap_or(0);
    let mut sites: Vec<&Site> = report.sites.iter().filter(|site| count(site) > 0).collect();
    sites.sort_by_key(|site| (Reverse(count(site)), site.id));
    let shown = options.limit.min(MAX_PLACES);
    for site in sites.iter().take(shown) {
        lines.push(place(site, count(site), faults.all(), options.columns()));
    }
    if faults.at_no_site > 0 {
        let text = format!(
            "{} at no place: their stack is not known",
            units::exact(faults.at_no_site)
        );
        lines.push(Line::starting(&text, CAUTION));
    }
    if let Some(rest) = sites.len().checked_sub(shown).filter(|rest| *rest > 0) {
        let text = format!("… and {} more", units::plural(rest as u64, "place"));
        lines.push(Line::starting(&text, FAINT));
    }
    lines
}

fn head(faults: &FaultFigures, window: &Window, columns: usize) -> Vec<Line> {
    let start = Line::starting("faults", FAINT);
    wrap(start, LABEL, &in_words(faults, window), columns)
}

/// How many, how often, and of what kinds.
pub(super) fn in_words(faults: &FaultFigures, window: &Window) -> Vec<(String, Style)> {
    let all = faults.all();
    let given_up = window.given_up(Extra::Faults);
    let recorded_ns = given_up.unwrap_or(window.duration_ns);
    let rate = units::rate(units::per_second(all, recorded_ns));
    let mut items = vec![(format!("{} at {rate}", units::exact(all)), STRONG)];
    if let Some(at) = given_up {
        items.push((format!("recorded for {}", units::duration(at)), CAUTION));
    }
    if faults.major > 0 {
        items.push((format!("{} major", units::exact(faults.major)), PLAIN));
    }
    let share = |part| units::percent(units::share(part, all));
    let kinds = faults.by_memory.of_each();
    let kinds = kinds.iter().filter(|(_, count)| *count > 0);
    let kinds: Vec<String> = kinds
        .map(|(memory, count)| format!("{} {}", memory.name(), share(*count)))
        .collect();
    items.push((kinds.join(", "), PLAIN));
    let access = format!(
        "writes {}, reads {}",
        share(faults.writes),
        share(faults.reads)
    );
    items.push((access, PLAIN));
    items
}

fn place(site: &Site, count: u64, all: u64, columns: usize) -> Line {
    let mut line = Line::default();
    line.push_right(&site.id.to_string(), ID_END, PLAIN);
    let share = units::percent(units::share(count, all));
    line.push_right(&share, SHARE_END, PLAIN);
    line.push_right(&units::exact(count), COUNT_END, PLAIN);
    line.pad_to(NAME);
    push_name(&mut line, &site.frames, STRONG, columns);
    line
}
