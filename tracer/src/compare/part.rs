//! What rows are made of: the figures of parts of a capture, each with its variances, and how they add up.
//!
//! Hides how sites are split among types, and what is known of the errors of several together.

use super::{By, Figure, PerFigure};
use crate::report::{Estimate, Figures, HeapSource, Mode, Report, Site, SizeSummary, TypeFigures};

/// Name of what has none.
const NO_NAME: &str = "-";

/// A figure and its variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Amount {
    pub(super) total: u64,
    pub(super) counting: f64,
    /// `None` if it is not known how good an estimate it is.
    pub(super) sampling: Option<f64>,
}

impl Amount {
    pub(super) fn exact(total: u64, counting: f64) -> Self {
        Amount {
            total,
            counting,
            sampling: Some(0.0),
        }
    }

    /// A share of it, whose events are taken to be like the others.
    fn share(self, total: u64) -> Self {
        let share = if self.total > 0 {
            total as f64 / self.total as f64
        } else {
            0.0
        };
        Amount {
            total,
            counting: self.counting * share,
            sampling: self.sampling.map(|variance| variance * share),
        }
    }
}

/// What is known of the errors of two parts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errors {
    /// Each sample is taken by itself: variances add up.
    Independent,
    /// Windows are of several places at once: the error of a sum is at most the sum of the errors.
    Together,
}

impl Errors {
    fn add(self, a: f64, b: f64) -> f64 {
        match self {
            Errors::Independent => a + b,
            Errors::Together => (a.sqrt() + b.sqrt()).powi(2),
        }
    }
}

/// The figures of a part of a capture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) amounts: PerFigure<Option<Amount>>,
    errors: Errors,
}

impl Part {
    /// Adds another part of the same capture.
    pub(super) fn add(&mut self, other: &Part) {
        self.amounts = PerFigure::from(|figure| {
            let (a, b) = (*self.amounts.of(figure), *other.amounts.of(figure));
            match (a, b) {
                (Some(a), Some(b)) => Some(Amount {
                    total: a.total.saturating_add(b.total),
                    counting: a.counting + b.counting,
                    sampling: a
                        .sampling
                        .zip(b.sampling)
                        .map(|(a, b)| self.errors.add(a, b)),
                }),
                // Bytes are not known together if one is not; nothing known to be alive may be nothing seen.
                _ if matches!(figure, Figure::AllocBytes | Figure::RequestedBytes) => None,
                _ => a.or(b),
            }
        });
    }
}

/// Whether what is alive is that of all that was ever allocated, not of what was since the capture began.
pub(super) fn of_all_ever(report: &Report) -> bool {
    let heap = report.heap.as_ref();
    heap.is_none_or(|heap| heap.history.is_some())
}

/// Whether windows were too few to tell what they stand for, so that nothing is known of what was not recorded.
pub(super) fn is_blind(report: &Report) -> bool {
    report.completeness.unseen || was_blind(report)
}

/// The same of captures of versions that did not tell: there were windows, and nothing is known of how good they are.
fn was_blind(report: &Report) -> bool {
    let estimate = report.totals.estimate;
    report.window.had_windows()
        && estimate.is_none_or(|estimate| estimate == Estimate::default())
        && report.completeness.coverage.is_none()
}

/// The totals, which count what is at no site, too.
pub(super) fn everything(report: &Report, sites: Option<&Part>, errors: Errors) -> Part {
    let totals = Figures {
        faults: report.faults.as_ref().map(|faults| faults.all()),
        live_bytes: report.heap.as_ref().and_then(|heap| heap.live_bytes()),
        ..report.totals
    };
    let heap = report.heap.as_ref();
    // Which site filled a span is uncertain, not that it was filled.
    let spans = heap.is_some_and(|heap| heap.source == Some(HeapSource::Spans));
    let sampled = report.window.mode == Mode::Sampled;
    let amounts = amounts(&totals, &SizeSummary::default());
    Part {
        errors,
        amounts: PerFigure::from(|figure| {
            let mut amount = (*amounts.of(figure))?;
            let of_sites = sites.and_then(|sites| *sites.amounts.of(figure));
            if let Some(of_sites) = of_sites {
                amount.counting = amount.counting.max(of_sites.counting);
                if figure.is_level() {
                    amount.sampling = of_sites.sampling;
                }
            }
            if sampled && spans && !figure.is_level() {
                amount.sampling = Some(0.0);
            }
            Some(amount)
        }),
    }
}

pub(super) fn of_site(report: &Report, site: &Site, errors: Errors) -> Part {
    let (live_bytes, live_error) = if of_all_ever(report) {
        let live = site.live.as_ref();
        live.map(|live| (live.now.bytes, live.bytes_error)).unzip()
    } else {
        let recent = site.recent.as_ref();
        recent
            .map(|recent| (recent.live.bytes, recent.bytes_error))
            .unzip()
    };
    let figures = Figures {
        live_bytes,
        estimate: if is_blind(report) {
            Some(Estimate::default())
        } else {
            site.figures.estimate
        },
        ..site.figures
    };
    let amounts = amounts(&figures, &site.size);
    Part {
        errors,
        amounts: PerFigure::from(|figure| {
            let amount = (*amounts.of(figure))?;
            Some(match figure {
                Figure::LiveBytes => Amount {
                    sampling: live_error.map(square),
                    ..amount
                },
                _ => amount,
            })
        }),
    }
}

fn amounts(figures: &Figures, size: &SizeSummary) -> PerFigure<Option<Amount>> {
    let estimate = figures.estimate;
    let sampling = |error: Option<u64>| match estimate {
        None => Some(0.0),
        Some(_) => error.map(square),
    };
    let of_bytes = sampling(estimate.and_then(|estimate| estimate.alloc_bytes_error));
    let bytes = |bytes: u64| Amount {
        total: bytes,
        counting: scatter_of_bytes(bytes, figures.allocs, size),
        sampling: of_bytes,
    };
    PerFigure::from(|figure| {
        Some(match figure {
            Figure::Allocs => Amount {
                total: figures.allocs,
                counting: figures.allocs as f64,
                sampling: sampling(estimate.and_then(|estimate| estimate.allocs_error)),
            },
            Figure::AllocBytes => bytes(figures.alloc_bytes?),
            Figure::RequestedBytes => bytes(figures.requested_bytes?),
            Figure::LiveBytes => Amount::exact(figures.live_bytes?, 0.0),
            Figure::Faults => {
                let faults = figures.faults?;
                Amount::exact(faults, faults as f64)
            }
        })
    })
}

fn square(error: u64) -> f64 {
    (error as f64).powi(2)
}

/// Variance of the bytes of so many independent allocations: each adds the square of its size.
fn scatter_of_bytes(bytes: u64, allocs: u64, size: &SizeSummary) -> f64 {
    let (bytes, allocs) = (bytes as f64, allocs.max(1) as f64);
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (size, number) in &size.buckets {
        let (size, number) = (*size as f64, *number as f64);
        count += number;
        sum += number * size;
        squares += number * size * size;
    }
    let even = bytes * bytes / allocs;
    if sum <= 0.0 {
        return even;
    }
    // The sizes are those asked for, of those that are in the distribution.
    let relative = squares / (sum * sum) * count;
    even * relative.max(1.0)
}

/// What a site puts into which rows.
pub(super) fn parts(site: &Site, by: By, whole: Part) -> Vec<(String, Part)> {
    let innermost = site.frames.first();
    let named = |name: Option<&String>| {
        let name = name.filter(|name| !name.is_empty());
        vec![(name.map_or(NO_NAME, String::as_str).to_owned(), whole)]
    };
    match by {
        By::Site | By::Function => named(innermost.map(|frame| &frame.function)),
        By::Package => named(innermost.map(|frame| &frame.package)),
        By::Type => {
            let mut rest = site.figures.allocs;
            let mut parts: Vec<(String, Part)> = Vec::new();
            for row in &site.types {
                rest = rest.saturating_sub(row.allocs);
                parts.push((row.name.clone(), of_type(row, &whole)));
            }
            if rest > 0 {
                parts.push((NO_NAME.to_owned(), untold(site, &whole)));
            }
            parts
        }
    }
}

fn of_type(row: &TypeFigures, whole: &Part) -> Part {
    let share = |figure: Figure, of: Option<u64>| {
        let whole = (*whole.amounts.of(figure))?;
        Some(whole.share(of?))
    };
    Part {
        amounts: PerFigure::from(|figure| match figure {
            Figure::Allocs => share(figure, Some(row.allocs)),
            Figure::AllocBytes => share(figure, row.alloc_bytes),
            Figure::RequestedBytes => share(figure, row.bytes),
            Figure::LiveBytes => share(figure, row.live_bytes),
            Figure::Faults => None,
        }),
        errors: whole.errors,
    }
}

/// What a site has allocated beyond its types.
fn untold(site: &Site, whole: &Part) -> Part {
    let rest = |figure: Figure, told: &dyn Fn(&TypeFigures) -> Option<u64>| {
        let whole = (*whole.amounts.of(figure))?;
        let told = site
            .types
            .iter()
            .try_fold(0_u64, |sum, row| Some(sum.saturating_add(told(row)?)))?;
        Some(whole.share(whole.total.saturating_sub(told)))
    };
    Part {
        amounts: PerFigure::from(|figure| match figure {
            Figure::Allocs => rest(figure, &|row| Some(row.allocs)),
            Figure::AllocBytes => rest(figure, &|row| row.alloc_bytes),
            Figure::RequestedBytes => rest(figure, &|row| row.bytes),
            Figure::LiveBytes | Figure::Faults => None,
        }),
        errors: whole.errors,
    }
}
