//! The runtime's own count of allocated bytes, read from outside while the target runs.

use super::{LoadBias, Memory, Process, RuntimePc, VirtualAddress};
use std::sync::Arc;

/// Least growth that tells something: the runtime adds a span's bytes when the span is full, so that the count lags by
/// the spans that every P has in use.
const MIN_GROWTH: u64 = 16 << 20;
/// Most that a capture may have seen of the growth: more means that the counter was not where we read.
const MAX_RATIO: f64 = 1.1;

/// The counter, and its value at the start.
#[derive(Debug)]
pub struct HeapCounter {
    memory: Arc<dyn Memory>,
    address: RuntimePc,
    start: u64,
}

impl HeapCounter {
    /// Reads the counter for the first time; `None` if it is not known where it is or may not be read.
    pub fn start(
        process: &Process,
        bias: LoadBias,
        counter: Option<VirtualAddress>,
    ) -> Option<Self> {
        let memory = process.memory().ok()?;
        let address = bias.to_runtime(counter?);
        let start = memory.word(address)?;
        Some(HeapCounter {
            memory,
            address,
            start,
        })
    }

    /// Bytes allocated since the start; `None` if the process is gone.
    pub fn growth(&self) -> Option<u64> {
        self.memory.word(self.address)?.checked_sub(self.start)
    }

    /// Share of what the runtime has allocated since the start that is in `seen` bytes, 0 to 1; `None` if that cannot
    /// be told: too little was allocated, the process is gone, or the counter makes no sense.
    pub fn share_of(&self, seen: u64) -> Option<f64> {
        share(seen, self.growth()?)
    }
}

fn share(seen: u64, growth: u64) -> Option<f64> {
    let ratio = seen as f64 / growth as f64;
    (growth >= MIN_GROWTH && ratio <= MAX_RATIO).then(|| ratio.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_told_only_where_it_makes_sense() {
        assert_eq!(share(100 << 20, 100 << 20), Some(1.0));
        assert_eq!(share(105 << 20, 100 << 20), Some(1.0));
        assert_eq!(share(50 << 20, 100 << 20), Some(0.5));
        assert_eq!(share(1 << 20, 1 << 20), None);
        assert_eq!(share(300 << 20, 100 << 20), None);
        assert_eq!(share(0, 0), None);
    }
}
