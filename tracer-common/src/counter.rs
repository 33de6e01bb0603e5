//! The closed list of kernel counters, one slot of a per-CPU array for each.

use crate::limits::MAX_ROWS;

list! {
    /// What the kernel programs count. `Hits` = records delivered + `SampledOut` + its losses; for other
    /// families see [`crate::family::Facts`].
    pub enum Counter {
        /// Allocations that a probe saw and that pass the filters while its row records. User space takes it from the other
        /// counters; this slot stays 0.
        Hits = "hits",
        /// Calls of an allocation function that allocate nothing (size 0), or that a filter left out.
        Filtered = "filtered",
        /// Allocations not sent because the ring was full.
        LostRingFull = "ring_full",
        /// Allocations not sent because all scratch memory of the CPU was in use by preempted programs.
        LostScratchBusy = "scratch_busy",
        /// Stack definitions not sent because the ring was full; they are sent again with the stack's next event.
        StackRingFull = "stack_ring_full",
        /// Stack walks that met unreadable memory; the event is sent with the frames that could be read.
        StackUnreadable = "stack_unreadable",
        /// Goroutines seen going on where they may have changed their P.
        Resumes = "resumes",
        /// The same, not sent because the ring was full: the bytes of one tiny object may be wrong by a block.
        ResumeRingFull = "resume_ring_full",
        /// Allocations that the sampling distance left out: others stand for them.
        SampledOut = "sampled_out",
        /// Allocations seen by probes whose row was switched off, between two windows.
        Paused = "paused",
        /// Stack definitions to be sent.
        StackDefinitions = "stack_definitions",
        /// Writes, deletes and clears of maps that a probe saw while it records.
        MapWrites = "map_writes",
        /// Those not sent because the ring was full.
        MapWritesRingFull = "map_writes_ring_full",
        /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
        MapWritesScratchBusy = "map_writes_scratch_busy",
        /// Those seen while they are not recorded.
        MapWritesPaused = "map_writes_paused",
        /// Growths of maps that a probe saw.
        MapGrowths = "map_growths",
        /// Those not sent because the ring was full.
        MapGrowthsRingFull = "map_growths_ring_full",
        /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
        MapGrowthsScratchBusy = "map_growths_scratch_busy",
        /// Those seen while they are not recorded.
        MapGrowthsPaused = "map_growths_paused",
        /// Fatal errors and panics that a probe saw.
        Crashes = "crashes",
        /// Those not sent because the ring was full.
        CrashesRingFull = "crashes_ring_full",
        /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
        CrashesScratchBusy = "crashes_scratch_busy",
        /// Page faults of the target.
        Faults = "faults",
        /// Those not sent because the ring was full.
        FaultsRingFull = "faults_ring_full",
        /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
        FaultsScratchBusy = "faults_scratch_busy",
        /// Those seen while they are not recorded.
        FaultsPaused = "faults_paused",
        /// Events of the garbage collector that a probe saw, mark assists excepted.
        GcEvents = "gc_events",
        /// Those not sent because the ring was full.
        GcEventsRingFull = "gc_events_ring_full",
        /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
        GcEventsScratchBusy = "gc_events_scratch_busy",
        /// Begins and ends of mark assists that a probe saw.
        Assists = "assists",
        /// Those not sent because the ring was full.
        AssistsRingFull = "assists_ring_full",
        /// Those not sent because all scratch memory of the CPU was in use by preempted programs.
        AssistsScratchBusy = "assists_scratch_busy",
        /// Those seen while they are not recorded.
        AssistsPaused = "assists_paused",
        /// Samples of the runtime's heap profiler, or spans that were filled, that a probe saw.
        HeapSamples = "heap_samples",
        /// Those not sent because the ring was full.
        HeapSamplesRingFull = "heap_samples_ring_full",
        /// Those not sent because all scratch memory of the CPU was in use by preempted programs, or what is sampled could not be read.
        HeapSamplesScratchBusy = "heap_samples_scratch_busy",
        /// Sampled objects that a probe saw freed.
        HeapFrees = "heap_frees",
        /// Those not sent because the ring was full.
        HeapFreesRingFull = "heap_frees_ring_full",
        /// Samples and frees seen while they are not recorded.
        LivePaused = "live_paused",
        /// Definitions of goroutine labels to be sent.
        LabelSets = "label_sets",
        /// Those not sent because the ring was full; they are sent again with the next event that has them.
        LabelSetsRingFull = "label_sets_ring_full",
        /// Specials that a probe saw freed and that could not be read: it may have been one of a sampled object.
        HeapFreesUnreadable = "heap_frees_unreadable",
    }
}

/// First of [`MAX_ROWS`] slots that count how often each row of the plan was passed: its hits, and what was filtered or
/// paused.
pub const PASSES: usize = Counter::COUNT;
/// The same for the rows of the plan's part about maps that see writes.
pub const MAP_PASSES: usize = PASSES + MAX_ROWS;
/// Number of slots.
pub const SLOTS: usize = MAP_PASSES + MAX_ROWS;

impl Counter {
    /// Position in the counter array.
    pub const fn slot(self) -> usize {
        self.index()
    }
}
