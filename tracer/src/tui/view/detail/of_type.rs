//! Where a type is allocated, and how much of it.

use super::super::palette::{Palette, span};
use super::super::shapes::Item;
use super::super::table::place;
use super::{LABEL, Lines, labelled, mark, section};
use crate::output::text::line::cut_end;
use crate::output::text::names;
use crate::tui::state::Snapshot;
use crate::units;
use ratatui::text::Line;

/// Sites that are shown.
const SITES: usize = 40;

/// Where a type is allocated.
pub(in crate::tui::view) fn of_type(
    snapshot: &Snapshot,
    name: &str,
    palette: &Palette,
    columns: usize,
) -> Lines {
    let groups = &snapshot.types.groups;
    let found = groups.iter().position(|group| group.name == name);
    let found = found.and_then(|at| Some((groups.get(at)?, snapshot.type_steps.get(at)?)));
    let Some((group, step)) = found else {
        return vec![span("this type is not in the report any more", palette.faint).into()];
    };
    let (mark, is_known) = mark(step);
    let per_s = |total: u64| units::per_second(total, snapshot.interval_ns).filter(|_| is_known);
    let bytes = units::byte_rate(per_s(snapshot.bytes(&step.figures)));
    let allocs = units::rate(per_s(step.figures.allocs));
    let now: [Item; 2] = [
        (format!("{mark}{bytes}"), palette.strong),
        (format!("{mark}{allocs} allocs"), palette.plain),
    ];
    let total: [Item; 4] = [
        (units::bytes(snapshot.bytes(&group.figures)), palette.strong),
        (
            format!("{} allocs", units::exact(group.figures.allocs)),
            palette.plain,
        ),
        (
            format!("{} to scan", units::maybe_bytes(group.pointer_bytes)),
            palette.plain,
        ),
        (
            format!("{} live", units::maybe_bytes(group.figures.live_bytes)),
            palette.plain,
        ),
    ];
    let mut lines = vec![
        span(&cut_end(names::type_name(name), columns), palette.strong).into(),
        Line::default(),
        labelled("now", &now, palette, columns),
        labelled("in all", &total, palette, columns),
        Line::default(),
    ];
    let mut parts = Vec::new();
    for part in group.sites.iter().take(SITES) {
        let Some(site) = snapshot.report.sites.iter().find(|site| site.id == part.id) else {
            continue;
        };
        let share = units::percent(units::share(part.figures.weight(), group.figures.weight()));
        let mut line = vec![span(&format!("{share:>7}  "), palette.plain)];
        line.extend(place(
            &site.frames,
            palette,
            columns.saturating_sub(LABEL + 9),
        ));
        parts.push(line);
    }
    let more = group.sites.len().saturating_sub(SITES);
    if more > 0 {
        let text = format!("         {}", units::plural(more as u64, "more site"));
        parts.push(vec![span(&text, palette.faint)]);
    }
    lines.extend(section("sites", parts, palette));
    lines
}
