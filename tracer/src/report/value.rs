//! What stacks are weighed by, where one figure is shown of each: in flame graphs.

use super::{Amount, Figures, Frame, Mode, Report, Site, Stack, StackFigures};
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
    /// Each stack that has some of `value`, with how much: logical frames from the site on, innermost first. What is in the
    /// totals and at no stack is there as well, without frames, so that all add up to the totals; those of samples are off
    /// by their rounding. None at all if there was nothing of it; `None` if the figure is not known.
    pub fn stacks_by(&self, value: Value) -> Option<Vec<(Vec<&Frame>, u64)>> {
        let by_id: HashMap<u64, &Stack> =
            self.stacks.iter().map(|stack| (stack.id, stack)).collect();
        let alive = Alive::of(self);
        if value == Value::Allocs && self.window.mode == Mode::Heap && self.totals.allocs == 0 {
            // The runtime's profile does not tell it.
            return None;
        }
        let mut known = value.of(&self.totals).is_some();
        let mut stacks = Vec::new();
        for site in &self.sites {
            for stack in &site.stacks {
                let weight = value.of_stack(stack, alive);
                known |= weight.is_some();
                if let Some(weight) = weight.filter(|weight| *weight > 0) {
                    let frames = by_id
                        .get(&stack.id)
                        .map(|stack| self.frames_from(stack, site));
                    stacks.push((frames.unwrap_or_default(), weight));
                }
            }
        }
        if !known {
            return None;
        }
        let rest = self.at_no_stack(value, &stacks);
        if rest > 0 {
            stacks.push((Vec::new(), rest));
        }
        Some(stacks)
    }

    /// The frames of a stack from its site on, innermost first: without those that lead from the site to the allocator.
    pub(crate) fn frames_from(&self, stack: &Stack, site: &Site) -> Vec<&Frame> {
        let start = stack.start_of(site, &self.frames).unwrap_or(0);
        let indices = stack.frames.iter().skip(start);
        indices
            .filter_map(|index| self.frames.get(*index))
            .collect()
    }

    /// What of the totals no stack has.
    fn at_no_stack(&self, value: Value, stacks: &[(Vec<&Frame>, u64)]) -> u64 {
        let sum = stacks.iter().map(|(_, weight)| *weight);
        let all = value.of(&self.totals).unwrap_or(0);
        let rest = all.saturating_sub(sum.fold(0, u64::saturating_add));
        let rounded = self.totals.estimate.is_some() || value == Value::Live;
        // Each is rounded by itself.
        let noise = if rounded { stacks.len() as u64 } else { 0 };
        if rest > noise { rest } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn an_object_is_alive_once() {
        let mut report = fixture::with_heap();
        let sum = |report: &Report| -> u64 {
            let stacks = report.stacks_by(Value::Live).unwrap();
            stacks.iter().map(|(_, weight)| weight).sum()
        };
        assert_eq!(sum(&report), 140 << 20, "9 MiB at no stack");
        report.heap.as_mut().unwrap().history = None;
        report.totals.live_bytes = Some(19 << 20);
        assert_eq!(sum(&report), 19 << 20);
    }

    #[test]
    fn a_figure_that_no_stack_has_is_not_known() {
        let report = fixture::report();
        assert!(report.stacks_by(Value::Live).is_none());
        assert!(report.stacks_by(Value::Faults).is_none());
        let allocs = report.stacks_by(Value::Allocs).unwrap();
        assert_eq!(allocs[0].0[0].function, "main.(*Cache).Put");
        assert_eq!(allocs[0].1, 5_200_000);
        assert_eq!(allocs.len(), 4, "nothing is at no stack");
    }

    #[test]
    fn nothing_of_a_figure_is_known_and_so_is_what_no_site_has() {
        let mut report = fixture::empty();
        assert_eq!(report.stacks_by(Value::Allocs), Some(vec![]));
        assert_eq!(report.stacks_by(Value::Bytes), Some(vec![]));
        assert!(report.stacks_by(Value::Faults).is_none());
        report.totals.allocs = 7;
        assert_eq!(report.stacks_by(Value::Allocs), Some(vec![(vec![], 7)]));
        let mut report = fixture::empty();
        report.window.mode = Mode::Heap;
        assert!(report.stacks_by(Value::Allocs).is_none());
    }

    #[test]
    fn stacks_begin_at_their_site_and_add_up_to_the_totals() {
        let mut report = fixture::report();
        let inner = report.frames[5].clone();
        report.frames.push(inner);
        report.stacks[0].frames.insert(0, 7);
        report.totals.allocs += 5;
        let allocs = report.stacks_by(Value::Allocs).unwrap();
        assert_eq!(allocs[0].0[0].function, "main.(*Cache).Put");
        assert_eq!(allocs.last().unwrap(), &(vec![], 5));
        report.totals.estimate = Some(crate::report::Estimate::default());
        let allocs = report.stacks_by(Value::Allocs).unwrap();
        assert_eq!(allocs.last().unwrap().1, 5, "more than rounding");
        report.totals.allocs -= 2;
        assert_eq!(report.stacks_by(Value::Allocs).unwrap().len(), 4);
    }
}
