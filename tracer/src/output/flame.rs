//! A flame graph: an SVG picture of stacks as wide as their value, which a browser can search and zoom.
//!
//! Hides how the picture is kept small: what is too narrow to see is a part of its caller.

mod colors;
mod tree;

use super::OutputError;
use super::folded::{NOT_KNOWN, marked, name};
use crate::report::{Frame, Origin, Report, State, Value};
use crate::units;
use colors::Paint;
use inferno::flamegraph::color::{BackgroundColor, Color, PaletteMap};
use inferno::flamegraph::{self, Options};
use std::io::Write;
use tree::{Line, Tree, Weight};

/// Behind the frames.
const BACKGROUND: BackgroundColor = BackgroundColor::Flat(Color {
    r: 250,
    g: 250,
    b: 250,
});
/// Between two frames of one colour.
const STROKE: &str = "#fafafa";
/// Behind frames that are white where nothing has changed, and between them.
const DIFF_BACKGROUND: BackgroundColor = BackgroundColor::Flat(Color {
    r: 226,
    g: 226,
    b: 226,
});
const DIFF_STROKE: &str = "#e2e2e2";
const LEGEND: &str = "orange: the program, violet: its dependencies, blue: standard library, grey: runtime; paler: inlined";
const DIFF_LEGEND: &str =
    "red: more than before, blue: less, white: the same; as wide as the larger of both";

/// Writes the stacks of `report` that have some of `value`, from their sites on.
pub fn write(report: &Report, value: Value, out: &mut dyn Write) -> Result<(), OutputError> {
    let stacks = report.stacks_by(value).ok_or(OutputError::NoValue {
        value: value.name(),
    })?;
    if stacks.is_empty() {
        let nothing = if report.completeness.unseen {
            "none seen"
        } else {
            "none"
        };
        return without_frames(&title(report, value), value, nothing, out);
    }
    let mut tree = Tree::new(marked);
    let mut paint = Paint::default();
    for (frames, weight) in &stacks {
        tree.add(frames, Weight::of(*weight));
        frames.iter().for_each(|frame| paint.add(frame));
    }
    let mut colors = PaletteMap::default();
    let mut lines = tree.lines();
    for line in &lines {
        let label = line.label();
        colors.insert(label, paint.color(label));
    }
    // The bar below all others.
    colors.insert("", colors::of(Origin::Unknown, ""));
    lines.retain(Line::ends_something);
    let mut options = options(title(report, value), value, tree.shift());
    options.subtitle = Some(LEGEND.to_owned());
    options.palette_map = Some(&mut colors);
    draw(options, &lines, Line::plain, out)
}

/// What a comparison is called and made of.
#[derive(Clone, Debug)]
pub struct DiffTitle {
    /// What is compared, for people.
    pub text: String,
    /// The figure that the stacks have in both captures.
    pub value: Value,
}

/// Writes a differential flame graph: stacks, innermost frame first, with their value before and after; what is told of
/// one stack several times adds up. A stack is as wide as the larger of both, so that what is gone is seen as well, a
/// frame as all of its stacks, and its colour tells the change of all in it.
pub fn write_diff<'a>(
    title: &DiffTitle,
    stacks: impl Iterator<Item = (Vec<&'a Frame>, u64, u64)>,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    // Inlining may differ between two builds of one program.
    let mut tree = Tree::new(|frame| name(&frame.function));
    for (frames, base, candidate) in stacks {
        tree.add(&frames, Weight::of_both(base, candidate));
    }
    let lines = tree.lines();
    if lines.is_empty() {
        return without_frames(&title.text, title.value, "none in both captures", out);
    }
    let mut options = options(title.text.clone(), title.value, tree.shift());
    options.subtitle = Some(DIFF_LEGEND.to_owned());
    options.bgcolors = Some(DIFF_BACKGROUND);
    set_stroke(&mut options, DIFF_STROKE);
    draw(options, &lines, Line::with_change, out)
}

/// A picture of a capture that has nothing of `value`, which is a result as well.
fn without_frames(
    title: &str,
    value: Value,
    nothing: &str,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let value = value.name();
    let picture = format!(
        r##"<?xml version="1.0" standalone="no"?>
<svg version="1.1" width="1200" height="90" viewBox="0 0 1200 90" xmlns="http://www.w3.org/2000/svg">
<rect width="100%" height="100%" fill="#fafafa"/>
<g font-family="monospace" text-anchor="middle"><text id="title" x="50%" y="32" font-size="17">{title}</text>
<text x="50%" y="64" font-size="12">{value}: {nothing}</text></g>
</svg>
"##
    );
    out.write_all(picture.as_bytes())
        .map_err(OutputError::Write)
}

/// Draws lines from the top of the list on, in their order.
fn draw(
    mut options: Options<'_>,
    lines: &[Line],
    write: impl Fn(&Line) -> String,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    // It turns a chart around; a graph it would sort by characters, which tears `f` apart where there is an `f.func1`.
    let lines: Vec<String> = lines.iter().rev().map(write).collect();
    let lines = lines.iter().map(String::as_str);
    flamegraph::from_lines(&mut options, lines, out).map_err(OutputError::Write)
}

fn options(title: String, value: Value, shift: u32) -> Options<'static> {
    let mut options = Options::default();
    options.title = title;
    let count = match value {
        Value::Bytes => "bytes",
        Value::Allocs => "allocations",
        Value::Live => "live bytes",
        Value::Faults => "page faults",
    };
    options.count_name = match shift {
        0 => count.to_owned(),
        _ => format!("× {} {count}", 1_u64 << shift.min(63)),
    };
    options.bgcolors = Some(BACKGROUND);
    set_stroke(&mut options, STROKE);
    options.flame_chart = true;
    // The tree has left out what is too narrow.
    options.min_width = 0.0;
    options
}

fn set_stroke(options: &mut Options<'_>, color: &str) {
    if let Ok(stroke) = color.parse() {
        options.stroke_color = stroke;
    }
}

/// `shop-api: allocated bytes, 10.0 s of mode exact`
fn title(report: &Report, value: Value) -> String {
    let exe = report.target.exe.rsplit('/').next().unwrap_or_default();
    let window = &report.window;
    let estimate = report.totals.estimate.is_some() || value == Value::Live;
    format!(
        "{}: {}{}, {} in mode {}{}",
        name(exe),
        match estimate {
            _ if report.completeness.unseen => "at least these ",
            true => "estimated ",
            false => "",
        },
        value.name(),
        units::duration(window.duration_ns),
        name(window.mode.name()),
        match window.state {
            State::Running => ", still running",
            State::Ended(_) | State::Other(_) => "",
        }
    )
}

#[cfg(test)]
mod tests;
