//! The recorded source: records that were taken earlier, in their order.

use super::Source;
use std::collections::VecDeque;

/// Records in memory.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    records: VecDeque<Vec<u8>>,
}

impl Replay {
    /// A source of the given records.
    pub fn new(records: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Replay {
            records: records.into_iter().collect(),
        }
    }
}

impl Source for Replay {
    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) -> usize {
        let count = self.records.len();
        self.records.drain(..).for_each(|record| sink(&record));
        count
    }
}
