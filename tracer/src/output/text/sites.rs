//! The table of sites: one row of figures, and below it the function, the line of code, the types and the callers.

use super::{
    Measure, TextOptions,
    line::{Line, cut_end, width},
    names,
    style::{BAR, CAUTION, FAINT, PLAIN, STRONG},
    units,
};
use crate::report::{Frame, Report, Site, SizeSummary, Stack};

/// Columns between two columns of the table.
const GAP: usize = 2;
/// Columns of a bar that stands for everything.
const BAR_WIDTH: usize = 10;
/// Types shown per site.
const TYPES: usize = 3;

pub(super) fn lines(report: &Report, options: &TextOptions) -> Vec<Line> {
    if report.sites.is_empty() {
        let text = match report.totals.allocs {
            0 => "no allocations in the window",
            _ => "no allocation is at a site: see what is missing above",
        };
        return vec![Line::starting(text, STRONG)];
    }
    let (shown, rest) = report.sites.split_at(options.limit.min(report.sites.len()));
    let measure = Measure::of(
        report
            .sites
            .iter()
            .map(|site| &site.figures)
            .chain([&report.totals]),
    );
    let whole = measure.bytes(&report.totals);

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
    for (row, site) in shown.iter().enumerate() {
        lines.push(table.row(row));
        lines.extend(details(report, site, table.indent(), options));
    }
    if !rest.is_empty() {
        let bytes = rest.iter().fold(0, |sum: u64, site| {
            sum.saturating_add(measure.bytes(&site.figures))
        });
        let share = units::percent(units::share(bytes, whole));
        let sites = if rest.len() == 1 { "site" } else { "sites" };
        lines.push(Line::starting(
            &format!("… and {} more {sites} ({share})", rest.len()),
            FAINT,
        ));
    }
    lines
}

/// Columns that fit, as wide as their widest cell.
struct Table {
    columns: Vec<Column>,
}

struct Column {
    title: &'static str,
    cells: Vec<String>,
    /// The order in which columns give way to a narrow terminal, the highest first; 0 stays.
    spare: u8,
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
    fn new(report: &Report, sites: &[Site], measure: Measure, columns: usize) -> Self {
        let mut table = Self {
            columns: all_columns(report, sites, measure),
        };
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
    fn indent(&self) -> usize {
        self.columns.first().map_or(0, Column::width) + GAP
    }

    fn head(&self) -> Line {
        self.line(|column| (column.title, FAINT))
    }

    fn row(&self, row: usize) -> Line {
        self.line(|column| {
            let cell = column.cells.get(row).map_or("", String::as_str);
            (cell, if column.is_bar() { BAR } else { PLAIN })
        })
    }

    fn line<'a>(&'a self, cell: impl Fn(&'a Column) -> (&'a str, anstyle::Style)) -> Line {
        let mut line = Line::default();
        let mut end = 0;
        for column in &self.columns {
            let (text, style) = cell(column);
            let start = end;
            end = start + column.width();
            if column.is_bar() {
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

fn all_columns(report: &Report, sites: &[Site], measure: Measure) -> Vec<Column> {
    let column = |title, spare, cell: &dyn Fn(&Site) -> String| Column {
        title,
        cells: sites.iter().map(cell).collect(),
        spare,
    };
    let whole = measure.bytes(&report.totals);
    let bytes = |site: &Site| measure.bytes(&site.figures);
    let (bytes_title, rate_title) = match measure {
        Measure::Allocated => ("bytes", "bytes/s"),
        Measure::Requested => ("requested", "requested/s"),
    };
    let per_s = |total: u64| units::per_second(total, report.window.duration_ns);
    let size = |of: fn(&SizeSummary) -> u64| move |site: &Site| units::size(of(&site.size));
    vec![
        column("#", 0, &|site| site.id.to_string()),
        column("share", 0, &|site| {
            units::percent(units::share(bytes(site), whole))
        }),
        column("", 7, &|site| bar(bytes(site), whole)),
        column(bytes_title, 0, &|site| units::bytes(bytes(site))),
        column(rate_title, 1, &|site| units::byte_rate(per_s(bytes(site)))),
        column("allocs", 0, &|site| units::count(site.figures.allocs)),
        column("allocs/s", 5, &|site| {
            units::rate(per_s(site.figures.allocs))
        }),
        column("size p50", 2, &size(|size| size.p50)),
        column("p99", 6, &size(|size| size.p99)),
        column("max", 4, &size(|size| size.max)),
    ]
}

/// A bar in eighths of a column.
fn bar(part: u64, whole: u64) -> String {
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

fn details(report: &Report, site: &Site, indent: usize, options: &TextOptions) -> Vec<Line> {
    let room = options.columns().saturating_sub(indent);
    let mut lines = vec![function_line(site, room)];
    lines.extend(place_line(site, room));
    if options.callers {
        lines.extend(callers_line(report, site, room));
    }
    lines
        .into_iter()
        .map(|line| line.indented(indent))
        .collect()
}

fn function_line(site: &Site, room: usize) -> Line {
    let (function, host) = names::function_of(&site.frames, room);
    let mut line = Line::starting(&function, STRONG);
    line.push(&host, FAINT);
    line
}

/// The line of code and what types it allocates; nothing if neither is known.
fn place_line(site: &Site, room: usize) -> Option<Line> {
    let types = type_shares(site);
    let full: usize = types
        .iter()
        .map(|(name, share)| width(name) + width(share) + 3)
        .sum();
    let mut line = Line::default();
    if let Some(frame) = site.frames.first() {
        let for_place = room.saturating_sub(full + GAP).max(room / 2);
        line.push(&names::place(frame, for_place), FAINT);
        if !types.is_empty() {
            line.pad_to(line.width() + GAP);
        }
    }
    for (i, (name, share)) in types.iter().enumerate() {
        let separator = if i > 0 { ", " } else { "" };
        let taken = line.width() + width(separator) + width(share) + 1;
        // A later type is left out sooner than cut.
        let room = room.saturating_sub(taken);
        if i > 0 && width(name) > room {
            break;
        }
        line.push(separator, FAINT);
        line.push(&cut_end(name, room), BAR);
        line.push(&format!(" {share}"), FAINT);
    }
    (line.width() > 0).then_some(line)
}

/// Names and shares of the types with most bytes.
fn type_shares(site: &Site) -> Vec<(&str, String)> {
    let share = |bytes| units::percent(units::share(bytes, site.figures.requested_bytes));
    let types = site.types.iter().take(TYPES);
    types
        .map(|figures| (names::type_name(&figures.name), share(figures.bytes)))
        .collect()
}

/// Who calls the site, along its heaviest stack.
fn callers_line(report: &Report, site: &Site, room: usize) -> Option<Line> {
    const MORE: &str = " ← …";
    let heaviest = site.stacks.first()?;
    let stack = report.stacks.iter().find(|stack| stack.id == heaviest.id)?;
    let mut callers = callers(&report.frames, stack, &site.frames)
        .into_iter()
        .peekable();

    let mut line = Line::starting("via ", FAINT);
    if site.stacks.len() > 1 {
        let share = units::share(
            heaviest.figures.requested_bytes,
            site.figures.requested_bytes,
        );
        line.push(&format!("({}) ", units::percent(share)), FAINT);
    }
    let first = callers.next()?;
    line.push(
        &names::call(first, room.saturating_sub(line.width() + width(MORE))),
        FAINT,
    );
    while let Some(caller) = callers.next() {
        let step = format!(" ← {}", names::call(caller, usize::MAX));
        let reserved = if callers.peek().is_some() {
            width(MORE)
        } else {
            0
        };
        if line.width() + width(&step) + reserved > room {
            line.push(MORE, FAINT);
            break;
        }
        line.push(&step, FAINT);
    }
    Some(line)
}

/// The frames of `stack` outside those of the site; none if the site is not on it.
fn callers<'a>(table: &'a [Frame], stack: &Stack, site: &[Frame]) -> Vec<&'a Frame> {
    let frames: Vec<&Frame> = stack
        .frames
        .iter()
        .filter_map(|&index| table.get(index))
        .collect();
    let begins_with_site = |rest: &[&Frame]| {
        rest.len() >= site.len()
            && rest
                .iter()
                .zip(site)
                .all(|(frame, of_site)| *frame == of_site)
    };
    (0..frames.len())
        .filter_map(|at| frames.get(at..))
        .find(|rest| !site.is_empty() && begins_with_site(rest))
        .and_then(|rest| rest.get(site.len()..))
        .unwrap_or_default()
        .to_vec()
}
