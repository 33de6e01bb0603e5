//! Groups stacks by the place in the code that allocates, touches new pages, or pays for the collector.
//!
//! A site is the innermost frame that is not the Go runtime's own: its logical frames at that program counter, from the
//! inlined function to the one that holds the code. Two program counters with equal logical frames are one site; a
//! function inlined into two callers is two.

use super::basis::{HeapView, Known, with_something};
use super::{
    FaultFigures, Figures, Frame, GcFigures, Growth, Site, SortBy, StackFigures, TypeFigures, types,
};
use crate::aggregate::Totals;
use crate::decode::StackId;
use crate::symbolize::{self, Symbols};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// What was recorded besides allocations, so that nothing of it is known to be nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded<'a> {
    pub(super) faults: bool,
    pub(super) gc: bool,
    pub(super) heap: &'a HeapView<'a>,
}

/// A stack that ends at a place.
struct Ending<'a> {
    known: Known<'a>,
    faults: Option<FaultFigures>,
    gc: Option<GcFigures>,
}

/// The stacks that end at a place.
#[derive(Default)]
struct Place<'a> {
    endings: Vec<Ending<'a>>,
    /// Where those of the runtime's own profile are.
    of_history: HashMap<&'a [u64], usize>,
}

/// All sites of a capture, most bytes first. Stacks that were never defined are in none.
pub(super) fn build<'a>(
    totals: &'a Totals,
    symbols: &Symbols,
    recorded: Recorded<'a>,
) -> Vec<Site> {
    let mut places: HashMap<Vec<Frame>, Place<'a>> = HashMap::new();
    for id in stacks(totals) {
        if let Some(definition) = totals.frames.get(&id) {
            let place = places.entry(place(&definition.pcs, symbols)).or_default();
            let ending = ending(id, &definition.pcs, totals, symbols, recorded);
            place.endings.push(ending);
        }
    }
    add_history(&mut places, symbols, recorded);
    let mut sites: Vec<Site> = places
        .into_iter()
        .map(|(frames, place)| site(frames, place.endings, totals, symbols, recorded.heap))
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

/// Adds the stacks that the runtime's own profile knows. They stay apart from those that were recorded: of these there may be
/// several for one of the profile, which does not tell goroutines apart.
fn add_history<'a>(
    places: &mut HashMap<Vec<Frame>, Place<'a>>,
    symbols: &Symbols,
    recorded: Recorded<'a>,
) {
    for bucket in recorded.heap.history.iter().flat_map(|of| of.buckets()) {
        let place = places.entry(place(&bucket.pcs, symbols)).or_default();
        let known = place.of_history.get(&*bucket.pcs).copied();
        match known.and_then(|at| place.endings.get_mut(at)) {
            Some(ending) => ending.known.add(bucket),
            None => {
                place.of_history.insert(&bucket.pcs, place.endings.len());
                place.endings.push(Ending {
                    known: Known::of_bucket(history_stack(&bucket.pcs), bucket),
                    faults: recorded.faults.then(FaultFigures::default),
                    gc: recorded.gc.then(GcFigures::default),
                });
            }
        }
    }
}

/// Identity of a stack that is known from the runtime's own profile only.
pub(super) fn history_stack(pcs: &[u64]) -> StackId {
    let mut hasher = DefaultHasher::new();
    pcs.hash(&mut hasher);
    StackId(hasher.finish())
}

/// Every stack of which something is known.
fn stacks(totals: &Totals) -> HashSet<StackId> {
    let others = totals.faults.stacks.keys();
    let others = others.chain(totals.gc.assists.keys());
    let others = others.chain(totals.gc.calls.keys());
    let others = others.chain(totals.heap.stacks.keys());
    totals.stacks.keys().chain(others).copied().collect()
}

fn ending<'a>(
    id: StackId,
    pcs: &'a [u64],
    totals: &'a Totals,
    symbols: &Symbols,
    recorded: Recorded<'a>,
) -> Ending<'a> {
    let faults = totals.faults.stacks.get(&id).copied().unwrap_or_default();
    let assists = totals.gc.assists.get(&id).copied().unwrap_or_default();
    Ending {
        known: recorded.heap.stack(id, pcs, totals),
        faults: recorded
            .faults
            .then(|| FaultFigures::of_stack(&faults, pcs, symbols)),
        gc: recorded.gc.then(|| GcFigures {
            assists: assists.count,
            assist_ns: assists.ns,
            calls: totals.gc.calls.get(&id).copied().unwrap_or(0),
        }),
    }
}

/// How the package of the instruction that calls the kernel begins, up to Go 1.23 and from then on.
const SYSTEM_CALLS: [&str; 2] = ["runtime/internal/syscall", "internal/runtime/syscall"];
/// Packages on the way to it: a page that the kernel touches for them counts for the code that asked.
const WAY_TO_THE_KERNEL: [&str; 6] = [
    "syscall",
    "internal/poll",
    "internal/syscall/unix",
    "golang.org/x/sys/unix",
    "os",
    "net",
];

/// How many program counters of a stack, innermost first, lead to its site; `None` if that is farther out, or nowhere.
pub fn to_site(pcs: &[u64], symbols: &Symbols) -> Option<usize> {
    let is_way = way(pcs, symbols);
    let mut frames = symbols.stack(pcs);
    let site = frames.position(|logical| !logical.iter().all(&is_way))?;
    Some(site + 1)
}

/// Tells frames that are not what asked: the runtime's own and, in a system call, what leads to it.
fn way(pcs: &[u64], symbols: &Symbols) -> impl Fn(&symbolize::Frame) -> bool {
    let innermost = symbols.stack(pcs).next();
    let in_system_call = innermost
        .and_then(<[symbolize::Frame]>::last)
        .is_some_and(|frame| {
            let mut calls = SYSTEM_CALLS.iter();
            calls.any(|call| frame.package.starts_with(call))
        });
    move |frame| {
        frame.is_runtime() || (in_system_call && WAY_TO_THE_KERNEL.contains(&&*frame.package))
    }
}

/// The logical frames of the site. A stack that never leaves the runtime (a background worker's) is placed at its
/// outermost named frame, the goroutine's entry.
pub(super) fn place(pcs: &[u64], symbols: &Symbols) -> Vec<Frame> {
    let is_way = way(pcs, symbols);
    let user = symbols.stack(pcs).find_map(|logical| {
        let inner = logical.iter().position(|frame| !is_way(frame))?;
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
    endings: Vec<Ending<'_>>,
    totals: &Totals,
    symbols: &Symbols,
    heap: &HeapView<'_>,
) -> Site {
    let known: Vec<&Known<'_>> = endings.iter().map(|ending| &ending.known).collect();
    let faults = sum(&endings, |ending| ending.faults, FaultFigures::merge);
    let figures = Figures {
        faults: faults.map(|faults| faults.all()),
        ..heap.figures(&known, totals)
    };
    let (live, recent, growth) = (heap.alive(&known), heap.recent(&known), heap.growth(&known));
    let alive = live.map(|live| live.now);
    let alive = alive.or(recent.as_ref().map(|recent| recent.live));
    let figures = Figures {
        live_bytes: alive.map(|alive| alive.bytes),
        growth_per_s: growth.as_ref().map(Growth::whole_bytes_per_s),
        ..figures
    };
    let of_stacks: Vec<Vec<TypeFigures>> = known
        .iter()
        .map(|stack| heap.types(stack, symbols))
        .collect();
    Site {
        id: 0,
        frames,
        figures,
        size: heap.sizes(&known, &figures),
        types: with_something(types::by_name(of_stacks.concat())),
        live,
        recent,
        growth,
        stacks: stacks_of(&endings, of_stacks, totals, heap),
        faults,
        gc: sum(&endings, |ending| ending.gc, GcFigures::merge),
    }
}

fn stacks_of(
    endings: &[Ending<'_>],
    types: Vec<Vec<TypeFigures>>,
    totals: &Totals,
    heap: &HeapView<'_>,
) -> Vec<StackFigures> {
    let mut stacks: Vec<StackFigures> = endings
        .iter()
        .zip(types)
        .map(|(ending, types)| {
            let known = &ending.known;
            let (live, recent) = heap.of_stack(known);
            StackFigures {
                id: known.id.0,
                figures: Figures {
                    faults: ending.faults.map(|faults| faults.all()),
                    live_bytes: recent.or(live).map(|alive| alive.bytes),
                    ..heap.figures(&[known], totals)
                },
                types: with_something(types),
                live,
                recent,
            }
        })
        .collect();
    stacks.sort_by_key(|stack| {
        let rank = (
            stack.figures.weight(),
            stack.figures.faults,
            stack.figures.live_bytes,
        );
        (Reverse(rank), stack.id)
    });
    stacks
}

/// What the figures of all stacks add up to; `None` if they were not recorded.
fn sum<T: Copy + Default>(
    endings: &[Ending<'_>],
    of: impl Fn(&Ending<'_>) -> Option<T>,
    merge: impl Fn(&mut T, &T),
) -> Option<T> {
    let mut sum = None;
    for figures in endings.iter().filter_map(of) {
        merge(sum.get_or_insert_default(), &figures);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Aggregator, GcRules};
    use crate::decode::{decode, encoded};
    use crate::plan::GcEvent;
    use crate::program::{GoType, Kind};
    use crate::symbolize::Frame as Named;
    use tracer_common::record::{FLAG_MAJOR, MEMORY_HEAP, MEMORY_STACK};

    const PROBE: u64 = 1;

    /// Sites of a capture that has nothing but allocations.
    fn built(totals: &Totals, symbols: &Symbols) -> Vec<Site> {
        built_with(totals, symbols, (false, false))
    }

    fn built_with(totals: &Totals, symbols: &Symbols, (faults, gc): (bool, bool)) -> Vec<Site> {
        let heap = &HeapView::none(&totals.heap);
        build(totals, symbols, Recorded { faults, gc, heap })
    }

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
        built(&totals(allocs), &symbols())
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
        let totals = totals(&[(1, &[20], 32, 99), (2, &[10, 20], 32, 99)]);
        let sites = built(&totals, &symbols());
        let names: Vec<(&str, u64)> = sites[0]
            .types
            .iter()
            .map(|row| (row.name.as_str(), row.allocs))
            .collect();
        assert_eq!(names, [("[]main.Node", 1), ("main.Node", 1)]);
        let of_stacks: Vec<_> = sites[0]
            .stacks
            .iter()
            .map(|stack| (stack.id, stack.types[0].name.as_str(), stack.types.len()))
            .collect();
        assert_eq!(of_stacks, [(1, "main.Node", 1), (2, "[]main.Node", 1)]);
    }

    #[test]
    fn a_page_that_the_kernel_touches_counts_for_the_code_that_asked() {
        let place_of = |pcs: &[u64], innermost: &str| {
            let frames = [
                (1, vec![Named::of("syscall.RawSyscall6", "syscall", 65)]),
                (2, vec![Named::of("os.(*File).Read", "os", 9)]),
                (3, vec![Named::of("main.load", "main", 7)]),
            ];
            let package = innermost
                .rsplit_once('.')
                .map_or("", |(package, _)| package);
            let symbols = Symbols::of(frames, vec![])
                .with_innermost(0, vec![Named::of(innermost, package, 1)]);
            let place = place(pcs, &symbols);
            place.first().map(|frame| frame.function.clone())
        };
        let pcs = [0, 1, 2, 3];
        let in_kernel = place_of(&pcs, "internal/runtime/syscall/linux.Syscall6");
        assert_eq!(in_kernel.as_deref(), Some("main.load"));
        let outside = place_of(&pcs, "runtime.memmove");
        assert_eq!(outside.as_deref(), Some("syscall.RawSyscall6"));
    }

    #[test]
    fn a_place_that_only_touches_pages_or_assists_is_a_site() {
        let mut aggregator = Aggregator::with_gc_rules(GcRules {
            events: vec![GcEvent::AssistStart, GcEvent::AssistEnd, GcEvent::Call],
            ..GcRules::default()
        });
        for record in [
            encoded::stack(1, &[PROBE, 20]),
            encoded::alloc(0, 1, 8, 0),
            encoded::stack(2, &[30]),
            encoded::fault(2, 0x1000, MEMORY_HEAP, 0),
            encoded::fault(2, 0x2000, MEMORY_STACK, FLAG_MAJOR),
            // At the site of the allocation.
            encoded::stack(3, &[PROBE, 21]),
            encoded::fault(3, 0x3000, MEMORY_HEAP, 0),
            encoded::assist(0, 3, 0x100, 10),
            encoded::assist(1, 0, 0x100, 15),
            encoded::gc(2, 3, 1, [0; 4], None),
        ] {
            aggregator.apply(decode(&record));
        }
        let sites = built_with(&aggregator.into_totals(), &symbols(), (true, true));
        let faults: Vec<_> = sites.iter().map(|site| site.figures.faults).collect();
        assert_eq!(faults, [Some(1), Some(2)]);
        let expected = GcFigures {
            assists: 1,
            assist_ns: 5,
            calls: 1,
        };
        assert_eq!(sites[0].gc, Some(expected));
        let of_second = sites[1].faults.unwrap();
        assert_eq!((of_second.minor, of_second.major), (1, 1));
        assert_eq!(
            (of_second.by_memory.heap, of_second.by_memory.stack),
            (1, 1)
        );
        assert_eq!(sites[1].figures.allocs, 0);
    }
}
