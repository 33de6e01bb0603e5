//! The records that the figures of a report are made of: how many there were, and how many are missing.

use super::Report;

/// The family of records that mode sampled is made of.
const HEAP_SAMPLES: &str = "heap_samples";

/// What figures are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records<'a> {
    /// What they are called: `hits` or `samples`.
    pub noun: &'static str,
    /// How many there should be.
    pub hits: u64,
    /// How many reached the report.
    pub delivered: u64,
    /// Lost ones by cause.
    pub lost: &'a [(String, u64)],
}

impl Records<'_> {
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
        let sampled = match self.window.mode.as_str() {
            "heap" => return None,
            mode => mode == "sampled",
        };
        let noun = if sampled { "samples" } else { "hits" };
        let mut families = completeness.families.iter();
        let family = families.find(|family| sampled && family.name == HEAP_SAMPLES);
        Some(match family {
            Some(family) => Records {
                noun,
                hits: family.hits.unwrap_or(family.delivered),
                delivered: family.delivered,
                lost: &family.lost,
            },
            None => Records {
                noun,
                hits: completeness.hits,
                delivered: completeness.delivered,
                lost: &completeness.lost,
            },
        })
    }
}
