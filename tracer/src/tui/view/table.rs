//! The lists: which columns fit, and what is in them.

use super::palette::{Palette, span};
use super::shapes;
use crate::findings::Severity;
use crate::output::text::course::curve;
use crate::output::text::line::cut_end;
use crate::output::text::maps::levels;
use crate::output::text::names;
use crate::report::Frame as CodeFrame;
use crate::tui::state::{Column, Drawn, Snapshot, State, Tab, Timing};
use crate::units;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

/// Columns that a name should have beside figures; that of a map is a type and a place.
const NAME: usize = 34;
const MAP_NAME: usize = 50;
/// Columns that it should have more beside a curve.
const BESIDE_COURSE: usize = 16;
/// With so many a name and its place stand side by side.
const NAME_AND_PLACE: usize = 48;
/// With so many columns of figures are shown even if nothing is in them.
const WIDE: usize = 130;
const GAP: usize = 1;

/// The columns of a list, and how many cells each takes; those that come first give way last.
fn columns_of(tab: Tab) -> &'static [(Column, usize)] {
    match tab {
        Tab::Sites => &[
            (Column::Share, 6),
            (Column::Bytes, 10),
            (Column::Allocs, 9),
            (Column::Total, 8),
            (Column::Live, 8),
            (Column::Growth, 12),
            (Column::Faults, 9),
            (Column::Course, 20),
        ],
        Tab::Types => &[
            (Column::Share, 6),
            (Column::Bytes, 10),
            (Column::Allocs, 9),
            (Column::Total, 8),
            (Column::Live, 8),
            (Column::Pointers, 9),
        ],
        Tab::Maps => &[
            (Column::Entries, 10),
            (Column::EntryRate, 10),
            (Column::Table, 8),
            (Column::Growths, 8),
            (Column::Course, 20),
        ],
        Tab::Findings => &[],
    }
}

fn title(column: Column, since_start: bool) -> &'static str {
    match column {
        Column::Share => "share",
        Column::Bytes if since_start => "bytes",
        Column::Bytes => "bytes/s",
        Column::Allocs if since_start => "allocs",
        Column::Allocs => "allocs/s",
        Column::Total => "total",
        Column::Live => "live",
        Column::Growth => "growth/s",
        Column::Faults if since_start => "faults",
        Column::Faults => "faults/s",
        Column::Pointers => "pointers",
        Column::Entries => "entries",
        Column::EntryRate => "entries/s",
        Column::Table => "table",
        Column::Growths => "growths",
        Column::Course => "course",
        Column::Name => "",
    }
}

/// The columns that fit beside a name.
fn shown_columns(state: &State, snapshot: &Snapshot, columns: usize) -> Vec<(Column, usize)> {
    let tab = state.tab();
    let is_measured = |column: Column| {
        let mut items = state.rows().iter();
        items.any(|item| snapshot.figure(tab, *item, column, true).is_some())
    };
    let name = if tab == Tab::Maps { MAP_NAME } else { NAME };
    let mut room = columns.saturating_sub(name);
    // What one sorts by is always there.
    let sorted = columns_of(tab)
        .iter()
        .find(|(column, _)| *column == state.sorted());
    room = room.saturating_sub(sorted.map_or(0, |(_, width)| width + GAP));
    let mut shown = Vec::new();
    for (column, width) in columns_of(tab) {
        // Room for the mark.
        let width = width + usize::from(*column == Column::Bytes && !snapshot.timely);
        let optional = matches!(
            column,
            Column::Live | Column::Growth | Column::Faults | Column::Table
        );
        let keep = match column {
            _ if *column == state.sorted() => true,
            // The same as bytes.
            Column::Total if state.is_since_start() => false,
            _ if optional && !is_measured(*column) && columns < WIDE => false,
            Column::Course if room < width + GAP + BESIDE_COURSE => false,
            _ => match room.checked_sub(width + GAP) {
                Some(left) => {
                    room = left;
                    true
                }
                None => false,
            },
        };
        if keep {
            shown.push((*column, width));
        }
    }
    shown
}

/// A list of sites, types or maps.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    state: &State,
    snapshot: &Snapshot,
    palette: &Palette,
    area: Rect,
) -> Drawn {
    let columns = usize::from(area.width);
    let shown = shown_columns(state, snapshot, columns);
    let taken: usize = shown.iter().map(|(_, width)| width + GAP).sum();
    let name_width = columns.saturating_sub(taken + GAP);
    let page = usize::from(area.height.saturating_sub(1));

    let mut titles: Vec<Cell<'_>> = shown
        .iter()
        .map(|(column, _)| title_cell(*column, state, palette))
        .collect();
    let what = match state.tab() {
        Tab::Types => " type",
        Tab::Maps => " map",
        _ => " site",
    };
    titles.push(Cell::new(span(what, palette.title)));

    let cursor = state.cursor();
    let cells = Cells {
        state,
        snapshot,
        palette,
    };
    let items = state.rows().iter().enumerate();
    let rows = items.skip(cursor.first).take(page).map(|(line, item)| {
        let cells_of = shown
            .iter()
            .map(|(column, width)| cells.cell(*item, *column, *width));
        let name = Cell::new(cells.name(*item, name_width));
        let row = Row::new(cells_of.chain([name]));
        if line == cursor.line {
            row.style(palette.selected)
        } else {
            row
        }
    });
    let widths = shown
        .iter()
        .map(|(_, width)| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)))
        .chain([Constraint::Fill(1)]);
    let table = Table::new(rows, widths)
        .header(Row::new(titles))
        .column_spacing(1);
    frame.render_widget(table, area);
    Drawn { page, lines: 0 }
}

fn right(text: &str, style: Style) -> Cell<'static> {
    Cell::new(Text::from(span(text, style)).alignment(Alignment::Right))
}

fn title_cell(column: Column, state: &State, palette: &Palette) -> Cell<'static> {
    let title = title(column, state.is_since_start());
    if column == Column::Course {
        return Cell::new(span(title, palette.title));
    }
    if column == state.sorted() {
        return right(&format!("{title}▼"), palette.title.patch(palette.strong));
    }
    right(title, palette.title)
}

/// What is in a list.
struct Cells<'a> {
    state: &'a State,
    snapshot: &'a Snapshot,
    palette: &'a Palette,
}

impl Cells<'_> {
    fn cell(&self, item: usize, column: Column, width: usize) -> Cell<'static> {
        if column == Column::Course {
            return Cell::new(span(&self.course(item, width), self.palette.bar));
        }
        let text = self.figure(item, column);
        let style = match (column, text.as_str()) {
            (_, units::UNKNOWN) | (Column::Share, _) => self.palette.faint,
            _ => self.palette.plain,
        };
        right(&text, style)
    }

    fn figure(&self, item: usize, column: Column) -> String {
        let snapshot = self.snapshot;
        let since_start = self.state.is_since_start();
        let figure = snapshot.figure(self.state.tab(), item, column, since_start);
        let Some(figure) = figure else {
            return units::UNKNOWN.to_owned();
        };
        let size = u64::try_from(figure.unsigned_abs()).unwrap_or(u64::MAX);
        let per_s = units::per_second(size, snapshot.interval_ns);
        let sign = if figure < 0 { "-" } else { "+" };
        let mark = match snapshot.timing(self.state.tab(), item) {
            Timing::Mean if !since_start => "~",
            _ => "",
        };
        match column {
            Column::Share => {
                let of = if since_start {
                    &snapshot.report.totals
                } else {
                    &snapshot.figures
                };
                units::percent(units::share(size, snapshot.bytes(of)))
            }
            Column::Bytes if !since_start => format!("{mark}{}", units::byte_rate(per_s)),
            Column::Allocs if !since_start => format!("{mark}{}", units::rate(per_s)),
            Column::Faults if !since_start => units::rate(per_s),
            Column::Allocs | Column::Faults | Column::Growths => units::count(size),
            Column::Entries => units::exact(size),
            Column::Growth if size == 0 => "0 B/s".to_owned(),
            Column::Growth => format!("{sign}{}", units::byte_rate(Some(size as f64))),
            Column::EntryRate if size == 0 => "0/s".to_owned(),
            Column::EntryRate => format!("{sign}{}", units::rate(Some(size as f64 / 1000.0))),
            _ => units::bytes(size),
        }
    }

    fn course(&self, item: usize, cells: usize) -> String {
        match self.state.tab() {
            Tab::Sites => {
                let step = self.snapshot.sites.get(item);
                let rates = step.map(|step| self.state.history().site(step.id, cells));
                let rates = rates.unwrap_or_default();
                let blank = " ".repeat(cells.saturating_sub(rates.len()));
                format!("{blank}{}", curve(&rates))
            }
            Tab::Maps => {
                let map = self.snapshot.maps().get(item);
                map.map_or_else(String::new, |map| curve(&levels(&map.curve, cells)))
            }
            _ => String::new(),
        }
    }

    fn name(&self, item: usize, columns: usize) -> Line<'static> {
        // A blank between the figures and the name.
        let columns = columns.saturating_sub(1);
        let mut line = Line::from(span(" ", self.palette.plain));
        match self.state.tab() {
            Tab::Sites => {
                let site = self.snapshot.report.sites.get(item);
                let frames = site.map_or(&[][..], |site| &site.frames);
                line.extend(place(frames, self.palette, columns));
            }
            Tab::Types => {
                let group = self.snapshot.types.groups.get(item);
                let name = group.map_or("", |group| names::type_name(&group.name));
                line.push_span(span(&cut_end(name, columns), self.palette.strong));
            }
            Tab::Maps => {
                let Some(map) = self.snapshot.maps().get(item) else {
                    return line;
                };
                let gone = if map.alive == Some(false) {
                    "gone "
                } else {
                    ""
                };
                line.push_span(span(gone, self.palette.faint));
                let room = columns.saturating_sub(gone.len());
                let name = cut_end(
                    names::type_name(&map.type_name),
                    (room / 2).max(20).min(room),
                )
                .into_owned();
                let left = room.saturating_sub(crate::output::text::line::width(&name) + 2);
                line.push_span(span(&name, self.palette.bar));
                line.push_span(span("  ", self.palette.plain));
                line.extend(place(self.snapshot.place_of(map), self.palette, left));
            }
            Tab::Findings => {}
        }
        line
    }
}

/// The function and, where there is room for both, the line of code.
pub(super) fn place(
    frames: &[CodeFrame],
    palette: &Palette,
    columns: usize,
) -> Vec<ratatui::text::Span<'static>> {
    use crate::output::text::line::width;
    let Some(frame) = frames.first() else {
        return vec![span(&cut_end(names::UNNAMED, columns), palette.strong)];
    };
    if columns < NAME_AND_PLACE {
        return vec![span(&names::call(frame, columns), palette.strong)];
    }
    let place = names::place(frame, (columns / 2).saturating_sub(2));
    let function = names::function(&frame.function, columns.saturating_sub(width(&place) + 2));
    let room = columns.saturating_sub(width(&function) + 2);
    vec![
        span(&function, palette.strong),
        span("  ", palette.plain),
        span(&names::place(frame, room), palette.faint),
    ]
}

/// What is wrong: all of it, the selected one marked.
pub(super) fn findings(
    frame: &mut Frame<'_>,
    state: &State,
    snapshot: &Snapshot,
    palette: &Palette,
    area: Rect,
) -> Drawn {
    let columns = usize::from(area.width);
    let cursor = state.cursor();
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut selected = 0..0;
    for (number, item) in state.rows().iter().enumerate() {
        let Some(finding) = snapshot.findings.get(*item) else {
            continue;
        };
        let (mark, style) = match finding.severity {
            Severity::Critical => ("✗", palette.bad),
            Severity::Warning => ("!", palette.caution),
            Severity::Info => ("·", palette.faint),
        };
        let is_selected = number == cursor.line;
        let title_style = if is_selected {
            palette.strong.patch(palette.selected)
        } else {
            palette.strong
        };
        let start = lines.len();
        let titles = shapes::flow(&finding.title, 0, title_style, columns.saturating_sub(2));
        for (part, title) in titles.into_iter().enumerate() {
            let mark = if part == 0 { mark } else { " " };
            let mut line = vec![span(mark, style), span(" ", palette.plain)];
            line.extend(title.spans);
            lines.push(line.into());
        }
        lines.extend(shapes::flow(&finding.evidence, 2, palette.plain, columns));
        let advice = format!("→ {}", finding.advice);
        lines.extend(shapes::flow(&advice, 2, palette.faint, columns));
        lines.push(Line::default());
        if is_selected {
            selected = start..lines.len();
        }
    }
    let page = usize::from(area.height);
    // The selected one is to be seen, from its title on.
    let first = selected.end.saturating_sub(page).min(selected.start);
    let seen: Vec<Line<'_>> = lines.into_iter().skip(first).take(page).collect();
    frame.render_widget(Paragraph::new(seen), area);
    Drawn { page, lines: 0 }
}
