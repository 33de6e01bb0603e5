//! The records that the figures of a report are made of: how many there were, and how many are missing.

use super::{Mode, Report};
use tracer_common::family::Family;

/// What figures are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records<'a> {
    /// What they are.
    pub counted: Counted,
    /// How many there should be.
    pub hits: u64,
    /// How many reached the report.
    pub delivered: u64,
    /// Lost ones by cause.
    pub lost: &'a [(String, u64)],
}

/// What records are, of which figures are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Each is an allocation.
    Hits,
    /// Each stands for many.
    Samples,
}

impl Counted {
    /// What they are called.
    pub fn noun(self) -> &'static str {
        match self {
            Counted::Hits => "hits",
            Counted::Samples => "samples",
        }
    }
}

impl Records<'_> {
    /// What they are called.
    pub fn noun(&self) -> &'static str {
        self.counted.noun()
    }

    /// Sum of all causes of loss.
    pub fn lost_total(&self) -> u64 {
        let counts = self.lost.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }
}

impl Report {
    /// Samples where no allocation itself is recorded; `None` where nothing is recorded, and the runtime's own profile is
    /// all there is.
    pub fn records(&self) -> Option<Records<'_>> {
        let completeness = &self.completeness;
        let counted = match self.window.mode {
            Mode::Heap => return None,
            Mode::Sampled => Counted::Samples,
            Mode::Auto | Mode::Exact | Mode::Other(_) => Counted::Hits,
        };
        let family = match counted {
            Counted::Samples => completeness.family(Family::HeapSample),
            Counted::Hits => None,
        };
        Some(match family {
            Some(family) => Records {
                counted,
                hits: family.hits.unwrap_or(family.delivered),
                delivered: family.delivered,
                lost: &family.lost,
            },
            None => Records {
                counted,
                hits: completeness.hits,
                delivered: completeness.delivered,
                lost: &completeness.lost,
            },
        })
    }
}
