//! What was recorded in windows, kept until it is known how much each window stands for.

use super::GROUPS;
use super::estimate::whole;
use crate::decode::{Alloc, StackId};
use std::collections::HashMap;

/// One window of one row of the plan: a time in which the row recorded, among times in which it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowId {
    /// Row of the probe plan.
    pub row: u8,
    /// Number of the window; numbers come again after a while.
    pub number: u8,
}

/// How much a window stands for. Windows are laid out on the target's own count of allocated bytes, its *progress*:
/// that goes on at the same pace whether probes slow the target down or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// Which window.
    pub window: WindowId,
    /// Progress in the window, in bytes.
    pub inside: f64,
    /// Progress that the window stands for, its own included, in bytes.
    pub stands_for: f64,
    /// Position of the window in the course of its row, from 0: neighbours fall into different groups.
    pub turn: u64,
}

impl Weight {
    /// How many allocations each one of the window stands for; 1 if the runtime has not counted any progress.
    pub fn factor(&self) -> f64 {
        if self.inside > 0.0 {
            (self.stands_for / self.inside).max(1.0)
        } else {
            1.0
        }
    }

    /// Random group of the window.
    pub(super) fn group(&self) -> usize {
        usize::try_from(self.turn % GROUPS as u64).unwrap_or(0)
    }
}

/// Allocations alike that were recorded in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Observed {
    pub(super) stack: StackId,
    pub(super) size: u64,
    pub(super) type_pointer: u64,
    pub(super) rounded: Option<u64>,
    pub(super) count: u64,
}

/// All windows whose weight is not known yet. Bounded by what a window can record in its short time.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// By window, then by what is alike; the key has a count of 0.
    pending: HashMap<WindowId, HashMap<Observed, u64>>,
    /// Fraction of an allocation that rounding to whole ones has left over.
    carry: f64,
}

impl WindowId {
    /// The window in which an allocation was recorded.
    pub(super) fn of(alloc: &Alloc) -> Self {
        WindowId {
            row: alloc.row,
            number: alloc.window,
        }
    }
}

impl Windows {
    /// Keeps an allocation of a window.
    pub(super) fn observe(&mut self, window: WindowId, observed: Observed) {
        let kind = Observed {
            count: 0,
            ..observed
        };
        *self
            .pending
            .entry(window)
            .or_default()
            .entry(kind)
            .or_default() += observed.count;
    }

    /// Takes what a window has recorded, each with the whole number of allocations to count for it. What rounding
    /// leaves over goes to the next, so that sums are right.
    pub(super) fn take(&mut self, weight: &Weight) -> Vec<(Observed, u64)> {
        let kinds = self.pending.remove(&weight.window).unwrap_or_default();
        let factor = weight.factor();
        let weighed = kinds.into_iter().map(|(kind, count)| {
            let wanted = count as f64 * factor + self.carry;
            let times = wanted.floor();
            self.carry = wanted - times;
            (Observed { count, ..kind }, whole(times))
        });
        weighed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_stands_for_its_share_of_the_progress() {
        let mut windows = Windows::default();
        let window = WindowId { row: 3, number: 1 };
        let observed = |stack| Observed {
            stack: StackId(stack),
            size: 24,
            type_pointer: 0,
            rounded: Some(24),
            count: 1,
        };
        for stack in [1, 1, 1, 2] {
            windows.observe(window, observed(stack));
        }
        let weight = Weight {
            window,
            inside: 100.0,
            stands_for: 250.0,
            turn: 0,
        };
        let taken = windows.take(&weight);
        let times_of = |stack| {
            let found = taken.iter().find(|(kind, _)| kind.stack == StackId(stack));
            found.map(|(kind, times)| (kind.count, *times))
        };
        assert_eq!(taken.iter().map(|(_, times)| times).sum::<u64>(), 10);
        assert!(matches!(times_of(1), Some((3, 7 | 8))), "{taken:?}");
        assert!(matches!(times_of(2), Some((1, 2 | 3))), "{taken:?}");
        assert!(windows.take(&weight).is_empty());
    }
}
