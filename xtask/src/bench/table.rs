//! Tables for people, in text and in Markdown, and how figures look in them. What was not measured is `-`.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

use super::stats::Summary;

/// In the place of a figure that was not measured.
pub(super) const UNMEASURED: &str = "-";

/// One table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) header: Vec<&'static str>,
    /// The first cell names the row.
    pub(super) rows: Vec<Vec<String>>,
    /// What a reader has to know, one sentence each.
    pub(super) notes: Vec<String>,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Text,
    Markdown,
}

impl Table {
    pub(super) fn render(&self, style: Style) -> String {
        let mut grid = Grid::new();
        grid.load_style(match style {
            Style::Text => presets::NOTHING,
            Style::Markdown => presets::ASCII_MARKDOWN,
        });
        // A terminal that is too narrow wraps lines better than a table wraps cells.
        grid.set_content_arrangement(ContentArrangement::Disabled);
        grid.set_header(&self.header).add_rows(&self.rows);
        for column in grid.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let title = match style {
            Style::Text => self.title.clone(),
            Style::Markdown => format!("**{}**", self.title),
        };
        let notes: String = match style {
            Style::Text => self
                .notes
                .iter()
                .map(|note| format!("  {note}\n"))
                .collect(),
            Style::Markdown => self
                .notes
                .iter()
                .map(|note| format!("\n{note}\n"))
                .collect(),
        };
        let gap = match style {
            Style::Text => "\n",
            Style::Markdown => "\n\n",
        };
        format!("{title}{gap}{}\n{notes}", grid.trim_fmt())
    }
}

/// Three digits that mean something, thousands apart.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..0.01 => format!("{value:.1e}"),
        ..10.0 => trimmed(&format!("{value:.2}")),
        ..100.0 => trimmed(&format!("{value:.1}")),
        _ => thousands(&format!("{value:.0}")),
    }
}

/// A count, thousands apart.
pub(super) fn count(value: u64) -> String {
    thousands(&value.to_string())
}

/// Median and range of a figure.
pub(super) fn range(summary: Option<Summary>) -> String {
    match summary {
        None => UNMEASURED.to_owned(),
        Some(one) if one.count == 1 => number(one.median),
        Some(Summary {
            median, min, max, ..
        }) => format!("{} ({}–{})", number(median), number(min), number(max)),
    }
}

/// A figure that may not have been measured.
pub(super) fn optional<T>(value: Option<T>, shown: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNMEASURED.to_owned(), shown)
}

/// Bytes in MB, as budgets are written.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{} MB", number(bytes as f64 / 1e6))
}

fn trimmed(decimals: &str) -> String {
    decimals
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

fn thousands(digits: &str) -> String {
    let mut apart = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !apart.ends_with('-') {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            title: "Overhead".to_owned(),
            header: vec!["row", "slow-down", "lost"],
            rows: vec![
                vec!["nothing".to_owned(), "1".to_owned(), UNMEASURED.to_owned()],
                vec!["exact".to_owned(), "5.2".to_owned(), "0".to_owned()],
            ],
            notes: vec!["bpftrace is missing".to_owned()],
        }
    }

    #[test]
    fn text_is_aligned_to_the_right_but_for_names() {
        assert_eq!(
            table().render(Style::Text),
            concat!(
                "Overhead\n",
                " row      slow-down  lost\n",
                " nothing          1     -\n",
                " exact          5.2     0\n",
                "  bpftrace is missing\n",
            )
        );
    }

    #[test]
    fn markdown_is_a_table_between_paragraphs() {
        assert_eq!(
            table().render(Style::Markdown),
            concat!(
                "**Overhead**\n\n",
                "| row     | slow-down | lost |\n",
                "|---------|-----------|------|\n",
                "| nothing |         1 |    - |\n",
                "| exact   |       5.2 |    0 |\n",
                "\nbpftrace is missing\n",
            )
        );
    }

    #[test]
    fn numbers_have_three_digits() {
        let shown = [
            0.0,
            0.014,
            1.0,
            1.268,
            12.34,
            99.96,
            612.4,
            1_234_567.8,
            -1234.0,
            -123.0,
        ];
        let shown: Vec<String> = shown.into_iter().map(number).collect();
        assert_eq!(
            shown,
            [
                "0",
                "0.01",
                "1",
                "1.27",
                "12.3",
                "100",
                "612",
                "1,234,568",
                "-1,234",
                "-123"
            ]
        );
        assert_eq!(count(16_777_216), "16,777,216");
    }

    #[test]
    fn a_figure_that_was_not_measured_is_a_dash() {
        assert_eq!(range(None), "-");
        assert_eq!(optional(None, count), "-");
        assert_eq!(range(Summary::of([2.0])), "2");
        assert_eq!(range(Summary::of([1.0, 2.0, 4.0])), "2 (1–4)");
    }

    #[test]
    fn memory_is_in_megabytes() {
        assert_eq!(megabytes(104_900_000), "105 MB");
    }
}
