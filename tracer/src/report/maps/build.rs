//! Joins the sums about maps with the names of stacks and types.

use super::growth_bytes::{GrowthStacks, by_entries, callers, entries_of};
use super::{MapInstance, MapOperations, MapPart, MapSite, Maps};
use crate::aggregate::{Instance, MapCounts, MapRowTotals, StackTotals, Totals};
use crate::plan::{MapPlan, MapProbes};
use crate::program::{GoType, Kind};
use crate::report::Frame;
use crate::report::figures::figures_of;
use crate::report::sites::place;
use crate::symbolize::Symbols;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use tracer_common::family::Family;

/// Maps that a report shows one by one.
const MAX_SHOWN: usize = 100;
/// Entries of a bucket, and of a group.
const GROUP_SLOTS: u64 = 8;
/// Name of a type that is not known.
const NO_TYPE: &str = "-";

/// A place in the code, and a type.
#[derive(Debug)]
struct Place<'a> {
    frames: Vec<Frame>,
    map_type: u64,
    counts: MapCounts,
    /// Allocations that growing made, by stack.
    growth: Vec<Cow<'a, StackTotals>>,
}

/// What was seen of maps, until `start_ns` on the monotonic clock left out of times.
pub(in crate::report) fn build(
    totals: &Totals,
    symbols: &Symbols,
    plan: &MapPlan,
    start_ns: u64,
) -> Maps {
    let writes = plan.probes == MapProbes::Writes;
    let (mut places, place_of_row) = places(totals, symbols);
    let growth_stacks = GrowthStacks::find(totals, symbols);
    assign_growth(totals, symbols, &growth_stacks, &place_of_row, &mut places);
    let tables = tables(totals, symbols, &place_of_row);
    let mut sites: Vec<(usize, MapSite)> = places
        .iter()
        .enumerate()
        .map(|(number, place)| {
            let site = site(place, writes, totals, symbols, tables.get(&number));
            (number, site)
        })
        .collect();
    sites.sort_by(|(_, a), (_, b)| {
        let rank = |site: &MapSite| Reverse((growth_bytes(site), site.growths, site.max_entries));
        rank(a).cmp(&rank(b)).then_with(|| a.frames.cmp(&b.frames))
    });
    let mut ids = HashMap::new();
    for (id, (number, site)) in (1..).zip(&mut sites) {
        site.id = id;
        ids.insert(*number, id);
    }
    let site_of_row = |row: u32| {
        let place = place_of_row.get(row as usize).copied().flatten();
        place
            .and_then(|place| ids.get(&place).copied())
            .unwrap_or(0)
    };
    Maps {
        writes: writes.then_some(totals.arrived[Family::MapWrite]),
        growths: totals.arrived[Family::MapGrowth],
        sites: sites.into_iter().map(|(_, site)| site).collect(),
        instances: instances(totals, symbols, writes, start_ns, site_of_row),
        overflowed: totals.maps.overflowed,
        forgotten: totals.maps.instances.forgotten(),
        skipped: plan.skipped.clone(),
    }
}

fn growth_bytes(site: &MapSite) -> u64 {
    site.growth
        .map_or(0, |figures| figures.requested_bytes.unwrap_or(0))
}

/// The places of all rows, and which row is at which; none for a row whose stack never arrived.
fn places<'a>(totals: &'a Totals, symbols: &Symbols) -> (Vec<Place<'a>>, Vec<Option<usize>>) {
    let mut places: Vec<Place<'a>> = Vec::new();
    let mut known: HashMap<(Vec<Frame>, u64), usize> = HashMap::new();
    let mut locate = |row: &MapRowTotals| {
        let definition = totals.frames.get(&row.stack)?;
        let key = (place(&definition.pcs, symbols), row.map_type);
        let number = *known.entry(key).or_insert_with_key(|(frames, map_type)| {
            places.push(Place {
                frames: frames.clone(),
                map_type: *map_type,
                counts: MapCounts::default(),
                growth: Vec::new(),
            });
            places.len() - 1
        });
        places.get_mut(number)?.counts.merge(&row.counts);
        Some(number)
    };
    let of_row: Vec<Option<usize>> = totals.maps.rows.iter().map(&mut locate).collect();
    // Its length may have been read from outside after the last record.
    for instance in totals.maps.instances.iter() {
        let place = of_row.get(instance.row as usize).copied().flatten();
        if let Some(place) = place.and_then(|place| places.get_mut(place)) {
            let counts = &mut place.counts;
            counts.max_entries = counts.max_entries.max(instance.max_entries);
        }
    }
    (places, of_row)
}

/// Finds, for each allocation made by growing, the growth with the same callers.
fn assign_growth<'a>(
    totals: &'a Totals,
    symbols: &Symbols,
    stacks: &GrowthStacks<'a>,
    place_of_row: &[Option<usize>],
    places: &mut [Place<'a>],
) {
    // None if there are several: generic code, or reflect, where several types of maps grow at one place.
    let mut by_callers: HashMap<&[u64], Option<usize>> = HashMap::new();
    let mut by_type: HashMap<(&[u64], String), usize> = HashMap::new();
    for (row, number) in totals.maps.rows.iter().zip(place_of_row) {
        let definition = totals.frames.get(&row.stack);
        if let (Some(number), Some(definition), true) = (number, definition, row.counts.growths > 0)
            && let Some(callers) = callers(&definition.pcs, 0, symbols)
        {
            let only = by_callers.entry(callers).or_insert(Some(*number));
            *only = only.filter(|only| only == number);
            if let Some(map_type) = symbols.map_type(row.map_type) {
                by_type.insert((callers, entries_of(map_type)), *number);
            }
        }
    }
    let mut add = |number: usize, allocated| {
        if let Some(place) = places.get_mut(number) {
            place.growth.push(allocated);
        }
    };
    for (stack, callers) in stacks.iter() {
        match by_callers.get(callers) {
            None => {}
            Some(Some(only)) => add(*only, Cow::Borrowed(stack)),
            Some(None) => {
                for (entries, part) in by_entries(stack, symbols) {
                    if let Some(number) = by_type.get(&(callers, entries.to_owned())) {
                        add(*number, Cow::Owned(part));
                    }
                }
            }
        }
    }
}

/// Bytes of the tables of all maps that were first seen at a place, and how many maps these are; `None` if the bytes of
/// one are not known.
type Tables = HashMap<usize, Option<(u64, u64)>>;

fn tables(totals: &Totals, symbols: &Symbols, place_of_row: &[Option<usize>]) -> Tables {
    let mut tables = Tables::new();
    for instance in totals.maps.instances.iter() {
        let Some(Some(place)) = place_of_row.get(instance.row as usize) else {
            continue;
        };
        let sum = tables.entry(*place).or_insert(Some((0, 0)));
        let table = table_bytes(instance, symbols);
        *sum = sum
            .zip(table)
            .map(|((bytes, maps), (table, _))| (bytes.saturating_add(table), maps + 1));
    }
    tables
}

/// Bytes of a map's table, and how many of them the collector scans.
fn table_bytes(instance: &Instance, symbols: &Symbols) -> Option<(u64, u64)> {
    let map_type = symbols.map_type(instance.map_type)?;
    let groups = instance.slots? / GROUP_SLOTS;
    Some((
        groups.saturating_mul(map_type.group_size_bytes),
        groups.saturating_mul(map_type.group_pointer_bytes),
    ))
}

fn site(
    place: &Place<'_>,
    writes: bool,
    totals: &Totals,
    symbols: &Symbols,
    tables: Option<&Option<(u64, u64)>>,
) -> MapSite {
    let counts = place.counts;
    let map_type = symbols.map_type(place.map_type);
    let allocated = place.growth.iter().map(|stack| &**stack);
    let growth = (!place.growth.is_empty()).then(|| figures_of(totals, allocated));
    let complete = tables
        .copied()
        .flatten()
        .filter(|(_, maps)| *maps == counts.instances);
    let amplification = growth
        .and_then(|growth| growth.alloc_bytes)
        .zip(complete)
        .filter(|(_, (bytes, _))| *bytes > 0)
        .map(|(allocated, (bytes, _))| allocated as f64 / bytes as f64);
    MapSite {
        id: 0,
        frames: place.frames.clone(),
        type_name: type_name(place.map_type, symbols),
        key: map_type.map(|map_type| part(&map_type.key)),
        elem: map_type.map(|map_type| part(&map_type.elem)),
        operations: writes.then_some(MapOperations {
            writes: counts.writes,
            deletes: counts.deletes,
            clears: counts.clears,
            nil_writes: counts.nil_writes,
            net_entries: counts.net_entries,
            unsettled: counts.unsettled,
        }),
        growths: counts.growths,
        same_size_growths: counts.same_size_growths,
        first_growths: counts.first_growths,
        steps: counts.steps,
        instances: counts.instances,
        max_entries: counts.max_entries,
        growth,
        amplification,
    }
}

fn part(go_type: &GoType) -> MapPart {
    MapPart {
        name: go_type.name.clone(),
        is_pointer: matches!(go_type.kind, Kind::Pointer | Kind::Chan),
        size_bytes: go_type.size_bytes,
        pointer_bytes: go_type.pointer_bytes,
    }
}

fn type_name(map_type: u64, symbols: &Symbols) -> String {
    let go_type = symbols.go_type(map_type);
    go_type.map_or_else(|| NO_TYPE.to_owned(), |go_type| go_type.name.clone())
}

fn instances(
    totals: &Totals,
    symbols: &Symbols,
    writes: bool,
    start_ns: u64,
    site_of_row: impl Fn(u32) -> u32,
) -> Vec<MapInstance> {
    let mut largest: Vec<&Instance> = totals.maps.instances.iter().collect();
    largest.sort_unstable_by_key(|instance| (instance.rank(), instance.id));
    let shown = (1..).zip(largest.into_iter().take(MAX_SHOWN));
    let shown = shown.map(|(id, instance)| {
        let table = table_bytes(instance, symbols);
        MapInstance {
            id,
            site: site_of_row(instance.row),
            type_name: type_name(instance.map_type, symbols),
            entries: instance.entries,
            max_entries: instance.max_entries,
            capacity: instance.slots,
            table_bytes: table.map(|(bytes, _)| bytes),
            table_pointer_bytes: table.map(|(_, pointers)| pointers),
            growths: instance.growths,
            writes: writes.then_some(instance.writes),
            deletes: writes.then_some(instance.deletes),
            alive: instance.alive,
            curve: instance
                .curve
                .iter()
                .map(|(time, entries)| (time.saturating_sub(start_ns), *entries))
                .collect(),
        }
    });
    shown.collect()
}
