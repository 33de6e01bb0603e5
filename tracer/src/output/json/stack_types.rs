//! Go types of stacks in captures: left out where the site tells them, and told again on reading.
//!
//! Hides which of them can be told: most sites have one type, or one stack.

use crate::report::{Site, StackFigures, TypeFigures};

/// What the figures of `site` and of one of its stacks tell about the types of that stack; empty if they do not.
pub(super) fn told(site: &Site, stack: &StackFigures) -> Vec<TypeFigures> {
    match (site.stacks.as_slice(), site.types.as_slice()) {
        ([_], types) => types.to_vec(),
        (_, [only]) => Vec::from_iter(of_only_type(only, stack)),
        _ => Vec::new(),
    }
}

/// Gives stacks that have no types those that are told.
pub(super) fn restore(site: &mut Site, written: Vec<Option<Vec<TypeFigures>>>) {
    let types: Vec<Vec<TypeFigures>> = site
        .stacks
        .iter()
        .zip(written)
        .map(|(stack, written)| written.unwrap_or_else(|| told(site, stack)))
        .collect();
    for (stack, types) in site.stacks.iter_mut().zip(types) {
        stack.types = types;
    }
}

/// The part of a stack in the only type of its site.
fn of_only_type(only: &TypeFigures, stack: &StackFigures) -> Option<TypeFigures> {
    let figures = &stack.figures;
    let live_bytes = only.live_bytes.and(stack.live.map(|alive| alive.bytes));
    if figures.allocs == 0 && live_bytes.unwrap_or(0) == 0 {
        return None;
    }
    Some(TypeFigures {
        name: only.name.clone(),
        allocs: figures.allocs,
        alloc_bytes: figures.alloc_bytes,
        bytes: figures.requested_bytes,
        pointer_bytes: pointer_bytes(only, figures.allocs, figures.requested_bytes),
        live_bytes,
    })
}

/// What the collector scans of so many objects: each has the same tail without pointers.
fn pointer_bytes(only: &TypeFigures, allocs: u64, bytes: Option<u64>) -> Option<u64> {
    let of_all = only.pointer_bytes?;
    if of_all == 0 {
        return Some(0);
    }
    let tail = only
        .bytes?
        .saturating_sub(of_all)
        .checked_div(only.allocs)?;
    Some(bytes?.saturating_sub(allocs.saturating_mul(tail)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Figures;

    fn of_type(name: &str, allocs: u64, bytes: u64, pointer_bytes: u64) -> TypeFigures {
        TypeFigures {
            name: name.to_owned(),
            allocs,
            alloc_bytes: Some(bytes),
            bytes: Some(bytes),
            pointer_bytes: Some(pointer_bytes),
            live_bytes: None,
        }
    }

    fn stack(id: u64, allocs: u64, bytes: u64) -> StackFigures {
        StackFigures {
            id,
            figures: Figures {
                allocs,
                alloc_bytes: Some(bytes),
                requested_bytes: Some(bytes),
                ..Figures::default()
            },
            types: vec![],
            live: None,
            recent: None,
        }
    }

    fn check(types: &[TypeFigures], stacks: &[StackFigures], expect: &[&[TypeFigures]]) {
        let mut site = crate::report::fixture::report().sites.remove(0);
        (site.types, site.stacks) = (types.to_vec(), stacks.to_vec());
        restore(&mut site, vec![None; stacks.len()]);
        let types: Vec<&[TypeFigures]> = site.stacks.iter().map(|stack| &*stack.types).collect();
        assert_eq!(types, expect);
    }

    #[test]
    fn the_only_type_of_a_site_is_that_of_each_stack() {
        check(
            &[of_type("main.Node", 10, 240, 80)],
            &[stack(1, 9, 216), stack(2, 1, 24), stack(3, 0, 0)],
            &[
                &[of_type("main.Node", 9, 216, 72)],
                &[of_type("main.Node", 1, 24, 8)],
                &[],
            ],
        );
    }

    #[test]
    fn the_only_stack_of_a_site_has_its_types() {
        let types = [of_type("a", 3, 30, 0), of_type("b", 1, 8, 8)];
        check(&types, &[stack(1, 4, 38)], &[&types]);
    }

    #[test]
    fn types_of_several_stacks_are_not_guessed() {
        let types = [of_type("a", 3, 30, 0), of_type("b", 1, 8, 8)];
        check(&types, &[stack(1, 2, 20), stack(2, 2, 18)], &[&[], &[]]);
    }

    #[test]
    fn figures_of_a_hostile_capture_do_not_overflow() {
        let mut only = of_type("a", 0, 8, 4);
        let stacks = [stack(1, u64::MAX, u64::MAX), stack(2, 1, 0)];
        for (allocs, pointers) in [(0, 4), (1, u64::MAX), (u64::MAX, 1)] {
            (only.allocs, only.pointer_bytes) = (allocs, Some(pointers));
            for stack in &stacks {
                let told = of_only_type(&only, stack).unwrap();
                assert!(
                    told.pointer_bytes
                        .is_none_or(|bytes| Some(bytes) <= told.bytes)
                );
            }
        }
    }
}
