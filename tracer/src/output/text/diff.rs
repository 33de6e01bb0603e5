//! A comparison for people: what is compared, what changed in all, then what changed most.
//!
//! What changed by less than the noise is faint, and after everything else.

use super::line::{Line, cut_end, flow, wrap};
use super::style::{BAD, CAUTION, FAINT, GOOD, PLAIN, STRONG};
use super::table::{Column, GAP, Table};
use super::{OutputError, TextOptions, findings, header, names, units, write_lines};
use crate::compare::{By, Change, Comparison, Figure, Match, Normalize, Row};
use crate::report::Report;
use anstyle::Style;
use std::io::Write;

/// Columns for the words at the left.
const LABEL: usize = 11;

/// Writes a comparison as text.
pub fn write_comparison(
    comparison: &Comparison<'_>,
    options: &TextOptions,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let mut lines = captures(comparison, options);
    lines.push(Line::default());
    lines.extend(totals(comparison, options));
    lines.push(Line::default());
    lines.extend(rows(comparison, options));
    for (title, found) in [
        ("new findings", &comparison.findings.new),
        ("findings that are gone", &comparison.findings.gone),
    ] {
        if !found.is_empty() {
            lines.push(Line::default());
            lines.push(Line::starting(title, FAINT));
            lines.extend(findings::lines(found, options));
        }
    }
    write_lines(&lines, options, out)
}

fn captures(comparison: &Comparison<'_>, options: &TextOptions) -> Vec<Line> {
    let columns = options.columns();
    let (base, candidate) = (comparison.base, comparison.candidate);
    let builds = [base, candidate].map(|report| report.target.build_id.as_ref());
    let same_build = builds[0].is_some() && builds[0] == builds[1];
    let mut lines = capture("base", base, false, columns);
    lines.extend(capture("candidate", candidate, same_build, columns));
    for warning in &comparison.warnings {
        let start = Line::starting("!", CAUTION);
        lines.extend(flow(start, LABEL, warning, PLAIN, columns));
    }
    lines
}

fn capture(label: &str, report: &Report, same_build: bool, columns: usize) -> Vec<Line> {
    let (target, window) = (&report.target, &report.window);
    let (name, rest) = header::identity(target, window, columns);
    let build = same_build.then(|| ("the same build".to_owned(), PLAIN));
    let items = [(name, STRONG)].into_iter().chain(rest).chain(build);
    let items: Vec<_> = items.collect();
    wrap(Line::starting(label, FAINT), LABEL, &items, columns)
}

/// The change of everything.
fn totals(comparison: &Comparison<'_>, options: &TextOptions) -> Vec<Line> {
    let known = |change: &Change| change.base.value.is_some() || change.candidate.value.is_some();
    let figures = Figure::ALL.into_iter();
    let changes: Vec<Cells<'_>> = figures
        .map(|figure| (figure, comparison.totals.of(figure)))
        .filter(|(_, change)| known(change))
        .collect();
    let label = |figure: Figure| match figure {
        Figure::Allocs => "allocations",
        Figure::AllocBytes => "allocated",
        Figure::RequestedBytes => "requested",
        Figure::LiveBytes => "alive",
        Figure::Faults => "page faults",
    };
    let mut columns = figures_of(comparison, &changes);
    let labels = changes.iter().map(|(figure, _)| label(*figure));
    let longest = labels.clone().map(str::len).max().unwrap_or(0);
    columns.insert(
        0,
        Column {
            title: match comparison.normalize {
                Normalize::Rate => "per second",
                Normalize::Total => "in all",
            },
            // Words start at the left, figures end at the right.
            cells: labels.map(|label| format!("{label:longest$}")).collect(),
            spare: 0,
        },
    );
    let table = Table::fitting(columns, options.columns());
    let mut lines = vec![table.head()];
    let styled = changes.iter().zip(0..);
    lines.extend(styled.map(|((_, change), row)| table.styled(row, style_of(change))));
    lines
}

/// What a line is made of.
type Cells<'a> = (Figure, &'a Change);

/// The cells that totals and rows have in common.
fn figures_of(comparison: &Comparison<'_>, changes: &[Cells<'_>]) -> Vec<Column> {
    let cells = |cell: &dyn Fn(Figure, &Change) -> String| -> Vec<String> {
        let changes = changes.iter();
        changes
            .map(|(figure, change)| cell(*figure, change))
            .collect()
    };
    let column = |title, spare, cell: &dyn Fn(Figure, &Change) -> String| Column {
        title,
        cells: cells(cell),
        spare,
    };

    let amount = |figure: Figure, value: Option<f64>| {
        units::amount(value, figure.is_bytes(), comparison.per_second(figure))
    };
    vec![
        column("base", 0, &|figure, change| {
            amount(figure, change.base.value)
        }),
        column("candidate", 0, &|figure, change| {
            amount(figure, change.candidate.value)
        }),
        column("change", 0, &|figure, change| {
            let per_s = comparison.per_second(figure);
            units::difference(change.difference, figure.is_bytes(), per_s)
        }),
        column("relative", 1, &|_, change| relative(change)),
        column("±", 2, &|figure, change| amount(figure, change.error)),
        column("", 3, &|_, change| noise(change).to_owned()),
    ]
}

/// What stands for the relative change where there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    New,
    Gone,
    NotInBase,
    NotInCandidate,
}

impl Word {
    fn of(change: &Change) -> Option<Self> {
        let (base, candidate) = (change.base, change.candidate);
        let some = |value: Option<f64>| value.is_some_and(|value| value > 0.0);
        match (base.value, candidate.value) {
            (Some(0.0), after) if some(after) => Some(Word::New),
            (before, Some(0.0)) if some(before) => Some(Word::Gone),
            (None, after) if base.unseen && some(after) => Some(Word::NotInBase),
            (before, None) if candidate.unseen && some(before) => Some(Word::NotInCandidate),
            _ => None,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Word::New => "new",
            Word::Gone => "gone",
            Word::NotInBase => "not seen in base",
            Word::NotInCandidate => "not seen in candidate",
        }
    }
}

fn relative(change: &Change) -> String {
    let word = Word::of(change).map(|word| match word {
        Word::New | Word::Gone => word.text().to_owned(),
        // Which side has a dash.
        Word::NotInBase | Word::NotInCandidate => "not seen".to_owned(),
    });
    word.unwrap_or_else(|| units::relative(change.relative))
}

fn noise(change: &Change) -> &'static str {
    match change.significant {
        Some(true) => "",
        Some(false) if change.difference == Some(0.0) => "",
        Some(false) => "noise",
        None if change.difference.is_none() && !change.base.unseen && !change.candidate.unseen => {
            ""
        }
        None => "noise unknown",
    }
}

fn style_of(change: &Change) -> Style {
    match change.significant {
        Some(true) if change.size() > 0.0 => BAD,
        Some(true) => GOOD,
        Some(false) => FAINT,
        None => PLAIN,
    }
}

/// As many rows as asked for, and what is said of all of them.
fn rows(comparison: &Comparison<'_>, options: &TextOptions) -> Vec<Line> {
    let figure = comparison.figure;
    let changed = |row: &&Row| {
        let change = row.changes.of(figure);
        change.base.value.is_some_and(|value| value > 0.0)
            || change.candidate.value.is_some_and(|value| value > 0.0)
    };
    let rows: Vec<&Row> = comparison.rows.iter().filter(changed).collect();
    let mut lines = summary(comparison, &rows, options);
    let (shown, rest) = rows.split_at(options.limit.min(rows.len()));
    let changes: Vec<Cells<'_>> = shown
        .iter()
        .map(|row| (figure, row.changes.of(figure)))
        .collect();
    let mut columns = figures_of(comparison, &changes);
    columns.insert(
        0,
        Column {
            title: "#",
            cells: shown.iter().map(|row| row.rank.to_string()).collect(),
            spare: 0,
        },
    );
    let table = Table::fitting(columns, options.columns());
    let indent = table.indent();
    if !shown.is_empty() {
        lines.push(table.head());
    }
    for (row, at) in shown.iter().zip(0..) {
        lines.push(table.styled(at, style_of(row.changes.of(figure))));
        let room = options.columns().saturating_sub(indent);
        let details = details(comparison.by, row, figure, room);
        lines.extend(details.into_iter().map(|line| line.indented(indent)));
    }
    if !rest.is_empty() {
        let noun = noun(comparison.by, rest.len());
        lines.push(Line::starting(
            &format!("… and {} more {noun}", rest.len()),
            FAINT,
        ));
    }
    lines
}

/// How many changed, and by what figure they are ordered.
fn summary(comparison: &Comparison<'_>, rows: &[&Row], options: &TextOptions) -> Vec<Line> {
    let figure = comparison.figure;
    let what = match figure {
        Figure::Allocs => "allocations",
        Figure::AllocBytes => "allocated bytes",
        Figure::RequestedBytes => "requested bytes",
        Figure::LiveBytes => "live bytes",
        Figure::Faults => "page faults",
    };
    let count = |is: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| is(row)).count();
    let beyond = count(&|row| row.changes.of(figure).significant == Some(true));
    let unknown = count(&|row| row.changes.of(figure).significant.is_none());
    let all = noun(comparison.by, rows.len());
    let style = if beyond > 0 { STRONG } else { PLAIN };
    let first = match (beyond, rows.len()) {
        (_, 0) => format!("no {} has any {what}", noun(comparison.by, 1)),
        (0, number) => format!("{what} of none of {number} {all} changed by more than noise"),
        (_, number) => format!("{what} of {beyond} of {number} {all} changed by more than noise"),
    };
    let mut items = vec![(first, style)];
    let mut more = |number: usize, text: &str, style: Style| {
        if number > 0 {
            items.push((format!("{number} {text}"), style));
        }
    };
    more(unknown, "not known", CAUTION);
    for word in [Word::New, Word::Gone, Word::NotInBase, Word::NotInCandidate] {
        let number = count(&|row| Word::of(row.changes.of(figure)) == Some(word));
        more(number, word.text(), PLAIN);
    }
    let columns = options.columns();
    wrap(Line::default(), 0, &items, columns)
}

fn noun(by: By, number: usize) -> &'static str {
    match (by, number) {
        (By::Site, 1) => "site",
        (By::Site, _) => "sites",
        (By::Type, 1) => "type",
        (By::Type, _) => "types",
        (By::Function, 1) => "function",
        (By::Function, _) => "functions",
        (By::Package, 1) => "package",
        (By::Package, _) => "packages",
    }
}

/// What a row is: of a site the function, and the line of code where it is and was.
fn details(by: By, row: &Row, figure: Figure, room: usize) -> Vec<Line> {
    let noise = row.changes.of(figure).significant == Some(false);
    let strong = if noise { PLAIN } else { STRONG };
    let name = match by {
        By::Site => return site(row, noise, room),
        By::Type => names::type_name(&row.name).to_owned(),
        By::Package if row.name == "-" => "(no package)".to_owned(),
        By::Function if row.name == "-" => names::UNNAMED.to_owned(),
        By::Function | By::Package => names::function(&row.name, room).into_owned(),
    };
    vec![Line::starting(&cut_end(&name, room), strong)]
}

fn site(row: &Row, noise: bool, room: usize) -> Vec<Line> {
    let frames = row.frames();
    let (function, host) = names::function_of(frames, if noise { room / 2 } else { room });
    let mut first = Line::starting(&function, if noise { PLAIN } else { STRONG });
    first.push(&host, FAINT);
    let Some(innermost) = frames.first() else {
        return vec![first];
    };
    let moved = row.moved_from().map(|line| format!(" (was :{line})"));
    let several = [&row.base, &row.candidate]
        .into_iter()
        .flatten()
        .any(|place| place.sites.len() > 1);
    let merged = (row.matched == Match::Function && several).then_some(" and other lines of it");
    let after = merged.map(str::to_owned).or(moved).unwrap_or_default();
    if noise {
        let left = room.saturating_sub(first.width() + GAP + after.len());
        first.pad_to(first.width() + GAP);
        first.push(&names::place(innermost, left), FAINT);
        first.push(&after, FAINT);
        return vec![first];
    }
    let place = row.candidate.as_ref().or(row.base.as_ref());
    let type_name = place.and_then(|place| place.type_name.as_deref());
    let type_name = type_name.filter(|name| *name != "-").unwrap_or_default();
    let type_name = cut_end(type_name, room / 3);
    let left = room.saturating_sub(after.len() + GAP + super::line::width(&type_name));
    let mut second = Line::starting(&names::place(innermost, left), FAINT);
    second.push(&after, CAUTION);
    if !type_name.is_empty() {
        second.pad_to(second.width() + GAP);
        second.push(&type_name, super::style::BAR);
    }
    vec![first, second]
}
