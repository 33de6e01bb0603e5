//! Page faults per stack, by what the memory is used for.
//!
//! A stack is that of the code which touched the page first. What is not in the runtime's arenas is placed by the mappings
//! of the process, which are read from outside every now and then: a fault at an address that is not known yet waits.

/// All page faults of a capture.
#[derive(Clone, Debug, Default)]
pub struct FaultTotals {
    /// Records that arrived.
    pub records: u64,
}
