//! Sites and groups as the page takes them: figures by name where people look them up, lists of numbers where there are
//! many of them.
//!
//! Hides which parts of a capture are too fine for a page: sizes beyond some are put together.

use super::super::json::{heap, pages};
use super::frames::{Frames, Strings, Tree};
use crate::report::{
    Alive, Figures, Group, GroupBy, Grouped, Report, Site, SizeSummary, SortBy, Stack,
    StackFigures, TypeFigures,
};
use serde::Serialize;
use std::collections::HashMap;

/// Distinct sizes that are shown one by one.
const EXACT_SIZES: usize = 32;

/// Sites named in a group, those with most bytes.
const SITES_OF_GROUP: usize = 8;

/// A figure that is `null` was not measured.
#[derive(Serialize)]
pub(super) struct Numbers {
    allocs: u64,
    bytes: Option<u64>,
    requested: Option<u64>,
    faults: Option<u64>,
    live: Option<u64>,
    growth: Option<i64>,
    /// Standard errors of allocations and bytes; `null` if each allocation was counted.
    error: Option<[Option<u64>; 2]>,
}

impl From<&Figures> for Numbers {
    fn from(figures: &Figures) -> Self {
        Numbers {
            allocs: figures.allocs,
            bytes: figures.alloc_bytes,
            requested: figures.requested_bytes,
            faults: figures.faults,
            live: figures.live_bytes,
            growth: figures.growth_per_s,
            error: figures
                .estimate
                .map(|estimate| [estimate.allocs_error, estimate.alloc_bytes_error]),
        }
    }
}

/// Sizes from the first to the second, allocations, bytes.
#[derive(Serialize)]
struct Bin(u64, u64, u64, u64);

#[derive(Serialize)]
struct Sizes {
    min: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
    unbinned: u64,
    bins: Vec<Bin>,
}

/// Type name; allocations; bytes; bytes asked for; bytes with pointers; live bytes.
#[derive(Serialize)]
struct Type(
    usize,
    u64,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
);

/// Node of the tree; allocations; bytes; bytes asked for; live bytes; faults; the frame of the `go` statement; labels.
#[derive(Serialize)]
struct Path<'a>(
    usize,
    u64,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<usize>,
    &'a [(String, String)],
);

#[derive(Serialize)]
struct Collector {
    assists: u64,
    assist_ns: u64,
    calls: u64,
}

/// A place in the code.
#[derive(Serialize)]
pub(super) struct SiteData<'a> {
    id: u32,
    frames: Vec<usize>,
    figures: Numbers,
    size: Sizes,
    types: Vec<Type>,
    faults: Option<pages::Faults>,
    gc: Option<Collector>,
    live: Option<heap::Live>,
    recent: Option<heap::Recent<'a>>,
    growth: Option<heap::Growth<'a>>,
    stacks: Vec<Path<'a>>,
}

/// What sites have in common.
#[derive(Serialize)]
pub(super) struct GroupsData {
    by: &'static str,
    groups: Vec<GroupData>,
}

#[derive(Serialize)]
struct GroupData {
    name: String,
    figures: Numbers,
    pointers: Option<u64>,
    /// Median, 99th percentile and largest size, where that is known.
    sizes: Option<[u64; 3]>,
    /// Position of a site, and bytes there.
    sites: Vec<(usize, u64)>,
    /// How many sites there are in all.
    site_count: usize,
}

/// The tables that sites point into, filled while sites are written down.
#[derive(Default)]
pub(super) struct Tables<'a> {
    pub(super) strings: Strings<'a>,
    pub(super) frames: Frames<'a>,
    pub(super) tree: Tree,
}

/// All sites of `report`, in its order.
pub(super) fn sites<'a>(report: &'a Report, tables: &mut Tables<'a>) -> Vec<SiteData<'a>> {
    let stacks: HashMap<u64, &Stack> = report
        .stacks
        .iter()
        .map(|stack| (stack.id, stack))
        .collect();
    let sites = report.sites.iter();
    sites
        .map(|site| SiteData::of(site, report, &stacks, tables))
        .collect()
}

impl<'a> SiteData<'a> {
    fn of(
        site: &'a Site,
        report: &'a Report,
        stacks: &HashMap<u64, &'a Stack>,
        tables: &mut Tables<'a>,
    ) -> Self {
        let Tables {
            strings, frames, ..
        } = tables;
        SiteData {
            id: site.id,
            frames: frames.places(&site.frames, strings),
            figures: (&site.figures).into(),
            size: (&site.size).into(),
            types: site
                .types
                .iter()
                .map(|of_type| Type::of(of_type, strings))
                .collect(),
            faults: site.faults.map(Into::into),
            gc: site.gc.map(|gc| Collector {
                assists: gc.assists,
                assist_ns: gc.assist_ns,
                calls: gc.calls,
            }),
            live: site.live.map(Into::into),
            recent: site.recent.as_ref().map(Into::into),
            growth: site.growth.as_ref().map(Into::into),
            stacks: site
                .stacks
                .iter()
                .map(|stack| Path::of(stack, report, stacks, tables))
                .collect(),
        }
    }
}

impl Type {
    fn of<'a>(of_type: &'a TypeFigures, strings: &mut Strings<'a>) -> Self {
        Type(
            strings.place(&of_type.name),
            of_type.allocs,
            of_type.alloc_bytes,
            of_type.bytes,
            of_type.pointer_bytes,
            of_type.live_bytes,
        )
    }
}

impl<'a> Path<'a> {
    fn of(
        figures: &StackFigures,
        report: &'a Report,
        stacks: &HashMap<u64, &'a Stack>,
        tables: &mut Tables<'a>,
    ) -> Self {
        let stack = stacks.get(&figures.id);
        let mut place = |index: usize| {
            let frame = report.frames.get(index)?;
            Some(tables.frames.place(frame, &mut tables.strings))
        };
        let path: Vec<usize> = stack.map_or_else(Vec::new, |stack| {
            let outermost_first = stack.frames.iter().rev();
            outermost_first.filter_map(|at| place(*at)).collect()
        });
        let creator = stack.and_then(|stack| place(stack.creator?));
        Path(
            tables.tree.leaf(path.into_iter()),
            figures.figures.allocs,
            figures.figures.alloc_bytes,
            figures.figures.requested_bytes,
            Alive::of(report).of_stack(figures).map(|alive| alive.bytes),
            figures.figures.faults,
            creator,
            stack.map_or(&[], |stack| stack.labels.as_slice()),
        )
    }
}

impl From<&SizeSummary> for Sizes {
    fn from(size: &SizeSummary) -> Self {
        Sizes {
            min: size.min,
            p50: size.p50,
            p90: size.p90,
            p99: size.p99,
            max: size.max,
            unbinned: size.unbinned,
            bins: bins(&size.buckets),
        }
    }
}

/// Few sizes one by one; of many, those together that are not more than a quarter of a power of two apart.
fn bins(buckets: &[(u64, u64)]) -> Vec<Bin> {
    let mut bins: Vec<(u64, Bin)> = Vec::new();
    for &(size, count) in buckets {
        let key = if buckets.len() > EXACT_SIZES {
            quarter(size)
        } else {
            size
        };
        let bytes = size.saturating_mul(count);
        match bins.last_mut() {
            Some((last, bin)) if *last == key => {
                bin.1 = size;
                bin.2 = bin.2.saturating_add(count);
                bin.3 = bin.3.saturating_add(bytes);
            }
            _ => bins.push((key, Bin(size, size, count, bytes))),
        }
    }
    bins.into_iter().map(|(_, bin)| bin).collect()
}

/// A number for all sizes of the same quarter of a power of two.
fn quarter(size: u64) -> u64 {
    let Some(octave) = size.checked_ilog2() else {
        return 0;
    };
    let within = (u128::from(size) << 2) >> octave;
    u64::from(octave) * 4 + u64::try_from(within).unwrap_or(0)
}

/// `report` by everything that people group by, for what is known of it.
pub(super) fn groups(report: &Report) -> Vec<GroupsData> {
    let positions: HashMap<u32, usize> = report.sites.iter().map(|site| site.id).zip(0..).collect();
    let known = |by: &GroupBy| match by {
        GroupBy::Goroutine => report.stacks.iter().any(|stack| stack.creator.is_some()),
        _ => true,
    };
    let kinds = [
        GroupBy::Type,
        GroupBy::Function,
        GroupBy::Package,
        GroupBy::Goroutine,
    ];
    let kinds = kinds.into_iter().filter(known);
    kinds
        .map(|by| GroupsData {
            by: by.name(),
            groups: Grouped::of(report, by, SortBy::Bytes)
                .groups
                .into_iter()
                .map(|group| GroupData::of(group, &positions))
                .collect(),
        })
        .collect()
}

impl GroupData {
    fn of(group: Group, positions: &HashMap<u32, usize>) -> Self {
        let named = group.sites.iter().take(SITES_OF_GROUP);
        GroupData {
            name: group.name,
            figures: (&group.figures).into(),
            pointers: group.pointer_bytes,
            sizes: group.size.map(|size| [size.p50, size.p99, size.max]),
            sites: named
                .filter_map(|site| Some((*positions.get(&site.id)?, site.figures.bytes())))
                .collect(),
            site_count: group.sites.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sizes_stay_and_many_are_put_together() {
        let few = bins(&[(0, 1), (16, 5), (17, 2)]);
        assert_eq!(few.len(), 3);
        let many: Vec<(u64, u64)> = (1..=4096).map(|size| (size, 1)).collect();
        let put_together = bins(&many);
        assert!(put_together.len() <= 48, "{}", put_together.len());
        let allocs: u64 = put_together.iter().map(|bin| bin.2).sum();
        let bytes: u64 = put_together.iter().map(|bin| bin.3).sum();
        assert_eq!((allocs, bytes), (4096, 4096 * 4097 / 2));
        assert_eq!(quarter(1024), quarter(1279));
        assert_ne!(quarter(1279), quarter(1280));
        assert_ne!(quarter(u64::MAX), quarter(0));
    }
}
