//! One self-contained page for people: what is wrong, the figures, and a way to look around in them.
//!
//! Hides the page's data, style and script.
//!
//! Another page (a comparison, say) is made of the same parts: [`shell::Page`] with a skeleton, a title and scripts of
//! its own after [`shell::BASE`], which gives it `tracer.units` (numbers as in text), `tracer.dom` (elements, always by
//! `textContent`), `tracer.theme` (the switch of light and dark) and `tracer.table` (sort, search, more rows). What the
//! style knows is listed at the top of `style.css`.

mod data;
mod frames;
pub(super) mod shell;
mod sites;
#[cfg(test)]
mod tests;

use super::OutputError;
use crate::report::{Report, Value};
use shell::{Page, Script};
use std::io::Write;

/// The page without its figures.
const BODY: &str = include_str!("html/report.html");

/// In the order in which the browser runs them: each uses those before it.
const SCRIPTS: [Script; 12] = [
    ("names.js", include_str!("html/names.js")),
    ("chart.js", include_str!("html/chart.js")),
    ("head.js", include_str!("html/head.js")),
    ("detail.js", include_str!("html/detail.js")),
    ("sites.js", include_str!("html/sites.js")),
    ("flame.js", include_str!("html/flame.js")),
    ("flamebox.js", include_str!("html/flamebox.js")),
    ("flameview.js", include_str!("html/flameview.js")),
    ("maps.js", include_str!("html/maps.js")),
    ("timeline.js", include_str!("html/timeline.js")),
    ("runtime.js", include_str!("html/runtime.js")),
    ("main.js", include_str!("html/main.js")),
];

/// Writes `report`; the flame graph shows `value` first.
pub fn write(report: &Report, value: Value, out: &mut dyn Write) -> Result<(), OutputError> {
    let page = Page {
        body: BODY,
        scripts: &SCRIPTS,
    };
    page.write(&data::Data::of(report, value), out)
}
