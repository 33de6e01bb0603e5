//! The table of figures that both sites and groups are shown in: which columns there are and which of them fit.

use super::{
    Measure, TextOptions, heap,
    line::{Line, width},
    style::{BAR, CAUTION, FAINT, PLAIN},
    units,
};
use crate::report::{Figures, Mode, Report, SizeSummary};

/// Columns between two columns of the table.
pub(super) const GAP: usize = 2;
/// Columns of a bar that stands for everything.
const BAR_WIDTH: usize = 10;

/// What one row shows.
pub(super) struct Row<'a> {
    pub(super) id: u32,
    pub(super) figures: Figures,
    pub(super) more: More<'a>,
}

/// What stands at the end of a row.
pub(super) enum More<'a> {
    /// Sizes asked for.
    Sizes(&'a SizeSummary),
    /// Bytes that the garbage collector must scan.
    Pointers(Option<u64>),
    /// Nothing.
    Nothing,
}

/// As many rows as asked for, with `details` of each below it in the columns that it is told, and what all other rows
/// add up to. The first noun is for one row left out, the second for more.
pub(super) fn listing(
    report: &Report,
    (one, many): (&str, &str),
    rows: &[Row<'_>],
    options: &TextOptions,
    details: impl Fn(usize, usize) -> Vec<Line>,
) -> Vec<Line> {
    let (shown, rest) = rows.split_at(options.limit.min(rows.len()));
    let measure = if report.window.mode == Mode::Heap {
        Measure::Live
    } else {
        Measure::of(rows.iter().map(|row| &row.figures).chain([&report.totals]))
    };
    let mut lines = Vec::new();
    if measure == Measure::Requested {
        let note =
            "shares are of requested bytes, because the rounding to size classes is not known";
        lines.push(Line::starting(note, CAUTION));
    }
    let table = Table::new(report, shown, measure, options.columns());
    if !shown.is_empty() {
        lines.push(table.head());
    }
    let indent = table.indent();
    for row in 0..shown.len() {
        lines.push(table.row(row));
        let below = details(row, options.columns().saturating_sub(indent));
        lines.extend(below.into_iter().map(|line| line.indented(indent)));
    }
    if !rest.is_empty() {
        let bytes = rest.iter().fold(0, |sum: u64, row| {
            sum.saturating_add(measure.bytes(&row.figures))
        });
        let share = units::percent(units::share(bytes, measure.bytes(&report.totals)));
        let noun = if rest.len() == 1 { one } else { many };
        lines.push(Line::starting(
            &format!("… and {} more {noun} ({share})", rest.len()),
            FAINT,
        ));
    }
    lines
}

/// Columns that fit, as wide as their widest cell.
pub(super) struct Table {
    columns: Vec<Column>,
}

pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) cells: Vec<String>,
    /// The order in which columns give way to a narrow terminal, the highest first; 0 stays.
    pub(super) spare: u8,
}

impl Column {
    fn width(&self) -> usize {
        self.cells
            .iter()
            .map(|cell| width(cell))
            .fold(width(self.title), usize::max)
    }

    /// Numbers end at the right of their column, bars start at its left.
    fn is_bar(&self) -> bool {
        self.title.is_empty()
    }
}

impl Table {
    fn new(report: &Report, rows: &[Row<'_>], measure: Measure, columns: usize) -> Self {
        Self::fitting(all_columns(report, rows, measure), columns)
    }

    /// Those columns that fit.
    pub(super) fn fitting(all: Vec<Column>, columns: usize) -> Self {
        let mut table = Self { columns: all };
        while table.width() > columns {
            let spare = table
                .columns
                .iter()
                .map(|column| column.spare)
                .max()
                .unwrap_or(0);
            if spare == 0 {
                break;
            }
            table.columns.retain(|column| column.spare != spare);
        }
        table
    }

    fn width(&self) -> usize {
        self.columns
            .iter()
            .map(|column| column.width() + GAP)
            .sum::<usize>()
            .saturating_sub(GAP)
    }

    /// Where the text below a row starts: below its second column.
    pub(super) fn indent(&self) -> usize {
        self.columns.first().map_or(0, Column::width) + GAP
    }

    pub(super) fn head(&self) -> Line {
        self.line(|column| (column.title, FAINT))
    }

    fn row(&self, row: usize) -> Line {
        self.styled(row, PLAIN)
    }

    /// A row whose figures are in one style.
    pub(super) fn styled(&self, row: usize, style: anstyle::Style) -> Line {
        self.line(|column| {
            let cell = column.cells.get(row).map_or("", String::as_str);
            (cell, if column.is_bar() { BAR } else { style })
        })
    }

    fn line<'a>(&'a self, cell: impl Fn(&'a Column) -> (&'a str, anstyle::Style)) -> Line {
        let mut line = Line::default();
        let mut end = 0;
        for column in &self.columns {
            let (text, style) = cell(column);
            let start = end;
            end = start + column.width();
            if text.is_empty() {
                // Nothing, not blanks to the end of the line.
            } else if column.is_bar() {
                line.pad_to(start);
                line.push(text, style);
            } else {
                line.push_right(text, end, style);
            }
            end += GAP;
        }
        line
    }
}

fn all_columns(report: &Report, rows: &[Row<'_>], measure: Measure) -> Vec<Column> {
    let column = |title, spare, cell: &dyn Fn(&Row<'_>) -> String| Column {
        title,
        cells: rows.iter().map(cell).collect(),
        spare,
    };
    let whole = measure.bytes(&report.totals);
    let bytes = |row: &Row<'_>| measure.bytes(&row.figures);
    let (bytes_title, rate_title) = match measure {
        Measure::Allocated => ("bytes", "bytes/s"),
        Measure::Requested => ("requested", "requested/s"),
        Measure::Live => ("alive", ""),
    };
    let per_s = |total: u64| units::per_second(total, report.window.duration_ns);
    let size = |of: fn(&SizeSummary) -> u64| {
        move |row: &Row<'_>| match row.more {
            More::Sizes(size) => units::size(of(size)),
            More::Pointers(_) | More::Nothing => String::new(),
        }
    };
    let mut columns = vec![
        column("#", 0, &|row| row.id.to_string()),
        column("share", 0, &|row| {
            units::percent(units::share(bytes(row), whole))
        }),
        column("", 7, &|row| bar(bytes(row), whole)),
        column(bytes_title, 0, &|row| units::bytes(bytes(row))),
    ];
    if measure == Measure::Live {
        let known = rows.iter().any(|row| row.figures.growth_per_s.is_some());
        columns.extend(
            known.then(|| column("growth/s", 0, &|row| heap::growth(row.figures.growth_per_s))),
        );
        columns.extend([
            column("ever allocated", 3, &|row| {
                units::maybe_bytes(row.figures.alloc_bytes)
            }),
            column("allocs", 5, &|row| units::count(row.figures.allocs)),
        ]);
    } else {
        if rows.iter().any(|row| row.figures.estimate.is_some()) {
            columns.push(column("±", 3, &|row| error(&row.figures)));
        }
        columns.extend([
            column(rate_title, 1, &|row| units::byte_rate(per_s(bytes(row)))),
            column("allocs", 0, &|row| units::count(row.figures.allocs)),
            column("allocs/s", 5, &|row| units::rate(per_s(row.figures.allocs))),
        ]);
    }
    match rows.first().map(|row| &row.more) {
        Some(More::Sizes(_)) => columns.extend([
            column("size p50", 2, &size(|size| size.p50)),
            column("p99", 6, &size(|size| size.p99)),
            column("max", 4, &size(|size| size.max)),
        ]),
        Some(More::Pointers(_)) => columns.push(column("pointers", 2, &|row| match row.more {
            More::Pointers(bytes) => units::maybe_bytes(bytes),
            More::Sizes(_) | More::Nothing => String::new(),
        })),
        Some(More::Nothing) | None => {}
    }
    columns
}

/// Standard error of the bytes; nothing if each allocation was counted.
fn error(figures: &Figures) -> String {
    let Some(estimate) = figures.estimate else {
        return String::new();
    };
    let error = estimate.alloc_bytes_error.zip(figures.alloc_bytes);
    units::percent(error.and_then(|(error, bytes)| units::share(error, bytes)))
}

/// A bar in eighths of a column.
pub(super) fn bar(part: u64, whole: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let steps = BAR_WIDTH * EIGHTHS.len();
    let filled = u128::from(part.min(whole)) * (steps as u128) / u128::from(whole.max(1));
    let filled = usize::try_from(filled).unwrap_or(steps);
    let rest = EIGHTHS
        .get(filled % EIGHTHS.len())
        .copied()
        .unwrap_or_default();
    "█".repeat(filled / EIGHTHS.len()) + rest
}
