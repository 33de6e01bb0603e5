//! Maps: where they grow and are written to, and the curve of the largest one there.

use super::{
    TextOptions,
    course::curve,
    header::LABEL,
    interval::push_name,
    line::{Line, width, wrap},
    names,
    style::{BAR, CAUTION, FAINT, PLAIN, STRONG},
    units,
};
use crate::report::{MapInstance, MapSite, Maps};
use anstyle::Style;

/// Places that are shown, whatever the limit.
const MAX_PLACES: usize = 10;
/// Where the text of a place starts.
const INDENT: usize = 4;
/// Columns of a curve at most.
const CURVE: usize = 40;

pub(super) fn lines(maps: &Maps, options: &TextOptions) -> Vec<Line> {
    let missing = maps.overflowed > 0 || !maps.skipped.is_empty();
    if maps.sites.is_empty() && !missing {
        return Vec::new();
    }
    let mut lines = vec![head(maps)];
    for skipped in &maps.skipped {
        lines.push(Line::starting(&format!("not seen: {skipped}"), CAUTION));
    }
    if maps.overflowed > 0 {
        let text = format!("{} operations at no place", units::exact(maps.overflowed));
        lines.push(Line::starting(&text, CAUTION));
    }
    if maps.forgotten > 0 {
        let forgotten = units::plural(maps.forgotten, "map");
        let text = format!("{forgotten} forgotten: seen again, they count as new");
        lines.push(Line::starting(&text, FAINT));
    }
    let shown = options.limit.min(MAX_PLACES);
    for site in maps.sites.iter().take(shown) {
        let largest = maps.instances.iter().find(|map| map.site == site.id);
        lines.extend(place(site, largest, options));
    }
    if let Some(rest) = maps.sites.len().checked_sub(shown).filter(|rest| *rest > 0) {
        let text = format!("… and {} more", units::plural(rest as u64, "place"));
        lines.push(Line::starting(&text, FAINT));
    }
    lines
}

fn head(maps: &Maps) -> Line {
    let mut line = Line::starting("maps", FAINT);
    line.pad_to(LABEL);
    let mut text = units::plural(maps.growths, "growth");
    if let Some(writes) = maps.writes {
        text += &format!(" · {}", units::plural(writes, "operation"));
    }
    line.push(&text, PLAIN);
    line
}

fn place(site: &MapSite, largest: Option<&MapInstance>, options: &TextOptions) -> Vec<Line> {
    let columns = options.columns();
    let mut start = Line::default();
    start.push_right(&site.id.to_string(), 2, PLAIN);
    start.pad_to(INDENT);
    let mut items: Vec<(String, Style)> = vec![(names::type_name(&site.type_name).to_owned(), BAR)];
    items.extend(facts(site).into_iter().map(|fact| (fact, PLAIN)));
    let mut lines = wrap(start, INDENT, &items, columns);
    let mut name = Line::default();
    push_name(
        &mut name,
        &site.frames,
        STRONG,
        columns.saturating_sub(INDENT),
    );
    lines.push(name.indented(INDENT));
    lines.extend(largest.and_then(|map| course(map, options.columns())));
    lines
}

fn facts(site: &MapSite) -> Vec<String> {
    let mut facts = Vec::new();
    if site.instances > 0 {
        facts.push(units::plural(site.instances, "map"));
    }
    facts.push(format!(
        "{} entries at most",
        units::exact(site.max_entries)
    ));
    if site.growths > 0 {
        facts.push(units::plural(site.growths, "growth"));
    }
    if let Some(growth) = site.growth {
        let bytes = growth.bytes();
        facts.push(format!("{} by growing", units::bytes(bytes)));
    }
    if let Some(operations) = site.operations {
        let done = [
            (operations.writes, "write"),
            (operations.deletes, "delete"),
            (operations.clears, "clear"),
            (operations.nil_writes, "nil write"),
        ];
        let done = done.into_iter().filter(|(times, _)| *times > 0);
        facts.extend(done.map(|(times, what)| units::plural(times, what)));
        let sign = if operations.net_entries < 0 { "-" } else { "+" };
        let net = units::exact(operations.net_entries.unsigned_abs());
        facts.push(format!("net {sign}{net}"));
    }
    facts
}

/// The curve of a map's entries, if it has one.
fn course(map: &MapInstance, columns: usize) -> Option<Line> {
    let (first, last) = (map.curve.first()?, map.curve.last()?);
    if map.curve.len() < 3 || first.1 == last.1 {
        return None;
    }
    let text = format!(
        "  {} → {} entries",
        units::exact(first.1),
        units::exact(last.1)
    );
    let room = columns.saturating_sub(INDENT + width(&text));
    let mut line = Line::default();
    line.push(&curve(&levels(&map.curve, CURVE.min(room))), BAR);
    line.push(&text, PLAIN);
    Some(line.indented(INDENT))
}

/// Entries at even distances of time: growths come in bursts, looks from outside at every interval.
pub(crate) fn levels(curve: &[(u64, u64)], most: usize) -> Vec<f64> {
    let (Some((start, _)), Some((end, _))) = (curve.first(), curve.last()) else {
        return Vec::new();
    };
    let (start, end) = (*start, *end);
    let cells = most.min(curve.len()) as u64;
    let step = end.saturating_sub(start) / cells.max(1);
    let mut points = curve.iter().peekable();
    let mut level = 0;
    let at = |time: u64| {
        while let Some((_, entries)) = points.next_if(|(t, _)| *t <= time) {
            level = *entries;
        }
        level as f64
    };
    let times = (1..=cells).map(|cell| match cell {
        last if last == cells => end,
        cell => start.saturating_add(step.saturating_mul(cell)),
    });
    times.map(at).collect()
}
