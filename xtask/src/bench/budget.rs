//! Budgets: what a figure may be, and whether it is.

use serde::Serialize;

use super::{
    stats::Summary,
    table::{Table, number},
};

/// What a figure may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// A figure that was measured, and what it may be.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Budget {
    pub(super) what: String,
    pub(super) limit: Limit,
    pub(super) figure: f64,
    pub(super) unit: &'static str,
    pub(super) met: bool,
}

impl Limit {
    fn allows(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }

    pub(super) fn shown(self, unit: &str) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {} {unit}", number(most)),
            Self::AtLeast(least) => format!("≥ {} {unit}", number(least)),
        }
    }
}

impl Budget {
    pub(super) fn new(
        what: impl Into<String>,
        limit: Limit,
        figure: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            what: what.into(),
            limit,
            figure,
            unit,
            met: limit.allows(figure),
        }
    }

    /// Of the median, if anything was measured.
    pub(super) fn of(
        what: impl Into<String>,
        limit: Limit,
        figure: Option<Summary>,
        unit: &'static str,
    ) -> Option<Self> {
        figure.map(|summary| Self::new(what, limit, summary.median, unit))
    }
}

pub(super) fn table(budgets: &[Budget]) -> Table {
    let rows = budgets.iter().map(|budget| {
        vec![
            budget.what.clone(),
            budget.limit.shown(budget.unit),
            format!("{} {}", number(budget.figure), budget.unit),
            if budget.met { "met" } else { "MISSED" }.to_owned(),
        ]
    });
    Table {
        title: "Budgets".to_owned(),
        header: vec!["what", "budget", "measured", ""],
        rows: rows.collect(),
        notes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_part_of_what_it_allows() {
        let met = |limit, figure| Budget::new("x", limit, figure, "×").met;
        assert!(met(Limit::AtMost(0.8), 0.8) && !met(Limit::AtMost(0.8), 0.81));
        assert!(met(Limit::AtLeast(20.0), 20.0) && !met(Limit::AtLeast(20.0), 19.9));
    }

    #[test]
    fn what_was_not_measured_has_no_budget() {
        assert!(Budget::of("x", Limit::AtMost(1.0), None, "×").is_none());
    }

    #[test]
    fn a_missed_budget_is_shown_with_its_target_and_its_figure() {
        let table = table(&[Budget::new("attach", Limit::AtMost(500.0), 612.4, "ms")]);
        assert_eq!(table.rows, [["attach", "≤ 500 ms", "612 ms", "MISSED"]]);
    }
}
