//! The table of groups: one row of figures, and below it the name and what it is made of.

use super::{
    TextOptions,
    interval::push_name,
    line::{Line, cut_end},
    names,
    sites::{self, push_types, type_shares},
    style::{BAR, FAINT, PLAIN, STRONG},
    table::{GAP, More, Row, listing},
    units,
};
use crate::report::{Frame, Group, GroupBy, Grouped, Report};

/// Sites shown per group.
const SITES: usize = 3;
/// Where the share of a site ends, counted from the name of its group.
const SHARE_END: usize = 8;

pub(super) fn lines(report: &Report, groups: &Grouped, options: &TextOptions) -> Vec<Line> {
    if groups.groups.is_empty() {
        return sites::lines(report, options);
    }
    let rows = groups.groups.iter().map(|group| Row {
        id: group.id,
        figures: group.figures,
        more: match (&group.size, groups.by) {
            (Some(size), _) => More::Sizes(size),
            (None, GroupBy::Type) => More::Pointers(group.pointer_bytes),
            (None, _) => More::Nothing,
        },
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let name = groups.by.name();
    let nouns = (name, &*format!("{name}s"));
    listing(report, nouns, &rows, options, |row, room| {
        let group = groups.groups.get(row);
        group.map_or_else(Vec::new, |group| details(report, groups.by, group, room))
    })
}

fn details(report: &Report, by: GroupBy, group: &Group, room: usize) -> Vec<Line> {
    if by == GroupBy::Stack {
        return stack_lines(group, room);
    }
    let mut lines = vec![name_line(by, group, room)];
    let found = group.sites.iter().take(SITES).filter_map(|part| {
        let site = report.sites.iter().find(|site| site.id == part.id)?;
        Some(site_line(
            &site.frames,
            share(group, part.figures.weight()),
            room,
        ))
    });
    lines.extend(found);
    let rest = group.sites.get(SITES..).unwrap_or_default();
    if !rest.is_empty() {
        let bytes = rest.iter().fold(0, |sum: u64, part| {
            sum.saturating_add(part.figures.weight())
        });
        let sites = if rest.len() == 1 { "site" } else { "sites" };
        let mut line = Line::default();
        line.push_right(&share(group, bytes), SHARE_END, FAINT);
        line.pad_to(SHARE_END + GAP);
        line.push(&format!("{} more {sites}", rest.len()), FAINT);
        lines.push(line);
    }
    lines
}

fn share(group: &Group, bytes: u64) -> String {
    units::percent(units::share(bytes, group.figures.weight()))
}

/// The name and, for a function or a package, its types.
fn name_line(by: GroupBy, group: &Group, room: usize) -> Line {
    let name = name_of(by, group, room);
    let mut line = Line::starting(&name, STRONG);
    let types = type_shares(&group.types, group.figures.weight());
    if !types.is_empty() && line.width() + GAP < room {
        line.pad_to(line.width() + GAP);
        push_types(&mut line, &types, room);
    }
    line
}

/// A group in one line of at most `room` columns.
pub(super) fn one_line(by: GroupBy, group: &Group, room: usize) -> String {
    if by != GroupBy::Stack || group.frames.is_empty() {
        return name_of(by, group, room);
    }
    let calls: Vec<String> = group
        .frames
        .iter()
        .map(|frame| names::call(frame, room))
        .collect();
    cut_end(&calls.join(" ← "), room).into_owned()
}

fn name_of(by: GroupBy, group: &Group, room: usize) -> String {
    match (by, group.name.as_str()) {
        (GroupBy::Type, name) => cut_end(names::type_name(name), room).into_owned(),
        (GroupBy::Package, "-") => "(no package)".to_owned(),
        (_, "-") => names::UNNAMED.to_owned(),
        (_, name) => names::function(name, room).into_owned(),
    }
}

fn site_line(frames: &[Frame], share: String, room: usize) -> Line {
    let mut line = Line::default();
    line.push_right(&share, SHARE_END, FAINT);
    line.pad_to(SHARE_END + GAP);
    push_name(&mut line, frames, PLAIN, room);
    line
}

/// The frames, one below the other.
fn stack_lines(group: &Group, room: usize) -> Vec<Line> {
    let title = format!("stack {}", group.name);
    let mut lines = vec![Line::starting(&cut_end(&title, room), BAR)];
    for (depth, frame) in group.frames.iter().enumerate() {
        let style = if depth == 0 { STRONG } else { PLAIN };
        let mut line = Line::default();
        line.pad_to(GAP);
        push_name(&mut line, std::slice::from_ref(frame), style, room);
        lines.push(line);
    }
    if group.frames.is_empty() {
        lines.push(Line::starting(names::UNNAMED, STRONG));
    }
    lines
}
