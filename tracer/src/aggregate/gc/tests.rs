//! The collector's events as they come: whole cycles, cut ones, and runtimes that note less.

use super::*;
use crate::aggregate::Aggregator;
use crate::decode::{decode, encoded};

/// Rows of a runtime that notes every pause, and tells why.
const EVENTS: [GcEvent; 7] = [
    GcEvent::CycleStart,
    GcEvent::Marked,
    GcEvent::PauseStart,
    GcEvent::PauseEnd,
    GcEvent::Call,
    GcEvent::AssistStart,
    GcEvent::AssistEnd,
];
const CYCLE_START: u8 = 0;
const MARKED: u8 = 1;
const PAUSE_START: u8 = 2;
const PAUSE_END: u8 = 3;
const CALL: u8 = 4;
const ASSIST_START: u8 = 5;
const ASSIST_END: u8 = 6;
/// Of a runtime up to Go 1.21.
const RESTART: u8 = 7;

fn totals(reasons: bool, records: &[Vec<u8>]) -> GcTotals {
    let mut aggregator = Aggregator::with_gc_rules(GcRules {
        events: [&EVENTS[..], &[GcEvent::Restart]].concat(),
        controller: None,
        reasons,
    });
    for record in records {
        aggregator.apply(decode(record));
    }
    aggregator.into_totals().gc
}

fn event(row: u8, time_ns: u64, arguments: [u64; 4]) -> Vec<u8> {
    encoded::gc(row, 0, time_ns, arguments, None)
}

/// A cycle that `runtime.GC` starts at 1000, with pauses of 50 and 70 ns.
fn cycle() -> Vec<Vec<u8>> {
    vec![
        event(PAUSE_START, 1000, [2, 0, 0, 0]),
        event(CYCLE_START, 1010, [0, 0, 0, 2]),
        event(PAUSE_END, 1051, [0, 50, 0, 0]),
        event(PAUSE_START, 3000, [1, 0, 0, 0]),
        event(MARKED, 3030, [0, 4096, 0, 0]),
        event(PAUSE_END, 3071, [0, 70, 0, 0]),
    ]
}

#[test]
fn a_cycle_is_made_up_of_its_events() {
    let totals = totals(true, &cycle());
    assert_eq!(totals.cycle_count, 1);
    let cycle = &totals.cycles[0];
    assert_eq!((cycle.start_ns, cycle.end_ns), (Some(1000), 3071));
    assert_eq!(
        (cycle.trigger, cycle.heap_after),
        (Some(Trigger::Call), Some(4096))
    );
    assert_eq!(cycle.stw_ns, [50, 70]);
    let sums = totals.gc_pauses;
    assert_eq!((sums.count, sums.total_ns, sums.longest_ns), (2, 120, 70));
    assert_eq!(totals.other_pauses, PauseSums::default());
}

#[test]
fn a_cycle_that_began_before_the_capture_counts_and_one_that_goes_on_does_not() {
    let records = [&cycle()[3..], &cycle()[..3]].concat();
    let totals = totals(true, &records);
    assert_eq!((totals.cycle_count, totals.cycles.len()), (1, 1));
    assert_eq!(totals.cycles[0].start_ns, None);
    assert_eq!(totals.gc_pauses.total_ns, 120);
}

#[test]
fn other_pauses_are_kept_apart_whoever_notes_them() {
    let noted = [
        event(PAUSE_START, 100, [7, 0, 0, 0]),
        event(PAUSE_END, 131, [0, 30, 0, 0]),
    ];
    let with_reasons = totals(true, &noted);
    assert_eq!(with_reasons.other_pauses.total_ns, 30);
    assert_eq!(with_reasons.pauses[0].reason, Some(7));
    // A runtime that notes nothing: a cycle between two others.
    let pause = |start, inside: &[Vec<u8>], end| {
        let start = event(PAUSE_START, start, [99, 0, 0, 0]);
        // The clock was read a little earlier.
        let restart = event(RESTART, end + 7, [end, 0, 0, 0]);
        [&[start][..], inside, &[restart]].concat()
    };
    let records = [
        pause(100, &[], 120),
        pause(1000, &[event(CYCLE_START, 1010, [0; 4])], 1050),
        pause(3000, &[event(MARKED, 3030, [0, 4096, 0, 0])], 3070),
        pause(5000, &[], 5020),
    ];
    let totals = totals(false, &records.concat());
    let of = |sums: PauseSums| (sums.total_ns, sums.count);
    assert_eq!(
        (of(totals.gc_pauses), of(totals.other_pauses)),
        ((120, 2), (40, 2))
    );
    let reasons: Vec<_> = totals.pauses.iter().map(|pause| pause.reason).collect();
    assert_eq!(reasons, [None, Some(2), Some(1), None]);
    assert_eq!(totals.cycle_count, 1);
    assert_eq!(totals.cycles[0].stw_ns, [50, 70]);
}

#[test]
fn assists_are_paired_by_the_system_stack_they_run_on() {
    let totals = totals(
        true,
        &[
            encoded::assist(ASSIST_START, 7, 0x100, 10),
            encoded::assist(ASSIST_START, 8, 0x200, 20),
            encoded::assist(ASSIST_END, 0, 0x200, 50),
            encoded::assist(ASSIST_END, 0, 0x100, 60),
            // Without a begin, and without an end.
            encoded::assist(ASSIST_END, 0, 0x300, 60),
            encoded::assist(ASSIST_START, 7, 0x100, 70),
            encoded::assist(ASSIST_START, 7, 0x100, 80),
            encoded::assist(ASSIST_END, 0, 0x100, 81),
        ],
    );
    let of = |stack| totals.assists[&StackId(stack)];
    assert_eq!((of(7).count, of(7).ns), (2, 51));
    assert_eq!((of(8).count, of(8).ns), (1, 30));
    assert_eq!((totals.assist_sums.count, totals.assist_sums.ns), (3, 81));
}

#[test]
fn calls_are_counted_per_stack() {
    let call = |stack| encoded::gc(CALL, stack, 1, [0; 4], None);
    let totals = totals(true, &[call(1), call(2), call(1)]);
    assert_eq!((totals.calls[&StackId(1)], totals.call_count), (2, 3));
}
