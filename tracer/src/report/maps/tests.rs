//! Records of maps and of allocations, made up, joined with made-up names.

use super::super::Frame;
use super::*;
use crate::aggregate::{Aggregator, Look, MapRules};
use crate::decode::{decode, encoded};
use crate::plan::{Growing, MapPlan, MapProbes, Operation};
use crate::program::{GoType, Kind, MapType, VirtualAddress};
use crate::symbolize::{Frame as Named, Symbols};

const ASSIGN: u8 = 0;
const TO_TABLE: u8 = 1;
const MAP: u64 = 0xc000_1000;
/// Two map types, and the types of their groups.
const OF_INTS: u64 = 100;
const OF_STRINGS: u64 = 200;
const GROUP_OF_INTS: u64 = 101;
const GROUP_OF_STRINGS: u64 = 201;
const GROUP_OF_MAPS: u64 = 301;
/// Program counters: an allocation, the growing function as probed and as a caller, and who calls it.
const ALLOC: u64 = 1;
const PROBED: u64 = 2;
const GROW: u64 = 10;
const ASSIGN_PC: u64 = 11;
const FILL: u64 = 20;
const OTHER: u64 = 21;

fn go_type(name: &str, kind: Kind) -> GoType {
    GoType {
        name: name.to_owned(),
        size_bytes: 8,
        pointer_bytes: 0,
        kind,
    }
}

fn map_type(elem: &str) -> MapType {
    MapType {
        key: go_type("int", Kind::Scalar),
        elem: go_type(elem, Kind::Pointer),
        group: VirtualAddress(0),
        group_size_bytes: 136,
        group_pointer_bytes: 64,
    }
}

fn symbols() -> Symbols {
    let grow = "internal/runtime/maps.(*Map).growToTable";
    let frames = [
        (GROW, vec![Named::of(grow, "internal/runtime/maps", 1)]),
        (
            ASSIGN_PC,
            vec![Named::of("runtime.mapassign", "runtime", 1)],
        ),
        (FILL, vec![Named::of("main.fill", "main", 7)]),
        (OTHER, vec![Named::of("main.other", "main", 9)]),
    ];
    let types = vec![
        (OF_INTS, go_type("map[int]int", Kind::Map)),
        (OF_STRINGS, go_type("map[int]string", Kind::Map)),
        (GROUP_OF_INTS, go_type("map.group[int]int", Kind::Struct)),
        (
            GROUP_OF_STRINGS,
            go_type("map.group[int]string", Kind::Struct),
        ),
        (
            GROUP_OF_MAPS,
            go_type("map.group[string]map[int]string", Kind::Struct),
        ),
    ];
    Symbols::of(frames, types)
        .with_map_type(OF_INTS, map_type("int"))
        .with_map_type(OF_STRINGS, map_type("string"))
}

fn plan(probes: MapProbes) -> MapPlan {
    MapPlan {
        probes,
        ..MapPlan::off()
    }
}

fn built(records: &[Vec<u8>], probes: MapProbes) -> Maps {
    let mut aggregator = Aggregator::with_map_rules(MapRules {
        operations: vec![Operation::Assign, Operation::Grow(Growing::ToTable)],
    });
    records
        .iter()
        .for_each(|record| aggregator.apply(decode(record)));
    for watched in aggregator.watched(usize::MAX) {
        aggregator.look(&Look {
            id: watched.id,
            time_ns: 1500,
            last: true,
            words: Some([40, 5 << 32, 0]),
        });
    }
    build(aggregator.totals(), &symbols(), &plan(probes), 1000)
}

/// A map of a type grows from eight entries, called by `caller`.
fn growth(stack: u64, of: u64, map: u64, caller: u64) -> [Vec<u8>; 2] {
    let words = [8, 5 << 32, 0, 0, 0, 0];
    [
        encoded::stack(stack, &[PROBED, ASSIGN_PC, caller]),
        encoded::growth(TO_TABLE, stack, of, map, 0, words),
    ]
}

/// What such a growth allocates.
fn allocation(stack: u64, group: u64, caller: u64) -> [Vec<u8>; 2] {
    [
        encoded::stack(stack, &[ALLOC, GROW, ASSIGN_PC, caller]),
        encoded::alloc(0, stack, 272, group),
    ]
}

#[test]
fn allocations_of_a_growth_belong_to_the_place_with_the_same_callers() {
    let records = [
        growth(1, OF_INTS, MAP, FILL),
        allocation(2, GROUP_OF_INTS, FILL),
        allocation(3, GROUP_OF_INTS, OTHER),
    ];
    let maps = built(&records.concat(), MapProbes::Growth);
    let [site] = maps.sites.as_slice() else {
        panic!("one place: {:?}", maps.sites)
    };
    assert_eq!(
        site.frames,
        [Frame::from(&Named::of("main.fill", "main", 7))]
    );
    assert_eq!(site.type_name, "map[int]int");
    assert_eq!(site.growth.unwrap().requested_bytes, Some(272));
    // 288 bytes in two groups of 136 each.
    assert!(
        site.amplification
            .is_some_and(|times| (1.0..1.1).contains(&times))
    );
    assert_eq!(
        (site.operations, maps.writes, maps.growths),
        (None, None, 1)
    );
    assert_eq!((site.max_entries, site.instances), (40, 1));
}

#[test]
fn allocations_of_a_growth_are_found_where_stacks_are_cut() {
    // Four frames are kept.
    let records = [
        encoded::stack(1, &[PROBED, ASSIGN_PC, FILL, OTHER]),
        encoded::growth(TO_TABLE, 1, OF_INTS, MAP, 0, [8, 5 << 32, 0, 0, 0, 0]),
        encoded::stack(2, &[ALLOC, GROW, ASSIGN_PC, FILL]),
        encoded::alloc(0, 2, 272, GROUP_OF_INTS),
    ];
    let maps = built(&records, MapProbes::Growth);
    let growth = maps.sites[0]
        .growth
        .and_then(|figures| figures.requested_bytes);
    assert_eq!(growth, Some(272));
}

#[test]
fn two_types_at_one_place_are_told_apart_by_their_groups() {
    let records = [
        growth(1, OF_INTS, MAP, FILL),
        growth(1, OF_STRINGS, MAP + 64, FILL),
        allocation(2, GROUP_OF_INTS, FILL),
        allocation(3, GROUP_OF_STRINGS, FILL),
        allocation(3, GROUP_OF_STRINGS, FILL),
    ];
    let maps = built(&records.concat(), MapProbes::Growth);
    let bytes: Vec<(&str, Option<u64>)> = maps
        .sites
        .iter()
        .map(|site| {
            let bytes = site.growth.and_then(|figures| figures.requested_bytes);
            (site.type_name.as_str(), bytes)
        })
        .collect();
    assert_eq!(
        bytes,
        [("map[int]string", Some(544)), ("map[int]int", Some(272))]
    );
}

#[test]
fn what_one_stack_allocates_for_maps_of_several_types_is_told_apart() {
    // Code for all types of a shape, and types whose names end alike.
    let records = [
        growth(1, OF_INTS, MAP, FILL).to_vec(),
        growth(1, OF_STRINGS, MAP + 64, FILL).to_vec(),
        allocation(2, GROUP_OF_INTS, FILL).to_vec(),
        allocation(2, GROUP_OF_STRINGS, FILL).to_vec(),
        allocation(2, GROUP_OF_STRINGS, FILL).to_vec(),
        allocation(2, GROUP_OF_MAPS, FILL).to_vec(),
    ];
    let maps = built(&records.concat(), MapProbes::Growth);
    let bytes = |site: &MapSite| site.growth.and_then(|figures| figures.requested_bytes);
    let bytes: Vec<Option<u64>> = maps.sites.iter().map(bytes).collect();
    assert_eq!(bytes, [Some(544), Some(272)]);
}

#[test]
fn single_maps_are_shown_with_their_place_and_their_time() {
    let records = [
        growth(1, OF_INTS, MAP, FILL).to_vec(),
        vec![
            encoded::stack(4, &[PROBED, FILL]),
            encoded::map(ASSIGN, 4, OF_INTS, MAP, 39, 5),
        ],
    ];
    let maps = built(&records.concat(), MapProbes::Writes);
    let [map] = maps.instances.as_slice() else {
        panic!("one map: {:?}", maps.instances)
    };
    assert_eq!((map.site, map.entries, map.capacity), (1, 40, Some(16)));
    assert_eq!(
        (map.table_bytes, map.table_pointer_bytes),
        (Some(272), Some(128))
    );
    assert_eq!(
        (map.writes, map.deletes, map.alive),
        (Some(1), Some(0), Some(true))
    );
    // Times before the start are the start.
    assert_eq!(map.curve, [(0, 8), (500, 40)]);
    let operations = maps.sites[0].operations.unwrap();
    assert_eq!(
        (
            operations.writes,
            operations.net_entries,
            operations.unsettled
        ),
        (1, 1, 0)
    );
}

#[test]
fn what_is_not_known_of_a_type_is_left_out() {
    let records = growth(1, 999, MAP, FILL);
    let maps = built(&records, MapProbes::Growth);
    let site = &maps.sites[0];
    assert_eq!(
        (site.type_name.as_str(), &site.key, site.amplification),
        ("-", &None, None)
    );
    assert_eq!(maps.instances[0].table_bytes, None);
}
