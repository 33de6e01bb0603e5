//! What stacks are weighed by, where one figure is shown of each: in flame graphs.

use super::{Figures, Frame, Report, StackFigures};
use std::collections::HashMap;

/// A figure of stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Allocated bytes, requested ones where the rounding is not known.
    #[default]
    Bytes,
    /// Allocations.
    Allocs,
    /// Live bytes.
    Live,
    /// Page faults.
    Faults,
}

impl Value {
    /// What it is, for people.
    pub fn name(self) -> &'static str {
        match self {
            Value::Bytes => "allocated bytes",
            Value::Allocs => "allocations",
            Value::Live => "live bytes",
            Value::Faults => "page faults",
        }
    }

    /// The figure; `None` if it is not known.
    pub fn of(self, figures: &Figures) -> Option<u64> {
        match self {
            Value::Bytes => figures.alloc_bytes.or(figures.requested_bytes),
            Value::Allocs => Some(figures.allocs),
            Value::Live => figures.live_bytes,
            Value::Faults => figures.faults,
        }
    }
}

impl Report {
    /// The figure of a stack. Alive is of one kind in a whole report: of all that was ever allocated if that is known, else
    /// of what was allocated since the capture began. The runtime's own profile has stacks of its own, and both kinds
    /// together would count objects twice.
    pub(crate) fn value_of(&self, value: Value, stack: &StackFigures) -> Option<u64> {
        let history = self.heap.as_ref().and_then(|heap| heap.history);
        match value {
            Value::Live if history.is_some() => stack.live.map(|alive| alive.bytes),
            Value::Live => stack.recent.map(|alive| alive.bytes),
            _ => value.of(&stack.figures),
        }
    }

    /// Each stack that has some of `value`, with how much: logical frames, innermost first. Frames of the runtime between
    /// the allocator and the site are there too. `None` if the figure is not known of any stack.
    pub fn stacks_by(&self, value: Value) -> Option<Vec<(Vec<&Frame>, u64)>> {
        let frames: HashMap<u64, &[usize]> = self
            .stacks
            .iter()
            .map(|stack| (stack.id, stack.frames.as_slice()))
            .collect();
        let of_sites = self.sites.iter().flat_map(|site| &site.stacks);
        let known: Vec<_> = of_sites
            .filter_map(|stack| Some((stack.id, self.value_of(value, stack)?)))
            .collect();
        if known.is_empty() {
            return None;
        }
        let weighed = known.into_iter().filter(|(_, weight)| *weight > 0);
        let named = |id: u64| {
            let indices = frames.get(&id).copied().unwrap_or_default();
            let frames = indices.iter().filter_map(|index| self.frames.get(*index));
            frames.collect()
        };
        Some(weighed.map(|(id, weight)| (named(id), weight)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;
    use crate::report::Amount;

    #[test]
    fn what_is_alive_is_counted_once() {
        let mut report = sample::with_heap();
        let of = |bytes| Some(Amount { objects: 1, bytes });
        for site in &mut report.sites {
            for stack in &mut site.stacks {
                (stack.live, stack.recent) = (None, None);
            }
        }
        report.sites[1].stacks[0].live = of(500);
        report.sites[1].stacks[1].recent = of(400);
        let sum = |report: &Report| -> u64 {
            let stacks = report.stacks_by(Value::Live).unwrap();
            stacks.iter().map(|(_, bytes)| bytes).sum()
        };
        assert_eq!(sum(&report), 500);
        report.heap.as_mut().unwrap().history = None;
        assert_eq!(sum(&report), 400);
    }
}
