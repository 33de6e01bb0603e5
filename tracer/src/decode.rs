//! Bytes of the event ring to records: pure, total, without copies.
//!
//! Hides the byte layout; everything after it sees typed records only.

mod events;
mod heap;
mod maps;

pub use events::{Assist, Fault, Gc, SpanUse};
pub use heap::{HeapFree, HeapSample, LabelSet, LabelsId};
pub use maps::{Crash, Growth, MapHeader, MapOperation};

use std::mem::{offset_of, size_of};
use tracer_common::family::Family;
use tracer_common::limits::MAX_FRAMES;
use tracer_common::record::{
    AllocRecord, FLAG_CANDIDATE, FLAG_LOGICAL, FLAG_TIMED, FLAG_TINY_NEW, FLAG_TINY_SHARED,
    FLAG_TRUNCATED, FLAG_UNREADABLE, FLAG_WEIGHT_SHIFT, FLAG_WINDOW_SHIFT, MAX_DISTANCE_LOG2,
    MAX_WINDOW, RecordHeader, ResumeRecord, STACK_HEADER_BYTES, StackRecord,
};

/// Identity of a stack within one capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u64);

/// A record of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A heap allocation.
    Alloc(Alloc),
    /// The definition of a stack.
    Stack(StackDefinition<'a>),
    /// A goroutine may have changed its P after its last allocation was recorded, and before it was made.
    Resume(Resume),
    /// A write, a delete or a clear of a map.
    Map(MapOperation),
    /// A map that is about to grow.
    Growth(Growth<'a>),
    /// The runtime ends the program, or a goroutine panics.
    Crash(Crash<'a>),
    /// A page fault.
    Fault(Fault),
    /// An event of the garbage collector.
    Gc(Gc<'a>),
    /// The begin or the end of a mark assist.
    Assist(Assist),
    /// A sample of the heap.
    HeapSample(HeapSample),
    /// A sampled object is freed.
    HeapFree(HeapFree),
    /// The definition of a goroutine's labels.
    Labels(LabelSet<'a>),
}

impl Record<'_> {
    /// Which family it is one of.
    #[inline]
    pub fn family(&self) -> Family {
        match self {
            Record::Alloc(_) => Family::Alloc,
            Record::Stack(_) => Family::Stack,
            Record::Resume(_) => Family::Resume,
            Record::Map(_) => Family::MapWrite,
            Record::Growth(_) => Family::MapGrowth,
            Record::Crash(_) => Family::Crash,
            Record::Fault(_) => Family::Fault,
            Record::Gc(_) => Family::Gc,
            Record::Assist(_) => Family::Assist,
            Record::HeapSample(_) => Family::HeapSample,
            Record::HeapFree(_) => Family::HeapFree,
            Record::Labels(_) => Family::Labels,
        }
    }
}

/// A heap allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alloc {
    /// Row of the probe plan that fired.
    pub row: u8,
    /// Where it was called from.
    pub stack: StackId,
    /// Bytes asked for.
    pub size: u64,
    /// Address of the Go type in the target, 0 for none.
    pub type_pointer: u64,
    /// Address of the running `g` in the target.
    pub goroutine: u64,
    /// Low bits of the monotonic clock, if records carry the time.
    pub time: Option<u32>,
    /// Where a pointer-free object of fewer than 16 bytes goes; `None` for others, and if it could not be read.
    pub tiny: Option<TinyBlock>,
    /// How many allocations of its size it stands for: 1 unless allocations are sampled.
    pub weight: u64,
    /// Number of the window it was recorded in, 0 for none.
    pub window: u8,
}

/// Where the tiny allocator puts an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyBlock {
    /// Into a new block of 16 bytes.
    New,
    /// Into the block that others are in already.
    Shared,
}

impl Alloc {
    /// Bytes that a tiny object takes from the heap.
    pub fn tiny_bytes(&self) -> Option<u64> {
        match self.tiny? {
            TinyBlock::New => Some(16),
            TinyBlock::Shared => Some(0),
        }
    }
}

/// The tiny allocator's state where a goroutine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Address of the running `g` in the target.
    pub goroutine: u64,
    /// Bit n: a tiny object of n bytes shares the current block. `None` if it could not be read.
    pub shared: Option<u64>,
}

/// The definition of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackDefinition<'a> {
    /// Which stack.
    pub id: StackId,
    /// Whether frames are missing because there are too many.
    pub truncated: bool,
    /// Whether frames are missing because memory could not be read.
    pub unreadable: bool,
    /// Whether the second frame is one only if the function of the first has no frame yet where it is.
    pub candidate: bool,
    /// Whether each logical frame has a program counter: those of functions that are inlined, too.
    pub logical: bool,
    /// Behind the `go` statement that made the goroutine; 0 if that is not known.
    pub creator: u64,
    /// The goroutine's labels.
    pub labels: LabelsId,
    frames: &'a [u8],
}

impl StackDefinition<'_> {
    /// Program counters, innermost first: the probed instruction, then return addresses.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = u64> {
        self.frames
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_ne_bytes(*word))
    }
}

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter or longer than its kind allows.
    #[error("record of kind {kind} has {bytes} bytes")]
    Length {
        /// Kind byte, 0 if there is none.
        kind: u8,
        /// Bytes of the record.
        bytes: usize,
    },
    /// A kind this version does not know.
    #[error("record of unknown kind {0}")]
    UnknownKind(u8),
}

/// Decodes one record.
///
/// # Errors
/// The bytes are not a whole record of a known kind.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let Some(&kind) = bytes.first() else {
        return Err(DecodeError::Length { kind: 0, bytes: 0 });
    };
    let record = match Family::of_kind(kind).ok_or(DecodeError::UnknownKind(kind))? {
        Family::Alloc => alloc(bytes).map(Record::Alloc),
        Family::Resume => resume(bytes).map(Record::Resume),
        Family::Stack => stack(bytes).map(Record::Stack),
        Family::MapWrite => MapOperation::of(bytes).map(Record::Map),
        Family::MapGrowth => Growth::of(bytes).map(Record::Growth),
        Family::Crash => Crash::of(bytes).map(Record::Crash),
        Family::Fault => Fault::of(bytes).map(Record::Fault),
        Family::Gc => Gc::of(bytes).map(Record::Gc),
        Family::Assist => Assist::of(bytes).map(Record::Assist),
        Family::HeapSample => HeapSample::of(bytes).map(Record::HeapSample),
        Family::HeapFree => HeapFree::of(bytes).map(Record::HeapFree),
        Family::Labels => LabelSet::of(bytes).map(Record::Labels),
    };
    record.ok_or(DecodeError::Length {
        kind,
        bytes: bytes.len(),
    })
}

fn alloc(bytes: &[u8]) -> Option<Alloc> {
    let bytes: &[u8; size_of::<AllocRecord>()] = bytes.try_into().ok()?;
    let flags = flags(bytes)?;
    Some(Alloc {
        row: *bytes.get(offset_of!(RecordHeader, row))?,
        stack: StackId(word(bytes, offset_of!(AllocRecord, stack))?),
        size: word(bytes, offset_of!(AllocRecord, size))?,
        type_pointer: word(bytes, offset_of!(AllocRecord, type_pointer))?,
        goroutine: word(bytes, offset_of!(AllocRecord, goroutine))?,
        time: if flags & FLAG_TIMED != 0 {
            Some(half_word(bytes, offset_of!(RecordHeader, time))?)
        } else {
            None
        },
        tiny: match flags & (FLAG_TINY_NEW | FLAG_TINY_SHARED) {
            FLAG_TINY_NEW => Some(TinyBlock::New),
            FLAG_TINY_SHARED => Some(TinyBlock::Shared),
            _ => None,
        },
        weight: 1 << (flags >> FLAG_WEIGHT_SHIFT & u16::from(MAX_DISTANCE_LOG2)),
        window: (flags >> FLAG_WINDOW_SHIFT) as u8 & MAX_WINDOW,
    })
}

fn stack(bytes: &[u8]) -> Option<StackDefinition<'_>> {
    let (header, frames) = bytes.split_at_checked(STACK_HEADER_BYTES)?;
    let depth = usize::try_from(word(header, offset_of!(StackRecord, depth))?).ok()?;
    if depth > MAX_FRAMES || frames.len() != depth * 8 {
        return None;
    }
    let flags = flags(header)?;
    Some(StackDefinition {
        id: StackId(word(header, offset_of!(StackRecord, id))?),
        truncated: flags & FLAG_TRUNCATED != 0,
        unreadable: flags & FLAG_UNREADABLE != 0,
        candidate: flags & FLAG_CANDIDATE != 0,
        logical: flags & FLAG_LOGICAL != 0,
        creator: word(header, offset_of!(StackRecord, creator))?,
        labels: LabelsId(word(header, offset_of!(StackRecord, labels))?),
        frames,
    })
}

fn resume(bytes: &[u8]) -> Option<Resume> {
    let bytes: &[u8; size_of::<ResumeRecord>()] = bytes.try_into().ok()?;
    let shared = word(bytes, offset_of!(ResumeRecord, shared))?;
    Some(Resume {
        goroutine: word(bytes, offset_of!(ResumeRecord, goroutine))?,
        shared: (flags(bytes)? & FLAG_UNREADABLE == 0).then_some(shared),
    })
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u64::from_ne_bytes)
}

#[inline]
fn half_word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .copied()
        .map(u32::from_ne_bytes)
}

#[inline]
fn flags(bytes: &[u8]) -> Option<u16> {
    bytes
        .get(offset_of!(RecordHeader, flags)..)?
        .first_chunk()
        .copied()
        .map(u16::from_ne_bytes)
}

/// Bytes as the kernel writes them, for tests of everything downstream.
#[cfg(test)]
pub(crate) mod encoded {
    use super::*;
    use tracer_common::limits::{
        CONTROLLER_WORDS, LABEL_KEY_BYTES, LABEL_VALUE_BYTES, MAP_WORDS, MAX_LABELS, MESSAGE_BYTES,
    };
    use tracer_common::record::{
        AssistRecord, CrashRecord, FaultRecord, GcRecord, GrowthRecord, HeapFreeRecord,
        HeapSampleRecord, Label, LabelsRecord, MapRecord,
    };

    /// A record of a family.
    pub(crate) fn any(family: Family) -> Vec<u8> {
        match family {
            Family::Alloc => alloc(0, 1, 2, 3),
            Family::Resume => resume(1, 2),
            Family::Stack => stack(1, &[1, 2, 3]),
            Family::MapWrite => map(0, 1, 2, 3, 4, 5),
            Family::MapGrowth => growth(0, 1, 2, 3, 4, [0; MAP_WORDS]),
            Family::Crash => crash(0, 1, "oh"),
            Family::Fault => fault(1, 2, 0, 0),
            Family::Gc => gc(0, 1, 2, [0; 4], None),
            Family::Assist => assist(0, 1, 2, 3),
            Family::HeapSample => heap_sample(0, 1, 2, (3, 4), 5),
            Family::HeapFree => heap_free(1, 2),
            Family::Labels => labels(1, &[("key", "value")]),
        }
    }

    fn header(family: Family, row: u8) -> RecordHeader {
        RecordHeader {
            kind: family.kind(),
            row,
            flags: 0,
            time: 0,
        }
    }

    /// An allocation record.
    pub(crate) fn alloc(row: u8, stack: u64, size: u64, type_pointer: u64) -> Vec<u8> {
        let record = AllocRecord {
            header: header(Family::Alloc, row),
            stack,
            size,
            type_pointer,
            goroutine: 0xc000_0000,
        };
        record.bytes().collect()
    }

    /// A stack definition.
    pub(crate) fn stack(id: u64, frames: &[u64]) -> Vec<u8> {
        let mut record = StackRecord {
            header: header(Family::Stack, 0),
            id,
            depth: frames.len() as u64,
            creator: 0,
            labels: 0,
            frames: [0; MAX_FRAMES],
        };
        record.frames[..frames.len()].copy_from_slice(frames);
        record.bytes().collect()
    }

    /// The same of the runtime's heap profile: by a goroutine with these labels, made there.
    pub(crate) fn logical_stack(id: u64, frames: &[u64], creator: u64, labels: u64) -> Vec<u8> {
        let mut bytes = stack(id, frames);
        let flags = offset_of!(RecordHeader, flags);
        bytes[flags..flags + 2].copy_from_slice(&FLAG_LOGICAL.to_ne_bytes());
        let mut set = |at: usize, word: u64| bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
        set(offset_of!(StackRecord, creator), creator);
        set(offset_of!(StackRecord, labels), labels);
        bytes
    }

    /// A sample: `objects` of a size, by goroutine 9.
    pub(crate) fn heap_sample(
        row: u8,
        stack: u64,
        address: u64,
        (size, objects): (u64, u64),
        time_ns: u64,
    ) -> Vec<u8> {
        let record = HeapSampleRecord {
            header: header(Family::HeapSample, row),
            stack,
            address,
            size,
            objects,
            time_ns,
            goroutine_id: 9,
        };
        record.bytes().collect()
    }

    /// A sampled object is freed.
    pub(crate) fn heap_free(address: u64, time_ns: u64) -> Vec<u8> {
        let record = HeapFreeRecord {
            header: header(Family::HeapFree, 0),
            address,
            time_ns,
        };
        record.bytes().collect()
    }

    /// Labels of a goroutine.
    pub(crate) fn labels(id: u64, labels: &[(&str, &str)]) -> Vec<u8> {
        let mut record = LabelsRecord {
            header: header(Family::Labels, 0),
            id,
            count: labels.len() as u64,
            labels: [Label {
                key_bytes: 0,
                value_bytes: 0,
                key: [0; LABEL_KEY_BYTES],
                value: [0; LABEL_VALUE_BYTES],
            }; MAX_LABELS],
        };
        for (to, (key, value)) in record.labels.iter_mut().zip(labels) {
            to.key_bytes = key.len().try_into().unwrap();
            to.value_bytes = value.len().try_into().unwrap();
            let cut = |text: &str, most: usize| text.as_bytes()[..text.len().min(most)].to_vec();
            let (key, value) = (cut(key, LABEL_KEY_BYTES), cut(value, LABEL_VALUE_BYTES));
            to.key[..key.len()].copy_from_slice(&key);
            to.value[..value.len()].copy_from_slice(&value);
        }
        record.bytes().collect()
    }

    /// A map's operation: of row `row`, by a stack, on a map of a type with so many entries and this seed.
    pub(crate) fn map(
        row: u8,
        stack: u64,
        map_type: u64,
        map: u64,
        entries: u32,
        seed: u32,
    ) -> Vec<u8> {
        let record = MapRecord {
            header: header(Family::MapWrite, row),
            stack,
            map_type,
            map,
            entries,
            seed,
        };
        record.bytes().collect()
    }

    /// A map that grows: its header, and the table that grows.
    pub(crate) fn growth(
        row: u8,
        stack: u64,
        map_type: u64,
        map: u64,
        table: u64,
        words: [u64; MAP_WORDS],
    ) -> Vec<u8> {
        let record = GrowthRecord {
            header: header(Family::MapGrowth, row),
            stack,
            map_type,
            map,
            time_ns: 0,
            table,
            words,
        };
        record.bytes().collect()
    }

    /// A crash with a message.
    pub(crate) fn crash(row: u8, stack: u64, text: &str) -> Vec<u8> {
        let mut message = [0; MESSAGE_BYTES];
        message[..text.len()].copy_from_slice(text.as_bytes());
        let record = CrashRecord {
            header: header(Family::Crash, row),
            stack,
            goroutine: 0xc000_0000,
            goroutine_id: 7,
            time_ns: 0,
            length: text.len() as u64,
            message,
        };
        record.bytes().collect()
    }

    /// A page fault: of a stack, at an address, in a kind of memory, with flags.
    pub(crate) fn fault(stack: u64, address: u64, memory: u8, flags: u16) -> Vec<u8> {
        let record = FaultRecord {
            header: RecordHeader {
                flags,
                ..header(Family::Fault, memory)
            },
            stack,
            address,
        };
        record.bytes().collect()
    }

    /// An event of the collector.
    pub(crate) fn gc(
        row: u8,
        stack: u64,
        time_ns: u64,
        arguments: [u64; 4],
        words: Option<[u64; CONTROLLER_WORDS]>,
    ) -> Vec<u8> {
        let flags = if words.is_none() { FLAG_UNREADABLE } else { 0 };
        let record = GcRecord {
            header: RecordHeader {
                flags,
                ..header(Family::Gc, row)
            },
            stack,
            time_ns,
            arguments,
            words: words.unwrap_or([0; CONTROLLER_WORDS]),
        };
        record.bytes().collect()
    }

    /// The begin or the end of a mark assist.
    pub(crate) fn assist(row: u8, stack: u64, worker: u64, time_ns: u64) -> Vec<u8> {
        let record = AssistRecord {
            header: header(Family::Assist, row),
            stack,
            worker,
            time_ns,
        };
        record.bytes().collect()
    }

    /// A goroutine that goes on.
    pub(crate) fn resume(goroutine: u64, shared: u64) -> Vec<u8> {
        let record = ResumeRecord {
            header: header(Family::Resume, 0),
            goroutine,
            shared,
        };
        record.bytes().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_decodes() {
        let bytes = encoded::alloc(3, 77, 24, 0x4a_0000);
        let Ok(Record::Alloc(alloc)) = decode(&bytes) else {
            panic!("not an allocation")
        };
        assert_eq!(
            (alloc.row, alloc.stack, alloc.size, alloc.type_pointer),
            (3, StackId(77), 24, 0x4a_0000)
        );
        assert_eq!((alloc.goroutine, alloc.time), (0xc000_0000, None));
    }

    #[test]
    fn the_time_is_there_only_with_its_flag() {
        let mut bytes = encoded::alloc(0, 1, 8, 0);
        bytes[4..8].copy_from_slice(&9u32.to_ne_bytes());
        assert!(matches!(
            decode(&bytes),
            Ok(Record::Alloc(Alloc { time: None, .. }))
        ));
        bytes[2..4].copy_from_slice(&FLAG_TIMED.to_ne_bytes());
        assert!(matches!(
            decode(&bytes),
            Ok(Record::Alloc(Alloc { time: Some(9), .. }))
        ));
    }

    #[test]
    fn a_stack_decodes() {
        let mut bytes = encoded::stack(5, &[10, 20, 30]);
        bytes[2..4].copy_from_slice(&FLAG_TRUNCATED.to_ne_bytes());
        let Ok(Record::Stack(stack)) = decode(&bytes) else {
            panic!("not a stack")
        };
        assert_eq!(
            (stack.id, stack.truncated, stack.unreadable),
            (StackId(5), true, false)
        );
        assert_eq!(stack.frames().collect::<Vec<_>>(), [10, 20, 30]);
    }

    #[test]
    fn a_resumption_decodes() {
        let mut bytes = encoded::resume(0xc000_0000, 1 << 8);
        let resume = |shared| {
            Ok(Record::Resume(Resume {
                goroutine: 0xc000_0000,
                shared,
            }))
        };
        assert_eq!(decode(&bytes), resume(Some(1 << 8)));
        bytes[2..4].copy_from_slice(&FLAG_UNREADABLE.to_ne_bytes());
        assert_eq!(decode(&bytes), resume(None));
    }

    #[test]
    fn a_record_is_one_of_the_family_whose_kind_it_has() {
        for family in Family::ALL {
            let bytes = encoded::any(family);
            assert_eq!(decode(&bytes).map(|record| record.family()), Ok(family));
        }
    }

    #[test]
    fn every_cut_is_an_error_and_no_panic() {
        for whole in Family::ALL.map(encoded::any) {
            for len in 0..whole.len() {
                assert!(
                    matches!(decode(&whole[..len]), Err(DecodeError::Length { .. })),
                    "{len} bytes"
                );
            }
            let mut long = whole.clone();
            long.push(0);
            assert!(matches!(decode(&long), Err(DecodeError::Length { .. })));
        }
    }

    #[test]
    fn lies_about_the_depth_are_errors() {
        let mut bytes = encoded::stack(1, &[1, 2]);
        for depth in [0, 3, MAX_FRAMES as u64 + 1, u64::MAX] {
            bytes[16..24].copy_from_slice(&depth.to_ne_bytes());
            assert!(decode(&bytes).is_err(), "depth {depth}");
        }
    }

    #[test]
    fn an_unknown_kind_is_named() {
        assert_eq!(decode(&[200; 40]), Err(DecodeError::UnknownKind(200)));
    }
}
