//! What the garbage collector did: cycles, pauses of the world, who assisted, who called it.

/// Everything seen of the collector.
#[derive(Clone, Debug, Default)]
pub struct GcTotals {
    /// Records of events that arrived, assists excepted.
    pub events: u64,
    /// Records of begins and ends of assists that arrived.
    pub assist_records: u64,
}
