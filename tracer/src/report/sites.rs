//! Groups stacks by the place in the code that allocates.
//!
//! A site is the innermost frame that is not the Go runtime's own: its logical frames at that program counter, from the
//! inlined function to the one that holds the code. Two program counters with equal logical frames are one site; a
//! function inlined into two callers is two.

use super::build::figures;
use super::{Frame, Site, SizeSummary, StackFigures, TypeFigures};
use crate::aggregate::{Sizes, SizesView, StackTotals, Sums, Totals};
use crate::decode::StackId;
use crate::symbolize::Symbols;
use crate::target::GoType;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Name of memory without a type, or whose type has no name in the binary.
const NO_TYPE: &str = "-";

/// The stacks that end at one place.
type Group<'a> = Vec<(StackId, &'a StackTotals)>;

/// All sites of a capture, most bytes first. Stacks that were never defined are in none.
pub(super) fn build(totals: &Totals, symbols: &Symbols) -> Vec<Site> {
    let mut groups: HashMap<Vec<Frame>, Group<'_>> = HashMap::new();
    for (id, stack) in &totals.stacks {
        if let Some(definition) = totals.frames.get(id) {
            groups
                .entry(place(&definition.pcs, symbols))
                .or_default()
                .push((*id, stack));
        }
    }
    let mut sites: Vec<Site> = groups
        .into_iter()
        .map(|(frames, group)| site(frames, group, symbols))
        .collect();
    sites.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.frames.cmp(&b.frames)));
    for (id, site) in (1..).zip(&mut sites) {
        site.id = id;
    }
    sites
}

fn rank(site: &Site) -> Reverse<(u64, u64)> {
    Reverse((
        site.figures
            .alloc_bytes
            .unwrap_or(site.figures.requested_bytes),
        site.figures.allocs,
    ))
}

/// The logical frames of the site. A stack that never leaves the runtime (a background worker's) is placed at its
/// outermost named frame, the goroutine's entry.
fn place(pcs: &[u64], symbols: &Symbols) -> Vec<Frame> {
    let user = symbols.stack(pcs).find_map(|logical| {
        let inner = logical.iter().position(|frame| !frame.is_runtime())?;
        logical.get(inner..)
    });
    let entry = || {
        let named = symbols.stack(pcs).filter(|logical| {
            logical
                .iter()
                .any(|frame| &*frame.function != "runtime.goexit")
        });
        named.last()
    };
    user.or_else(entry)
        .unwrap_or_default()
        .iter()
        .map(Frame::from)
        .collect()
}

fn site(frames: Vec<Frame>, mut group: Group<'_>, symbols: &Symbols) -> Site {
    group.sort_unstable_by_key(|(id, stack)| (Reverse(stack.sums.requested_bytes), *id));
    let mut sums = Sums::default();
    group.iter().for_each(|(_, stack)| sums.merge(&stack.sums));
    Site {
        id: 0,
        frames,
        figures: figures(&sums),
        size: size_summary(group.iter().map(|(_, stack)| &stack.sizes), &sums),
        types: types(&group, symbols),
        stacks: group
            .iter()
            .map(|(id, stack)| StackFigures {
                id: id.0,
                figures: figures(&stack.sums),
            })
            .collect(),
    }
}

fn size_summary<'a>(parts: impl Iterator<Item = &'a Sizes>, sums: &Sums) -> SizeSummary {
    let view = SizesView::merged(parts);
    let at = |percent| view.percentile(percent).unwrap_or(0);
    SizeSummary {
        min: view.buckets.first().map_or(0, |(size, _)| *size),
        p50: at(50),
        p90: at(90),
        p99: at(99),
        max: at(100),
        mean: if sums.allocs > 0 {
            sums.requested_bytes as f64 / sums.allocs as f64
        } else {
            0.0
        },
        unbinned: view.unbinned,
        buckets: view.buckets,
    }
}

/// Types by name: two descriptors of one name (a plugin's, or made by `reflect`) are one row.
fn types(group: &Group<'_>, symbols: &Symbols) -> Vec<TypeFigures> {
    let mut by_pointer: HashMap<u64, Sums> = HashMap::new();
    let mut others = Sums::default();
    for (_, stack) in group {
        for known in stack.types.iter() {
            by_pointer
                .entry(known.type_pointer)
                .or_default()
                .merge(&known.sums);
        }
        others.merge(stack.types.others());
    }
    let mut by_name: HashMap<String, TypeFigures> = HashMap::new();
    let rows = by_pointer
        .iter()
        .map(|(pointer, sums)| type_row(symbols.go_type(*pointer), sums));
    let others = (others.allocs > 0).then(|| type_row(None, &others));
    for row in rows.chain(others) {
        match by_name.get_mut(&row.name) {
            Some(known) => {
                known.allocs += row.allocs;
                known.bytes += row.bytes;
                known.pointer_bytes = known
                    .pointer_bytes
                    .zip(row.pointer_bytes)
                    .map(|(a, b)| a + b);
            }
            None => drop(by_name.insert(row.name.clone(), row)),
        }
    }
    let mut types: Vec<TypeFigures> = by_name.into_values().collect();
    types.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    types
}

/// The runtime is given the element's type for an array behind a slice: sizes tell it from a single value. The
/// collector scans an object up to its last pointer.
fn type_row(go_type: Option<&GoType>, sums: &Sums) -> TypeFigures {
    let (allocs, bytes) = (sums.allocs, sums.requested_bytes);
    let Some(go_type) = go_type else {
        return TypeFigures {
            name: NO_TYPE.to_owned(),
            allocs,
            bytes,
            pointer_bytes: None,
        };
    };
    let single = bytes == allocs.saturating_mul(go_type.size_bytes);
    let name = if single {
        go_type.name.clone()
    } else {
        format!("[]{}", go_type.name)
    };
    let tail = go_type.size_bytes.saturating_sub(go_type.pointer_bytes);
    let scanned = if go_type.pointer_bytes == 0 {
        0
    } else {
        bytes.saturating_sub(allocs.saturating_mul(tail))
    };
    TypeFigures {
        name,
        allocs,
        bytes,
        pointer_bytes: Some(scanned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Aggregator, Rounding};
    use crate::decode::{decode, encoded};
    use crate::symbolize::Frame as Named;
    use crate::target::Kind;

    const PROBE: u64 = 1;

    /// Totals of allocations of `(stack id, program counters, size, type)`.
    fn totals(allocs: &[(u64, &[u64], u64, u64)]) -> Totals {
        let mut aggregator = Aggregator::new(Rounding::for_tests());
        for (id, pcs, size, type_pointer) in allocs {
            let pcs: Vec<u64> = [PROBE].iter().chain(*pcs).copied().collect();
            aggregator.apply(decode(&encoded::stack(*id, &pcs)));
            aggregator.apply(decode(&encoded::alloc(0, *id, *size, *type_pointer)));
        }
        aggregator.into_totals()
    }

    fn node() -> GoType {
        GoType {
            name: "main.Node".to_owned(),
            size_bytes: 32,
            pointer_bytes: 24,
            kind: Kind::Struct,
        }
    }

    fn symbols() -> Symbols {
        let frames = [
            (10, vec![Named::of("runtime.makeslice", "runtime", 5)]),
            (20, vec![Named::of("main.work", "main", 7)]),
            (21, vec![Named::of("main.work", "main", 7)]),
            (
                30,
                vec![
                    Named::of("main.inner", "main", 3),
                    Named::of("main.outer", "main", 9),
                ],
            ),
            (
                31,
                vec![
                    Named::of("runtime.add", "runtime", 1),
                    Named::of("main.outer", "main", 9),
                ],
            ),
            (40, vec![Named::of("runtime.bgsweep", "runtime", 2)]),
            (50, vec![Named::of("runtime.goexit", "runtime", 1)]),
        ];
        Symbols::of(frames, vec![(99, node())])
    }

    fn sites(allocs: &[(u64, &[u64], u64, u64)]) -> Vec<(Vec<String>, u64)> {
        let name = |site: Site| {
            (
                site.frames.into_iter().map(|f| f.function).collect(),
                site.figures.allocs,
            )
        };
        build(&totals(allocs), &symbols())
            .into_iter()
            .map(name)
            .collect()
    }

    fn site_of(names: &[&str], allocs: u64) -> (Vec<String>, u64) {
        (
            names.iter().map(|name| (*name).to_owned()).collect(),
            allocs,
        )
    }

    #[test]
    fn a_site_is_the_innermost_frame_outside_the_runtime() {
        assert_eq!(
            sites(&[(1, &[10, 20, 50], 8, 0)]),
            [site_of(&["main.work"], 1)]
        );
    }

    #[test]
    fn equal_logical_frames_at_two_pcs_are_one_site() {
        assert_eq!(
            sites(&[(1, &[20], 8, 0), (2, &[10, 21], 8, 0)]),
            [site_of(&["main.work"], 2)]
        );
    }

    #[test]
    fn an_inlined_function_is_shown_with_its_host() {
        assert_eq!(
            sites(&[(1, &[30], 8, 0)]),
            [site_of(&["main.inner", "main.outer"], 1)]
        );
    }

    #[test]
    fn inlined_runtime_frames_are_not_part_of_a_site() {
        assert_eq!(sites(&[(1, &[31], 8, 0)]), [site_of(&["main.outer"], 1)]);
    }

    #[test]
    fn a_stack_within_the_runtime_is_at_its_entry() {
        assert_eq!(
            sites(&[(1, &[10, 40, 50], 8, 0)]),
            [site_of(&["runtime.bgsweep"], 1)]
        );
    }

    #[test]
    fn a_stack_without_names_is_a_site_without_frames() {
        assert_eq!(sites(&[(1, &[777], 8, 0)]), [site_of(&[], 1)]);
    }

    #[test]
    fn sites_are_ranked_by_bytes() {
        let ranked = sites(&[(1, &[20], 8, 0), (2, &[20], 8, 0), (3, &[30], 4096, 0)]);
        assert_eq!(
            ranked,
            [
                site_of(&["main.inner", "main.outer"], 1),
                site_of(&["main.work"], 2)
            ]
        );
    }

    #[test]
    fn types_are_named_and_their_pointers_counted() {
        let single = build(&totals(&[(1, &[20], 32, 99)]), &symbols());
        let expect = |name: &str, bytes, pointer_bytes| {
            [TypeFigures {
                name: name.to_owned(),
                allocs: 1,
                bytes,
                pointer_bytes,
            }]
        };
        assert_eq!(single[0].types, expect("main.Node", 32, Some(24)));
        let array = build(&totals(&[(1, &[20], 320, 99)]), &symbols());
        assert_eq!(array[0].types, expect("[]main.Node", 320, Some(312)));
        let untyped = build(&totals(&[(1, &[20], 5, 0)]), &symbols());
        assert_eq!(untyped[0].types, expect("-", 5, None));
    }
}
