//! What a hit, and a record of each kind, costs the target.

use tracer_common::family::{Extra, PerExtra};

/// Nanoseconds of the target's CPU time that one hit takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HitCost {
    /// That is recorded, with a stack of eight frames.
    pub recorded_ns: f64,
    /// That is only counted.
    pub silent_ns: f64,
}

/// What recording a page fault takes beyond what recording a hit takes beyond the trap, nanoseconds: the event, the look at
/// whose it is, and four reads to find the span. Measured on `tests/programs/pages` with Go 1.27, scene touch: 1.4 us of
/// CPU time for each fault, where recording a hit has 0.3 beyond the trap.
const FAULT_NS: f64 = 1100.0;

/// What recording a sample of the heap, or that it is freed, takes beyond what recording a hit takes, nanoseconds: the way
/// to the goroutine, and its labels. Measured with `MemProfileRate` 1, where a hit takes 1150 ns, Go 1.19 and 1.27: a
/// sample and its free take 2.7 to 3.1 us together, with two labels 3.6 to 4.0.
const SAMPLE_NS: f64 = 500.0;

impl HitCost {
    /// What a record of something besides allocations takes, nanoseconds. A page fault has no trap of its own.
    pub fn of_extra(&self, extra: Extra) -> f64 {
        match extra {
            Extra::Faults => self.recorded_ns - self.silent_ns + FAULT_NS,
            Extra::MapWrites | Extra::MapGrowths | Extra::Assists => self.recorded_ns,
            Extra::Live => self.recorded_ns + SAMPLE_NS,
        }
    }

    /// What so many records besides allocations take, `extras` of them of a kind that can be given up, nanoseconds.
    pub fn of_others(&self, others: u64, extras: &PerExtra<u64>) -> f64 {
        let given: u64 = extras.iter().map(|(_, hits)| hits).sum();
        let rest = others.saturating_sub(given) as f64 * self.recorded_ns;
        let of_kinds = extras
            .iter()
            .map(|(extra, hits)| *hits as f64 * self.of_extra(extra));
        rest + of_kinds.sum::<f64>()
    }
}
