//! Groups stacks by the place in the code that allocates.
//!
//! A site is the innermost frame that is not the Go runtime's own: its logical frames at that program counter, from the
//! inlined function to the one that holds the code. Two program counters with equal logical frames are one site; a
//! function inlined into two callers is two.

use super::build::figures_of;
use super::types;
use super::{Frame, Site, SizeSummary, SortBy, StackFigures};
use crate::aggregate::{SizesView, StackTotals, Totals};
use crate::decode::StackId;
use crate::symbolize::Symbols;
use std::cmp::Reverse;
use std::collections::HashMap;

/// A stack that ends at a place.
struct Ending<'a> {
    id: StackId,
    pcs: &'a [u64],
    totals: &'a StackTotals,
}

/// All sites of a capture, most bytes first. Stacks that were never defined are in none.
pub(super) fn build(totals: &Totals, symbols: &Symbols) -> Vec<Site> {
    let mut places: HashMap<Vec<Frame>, Vec<Ending<'_>>> = HashMap::new();
    for (id, stack) in &totals.stacks {
        if let Some(definition) = totals.frames.get(id) {
            places
                .entry(place(&definition.pcs, symbols))
                .or_default()
                .push(Ending {
                    id: *id,
                    pcs: &definition.pcs,
                    totals: stack,
                });
        }
    }
    let mut sites: Vec<Site> = places
        .into_iter()
        .map(|(frames, endings)| site(frames, endings, totals, symbols))
        .collect();
    sites.sort_by(|a, b| {
        let rank = |site: &Site| SortBy::Bytes.rank(&site.figures);
        rank(a).cmp(&rank(b)).then_with(|| a.frames.cmp(&b.frames))
    });
    for (id, site) in (1..).zip(&mut sites) {
        site.id = id;
    }
    sites
}

/// The logical frames of the site. A stack that never leaves the runtime (a background worker's) is placed at its
/// outermost named frame, the goroutine's entry.
pub(super) fn place(pcs: &[u64], symbols: &Symbols) -> Vec<Frame> {
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

fn site(
    frames: Vec<Frame>,
    mut endings: Vec<Ending<'_>>,
    totals: &Totals,
    symbols: &Symbols,
) -> Site {
    endings.sort_unstable_by_key(|ending| (Reverse(ending.totals.sums.requested_bytes), ending.id));
    let stacks = || endings.iter().map(|ending| ending.totals);
    let types = endings
        .iter()
        .map(|ending| (ending.pcs, &ending.totals.types));
    let figures_of_all = figures_of(totals, stacks());
    let sizes = SizesView::merged(stacks().map(|stack| &stack.sizes));
    Site {
        id: 0,
        frames,
        figures: figures_of_all,
        size: SizeSummary::of(sizes, &figures_of_all),
        types: types::figures(types, symbols),
        stacks: endings
            .iter()
            .map(|ending| StackFigures {
                id: ending.id.0,
                figures: figures_of(totals, std::iter::once(ending.totals)),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Aggregator;
    use crate::decode::{decode, encoded};
    use crate::symbolize::Frame as Named;
    use crate::target::{GoType, Kind};

    const PROBE: u64 = 1;

    /// Totals of allocations of `(stack id, program counters, size, type)`.
    fn totals(allocs: &[(u64, &[u64], u64, u64)]) -> Totals {
        let mut aggregator = Aggregator::for_tests();
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
    fn types_are_named_per_stack() {
        let sites = build(
            &totals(&[(1, &[20], 32, 99), (2, &[10, 20], 32, 99)]),
            &symbols(),
        );
        let names: Vec<(&str, u64)> = sites[0]
            .types
            .iter()
            .map(|row| (row.name.as_str(), row.allocs))
            .collect();
        assert_eq!(names, [("[]main.Node", 1), ("main.Node", 1)]);
    }
}
