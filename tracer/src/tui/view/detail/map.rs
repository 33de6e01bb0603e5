//! A map: how many entries it has, how it grew, and where it was first seen.

use super::super::palette::{Palette, span};
use super::super::shapes::Item;
use super::{LABEL, Lines, frames, label, labelled};
use crate::output::text::course::curve;
use crate::output::text::line::cut_end;
use crate::output::text::maps::levels;
use crate::output::text::names;
use crate::report::{MapInstance, MapSite};
use crate::tui::state::Snapshot;
use crate::units;
use ratatui::text::Line;

/// A map, how it grew, and what is done where it was first seen.
pub(in crate::tui::view) fn map(
    snapshot: &Snapshot,
    key: u64,
    palette: &Palette,
    columns: usize,
) -> Lines {
    let found = snapshot
        .maps()
        .iter()
        .find(|map| snapshot.key_of(map) == key);
    let Some(map) = found else {
        return vec![
            span(
                "this map is not among those any more that are listed",
                palette.faint,
            )
            .into(),
        ];
    };
    let mut lines: Lines = vec![
        span(
            &cut_end(names::type_name(&map.type_name), columns),
            palette.bar,
        )
        .into(),
    ];
    lines.extend(frames(snapshot.place_of(map), palette, columns));
    lines.push(Line::default());
    lines.extend(figures_of_map(snapshot, map, palette, columns));
    lines.push(Line::default());
    lines.extend(map_course(map, palette, columns));
    let maps = snapshot.report.maps.as_ref();
    let place = maps.and_then(|maps| maps.sites.iter().find(|site| site.id == map.site));
    lines.extend(
        place.map(|place| labelled("place", &facts_of_place(place, palette), palette, columns)),
    );
    lines
}

fn figures_of_map(
    snapshot: &Snapshot,
    map: &MapInstance,
    palette: &Palette,
    columns: usize,
) -> Lines {
    let state = match map.alive {
        Some(true) => "there",
        Some(false) => "gone",
        None => "",
    };
    let entries: [Item; 4] = [
        (units::exact(snapshot.entries_of(map)), palette.strong),
        (
            format!("{} at most", units::exact(map.max_entries)),
            palette.plain,
        ),
        (
            map.capacity
                .map(|room| format!("room for {}", units::exact(room)))
                .unwrap_or_default(),
            palette.plain,
        ),
        (state.to_owned(), palette.plain),
    ];
    let table: [Item; 3] = [
        (units::maybe_bytes(map.table_bytes), palette.strong),
        (
            format!("{} to scan", units::maybe_bytes(map.table_pointer_bytes)),
            palette.plain,
        ),
        (units::plural(map.growths, "growth"), palette.plain),
    ];
    let mut lines = vec![
        labelled("entries", &entries, palette, columns),
        labelled("table", &table, palette, columns),
    ];
    if let Some(writes) = map.writes {
        let done: [Item; 2] = [
            (units::plural(writes, "write"), palette.plain),
            (
                map.deletes
                    .map(|deletes| units::plural(deletes, "delete"))
                    .unwrap_or_default(),
                palette.plain,
            ),
        ];
        lines.push(labelled("done", &done, palette, columns));
    }
    lines
}

fn map_course(map: &MapInstance, palette: &Palette, columns: usize) -> Lines {
    let (Some((start, first)), Some((end, last))) = (map.curve.first(), map.curve.last()) else {
        return Vec::new();
    };
    let text = format!(
        "{} → {} entries in {}",
        units::exact(*first),
        units::exact(*last),
        units::duration(end.saturating_sub(*start))
    );
    let levels = levels(&map.curve, columns.saturating_sub(LABEL).min(80));
    vec![
        Line::from(vec![
            label("course", palette),
            span(&curve(&levels), palette.bar),
        ]),
        Line::from(vec![label("", palette), span(&text, palette.faint)]),
    ]
}

fn facts_of_place(place: &MapSite, palette: &Palette) -> Vec<Item> {
    let mut facts = vec![
        (units::plural(place.instances, "map"), palette.plain),
        (units::plural(place.growths, "growth"), palette.plain),
    ];
    if let Some(growth) = place.growth {
        let text = format!("{} by growing", units::bytes(growth.bytes()));
        facts.push((text, palette.plain));
    }
    if let Some(amplification) = place.amplification {
        facts.push((
            format!("{amplification:.1} times the tables in the end"),
            palette.plain,
        ));
    }
    facts
}
