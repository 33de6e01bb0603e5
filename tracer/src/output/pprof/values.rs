//! What samples count, and how their values are made to add up to the figures of the report.
//!
//! Hides that figures of samples are rounded each by itself, and that a capture can contradict itself.

use crate::report::{Alive, Amount, Report, StackFigures, TypeFigures};

/// A figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AllocObjects,
    AllocSpace,
    RequestedSpace,
    Faults,
    InuseObjects,
    InuseSpace,
}

/// How many there are.
const KINDS: usize = 6;

impl Kind {
    pub(super) const ALL: [Kind; KINDS] = [
        Kind::AllocObjects,
        Kind::AllocSpace,
        Kind::RequestedSpace,
        Kind::Faults,
        Kind::InuseObjects,
        Kind::InuseSpace,
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
        }
    }
}

/// One value of each kind; 0 where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values([u64; KINDS]);

impl Values {
    /// What the totals of `report` are, and which of them are known.
    pub(super) fn of_totals(report: &Report) -> (Self, Vec<Kind>) {
        let totals = &report.totals;
        let alive = alive_in_all(report);
        let known = [
            Some(totals.allocs),
            totals.alloc_bytes,
            totals.requested_bytes,
            totals.faults,
            alive.map(|alive| alive.objects),
            alive.map(|alive| alive.bytes),
        ];
        let kinds = Kind::ALL.into_iter().zip(known);
        let kinds = kinds.filter_map(|(kind, value)| value.map(|_| kind));
        (Self::known(known), kinds.collect())
    }

    /// What a stack has.
    pub(super) fn of_stack(stack: &StackFigures, alive: Alive) -> Self {
        let figures = &stack.figures;
        let alive = alive.of_stack(stack);
        Self::known([
            Some(figures.allocs),
            figures.alloc_bytes,
            figures.requested_bytes,
            figures.faults,
            alive.map(|alive| alive.objects),
            alive.map(|alive| alive.bytes),
        ])
    }

    /// What a stack allocated of a type.
    pub(super) fn of_type(of_type: &TypeFigures) -> Self {
        let allocs = Some(of_type.allocs);
        Self::known([allocs, of_type.alloc_bytes, of_type.bytes, None, None, None])
    }

    fn known(values: [Option<u64>; KINDS]) -> Self {
        Values(values.map(Option::unwrap_or_default))
    }

    /// The value of a kind.
    pub(super) fn get(&self, kind: Kind) -> u64 {
        let [
            objects,
            space,
            requested,
            faults,
            inuse_objects,
            inuse_space,
        ] = self.0;
        match kind {
            Kind::AllocObjects => objects,
            Kind::AllocSpace => space,
            Kind::RequestedSpace => requested,
            Kind::Faults => faults,
            Kind::InuseObjects => inuse_objects,
            Kind::InuseSpace => inuse_space,
        }
    }

    fn get_mut(&mut self, kind: Kind) -> &mut u64 {
        let [
            objects,
            space,
            requested,
            faults,
            inuse_objects,
            inuse_space,
        ] = &mut self.0;
        match kind {
            Kind::AllocObjects => objects,
            Kind::AllocSpace => space,
            Kind::RequestedSpace => requested,
            Kind::Faults => faults,
            Kind::InuseObjects => inuse_objects,
            Kind::InuseSpace => inuse_space,
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
        let [objects, space, requested, _, inuse_objects, inuse_space] = self.0;
        let allocated = if space > 0 { space } else { requested };
        let mean = allocated.checked_div(objects);
        mean.or(inuse_space.checked_div(inuse_objects)).unwrap_or(0)
    }
}

/// What is alive in all.
fn alive_in_all(report: &Report) -> Option<Amount> {
    let heap = report.heap.as_ref()?;
    let history = heap.history.map(|history| history.live);
    history.or_else(|| heap.probed?.live)
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
                Some(part) => *part.get_mut(kind) += missing,
                None => *rest.get_mut(kind) = missing,
            }
        } else if sum > wanted {
            take(parts, kind, sum - wanted);
        }
    }
    rest
}

fn take(parts: &mut [&mut Values], kind: Kind, mut surplus: u128) {
    let mut largest: Vec<&mut u64> = parts.iter_mut().map(|part| part.get_mut(kind)).collect();
    largest.sort_by(|a, b| b.cmp(a));
    for value in largest {
        let less = u64::try_from(surplus).unwrap_or(u64::MAX).min(*value);
        *value -= less;
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
        Values::known([Some(allocs), None, None, None, None, None])
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
