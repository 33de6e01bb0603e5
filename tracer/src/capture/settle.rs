//! Whether everything that was sent has arrived: the accounting over all families of records. Pure.

use crate::collect::Tally;
use crate::kernel::Counters;
use tracer_common::counter::{
    ASSIST_LOSSES, CRASH_LOSSES, Counter, FAULT_LOSSES, GC_LOSSES, HEAP_FREE_LOSSES,
    HEAP_SAMPLE_LOSSES, MAP_GROWTH_LOSSES, MAP_WRITE_LOSSES,
};

/// Whether every record of each kind has arrived or is counted as lost.
pub(super) fn has_everything(tally: &Tally, counters: &Counters) -> bool {
    let sum = |causes: &[Counter]| causes.iter().map(|cause| counters.get(*cause)).sum();
    let families: [(u64, u64, u64); 12] = [
        (counters.expected(), tally.delivered, counters.lost()),
        (
            counters.get(Counter::Resumes),
            tally.resumes,
            sum(&[Counter::ResumeRingFull]),
        ),
        (
            counters.get(Counter::StackDefinitions),
            tally.definitions,
            sum(&[Counter::StackRingFull]),
        ),
        (
            counters.get(Counter::MapWrites),
            tally.map_writes,
            sum(&MAP_WRITE_LOSSES),
        ),
        (
            counters.get(Counter::MapGrowths),
            tally.map_growths,
            sum(&MAP_GROWTH_LOSSES),
        ),
        (
            counters.get(Counter::Crashes),
            tally.crashes,
            sum(&CRASH_LOSSES),
        ),
        (
            counters.get(Counter::Faults),
            tally.faults,
            sum(&FAULT_LOSSES),
        ),
        (
            counters.get(Counter::GcEvents),
            tally.gc_events,
            sum(&GC_LOSSES),
        ),
        (
            counters.get(Counter::Assists),
            tally.assists,
            sum(&ASSIST_LOSSES),
        ),
        (
            counters.get(Counter::HeapSamples),
            tally.heap_samples,
            sum(&HEAP_SAMPLE_LOSSES),
        ),
        (
            counters.get(Counter::HeapFrees),
            tally.heap_frees,
            sum(&HEAP_FREE_LOSSES),
        ),
        (
            counters.get(Counter::LabelSets),
            tally.label_sets,
            sum(&[Counter::LabelSetsRingFull]),
        ),
    ];
    families
        .iter()
        .all(|(sent, arrived, lost)| *sent == arrived + lost)
}
