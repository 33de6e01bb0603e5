//! Turns the state into a frame. Hides where everything is, what gives way on a small screen, and what is coloured.
//!
//! Names come from the target: no text gets into a frame but through `palette::span`, which takes control characters out.

mod detail;
mod header;
mod help;
mod palette;
mod shapes;
mod table;

pub use palette::Palette;

use super::state::{Drawn, Opened, State, Tab};
use palette::span;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Text};
use ratatui::widgets::Paragraph;
use tracer_common::family::Extra;

/// A screen smaller than this shows nothing of use.
const LEAST_COLUMNS: u16 = 40;
const LEAST_ROWS: u16 = 10;
/// From so many rows on the header is complete.
const ROWS_FOR_HEADER: u16 = 14;

/// Draws everything, and tells what of it scrolls.
pub fn draw(frame: &mut Frame<'_>, state: &State, palette: &Palette) -> Drawn {
    let area = frame.area();
    if area.width < LEAST_COLUMNS || area.height < LEAST_ROWS {
        too_small(frame, area);
        return Drawn::default();
    }
    let header = header::lines(state, palette, usize::from(area.width));
    let header: Vec<Line<'_>> = if area.height < ROWS_FOR_HEADER {
        header.into_iter().take(2).collect()
    } else {
        header
    };
    let rows = u16::try_from(header.len()).unwrap_or(u16::MAX);
    let parts = Layout::vertical([
        Constraint::Length(rows),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ]);
    let [top, tabs, body, bottom] = parts.areas(area);
    frame.render_widget(Text::from(header), top);
    frame.render_widget(header::tabs(state, palette, usize::from(tabs.width)), tabs);
    frame.render_widget(
        help::footer(state, palette, usize::from(bottom.width)),
        bottom,
    );
    body_of(frame, state, palette, body)
}

fn body_of(frame: &mut Frame<'_>, state: &State, palette: &Palette, area: Rect) -> Drawn {
    let columns = usize::from(area.width);
    if state.is_help() {
        return text(frame, area, help::lines(palette), state.scroll());
    }
    let Some(snapshot) = state.shown() else {
        let waiting = vec![
            Line::default(),
            span("waiting for the first interval", palette.faint).into(),
        ];
        return text(frame, area, waiting, 0);
    };
    match state.opened() {
        Some(opened) => {
            let lines = match opened {
                Opened::Site(id) => detail::site(state, snapshot, *id, palette, columns),
                Opened::Type(name) => detail::of_type(snapshot, name, palette, columns),
                Opened::Map(key) => detail::map(snapshot, *key, palette, columns),
            };
            text(frame, area, lines, state.scroll())
        }
        None if state.rows().is_empty() => {
            text(frame, area, nothing(state, snapshot, palette, columns), 0)
        }
        None if state.tab() == Tab::Findings => {
            table::findings(frame, state, snapshot, palette, area)
        }
        None => table::draw(frame, state, snapshot, palette, area),
    }
}

/// Text that scrolls.
fn text(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>, scroll: usize) -> Drawn {
    let (all, page) = (lines.len(), usize::from(area.height));
    let scroll = scroll.min(all.saturating_sub(page));
    let seen: Vec<Line<'_>> = lines.into_iter().skip(scroll).take(page).collect();
    frame.render_widget(Paragraph::new(seen), area);
    Drawn { page, lines: all }
}

/// Why a list is empty.
fn nothing<'a>(
    state: &State,
    snapshot: &super::state::Snapshot,
    palette: &Palette,
    columns: usize,
) -> Vec<Line<'a>> {
    let (filter, _) = state.filter();
    let report = &snapshot.report;
    let why = match state.tab() {
        _ if state.rows_without_filter() > 0 => {
            format!("nothing matches “{filter}”: Esc shows everything")
        }
        Tab::Sites => "no allocation was recorded yet".to_owned(),
        Tab::Types => "no type was recorded yet".to_owned(),
        Tab::Maps if report.maps.is_none() => {
            "maps are not recorded: ask for them with --maps growth or --maps writes".to_owned()
        }
        Tab::Maps if report.window.given_up(Extra::MapGrowths).is_some() => {
            "no map was seen before their growth was given up for the budget".to_owned()
        }
        Tab::Maps => {
            "no map was seen growing yet: a map is known from its first growth on".to_owned()
        }
        Tab::Findings => "nothing is wrong, as far as can be seen".to_owned(),
    };
    let mut lines = vec![Line::default()];
    lines.extend(shapes::flow(&why, 0, palette.faint, columns));
    lines
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let text = format!(
        "too small: {}x{}, {LEAST_COLUMNS}x{LEAST_ROWS} at least; q quits",
        area.width, area.height
    );
    let palette = Palette::new(false);
    let lines = shapes::flow(&text, 0, palette.plain, usize::from(area.width));
    frame.render_widget(Text::from(lines), area);
}

#[cfg(test)]
mod tests;
