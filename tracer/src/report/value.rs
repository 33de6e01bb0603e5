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

    /// The figure of a stack: alive is what is known of all that it ever allocated, else of what it allocated since the
    /// capture began.
    pub(crate) fn of_stack(self, stack: &StackFigures) -> Option<u64> {
        match self {
            Value::Live => stack.live.or(stack.recent).map(|alive| alive.bytes),
            _ => self.of(&stack.figures),
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
        let of_sites = self.sites.iter().flat_map(|site| &site.stacks);
        let known: Vec<_> = of_sites
            .filter_map(|stack| Some((stack.id, value.of_stack(stack)?)))
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
