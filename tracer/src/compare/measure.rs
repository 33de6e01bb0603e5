//! The figures of one capture, each with what its standard error is made of.
//!
//! Three sources of error, as variances:
//! - sampling: of what was estimated from some of the allocations, as the capture says it;
//! - counting: n independent events vary by the square root of n, a lower bound in any case;
//! - time, of rates: the scatter of the intervals of the timeline. Of a part of everything it is taken to be larger, by the
//!   square root of how often the part is in the whole, as if it were that share of the events that made the whole vary
//!   (quasi-Poisson; P. McCullagh and J. Nelder, "Generalized Linear Models", chapter 6). All figures of a part vary with how
//!   often its code runs, so that the one in which its share is large tells it for all.
//!
//! The larger one of counting and time counts, and sampling is added. Hides which figures a capture has, and whether it
//! would have seen everything.

use super::matching::Place;
use super::part::{Amount, Errors, Part, everything, is_blind, of_all_ever, of_site, parts};
use super::{By, Figure, Normalize, PerFigure, Side, course};
use crate::report::{Counted, Mode, Report};
use crate::units;
use std::collections::HashMap;
use tracer_common::family::{Extra, Family};

/// Share of lost events above which figures are not compared as if they were whole.
const TRIFLE: f64 = 0.01;
/// Share of lost events from which on nothing is said of what was not seen.
const MUCH_LOST: f64 = 0.1;

/// What of two captures is the same thing on both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparable {
    /// Both are of a time, or both since the start of the process.
    flows: bool,
    /// What is alive is so out of the same.
    live: bool,
}

impl Comparable {
    pub(super) fn of(base: &Report, candidate: &Report) -> Self {
        let both = [base, candidate];
        let [base_heap, candidate_heap] = both.map(|report| report.window.mode == Mode::Heap);
        let [base_live, candidate_live] = both.map(of_all_ever);
        Comparable {
            flows: base_heap == candidate_heap,
            live: base_live == candidate_live,
        }
    }
}

/// How much a capture tells of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// What is not there has none.
    Whole,
    /// What is not there may have some.
    Partly,
    /// Nothing.
    No,
}

/// One capture.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    report: &'a Report,
    normalize: Normalize,
    errors: Errors,
    known: PerFigure<Known>,
    /// What a total is divided by; `None` if nothing is known for any time.
    divisor: PerFigure<Option<f64>>,
    /// See [`course::relative_error`].
    scatter: PerFigure<Option<f64>>,
    /// Variance of sampling for each unit of a figure, on average over the capture.
    per_unit: PerFigure<Option<f64>>,
    all: Part,
}

impl<'a> Measured<'a> {
    pub(super) fn of(report: &'a Report, normalize: Normalize, comparable: Comparable) -> Self {
        let errors = if report.window.mode.is_of_samples() {
            Errors::Independent
        } else {
            Errors::Together
        };
        let sites = report
            .sites
            .iter()
            .map(|site| of_site(report, site, errors));
        let sum = sites.reduce(|mut all, site| {
            all.add(&site);
            all
        });
        let much_lost = lost_share(report) > MUCH_LOST;
        let mut measured = Measured {
            report,
            normalize,
            errors,
            known: PerFigure::from(|_| Known::No),
            divisor: PerFigure::from(|figure| divisor(report, figure, normalize)),
            scatter: PerFigure::from(|figure| match (normalize, figure) {
                (Normalize::Total, _) | (_, Figure::LiveBytes) => Some(0.0),
                (Normalize::Rate, _) => course::relative_error(report, figure),
            }),
            per_unit: PerFigure::from(|figure| {
                let sum = sum.as_ref().and_then(|sum| *sum.amounts.of(figure));
                let variance = sum.map_or(Some(0.0), |sum| {
                    let units = sum.total.max(1) as f64;
                    sum.sampling.map(|variance| variance / units)
                });
                variance.filter(|_| !much_lost)
            }),
            all: everything(report, sum.as_ref(), errors),
        };
        measured.known = PerFigure::from(|figure| {
            if measured.divisor.of(figure).is_none() {
                return Known::No;
            }
            let ok = if figure.is_level() {
                comparable.live
            } else {
                comparable.flows
            };
            if ok {
                measured.tells(figure)
            } else {
                Known::No
            }
        });
        measured
    }

    fn tells(&self, figure: Figure) -> Known {
        let whole = match figure {
            Figure::LiveBytes => false,
            Figure::Faults => {
                let faults = self.report.completeness.family(Family::Fault);
                faults.is_none_or(|faults| faults.lost_total() == 0)
                    && self.report.window.given_up(Extra::Faults).is_none()
            }
            _ => self.is_whole(),
        };
        let some = self.all.amounts.of(figure).is_some()
            || self.report.sites.iter().any(|site| {
                let part = of_site(self.report, site, self.errors);
                part.amounts.of(figure).is_some()
            });
        match (some, whole) {
            (false, _) => Known::No,
            (true, true) => Known::Whole,
            (true, false) => Known::Partly,
        }
    }

    /// Whether every allocation is at its site: nothing was estimated, lost, or left out.
    pub(super) fn is_whole(&self) -> bool {
        let completeness = &self.report.completeness;
        let exact = matches!(self.report.window.mode, Mode::Exact | Mode::Auto);
        exact
            && self.report.totals.estimate.is_none()
            && unplaced(self.report) == 0
            && completeness.hits == completeness.delivered
            && completeness
                .coverage
                .map_or(completeness.hits == 0, |share| share >= 1.0)
    }

    /// How figures are made comparable.
    pub(super) fn normalize(&self) -> Normalize {
        self.normalize
    }

    /// Whether it is known how much a figure scatters in time.
    pub(super) fn has_scatter(&self, figure: Figure) -> bool {
        self.scatter.of(figure).is_some()
    }

    /// The figures of everything.
    pub(super) fn all(&self) -> &Part {
        &self.all
    }

    /// What rows are made of, by name, in the order of the sites.
    pub(super) fn places(&self, by: By) -> Vec<(String, Place, Part)> {
        let mut named: HashMap<String, usize> = HashMap::new();
        let mut places: Vec<(String, Place, Part)> = Vec::new();
        for site in &self.report.sites {
            let whole = of_site(self.report, site, self.errors);
            for (name, part) in parts(site, by, whole) {
                let place = Place::of(site, by);
                match named.get(&name).and_then(|at| places.get_mut(*at)) {
                    Some((_, known, sum)) => {
                        known.sites.extend(place.sites);
                        sum.add(&part);
                    }
                    None => {
                        if by != By::Site {
                            named.insert(name.clone(), places.len());
                        }
                        places.push((name, place, part));
                    }
                }
            }
        }
        places
    }

    /// A figure of a part as it is compared; without a part, what the capture says of what is not in it.
    pub(super) fn side(&self, part: Option<&Part>, figure: Figure) -> Side {
        let known = *self.known.of(figure);
        if known == Known::No {
            return Side::default();
        }
        let scatter = part.map_or(Some(0.0), |part| self.scatter_of(part, figure));
        let unseen = Side {
            unseen: true,
            ..Side::default()
        };
        let amount = match part.map(|part| *part.amounts.of(figure)) {
            Some(Some(amount)) if amount.total > 0 || known == Known::Whole => amount,
            Some(None) if !figure.is_level() => return Side::default(),
            None if known == Known::Whole => Amount::exact(0, 0.0),
            _ => return unseen,
        };
        let divisor = self.divisor.of(figure).unwrap_or(1.0);
        let total = amount.total as f64;
        let error = error(total, scatter, amount.counting, amount.sampling);
        Side {
            value: Some(total / divisor),
            error: error.map(|error| error / divisor),
            total: Some(amount.total),
            unseen: false,
        }
    }

    /// The error that a figure of another capture would have here.
    pub(super) fn expected_error(&self, figure: Figure, other: Side) -> Option<f64> {
        let divisor = (*self.divisor.of(figure))?;
        let total = other.value? * divisor;
        let sampling = self.per_unit.of(figure).map(|variance| variance * total);
        let of_all = (*self.scatter.of(figure))?;
        let all = self.all.amounts.of(figure).map_or(0, |all| all.total);
        let share = total / total.max(all as f64);
        let scatter = Some(of_all / share.sqrt()).filter(|_| total > 0.0);
        let error = error(total, scatter, 0.0, sampling)? / divisor;
        Some(error.max(other.error?))
    }

    /// Standard error of the rate of a part as a part of it, by its scatter in time: at least that of everything.
    fn scatter_of(&self, part: &Part, figure: Figure) -> Option<f64> {
        let relative = |figure: Figure| {
            let scatter = (*self.scatter.of(figure))?;
            let part = part.amounts.of(figure).as_ref()?.total as f64;
            let all = self.all.amounts.of(figure).as_ref()?.total as f64;
            (part > 0.0).then(|| scatter * (all / part).max(1.0).sqrt())
        };
        let flows = [Figure::Allocs, Figure::AllocBytes, Figure::RequestedBytes];
        let told = if flows.contains(&figure) {
            flows.into_iter().filter_map(relative).reduce(f64::min)
        } else {
            relative(figure)
        };
        let least = (*self.scatter.of(figure))?;
        Some(told.map_or(least, |told| told.max(least)))
    }
}

/// Standard error of a total whose rate scatters by so much of it.
fn error(total: f64, scatter: Option<f64>, counting: f64, sampling: Option<f64>) -> Option<f64> {
    if total == 0.0 && sampling == Some(0.0) {
        return Some(0.0);
    }
    let time = scatter? * total;
    Some((counting.max(time * time) + sampling?).sqrt())
}

/// Allocations, or samples of them, that are counted at no site, or not at all.
pub(super) fn unplaced(report: &Report) -> u64 {
    let completeness = &report.completeness;
    let lost = report.records().map_or(0, |records| records.lost_total());
    [completeness.overflowed, completeness.undefined_stacks]
        .into_iter()
        .fold(lost, u64::saturating_add)
}

fn lost_share(report: &Report) -> f64 {
    let records = report.records();
    let hits = records.map_or(0, |records| records.hits);
    // Each allocation is a hit, a sample stands for many.
    let least = match records {
        Some(records) if records.counted == Counted::Samples => 1,
        _ => report.totals.allocs.max(1),
    };
    unplaced(report) as f64 / hits.max(least) as f64
}

/// Why a figure of a capture is less than what happened by more than a trifle, in words that follow the capture's name.
pub(super) fn too_low(report: &Report, figure: Figure) -> Option<String> {
    if figure.is_level() && of_all_ever(report) {
        return None;
    }
    if figure != Figure::Faults && is_blind(report) {
        return Some("had too few windows to tell what they stand for".to_owned());
    }
    let share = if figure == Figure::Faults {
        let faults = report.completeness.family(Family::Fault);
        faults.map_or(0.0, |faults| {
            let lost = faults.lost_total();
            let all = faults.hits.unwrap_or(0).max(faults.delivered).max(lost);
            lost as f64 / all.max(1) as f64
        })
    } else {
        lost_share(report)
    };
    let share = (share > TRIFLE).then(|| units::percent(Some(100.0 * share.min(1.0))));
    share.map(|share| format!("lost {share} of its hits"))
}

fn divisor(report: &Report, figure: Figure, normalize: Normalize) -> Option<f64> {
    let given_up = report.window.given_up(Extra::Faults);
    let given_up = given_up.filter(|_| figure == Figure::Faults);
    match normalize {
        _ if figure.is_level() => Some(1.0),
        Normalize::Rate if report.window.mode == Mode::Heap => None,
        Normalize::Rate => {
            let recorded_ns = given_up.unwrap_or(report.window.duration_ns);
            (recorded_ns > 0).then(|| recorded_ns as f64 / 1e9)
        }
        Normalize::Total => given_up.is_none().then_some(1.0),
    }
}
