//! What stacks are weighed by, where one figure is shown of each: in flame graphs.

use super::{Amount, Figures, Frame, Report, StackFigures};
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

    /// The figure of a stack of a report in which what is alive is known from there.
    fn of_stack(self, stack: &StackFigures, alive: Alive) -> Option<u64> {
        match self {
            Value::Live => alive.of_stack(stack).map(|alive| alive.bytes),
            _ => self.of(&stack.figures),
        }
    }
}

/// Where it is known from what is alive. The runtime's own profile has stacks of its own, and has samples of the capture
/// too: adding both up would count an object twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alive {
    /// From the runtime's own profile: of all that was ever allocated.
    Ever,
    /// From samples: of what was allocated since the capture began.
    SinceTheStart,
}

impl Alive {
    /// What the sum over all sites, [`Figures::live_bytes`] of the totals, is made of.
    pub(crate) fn of(report: &Report) -> Self {
        let history = report.heap.as_ref().and_then(|heap| heap.history);
        history.map_or(Alive::SinceTheStart, |_| Alive::Ever)
    }

    /// What a stack has alive; `None` if that is not known.
    pub(crate) fn of_stack(self, stack: &StackFigures) -> Option<Amount> {
        match self {
            Alive::Ever => stack.live,
            Alive::SinceTheStart => stack.recent,
        }
    }
}

impl Report {
    /// Each stack that has some of `value`, with how much: logical frames, innermost first. Frames of the runtime between
    /// the allocator and the site are there too. `None` if the figure is not known of any stack.
    pub fn stacks_by(&self, value: Value) -> Option<Vec<(Vec<&Frame>, u64)>> {
        let frames: HashMap<u64, &[usize]> = self
            .stacks
            .iter()
            .map(|stack| (stack.id, stack.frames.as_slice()))
            .collect();
        let alive = Alive::of(self);
        let of_sites = self.sites.iter().flat_map(|site| &site.stacks);
        let known: Vec<_> = of_sites
            .filter_map(|stack| Some((stack.id, value.of_stack(stack, alive)?)))
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

    #[test]
    fn an_object_is_alive_once() {
        let mut report = sample::with_heap();
        let sum = |report: &Report| -> u64 {
            let stacks = report.stacks_by(Value::Live).unwrap();
            stacks.iter().map(|(_, weight)| weight).sum()
        };
        assert_eq!(sum(&report), 131 << 20);
        report.heap.as_mut().unwrap().history = None;
        assert_eq!(sum(&report), 19 << 20);
    }

    #[test]
    fn a_figure_that_no_stack_has_is_not_known() {
        let report = sample::report();
        assert!(report.stacks_by(Value::Live).is_none());
        assert!(report.stacks_by(Value::Faults).is_none());
        let allocs = report.stacks_by(Value::Allocs).unwrap();
        assert_eq!(allocs[0].0[0].function, "main.(*Cache).Put");
        assert_eq!(allocs[0].1, 5_200_000);
    }
}
