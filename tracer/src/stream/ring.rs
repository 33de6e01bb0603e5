//! The live source: the kernel's ring buffer.

use super::Source;
use aya::maps::{MapData, RingBuf};
use std::fmt;

/// Most records handed over in one go, so that a fast producer cannot keep the consumer from its other duties.
const BATCH: usize = 1 << 16;

/// Records as the kernel programs write them.
pub struct RingSource {
    ring: RingBuf<MapData>,
}

impl fmt::Debug for RingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingSource").finish_non_exhaustive()
    }
}

impl RingSource {
    /// A source over the ring of a loaded object.
    pub(crate) fn new(ring: RingBuf<MapData>) -> Self {
        RingSource { ring }
    }
}

impl Source for RingSource {
    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < BATCH {
            let Some(record) = self.ring.next() else {
                break;
            };
            sink(&record);
            count += 1;
        }
        count
    }
}
