//! Arithmetic on sums: what stacks allocated together, and how good that is known.
//!
//! Used by whatever sums up records of allocations: the whole capture, sites (through `basis`), and maps.

use super::{Estimate, Figures};
use crate::aggregate::{StackTotals, Sums, Totals, whole};

/// Sums as a report shows them.
pub(super) fn figures(sums: &Sums, estimate: Option<Estimate>) -> Figures {
    Figures {
        allocs: sums.allocs,
        alloc_bytes: sums.known_alloc_bytes(),
        requested_bytes: Some(sums.requested_bytes),
        faults: None,
        live_bytes: None,
        growth_per_s: None,
        estimate,
    }
}

/// Figures of these stacks together.
pub(super) fn figures_of<'a>(
    totals: &Totals,
    stacks: impl Iterator<Item = &'a StackTotals> + Clone,
) -> Figures {
    let mut sums = Sums::default();
    stacks.clone().for_each(|stack| sums.merge(&stack.sums));
    figures(&sums, estimate(totals, stacks))
}

/// How good the figures of these stacks together are; `None` if each of their allocations was recorded.
pub(super) fn estimate<'a>(
    totals: &Totals,
    stacks: impl Iterator<Item = &'a StackTotals>,
) -> Option<Estimate> {
    let mut uncertain = stacks
        .filter_map(|stack| stack.uncertainty.as_deref())
        .peekable();
    uncertain.peek()?;
    let error = totals.progress.standard_error(uncertain);
    Some(Estimate {
        allocs_error: error.map(|error| whole(error.allocs)),
        alloc_bytes_error: error.map(|error| whole(error.alloc_bytes)),
    })
}
