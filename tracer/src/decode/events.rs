//! Records of page faults and of the garbage collector.

use super::{StackId, flags, word};
use std::mem::{offset_of, size_of};
use tracer_common::limits::CONTROLLER_WORDS;
use tracer_common::record::{
    AssistRecord, FLAG_IN_KERNEL, FLAG_MAJOR, FLAG_UNREADABLE, FaultRecord, GcRecord, MEMORY_HEAP,
    MEMORY_STACK, RecordHeader,
};

/// A page fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Who touched the page.
    pub stack: StackId,
    /// The address that was touched.
    pub address: u64,
    /// Whether something had to be read from a device.
    pub major: bool,
    /// Whether the kernel touched the page, in a system call.
    pub in_kernel: bool,
    /// What the runtime uses the page for; `None` if it is not the runtime's.
    pub span: Option<SpanUse>,
}

/// What the runtime uses a span for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanUse {
    /// Objects.
    Heap,
    /// A goroutine's stack.
    Stack,
}

impl Fault {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<FaultRecord>()] = bytes.try_into().ok()?;
        let flags = flags(bytes)?;
        Some(Fault {
            stack: StackId(word(bytes, offset_of!(FaultRecord, stack))?),
            address: word(bytes, offset_of!(FaultRecord, address))?,
            major: flags & FLAG_MAJOR != 0,
            in_kernel: flags & FLAG_IN_KERNEL != 0,
            span: match *bytes.get(offset_of!(RecordHeader, row))? {
                MEMORY_HEAP => Some(SpanUse::Heap),
                MEMORY_STACK => Some(SpanUse::Stack),
                _ => None,
            },
        })
    }
}

/// An event of the garbage collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gc<'a> {
    /// Row of the plan's part about the collector: tells which event.
    pub row: u8,
    /// Where it happened; 0 if that was not asked for.
    pub stack: StackId,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
    /// The first four integer arguments.
    pub arguments: [u64; 4],
    bytes: &'a [u8; size_of::<GcRecord>()],
}

impl<'a> Gc<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<GcRecord>()] = bytes.try_into().ok()?;
        let mut arguments = [0; 4];
        for (number, to) in arguments.iter_mut().enumerate() {
            *to = word(bytes, offset_of!(GcRecord, arguments) + 8 * number)?;
        }
        Some(Gc {
            row: *bytes.get(offset_of!(RecordHeader, row))?,
            stack: StackId(word(bytes, offset_of!(GcRecord, stack))?),
            time_ns: word(bytes, offset_of!(GcRecord, time_ns))?,
            arguments,
            bytes,
        })
    }

    /// What the row asks for, [`crate::plan::GcEvent::words`]; `None` if that is nothing, or could not be read.
    pub fn words(&self) -> Option<[u64; CONTROLLER_WORDS]> {
        if flags(self.bytes)? & FLAG_UNREADABLE != 0 {
            return None;
        }
        let mut words = [0; CONTROLLER_WORDS];
        for (number, to) in words.iter_mut().enumerate() {
            *to = word(self.bytes, offset_of!(GcRecord, words) + 8 * number)?;
        }
        Some(words)
    }
}

/// The begin or the end of a mark assist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assist {
    /// Row of the plan's part about the collector: tells which of the two.
    pub row: u8,
    /// Who assists; 0 at the end.
    pub stack: StackId,
    /// Address of the `g` of the system stack that it runs on.
    pub worker: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
}

impl Assist {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<AssistRecord>()] = bytes.try_into().ok()?;
        Some(Assist {
            row: *bytes.get(offset_of!(RecordHeader, row))?,
            stack: StackId(word(bytes, offset_of!(AssistRecord, stack))?),
            worker: word(bytes, offset_of!(AssistRecord, worker))?,
            time_ns: word(bytes, offset_of!(AssistRecord, time_ns))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Record, decode, encoded};

    #[test]
    fn a_fault_decodes() {
        let bytes = encoded::fault(77, 0xc000_1000, MEMORY_STACK, FLAG_MAJOR | FLAG_IN_KERNEL);
        let expected = Fault {
            stack: StackId(77),
            address: 0xc000_1000,
            major: true,
            in_kernel: true,
            span: Some(SpanUse::Stack),
        };
        assert_eq!(decode(&bytes), Ok(Record::Fault(expected)));
        let elsewhere = encoded::fault(77, 0xc000_1000, 0, 0);
        assert!(matches!(
            decode(&elsewhere),
            Ok(Record::Fault(Fault {
                major: false,
                in_kernel: false,
                span: None,
                ..
            }))
        ));
    }

    #[test]
    fn an_event_of_the_collector_decodes() {
        let words = std::array::from_fn(|number| number as u64);
        let bytes = encoded::gc(2, 77, 1234, [1, 2, 3, 4], Some(words));
        let Ok(Record::Gc(gc)) = decode(&bytes) else {
            panic!("no event of the collector")
        };
        assert_eq!((gc.row, gc.stack, gc.time_ns), (2, StackId(77), 1234));
        assert_eq!((gc.arguments, gc.words()), ([1, 2, 3, 4], Some(words)));
        let without = encoded::gc(2, 77, 1234, [0; 4], None);
        assert!(matches!(decode(&without), Ok(Record::Gc(gc)) if gc.words().is_none()));
    }

    #[test]
    fn an_assist_decodes() {
        let bytes = encoded::assist(1, 77, 0xc000_0000, 1234);
        let expected = Assist {
            row: 1,
            stack: StackId(77),
            worker: 0xc000_0000,
            time_ns: 1234,
        };
        assert_eq!(decode(&bytes), Ok(Record::Assist(expected)));
    }
}
