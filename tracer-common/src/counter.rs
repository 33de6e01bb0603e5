//! The closed list of kernel counters, one slot of a per-CPU array for each.

use crate::limits::MAX_ROWS;

/// What the kernel programs count. `Hits` = records delivered + `SampledOut` + every counter that [`Counter::is_loss`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Counter {
    /// Allocations that a probe saw and that pass the filters while its row records. User space takes it from the other
    /// counters; this slot stays 0.
    Hits = 0,
    /// Calls of an allocation function that allocate nothing (size 0), or that a filter left out.
    Filtered = 1,
    /// Allocations not sent because the ring was full.
    LostRingFull = 2,
    /// Allocations not sent because all scratch memory of the CPU was in use by preempted programs.
    LostScratchBusy = 3,
    /// Stack definitions not sent because the ring was full; they are sent again with the stack's next event.
    StackRingFull = 4,
    /// Stack walks that met unreadable memory; the event is sent with the frames that could be read.
    StackUnreadable = 5,
    /// Goroutines seen going on where they may have changed their P.
    Resumes = 6,
    /// The same, not sent because the ring was full: the bytes of one tiny object may be wrong by a block.
    ResumeRingFull = 7,
    /// Allocations that the sampling distance left out: others stand for them.
    SampledOut = 8,
    /// Allocations seen by probes whose row was switched off, between two windows.
    Paused = 9,
    /// Stack definitions to be sent.
    StackDefinitions = 10,
    /// Writes, deletes and clears of maps that a probe saw while it records.
    MapWrites = 11,
    /// Those not sent because the ring was full.
    MapWritesRingFull = 12,
    /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
    MapWritesScratchBusy = 13,
    /// Those seen while they are not recorded.
    MapWritesPaused = 14,
    /// Growths of maps that a probe saw.
    MapGrowths = 15,
    /// Those not sent because the ring was full.
    MapGrowthsRingFull = 16,
    /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
    MapGrowthsScratchBusy = 17,
    /// Those seen while they are not recorded.
    MapGrowthsPaused = 18,
    /// Fatal errors and panics that a probe saw.
    Crashes = 19,
    /// Those not sent because the ring was full.
    CrashesRingFull = 20,
    /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
    CrashesScratchBusy = 21,
    /// Page faults of the target.
    Faults = 22,
    /// Those not sent because the ring was full.
    FaultsRingFull = 23,
    /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
    FaultsScratchBusy = 24,
    /// Those seen while they are not recorded.
    FaultsPaused = 25,
    /// Events of the garbage collector that a probe saw, mark assists excepted.
    GcEvents = 26,
    /// Those not sent because the ring was full.
    GcEventsRingFull = 27,
    /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
    GcEventsScratchBusy = 28,
    /// Begins and ends of mark assists that a probe saw.
    Assists = 29,
    /// Those not sent because the ring was full.
    AssistsRingFull = 30,
    /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
    AssistsScratchBusy = 31,
    /// Those seen while they are not recorded.
    AssistsPaused = 32,
    /// Samples of the runtime's heap profiler, or spans that were filled, that a probe saw.
    HeapSamples = 33,
    /// Those not sent because the ring was full.
    HeapSamplesRingFull = 34,
    /// Those not sent because all scratch memory of the CPU was in use by preempted programs, or what is sampled could not be read.
    HeapSamplesScratchBusy = 35,
    /// Sampled objects that a probe saw freed.
    HeapFrees = 36,
    /// Those not sent because the ring was full.
    HeapFreesRingFull = 37,
    /// Samples and frees seen while they are not recorded.
    LivePaused = 38,
    /// Definitions of goroutine labels to be sent.
    LabelSets = 39,
    /// Those not sent because the ring was full; they are sent again with the next event that has them.
    LabelSetsRingFull = 40,
    /// Specials that a probe saw freed and that could not be read: it may have been one of a sampled object.
    HeapFreesUnreadable = 41,
}

/// Number of counters.
pub const COUNTERS: usize = 42;
/// First of [`MAX_ROWS`] slots that count how often each row of the plan was passed: its hits, and what was filtered or
/// paused.
pub const PASSES: usize = COUNTERS;
/// The same for the rows of the plan's part about maps that see writes.
pub const MAP_PASSES: usize = PASSES + MAX_ROWS;
/// Number of slots.
pub const SLOTS: usize = MAP_PASSES + MAX_ROWS;

/// Every way to lose a record of a [`Counter::MapWrites`].
pub const MAP_WRITE_LOSSES: [Counter; 2] =
    [Counter::MapWritesRingFull, Counter::MapWritesScratchBusy];
/// Every way to lose a record of a [`Counter::MapGrowths`].
pub const MAP_GROWTH_LOSSES: [Counter; 2] =
    [Counter::MapGrowthsRingFull, Counter::MapGrowthsScratchBusy];
/// Every way to lose a record of a [`Counter::Crashes`].
pub const CRASH_LOSSES: [Counter; 2] = [Counter::CrashesRingFull, Counter::CrashesScratchBusy];
/// Every way to lose a record of a [`Counter::Faults`].
pub const FAULT_LOSSES: [Counter; 2] = [Counter::FaultsRingFull, Counter::FaultsScratchBusy];
/// Every way to lose a record of a [`Counter::GcEvents`].
pub const GC_LOSSES: [Counter; 2] = [Counter::GcEventsRingFull, Counter::GcEventsScratchBusy];
/// Every way to lose a record of a [`Counter::Assists`].
pub const ASSIST_LOSSES: [Counter; 2] = [Counter::AssistsRingFull, Counter::AssistsScratchBusy];
/// Every way to lose a record of a [`Counter::HeapSamples`].
pub const HEAP_SAMPLE_LOSSES: [Counter; 2] = [
    Counter::HeapSamplesRingFull,
    Counter::HeapSamplesScratchBusy,
];
/// Every way to lose a record of a [`Counter::HeapFrees`].
pub const HEAP_FREE_LOSSES: [Counter; 2] =
    [Counter::HeapFreesRingFull, Counter::HeapFreesUnreadable];

impl Counter {
    /// All counters, in slot order.
    pub const ALL: [Counter; COUNTERS] = [
        Counter::Hits,
        Counter::Filtered,
        Counter::LostRingFull,
        Counter::LostScratchBusy,
        Counter::StackRingFull,
        Counter::StackUnreadable,
        Counter::Resumes,
        Counter::ResumeRingFull,
        Counter::SampledOut,
        Counter::Paused,
        Counter::StackDefinitions,
        Counter::MapWrites,
        Counter::MapWritesRingFull,
        Counter::MapWritesScratchBusy,
        Counter::MapWritesPaused,
        Counter::MapGrowths,
        Counter::MapGrowthsRingFull,
        Counter::MapGrowthsScratchBusy,
        Counter::MapGrowthsPaused,
        Counter::Crashes,
        Counter::CrashesRingFull,
        Counter::CrashesScratchBusy,
        Counter::Faults,
        Counter::FaultsRingFull,
        Counter::FaultsScratchBusy,
        Counter::FaultsPaused,
        Counter::GcEvents,
        Counter::GcEventsRingFull,
        Counter::GcEventsScratchBusy,
        Counter::Assists,
        Counter::AssistsRingFull,
        Counter::AssistsScratchBusy,
        Counter::AssistsPaused,
        Counter::HeapSamples,
        Counter::HeapSamplesRingFull,
        Counter::HeapSamplesScratchBusy,
        Counter::HeapFrees,
        Counter::HeapFreesRingFull,
        Counter::LivePaused,
        Counter::LabelSets,
        Counter::LabelSetsRingFull,
        Counter::HeapFreesUnreadable,
    ];

    /// Position in the counter array.
    pub const fn slot(self) -> usize {
        self as usize
    }

    /// Whether each count is one allocation that user space did not get.
    pub const fn is_loss(self) -> bool {
        matches!(self, Counter::LostRingFull | Counter::LostScratchBusy)
    }

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Counter::Hits => "hits",
            Counter::Filtered => "filtered",
            Counter::LostRingFull => "ring_full",
            Counter::LostScratchBusy => "scratch_busy",
            Counter::StackRingFull => "stack_ring_full",
            Counter::StackUnreadable => "stack_unreadable",
            Counter::Resumes => "resumes",
            Counter::ResumeRingFull => "resume_ring_full",
            Counter::SampledOut => "sampled_out",
            Counter::Paused => "paused",
            Counter::StackDefinitions => "stack_definitions",
            Counter::MapWrites => "map_writes",
            Counter::MapWritesRingFull => "map_writes_ring_full",
            Counter::MapWritesScratchBusy => "map_writes_scratch_busy",
            Counter::MapWritesPaused => "map_writes_paused",
            Counter::MapGrowths => "map_growths",
            Counter::MapGrowthsRingFull => "map_growths_ring_full",
            Counter::MapGrowthsScratchBusy => "map_growths_scratch_busy",
            Counter::MapGrowthsPaused => "map_growths_paused",
            Counter::Crashes => "crashes",
            Counter::CrashesRingFull => "crashes_ring_full",
            Counter::CrashesScratchBusy => "crashes_scratch_busy",
            Counter::Faults => "faults",
            Counter::FaultsRingFull => "faults_ring_full",
            Counter::FaultsScratchBusy => "faults_scratch_busy",
            Counter::FaultsPaused => "faults_paused",
            Counter::GcEvents => "gc_events",
            Counter::GcEventsRingFull => "gc_events_ring_full",
            Counter::GcEventsScratchBusy => "gc_events_scratch_busy",
            Counter::Assists => "assists",
            Counter::AssistsRingFull => "assists_ring_full",
            Counter::AssistsScratchBusy => "assists_scratch_busy",
            Counter::AssistsPaused => "assists_paused",
            Counter::HeapSamples => "heap_samples",
            Counter::HeapSamplesRingFull => "heap_samples_ring_full",
            Counter::HeapSamplesScratchBusy => "heap_samples_scratch_busy",
            Counter::HeapFrees => "heap_frees",
            Counter::HeapFreesRingFull => "heap_frees_ring_full",
            Counter::LivePaused => "live_paused",
            Counter::LabelSets => "label_sets",
            Counter::LabelSetsRingFull => "label_sets_ring_full",
            Counter::HeapFreesUnreadable => "heap_frees_unreadable",
        }
    }
}

const _: () = {
    let mut slot = 0;
    while slot < COUNTERS {
        assert!(
            Counter::ALL[slot].slot() == slot,
            "ALL is in slot order and complete"
        );
        slot += 1;
    }
};
