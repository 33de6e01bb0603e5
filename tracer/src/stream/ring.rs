//! The live source: the kernel's ring buffers.

use super::Source;
use aya::maps::{MapData, RingBuf};
use std::fmt;

/// Most records handed over in one go, so that fast producers cannot keep the consumer from its other duties.
const BATCH: usize = 1 << 16;

/// Most records taken off one ring before it is the next one's turn, so that no ring fills up while another is drained.
const TURN: usize = 1 << 12;

/// Records as the kernel programs write them, each goroutine's in one of the rings.
pub struct RingSource {
    rings: Vec<RingBuf<MapData>>,
    /// The ring whose turn it is.
    next: usize,
}

impl fmt::Debug for RingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingSource")
            .field("rings", &self.rings.len())
            .finish_non_exhaustive()
    }
}

impl RingSource {
    /// A source over the rings of a loaded object.
    pub(crate) fn new(rings: Vec<RingBuf<MapData>>) -> Self {
        RingSource { rings, next: 0 }
    }
}

impl Source for RingSource {
    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) -> usize {
        let mut count = 0;
        let mut empty = 0;
        while count < BATCH && empty < self.rings.len() {
            let Some(ring) = self.rings.get_mut(self.next) else {
                break;
            };
            let mut taken = 0;
            while taken < TURN {
                let Some(record) = ring.next() else {
                    break;
                };
                sink(&record);
                taken += 1;
            }
            count += taken;
            empty = if taken < TURN { empty + 1 } else { 0 };
            self.next = (self.next + 1) % self.rings.len();
        }
        count
    }
}
