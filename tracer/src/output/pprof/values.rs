//! What samples count, and how their values are made to add up to the figures of the report.
//!
//! Hides that figures of samples are rounded each by itself, and that a capture can contradict itself.

use crate::report::{Alive, Amount, Figures, Report, StackFigures, TypeFigures};
use std::cmp::Reverse;

/// A figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AllocObjects,
    AllocSpace,
    RequestedSpace,
    Faults,
    InuseObjects,
    InuseSpace,
    /// Alive of what was allocated since the capture began, where what is in use is of all that was ever allocated: these
    /// stacks have the labels of their goroutines, those of the runtime's own profile have none.
    RecentObjects,
    RecentSpace,
}

/// How many there are.
const KINDS: usize = 8;

impl Kind {
    pub(super) const ALL: [Kind; KINDS] = [
        Kind::AllocObjects,
        Kind::AllocSpace,
        Kind::RequestedSpace,
        Kind::Faults,
        Kind::InuseObjects,
        Kind::InuseSpace,
        Kind::RecentObjects,
        Kind::RecentSpace,
    ];

    /// Its name and unit; those of the Go runtime's own heap profile where it has them.
    pub(super) fn name(self) -> (&'static str, &'static str) {
        match self {
            Kind::AllocObjects => ("alloc_objects", "count"),
            Kind::AllocSpace => ("alloc_space", "bytes"),
            Kind::RequestedSpace => ("requested_space", "bytes"),
            Kind::Faults => ("faults", "count"),
            Kind::InuseObjects => ("inuse_objects", "count"),
            Kind::InuseSpace => ("inuse_space", "bytes"),
            Kind::RecentObjects => ("recent_objects", "count"),
            Kind::RecentSpace => ("recent_space", "bytes"),
        }
    }
}

/// One value of each kind; 0 where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values([u64; KINDS]);

impl Values {
    /// What the totals of `report` are, and which of them are known.
    pub(super) fn of_totals(report: &Report) -> (Self, Vec<Kind>) {
        let heap = report.heap.as_ref();
        let history = heap.and_then(|heap| heap.history);
        let history = history.map(|history| history.live);
        let recent = heap.and_then(|heap| heap.probed?.live);
        let known = Self::all(&report.totals, Alive::of(report), history, recent);
        let kinds = Kind::ALL.into_iter().zip(known);
        let kinds = kinds.filter_map(|(kind, value)| value.map(|_| kind));
        (Self::known(known), kinds.collect())
    }

    /// What a stack has.
    pub(super) fn of_stack(stack: &StackFigures, alive: Alive) -> Self {
        Self::known(Self::all(&stack.figures, alive, stack.live, stack.recent))
    }

    /// Figures, and what is alive of all that was ever allocated and of what was since the capture began.
    fn all(
        figures: &Figures,
        alive: Alive,
        ever: Option<Amount>,
        recent: Option<Amount>,
    ) -> [Option<u64>; KINDS] {
        let (in_use, recent) = match alive {
            Alive::Ever => (ever, recent),
            Alive::SinceTheStart => (recent, None),
        };
        [
            Some(figures.allocs),
            figures.alloc_bytes,
            figures.requested_bytes,
            figures.faults,
            in_use.map(|alive| alive.objects),
            in_use.map(|alive| alive.bytes),
            recent.map(|alive| alive.objects),
            recent.map(|alive| alive.bytes),
        ]
    }

    /// What a stack allocated of a type.
    pub(super) fn of_type(of_type: &TypeFigures) -> Self {
        let allocs = Some(of_type.allocs);
        let (rounded, asked) = (of_type.alloc_bytes, of_type.bytes);
        Self::known([allocs, rounded, asked, None, None, None, None, None])
    }

    fn known(values: [Option<u64>; KINDS]) -> Self {
        Values(values.map(Option::unwrap_or_default))
    }

    /// The value of a kind.
    pub(super) fn get(&self, kind: Kind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }

    fn set(&mut self, kind: Kind, value: u64) {
        if let Some(known) = self.0.get_mut(kind as usize) {
            *known = value;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (value, more) in self.0.iter_mut().zip(other.0) {
            *value = value.saturating_add(more);
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0 == [0; KINDS]
    }

    /// Mean size of the objects; 0 if that is not known.
    pub(super) fn mean_size(&self) -> u64 {
        let [
            objects,
            space,
            requested,
            _,
            in_use,
            in_use_space,
            recent,
            recent_space,
        ] = self.0;
        let allocated = if space > 0 { space } else { requested };
        let sizes = [
            (allocated, objects),
            (in_use_space, in_use),
            (recent_space, recent),
        ];
        let mut sizes = sizes.into_iter();
        sizes
            .find_map(|(bytes, objects)| bytes.checked_div(objects))
            .unwrap_or(0)
    }
}

/// Makes `parts` add up to `whole`: what is missing is given back, unless it is so little that rounding can have lost it;
/// what is too much is taken from the largest.
pub(super) fn settle(
    parts: &mut [&mut Values],
    whole: &Values,
    rounded: impl Fn(Kind) -> bool,
) -> Values {
    let mut rest = Values::default();
    for kind in Kind::ALL {
        let sum: u128 = parts.iter().map(|part| u128::from(part.get(kind))).sum();
        let wanted = u128::from(whole.get(kind));
        if sum < wanted {
            // Less than 64 bits, as `wanted` is.
            let missing = u64::try_from(wanted - sum).unwrap_or(u64::MAX);
            // Each part is rounded by itself.
            let noise = if rounded(kind) { parts.len() as u64 } else { 0 };
            let largest = parts.iter_mut().max_by_key(|part| part.get(kind));
            match largest.filter(|part| missing <= noise && part.get(kind) > 0) {
                Some(part) => part.set(kind, part.get(kind) + missing),
                None => rest.set(kind, missing),
            }
        } else if sum > wanted {
            take(parts, kind, sum - wanted);
        }
    }
    rest
}

fn take(parts: &mut [&mut Values], kind: Kind, mut surplus: u128) {
    let mut largest: Vec<&mut &mut Values> = parts.iter_mut().collect();
    largest.sort_by_key(|part| Reverse(part.get(kind)));
    for part in largest {
        let value = part.get(kind);
        let less = u64::try_from(surplus).unwrap_or(u64::MAX).min(value);
        part.set(kind, value - less);
        surplus -= u128::from(less);
        if surplus == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(allocs: u64) -> Values {
        Values([allocs, 0, 0, 0, 0, 0, 0, 0])
    }

    fn check(parts: &[u64], whole: u64, rounded: bool, expect: &[u64], missing: u64) {
        let mut values: Vec<Values> = parts.iter().map(|part| of(*part)).collect();
        let mut parts: Vec<&mut Values> = values.iter_mut().collect();
        let rest = settle(&mut parts, &of(whole), |_| rounded);
        let settled: Vec<u64> = values
            .iter()
            .map(|part| part.get(Kind::AllocObjects))
            .collect();
        assert_eq!((settled.as_slice(), rest), (expect, of(missing)));
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        check(&[3, 5], 8, false, &[3, 5], 0);
        check(&[3, 5], 10, false, &[3, 5], 2);
        check(&[], 10, true, &[], 10);
        check(&[0, 0], 1, true, &[0, 0], 1);
    }

    #[test]
    fn rounding_is_the_largest_parts() {
        check(&[3, 5], 10, true, &[3, 7], 0);
        check(&[3, 5], 11, true, &[3, 5], 3);
        check(&[3, 5], 7, true, &[3, 4], 0);
    }

    #[test]
    fn parts_of_a_capture_that_contradicts_itself_are_never_more_than_the_whole() {
        check(&[3, 5, 4], 3, false, &[3, 0, 0], 0);
        check(&[u64::MAX, u64::MAX], 1, false, &[0, 1], 0);
    }
}
