//! Limits on growth, as `--fail-on` takes them: what they are, how they are typed, whether two captures keep them.
//!
//! A limit on a figure that is not known does not pass in silence: it fails, and says so.

use super::{By, Change, Comparison, Figure, Normalize, Row, Terms, compare, warnings};
use crate::findings::place;
use crate::report::Report;
use crate::units;
use bytesize::ByteSize;
use std::str::FromStr;
use thiserror::Error;

/// How a rule is written.
const GRAMMAR: &str = "\
write FIGURE OP NUMBER[UNIT], such as alloc_bytes>10%, allocs>=5000/s, site:alloc_bytes>1MiB/s or findings>0; FIGURE is \
allocs, alloc_bytes, requested_bytes, live_bytes, faults or findings; OP is > or >=; UNIT is %, a unit of bytes, /s, or \
both as in KiB/s; site: in front means any single site";

/// Why a rule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what}; {GRAMMAR}")]
pub struct RuleError {
    what: String,
}

/// A limit on growth.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// As it was typed.
    text: String,
    subject: Subject,
    /// Growth of just so much is too much.
    inclusive: bool,
    limit: Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// A figure of everything.
    Total(Figure),
    /// A figure of any site.
    Site(Figure),
    /// How many findings are new.
    Findings,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    /// As a part of what there was.
    Relative(f64),
    /// Per second.
    Rate(f64),
    /// In all.
    Total(f64),
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = |what: String| RuleError { what };
        let (subject, rest) = text
            .split_once('>')
            .ok_or_else(|| wrong("there is no > in it".to_owned()))?;
        let (inclusive, number) = match rest.strip_prefix('=') {
            Some(number) => (true, number.trim()),
            None => (false, rest.trim()),
        };
        let subject = subject.trim();
        let (of_site, name) = match subject.strip_prefix("site:") {
            Some(name) => (true, name.trim()),
            None => (false, subject),
        };
        let figure = Figure::ALL.into_iter().find(|figure| figure.name() == name);
        let subject = match (figure, of_site) {
            (Some(figure), false) => Subject::Total(figure),
            (Some(figure), true) => Subject::Site(figure),
            (None, false) if name == "findings" => Subject::Findings,
            (None, _) => return Err(wrong(format!("there is no figure {name:?}"))),
        };
        Ok(Rule {
            text: text.trim().to_owned(),
            subject,
            inclusive,
            limit: limit(subject, number).map_err(wrong)?,
        })
    }
}

fn limit(subject: Subject, text: &str) -> Result<Limit, String> {
    let plain = |text: &str| {
        let number = text.trim().parse::<f64>().ok();
        let number = number.filter(|number| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| format!("{text:?} is no number of this figure"))
    };
    let figure = match subject {
        Subject::Total(figure) | Subject::Site(figure) => figure,
        Subject::Findings => return Ok(Limit::Total(plain(text)?)),
    };
    if let Some(percent) = text.strip_suffix('%') {
        return Ok(Limit::Relative(plain(percent)? / 100.0));
    }
    let amount = |text: &str| {
        if !figure.is_bytes() {
            return plain(text);
        }
        let size = text.trim().parse::<ByteSize>();
        size.map(|size| size.as_u64() as f64)
            .map_err(|_reason| format!("{text:?} is no number of bytes"))
    };
    match text.strip_suffix("/s") {
        Some(_) if figure.is_level() => Err(format!("{} has no rate", figure.name())),
        Some(rate) => Ok(Limit::Rate(amount(rate)?)),
        None => Ok(Limit::Total(amount(text)?)),
    }
}

/// Whether a rule is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing grew by so much.
    Kept,
    /// Something did, but not by more than noise does.
    Noise,
    /// Something did.
    Broken,
    /// That cannot be told.
    Unknown,
}

impl Outcome {
    /// Name in output.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Kept => "kept",
            Outcome::Noise => "noise",
            Outcome::Broken => "broken",
            Outcome::Unknown => "unknown",
        }
    }

    /// Whether the comparison fails by it.
    pub fn fails(self) -> bool {
        matches!(self, Outcome::Broken | Outcome::Unknown)
    }
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule as it was typed.
    pub rule: String,
    /// Whether it is kept.
    pub outcome: Outcome,
    /// The figures that say so.
    pub reason: String,
}

/// Checks rules; those in percent follow `normalize`, the others have units that say how to compare.
pub fn check(
    rules: &[Rule],
    base: &Report,
    candidate: &Report,
    normalize: Normalize,
) -> Vec<Verdict> {
    let terms = |normalize| Terms {
        normalize,
        by: By::Site,
        ..Terms::default()
    };
    let mut rates: Option<Comparison<'_>> = None;
    let mut totals: Option<Comparison<'_>> = None;
    let mut verdicts = Vec::new();
    for rule in rules {
        let wanted = match rule.limit {
            Limit::Relative(_) => normalize,
            Limit::Rate(_) => Normalize::Rate,
            Limit::Total(_) => Normalize::Total,
        };
        let made = match wanted {
            Normalize::Rate => &mut rates,
            Normalize::Total => &mut totals,
        };
        let comparison = made.get_or_insert_with(|| compare(base, candidate, terms(wanted)));
        let (outcome, reason) = rule.judge(comparison);
        verdicts.push(Verdict {
            rule: rule.text.clone(),
            outcome,
            reason,
        });
    }
    verdicts
}

impl Rule {
    fn judge(&self, comparison: &Comparison<'_>) -> (Outcome, String) {
        // What is too low in the candidate may have grown by any amount. In the base it may have grown by less than it seems.
        if let Subject::Total(figure) | Subject::Site(figure) = self.subject
            && let Some(why) = comparison.too_low[1].of(figure)
        {
            return (Outcome::Unknown, format!("CANDIDATE {why}"));
        }
        match self.subject {
            Subject::Findings => self.judge_findings(comparison),
            Subject::Total(figure) => {
                let change = comparison.totals.of(figure);
                let outcome = self.judge_change(change);
                let mut reason = described(comparison, figure, change, outcome);
                if outcome == Outcome::Broken
                    && let Some(worst) = grown_most(comparison, figure)
                {
                    let of_worst = worst.changes.of(figure);
                    let size = shown(comparison, figure, Some(of_worst.size()), true);
                    reason.push_str(&format!("; most at {}: {size}", place(worst.frames())));
                }
                (outcome, reason)
            }
            Subject::Site(figure) => self.judge_sites(comparison, figure),
        }
    }

    fn judge_findings(&self, comparison: &Comparison<'_>) -> (Outcome, String) {
        let new = &comparison.findings.new;
        let titles: Vec<&str> = new.iter().map(|finding| finding.title.as_str()).collect();
        let reason = match titles.as_slice() {
            [] => "no finding is new".to_owned(),
            titles => format!("{} new: {}", titles.len(), titles.join("; ")),
        };
        if self.is_over(titles.len() as f64) {
            return (Outcome::Broken, reason);
        }
        match warnings::not_looked(comparison.base, comparison.candidate) {
            Some(why) => (Outcome::Unknown, format!("not known: CANDIDATE {why}")),
            None => (Outcome::Kept, reason),
        }
    }

    fn judge_change(&self, change: &Change) -> Outcome {
        match (change.base.value, change.candidate.value) {
            (Some(base), Some(candidate)) if !self.is_grown(base, candidate) => Outcome::Kept,
            (Some(_), Some(_)) => noise(change),
            // So much at most, as less than nothing cannot have been there.
            (None, Some(candidate)) if change.base.unseen => {
                if self.is_grown(0.0, candidate) {
                    noise(change)
                } else {
                    Outcome::Kept
                }
            }
            (Some(_), None) if change.candidate.unseen => Outcome::Kept,
            (None, None) if change.base.unseen && change.candidate.unseen => Outcome::Kept,
            _ => Outcome::Unknown,
        }
    }

    fn judge_sites(&self, comparison: &Comparison<'_>, figure: Figure) -> (Outcome, String) {
        let total = comparison.totals.of(figure);
        let known = |value: Option<f64>, unseen: bool| value.is_some() || unseen;
        if !known(total.base.value, total.base.unseen)
            || !known(total.candidate.value, total.candidate.unseen)
        {
            return (
                Outcome::Unknown,
                described(comparison, figure, total, Outcome::Unknown),
            );
        }
        let mut worst: [Option<&Row>; 3] = [None; 3];
        let mut counts = [0_u64; 3];
        for row in &comparison.rows {
            let change = row.changes.of(figure);
            let class = match self.judge_change(change) {
                Outcome::Broken => 0,
                // Too little was recorded of a site; of all of them it is known how much they vary.
                Outcome::Unknown
                    if change.size() != 0.0
                        && *comparison.scatter_known.of(figure)
                        && comparison.too_low[0].of(figure).is_none() =>
                {
                    2
                }
                Outcome::Unknown => 1,
                Outcome::Noise => 2,
                Outcome::Kept => continue,
            };
            let size = |row: &Row| row.changes.of(figure).size();
            if let (Some(count), Some(known)) = (counts.get_mut(class), worst.get_mut(class)) {
                *count += 1;
                if known.is_none_or(|known| size(known) < size(row)) {
                    *known = Some(row);
                }
            }
        }
        let outcomes = [Outcome::Broken, Outcome::Unknown, Outcome::Noise];
        let classes = outcomes.into_iter().zip(worst).zip(counts);
        let first = classes
            .filter_map(|((outcome, row), count)| Some((outcome, row?, count)))
            .next();
        let Some((outcome, row, count)) = first else {
            return (Outcome::Kept, "no site grew by so much".to_owned());
        };
        let change = row.changes.of(figure);
        let mut reason = format!(
            "{}: {}",
            place(row.frames()),
            described(comparison, figure, change, outcome)
        );
        if count > 1 {
            reason.push_str(&format!("; and {}", units::plural(count - 1, "more site")));
        }
        (outcome, reason)
    }

    fn is_over(&self, growth: f64) -> bool {
        let limit = match self.limit {
            Limit::Relative(limit) | Limit::Rate(limit) | Limit::Total(limit) => limit,
        };
        growth > limit || (self.inclusive && growth >= limit)
    }

    fn is_grown(&self, base: f64, candidate: f64) -> bool {
        self.is_over(match self.limit {
            Limit::Relative(_) if base > 0.0 => candidate / base - 1.0,
            Limit::Relative(_) if candidate > 0.0 => f64::INFINITY,
            Limit::Relative(_) => 0.0,
            Limit::Rate(_) | Limit::Total(_) => candidate - base,
        })
    }
}

fn noise(change: &Change) -> Outcome {
    match change.significant {
        Some(true) => Outcome::Broken,
        Some(false) => Outcome::Noise,
        None => Outcome::Unknown,
    }
}

fn grown_most<'a>(comparison: &'a Comparison<'_>, figure: Figure) -> Option<&'a Row> {
    let size = |row: &&Row| row.changes.of(figure).size();
    let rows = comparison.rows.iter();
    let worst = rows.max_by(|a, b| size(a).total_cmp(&size(b)))?;
    (size(&worst) > 0.0).then_some(worst)
}

fn shown(comparison: &Comparison<'_>, figure: Figure, value: Option<f64>, sign: bool) -> String {
    let (in_bytes, per_s) = (figure.is_bytes(), comparison.per_second(figure));
    if sign {
        units::difference(value, in_bytes, per_s)
    } else {
        units::amount(value, in_bytes, per_s)
    }
}

fn described(
    comparison: &Comparison<'_>,
    figure: Figure,
    change: &Change,
    outcome: Outcome,
) -> String {
    let value = |value| shown(comparison, figure, value, false);
    let name = figure.name();
    if change.difference.is_none() && !change.base.unseen && !change.candidate.unseen {
        let unknown = match (change.base.value, change.candidate.value) {
            (None, None) => "either capture",
            (None, _) => "BASE",
            _ => "CANDIDATE",
        };
        return format!("{name} is not known of {unknown}");
    }
    let before = if change.base.unseen {
        "not seen".to_owned()
    } else {
        value(change.base.value)
    };
    let after = value(change.candidate.value);
    let mut text = format!("{name} {before} → {after}");
    if change.difference.is_some() {
        let difference = shown(comparison, figure, change.difference, true);
        text.push_str(&format!(", {difference}"));
        if change.relative.is_some() {
            text.push_str(&format!(" ({})", units::relative(change.relative)));
        }
    }
    match (outcome, change.error) {
        (Outcome::Noise, None) => {
            text.push_str(", but too little was recorded to tell it from noise")
        }
        (Outcome::Noise, error) => {
            let error = value(error);
            text.push_str(&format!(", but within the noise (standard error {error})"));
        }
        (Outcome::Unknown, _) => text.push_str(&match comparison.too_low[0].of(figure) {
            Some(why) => format!(", but BASE {why}"),
            None => ", and how much of that is noise is not known".to_owned(),
        }),
        (Outcome::Broken, Some(error)) if error > 0.0 => {
            text.push_str(&format!(", standard error {}", value(Some(error))));
        }
        _ => {}
    }
    text
}

#[cfg(test)]
mod tests;
