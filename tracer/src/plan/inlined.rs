//! Allocation functions that the compiler has inlined, which it does with profile-guided optimization.
//!
//! The copy of a leaf has no place for a probe. Where all copies are in the dispatcher, `mallocgc`, the dispatcher is
//! probed as well and counts what it would have passed on to them; its other allocations go on to leaves that are
//! functions. A copy anywhere else cannot be probed: the plan says so.

use super::leaves::{self, ALLOCATOR_PREFIX, Class, LeafSet};
use crate::program::GoBinary;
use std::collections::BTreeSet;

/// Pairs of a function and one that is inlined into it.
pub(super) type Copies = BTreeSet<(String, String)>;

/// What is inlined where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Inlined {
    /// Leaves that the dispatcher has inlined, and their bits.
    pub(super) leaves: BTreeSet<String>,
    /// Mask of those leaves.
    pub(super) mask: u32,
    /// Copies that no probe sees.
    pub(super) unseen: Vec<String>,
}

/// Finds the inlined copies of the leaves of `set`, and those of functions whose names start with one of `others`.
pub(super) fn find(binary: &GoBinary, set: &LeafSet, others: &[&str]) -> (Inlined, Copies) {
    // Up to Go 1.23 the only leaf is larger than anything that is inlined.
    let leaves = set.dispatcher().map(|_| ALLOCATOR_PREFIX);
    let prefixes: Vec<&str> = leaves.into_iter().chain(others.iter().copied()).collect();
    if prefixes.is_empty() {
        return (Inlined::default(), Copies::new());
    }
    let copies = binary.inlined_copies(&prefixes);
    let inlined = match set.dispatcher() {
        None => Inlined::default(),
        Some(dispatcher) => sort_out(&copies, set, dispatcher),
    };
    (inlined, copies)
}

fn sort_out(copies: &Copies, set: &LeafSet, dispatcher: &str) -> Inlined {
    let mut inlined = Inlined::default();
    for (host, name) in copies {
        let Class::Leaf(pointers) = set.classify(name) else {
            continue;
        };
        match leaves::dispatch_bit(name, pointers) {
            Some(bit) if host == dispatcher => {
                inlined.leaves.insert(name.clone());
                inlined.mask |= 1 << bit;
            }
            _ => inlined.unseen.push(format!("{name} inlined into {host}")),
        }
    }
    inlined
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer_common::cookie::dispatch;

    fn sorted_out(copies: &[(&str, &str)]) -> Inlined {
        let copies = copies
            .iter()
            .map(|(host, name)| ((*host).to_owned(), (*name).to_owned()))
            .collect();
        sort_out(
            &copies,
            leaves::for_version(1, 27).unwrap().0,
            "runtime.mallocgc",
        )
    }

    #[test]
    fn copies_in_the_dispatcher_are_its_own() {
        let inlined = sorted_out(&[
            ("runtime.mallocgc", "runtime.mallocgcSmallNoscan"),
            ("runtime.mallocgc", "runtime.mallocgcTinySC2"),
            ("runtime.mallocgc", "runtime.mallocgcSmallScanNoHeaderSC2"),
        ]);
        let bits = [
            dispatch::SMALL_NOSCAN,
            dispatch::TINY,
            dispatch::SCAN_CLASS + 2,
        ];
        assert_eq!(inlined.mask, bits.iter().map(|bit| 1 << bit).sum::<u32>());
        assert!(inlined.unseen.is_empty());
    }

    #[test]
    fn a_copy_elsewhere_is_not_seen() {
        let inlined = sorted_out(&[("main.hot", "runtime.mallocgcSmallNoScanSC3")]);
        assert_eq!((inlined.mask, inlined.unseen.len()), (0, 1));
    }

    #[test]
    fn copies_of_dispatchers_and_slow_paths_do_not_matter() {
        let copies = [
            ("runtime.newobject", "runtime.mallocgc"),
            ("main.f", "runtime.mallocgcTinySlowPath"),
        ];
        assert_eq!(sorted_out(&copies), Inlined::default());
    }
}
