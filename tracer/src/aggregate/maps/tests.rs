//! Records of maps, made up, through the real decoder.

use super::super::Aggregator;
use super::*;
use crate::decode::{decode, encoded};
use crate::plan::Growing;

const ASSIGN: u8 = 0;
const DELETE: u8 = 1;
const CLEAR: u8 = 2;
const TO_TABLE: u8 = 3;
const TABLE: u8 = 4;

/// Two types, two maps.
const TYPE: u64 = 100;
const OTHER_TYPE: u64 = 200;
const MAP: u64 = 0xc000_1000;
const ELSEWHERE: u64 = 0xc000_2000;

fn aggregator() -> Aggregator {
    let rules = MapRules {
        operations: vec![
            Operation::Assign,
            Operation::Delete,
            Operation::Clear,
            Operation::Grow(Growing::ToTable),
            Operation::Grow(Growing::Table),
        ],
    };
    Aggregator::with_map_rules(rules)
}

/// Feeds records, and gives the totals.
fn totals(aggregator: &mut Aggregator, records: &[Vec<u8>]) -> MapTotals {
    for record in records {
        aggregator.apply(decode(record));
    }
    aggregator.totals().maps.clone()
}

fn operation(row: u8, stack: u64, map: u64, entries: u32, seed: u32) -> Vec<u8> {
    stored(encoded::map(row, stack, TYPE, map, entries, seed), 77)
}

/// The same record, of a map with its entries elsewhere.
fn stored(mut record: Vec<u8>, storage: u32) -> Vec<u8> {
    record[4..8].copy_from_slice(&storage.to_ne_bytes());
    record
}

fn growth(row: u8, map: u64, seed: u32, entries: u64, slots: u64, tables: u64) -> Vec<u8> {
    let words = [entries, u64::from(seed) << 32, 77 << 3, tables, 0, 0];
    encoded::growth(row, 1, TYPE, map, slots << 16, words)
}

/// The last look at every map.
fn look(aggregator: &mut Aggregator, words: Option<[u64; 3]>) -> MapTotals {
    for watched in aggregator.watched(usize::MAX) {
        aggregator.look(&Look {
            id: watched.id,
            time_ns: 9,
            last: true,
            words,
        });
    }
    aggregator.totals().maps.clone()
}

#[test]
fn operations_are_counted_per_stack_and_type() {
    let totals = totals(
        &mut aggregator(),
        &[
            operation(ASSIGN, 1, MAP, 0, 5),
            operation(ASSIGN, 1, MAP, 1, 5),
            operation(DELETE, 2, MAP, 2, 5),
            encoded::map(ASSIGN, 1, OTHER_TYPE, ELSEWHERE, 3, 6),
            operation(ASSIGN, 1, 0, 0, 0),
        ],
    );
    let counts: Vec<(u64, u64, u64, u64, u64)> = totals
        .rows
        .iter()
        .map(|row| {
            let MapCounts {
                writes,
                deletes,
                nil_writes,
                instances,
                ..
            } = row.counts;
            (row.map_type, writes, deletes, nil_writes, instances)
        })
        .collect();
    assert_eq!(
        counts,
        [
            (TYPE, 2, 0, 1, 1),
            (TYPE, 0, 1, 0, 0),
            (OTHER_TYPE, 1, 0, 0, 1)
        ]
    );
}

#[test]
fn what_an_operation_did_is_told_by_what_follows() {
    let mut aggregator = aggregator();
    let before = totals(
        &mut aggregator,
        &[
            operation(ASSIGN, 1, MAP, 10, 5),
            operation(ASSIGN, 1, MAP, 11, 5),
            operation(DELETE, 2, MAP, 11, 5),
            operation(ASSIGN, 1, MAP, 10, 5),
        ],
    );
    let [adds, removes] = before.rows.as_slice() else {
        panic!("two rows")
    };
    // The second one set a key that was there.
    assert_eq!((adds.counts.net_entries, adds.counts.unsettled), (1, 1));
    assert_eq!(
        (removes.counts.net_entries, removes.counts.unsettled),
        (-1, 0)
    );
    let after = look(&mut aggregator, Some([11, 5 << 32, 0]));
    let counts = after.rows[0].counts;
    assert_eq!(
        (counts.net_entries, counts.unsettled, counts.max_entries),
        (2, 0, 11)
    );
    assert_eq!(after.instances.iter().next().unwrap().alive, Some(true));
}

#[test]
fn a_target_that_went_on_does_not_settle_the_last_operation() {
    let mut aggregator = aggregator();
    totals(&mut aggregator, &[operation(ASSIGN, 1, MAP, 10, 5)]);
    let after = look(&mut aggregator, Some([400, 5 << 32, 0]));
    assert_eq!(
        (
            after.rows[0].counts.net_entries,
            after.rows[0].counts.unsettled
        ),
        (0, 1)
    );
}

#[test]
fn a_map_of_a_process_that_has_ended_is_as_it_was_seen_last() {
    let mut aggregator = aggregator();
    totals(&mut aggregator, &[operation(ASSIGN, 1, MAP, 10, 5)]);
    let words = [11, 5 << 32, 77 << 3];
    let alive = |after: MapTotals| after.instances.iter().next().unwrap().alive;
    assert_eq!(alive(look(&mut aggregator, Some(words))), Some(true));
    assert_eq!(alive(look(&mut aggregator, None)), Some(true));
    let another = [11, 6 << 32, 78 << 3];
    assert_eq!(alive(look(&mut aggregator, Some(another))), Some(false));
}

#[test]
fn what_led_to_more_than_one_operation_can_is_not_settled() {
    let totals = totals(
        &mut aggregator(),
        &[
            operation(ASSIGN, 1, MAP, 10, 5),
            // Records were lost in between.
            operation(DELETE, 2, MAP, 400, 5),
            operation(CLEAR, 3, MAP, 400, 5),
        ],
    );
    let effects: Vec<(i64, u64)> = totals
        .rows
        .iter()
        .map(|row| (row.counts.net_entries, row.counts.unsettled))
        .collect();
    assert_eq!(effects, [(0, 1), (0, 0), (0, 1)]);
}

#[test]
fn a_map_that_was_emptied_unseen_is_there_and_has_shrunk() {
    let mut aggregator = aggregator();
    totals(&mut aggregator, &[growth(TABLE, MAP, 5, 14, 16, 1)]);
    let emptied = look(&mut aggregator, Some([3, 6 << 32, 77 << 3]));
    let map = emptied.instances.iter().next().unwrap();
    assert_eq!(
        (map.alive, map.entries, map.max_entries),
        (Some(true), 3, 14)
    );
    assert_eq!(map.curve.last().map(|(_, entries)| *entries), Some(3));
    let freed = look(&mut aggregator, Some([3, 7 << 32, 78 << 3]));
    assert_eq!(freed.instances.iter().next().unwrap().alive, Some(false));
}

#[test]
fn a_curve_goes_forward_whatever_arrives_first() {
    let mut aggregator = aggregator();
    let at = |time_ns: u64, entries: u64| {
        let mut record = growth(TABLE, MAP, 5, entries, 1024, 2);
        let at = std::mem::offset_of!(tracer_common::record::GrowthRecord, time_ns);
        record[at..at + 8].copy_from_slice(&time_ns.to_ne_bytes());
        record
    };
    totals(&mut aggregator, &[at(3, 1000)]);
    look(&mut aggregator, Some([3000, 5 << 32, 77 << 3]));
    let totals = totals(&mut aggregator, &[at(6, 2000), at(12, 4000)]);
    let curve = &totals.instances.iter().next().unwrap().curve;
    assert_eq!(*curve, [(3, 1000), (6, 2000), (9, 3000), (12, 4000)]);
}

#[test]
fn a_burst_of_growths_leaves_the_course_before_it() {
    let mut aggregator = aggregator();
    let at = |time_ns: u64, entries: u64| {
        let mut record = growth(TABLE, MAP, 5, entries, 1024, 2);
        let at = std::mem::offset_of!(tracer_common::record::GrowthRecord, time_ns);
        record[at..at + 8].copy_from_slice(&time_ns.to_ne_bytes());
        record
    };
    let slow: Vec<_> = (1..=60).map(|t| at(t * 1_000_000, t * 100)).collect();
    let burst: Vec<_> = (1..=2000).map(|t| at(60_000_000 + t, 6000 + t)).collect();
    let totals = totals(&mut aggregator, &[slow, burst].concat());
    let curve = &totals.instances.iter().next().unwrap().curve;
    assert_eq!(curve.first(), Some(&(1_000_000, 100)));
    assert_eq!(curve.last(), Some(&(60_002_000, 8000)));
    assert!(curve.len() <= 128, "{}", curve.len());
    let gaps = curve.array_windows().map(|[(a, _), (b, _)]| b - a);
    assert!(gaps.max() <= Some(2_000_000), "{curve:?}");
}

#[test]
fn another_seed_at_the_same_address_is_another_map_unless_it_was_emptied() {
    let reused = totals(
        &mut aggregator(),
        &[
            operation(ASSIGN, 1, MAP, 3, 5),
            operation(ASSIGN, 1, MAP, 0, 6),
        ],
    );
    assert_eq!(reused.rows[0].counts.instances, 2);
    let freed = reused.instances.iter().next().unwrap();
    assert_eq!((freed.alive, freed.max_entries), (Some(false), 3));
    for last in [
        operation(DELETE, 1, MAP, 1, 5),
        operation(CLEAR, 1, MAP, 40, 5),
    ] {
        let emptied = totals(&mut aggregator(), &[last, operation(ASSIGN, 1, MAP, 0, 6)]);
        assert_eq!(emptied.rows[0].counts.instances, 1);
        assert!(emptied.rows[0].counts.net_entries < 0);
    }
    let cleared_freed_and_made_anew = totals(
        &mut aggregator(),
        &[
            operation(CLEAR, 1, MAP, 40, 5),
            stored(operation(ASSIGN, 1, MAP, 0, 6), 0),
        ],
    );
    assert_eq!(cleared_freed_and_made_anew.rows[0].counts.instances, 2);
}

#[test]
fn a_map_on_a_stack_that_moved_stays_the_same() {
    let moved = totals(
        &mut aggregator(),
        &[
            operation(ASSIGN, 1, MAP, 3, 5),
            operation(ASSIGN, 1, ELSEWHERE, 4, 5),
            operation(ASSIGN, 1, ELSEWHERE, 5, 5),
        ],
    );
    assert_eq!(moved.rows[0].counts.instances, 1);
    let with_its_entries = totals(
        &mut aggregator(),
        &[
            operation(ASSIGN, 1, MAP, 3, 5),
            stored(operation(ASSIGN, 1, ELSEWHERE, 4, 5), 77 + (0x1000 >> 3)),
        ],
    );
    assert_eq!(with_its_entries.rows[0].counts.instances, 1);
    let between_growths = totals(
        &mut aggregator(),
        &[
            growth(TO_TABLE, MAP, 5, 8, 0, 0),
            growth(TABLE, ELSEWHERE, 5, 14, 16, 1),
            growth(TABLE, MAP, 5, 28, 32, 1),
        ],
    );
    assert_eq!(between_growths.rows[0].counts.instances, 1);
}

#[test]
fn a_copy_with_the_same_seed_is_another_map() {
    let copied = totals(
        &mut aggregator(),
        &[
            operation(ASSIGN, 1, MAP, 2, 5),
            operation(ASSIGN, 1, MAP, 3, 5),
            stored(operation(ASSIGN, 2, ELSEWHERE, 4, 5), 99),
            operation(ASSIGN, 1, MAP, 4, 5),
            stored(operation(ASSIGN, 2, ELSEWHERE, 5, 5), 99),
        ],
    );
    let counts = |row: usize| {
        (
            copied.rows[row].counts.instances,
            copied.rows[row].counts.net_entries,
        )
    };
    assert_eq!((counts(0), counts(1)), ((1, 2), (1, 1)));
}

#[test]
fn growths_give_the_slots_and_the_curve() {
    let totals = totals(
        &mut aggregator(),
        &[
            growth(TO_TABLE, MAP, 5, 8, 0, 0),
            growth(TABLE, MAP, 5, 14, 16, 1),
            growth(TABLE, MAP, 5, 896, 1024, 1),
            growth(TABLE, MAP, 5, 1800, 1024, 2),
        ],
    );
    let counts = totals.rows[0].counts;
    assert_eq!(
        (counts.growths, counts.first_growths, counts.instances),
        (4, 1, 1)
    );
    assert_eq!(counts.steps, 4);
    let map = totals.instances.iter().next().unwrap();
    assert_eq!((map.growths, map.slots), (4, Some(3072)));
    let entries: Vec<u64> = map.curve.iter().map(|(_, entries)| *entries).collect();
    assert_eq!(entries, [8, 14, 896, 1800]);
}

#[test]
fn growths_of_a_map_that_was_large_already_are_no_steps() {
    let totals = totals(
        &mut aggregator(),
        &[
            growth(TABLE, MAP, 5, 900, 1024, 4),
            growth(TO_TABLE, ELSEWHERE, 6, 8, 0, 0),
            growth(TABLE, MAP, 5, 1800, 1024, 8),
            growth(TABLE, ELSEWHERE, 6, 14, 16, 1),
        ],
    );
    let counts = totals.rows[0].counts;
    assert_eq!(
        (counts.growths, counts.first_growths, counts.steps),
        (4, 1, 2)
    );
}

#[test]
fn a_map_that_was_emptied_before_it_grew_on_is_the_same_but_a_small_one_is_new() {
    let totals = totals(
        &mut aggregator(),
        &[
            growth(TABLE, MAP, 5, 14, 16, 1),
            growth(TABLE, MAP, 6, 28, 32, 1),
            growth(TO_TABLE, MAP, 7, 8, 0, 0),
        ],
    );
    assert_eq!(totals.rows[0].counts.instances, 2);
}

#[test]
fn maps_that_nothing_was_seen_of_are_forgotten_but_for_the_largest() {
    let mut aggregator = aggregator();
    aggregator.apply(decode(&operation(ASSIGN, 1, 0x10, 5000, 1)));
    for number in 0..instances::MAX_INSTANCES as u64 + 10 {
        let seed = u32::try_from(number).unwrap() + 2;
        aggregator.apply(decode(&operation(ASSIGN, 1, 0x1000 + 64 * number, 0, seed)));
    }
    let totals = aggregator.totals().maps.clone();
    assert!(totals.instances.iter().count() <= instances::MAX_INSTANCES);
    assert!(totals.instances.forgotten() > 0);
    assert!(totals.instances.iter().any(|map| map.max_entries == 5000));
    assert_eq!(
        totals.rows[0].counts.instances,
        instances::MAX_INSTANCES as u64 + 11
    );
}

#[test]
fn maps_that_are_gone_are_watched_last() {
    let mut aggregator = aggregator();
    // A large one, and a small one at its address.
    let records = [
        operation(ASSIGN, 1, MAP, 5000, 5),
        operation(ASSIGN, 1, MAP, 3, 6),
    ];
    totals(&mut aggregator, &records);
    let watched: Vec<u64> = aggregator.watched(1).iter().map(|map| map.id.0).collect();
    assert_eq!(watched, [1]);
}

#[test]
fn crashes_alike_are_one() {
    let crash = encoded::crash(0, 1, "concurrent map writes");
    let totals = totals(
        &mut aggregator(),
        &[crash.clone(), crash, encoded::crash(0, 2, "other")],
    );
    let counts: Vec<u64> = totals.crashes.iter().map(|crash| crash.count).collect();
    assert_eq!(counts, [2, 1]);
}
