//! Records one behind the other in one buffer, as they lie in the ring: a source that costs the consumer no allocation.

use tracer::stream::Source;
use tracer_common::family::Family;
use tracer_common::limits::MAX_FRAMES;
use tracer_common::record::{AllocRecord, FLAG_TINY_NEW, RecordHeader, StackRecord};

/// Goroutines that allocate by turns.
const GOROUTINES: u64 = 64;
/// Address of the first `g`, and bytes to the next.
const FIRST_GOROUTINE: u64 = 0x00c0_0000_61c0;
const GOROUTINE_BYTES: u64 = 0x1a0;

/// An allocation to be recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocation {
    /// Row of the probe plan.
    pub(crate) row: u8,
    /// Identity of the stack.
    pub(crate) stack: u64,
    /// Bytes asked for.
    pub(crate) size: u64,
    /// Address of the type.
    pub(crate) type_pointer: u64,
    /// Whether it takes a new block of the tiny allocator.
    pub(crate) tiny: bool,
}

/// Records to be drained, once or, after [`Batch::rewind`], again.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    drained: usize,
    allocations: u64,
}

impl Batch {
    /// Adds an allocation.
    pub(crate) fn allocate(&mut self, allocation: Allocation) {
        let Allocation {
            row,
            stack,
            size,
            type_pointer,
            tiny,
        } = allocation;
        let goroutine = FIRST_GOROUTINE + self.allocations % GOROUTINES * GOROUTINE_BYTES;
        self.allocations += 1;
        let flags = if tiny { FLAG_TINY_NEW } else { 0 };
        let record = AllocRecord {
            header: header(Family::Alloc, row, flags),
            stack,
            size,
            type_pointer,
            goroutine,
        };
        self.push(record.bytes());
    }

    /// Adds the definition of a stack.
    pub(crate) fn define(&mut self, id: u64, pcs: &[u64]) {
        let mut record = StackRecord {
            header: header(Family::Stack, 0, 0),
            id,
            depth: pcs.len() as u64,
            creator: 0,
            labels: 0,
            frames: [0; MAX_FRAMES],
        };
        for (frame, pc) in record.frames.iter_mut().zip(pcs) {
            *frame = *pc;
        }
        self.push(record.bytes());
    }

    /// Bytes of all records.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Makes the same records available again.
    pub(crate) fn rewind(&mut self) {
        self.drained = 0;
    }

    /// Forgets all records and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.drained = 0;
    }

    fn push(&mut self, record: impl Iterator<Item = u8>) {
        self.bytes.extend(record);
        self.ends.push(self.bytes.len());
    }
}

impl Source for Batch {
    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) -> usize {
        let mut start = match self.drained {
            0 => 0,
            drained => self.ends[drained - 1],
        };
        let waiting = &self.ends[self.drained..];
        for end in waiting {
            sink(&self.bytes[start..*end]);
            start = *end;
        }
        let count = waiting.len();
        self.drained = self.ends.len();
        count
    }
}

fn header(family: Family, row: u8, flags: u16) -> RecordHeader {
    RecordHeader {
        kind: family.kind(),
        row,
        flags,
        time: 0,
    }
}
