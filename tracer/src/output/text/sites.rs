//! The table of sites: one row of figures, and below it the function, the line of code, the types and the callers.

use super::{
    TextOptions,
    line::{Line, cut_end, width},
    names,
    style::{BAR, FAINT, STRONG},
    table::{GAP, More, Row, listing},
    units,
};
use crate::report::{Frame, Report, Site, Stack, TypeFigures};

/// Types shown per site.
const TYPES: usize = 3;

pub(super) fn lines(report: &Report, options: &TextOptions) -> Vec<Line> {
    // Those that only touch pages or pay for the collector are in sections of their own.
    let allocating = report.sites.iter().filter(|site| site.figures.allocs > 0);
    let sites: Vec<&Site> = allocating.collect();
    if sites.is_empty() {
        let text = match report.totals.allocs {
            0 => "no allocations in the window",
            _ => "no allocation is at a site: see what is missing above",
        };
        return vec![Line::starting(text, STRONG)];
    }
    let rows = sites.iter().map(|site| Row {
        id: site.id,
        figures: site.figures,
        more: More::Sizes(&site.size),
    });
    let rows: Vec<Row<'_>> = rows.collect();
    listing(report, ("site", "sites"), &rows, options, |row, room| {
        let site = sites.get(row);
        site.map_or_else(Vec::new, |site| details(report, site, room, options))
    })
}

fn details(report: &Report, site: &Site, room: usize, options: &TextOptions) -> Vec<Line> {
    let mut lines = vec![function_line(site, room)];
    lines.extend(place_line(site, room));
    if options.callers {
        lines.extend(callers_line(report, site, room));
    }
    lines
}

fn function_line(site: &Site, room: usize) -> Line {
    let (function, host) = names::function_of(&site.frames, room);
    let mut line = Line::starting(&function, STRONG);
    line.push(&host, FAINT);
    line
}

/// The line of code and what types it allocates; nothing if neither is known.
fn place_line(site: &Site, room: usize) -> Option<Line> {
    let types = type_shares(&site.types, site.figures.weight());
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
    push_types(&mut line, &types, room);
    (line.width() > 0).then_some(line)
}

/// Appends types, as many as there is room for.
pub(super) fn push_types(line: &mut Line, types: &[(&str, String)], room: usize) {
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
}

/// Names and shares of the types with most bytes.
pub(super) fn type_shares(types: &[TypeFigures], bytes: u64) -> Vec<(&str, String)> {
    let share = |part| units::percent(units::share(part, bytes));
    types
        .iter()
        .take(TYPES)
        .map(|figures| (names::type_name(&figures.name), share(figures.weight())))
        .collect()
}

/// Who calls the site, along its heaviest stack.
fn callers_line(report: &Report, site: &Site, room: usize) -> Option<Line> {
    const MORE: &str = " ← …";
    let heaviest = site.stacks.first()?;
    let stack = report.stacks.iter().find(|stack| stack.id == heaviest.id)?;
    let mut callers = callers(&report.frames, stack, site).into_iter().peekable();

    let mut line = Line::starting("via ", FAINT);
    if site.stacks.len() > 1 {
        let share = units::share(heaviest.figures.weight(), site.figures.weight());
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
fn callers<'a>(table: &'a [Frame], stack: &Stack, site: &Site) -> Vec<&'a Frame> {
    let Some(start) = stack.start_of(site, table) else {
        return Vec::new();
    };
    let outside = stack.frames.iter().skip(start + site.frames.len());
    outside.filter_map(|&index| table.get(index)).collect()
}
