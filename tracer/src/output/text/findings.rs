//! What is wrong, before all tables: a line that names it, below it the figures that say so and what to do.

use super::{
    TextOptions,
    line::{Line, flow},
    style::{BAD, CAUTION, FAINT, PLAIN, STRONG},
};
use crate::findings::{Finding, Severity};
use crate::units;

/// Where the text of a finding starts.
const INDENT: usize = 2;

pub(super) fn lines(findings: &[Finding], options: &TextOptions) -> Vec<Line> {
    let mut lines = Vec::new();
    for finding in findings.iter().take(options.limit) {
        let (mark, style) = match finding.severity {
            Severity::Critical => ("✗", BAD),
            Severity::Warning => ("!", CAUTION),
            Severity::Info => ("·", FAINT),
        };
        let start = Line::starting(mark, style);
        lines.extend(flow(
            start,
            INDENT,
            &finding.title,
            STRONG,
            options.columns(),
        ));
        let below =
            |text: &str, style| flow(Line::default(), INDENT, text, style, options.columns());
        lines.extend(below(&finding.evidence, PLAIN));
        lines.extend(below(&format!("→ {}", finding.advice), FAINT));
    }
    if let Some(rest) = findings
        .len()
        .checked_sub(options.limit)
        .filter(|rest| *rest > 0)
    {
        let text = format!("… and {}", units::plural(rest as u64, "more finding"));
        lines.push(Line::starting(&text, FAINT));
    }
    lines
}
