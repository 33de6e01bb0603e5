//! Records about maps, and of the crashes that they are a cause of.

use super::{StackId, flags, half_word, word};
use std::mem::{offset_of, size_of};
use tracer_common::limits::{MAP_WORDS, MESSAGE_BYTES};
use tracer_common::record::{
    CrashRecord, FLAG_UNREADABLE, GrowthRecord, MapRecord, RecordHeader, storage_tag,
};

/// A write, a delete or a clear of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapOperation {
    /// Row of the plan's part about maps: tells which operation.
    pub row: u8,
    /// Where it was called from.
    pub stack: StackId,
    /// Address of the map's Go type in the target.
    pub map_type: u64,
    /// Address of the map in the target, 0 for a nil map.
    pub map: u64,
    /// The map before the operation; `None` if it is nil or could not be read.
    pub header: Option<MapHeader>,
}

/// What every operation tells about its map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapHeader {
    /// Entries.
    pub entries: u64,
    /// Random bits: another seed, another map, or the same after it was emptied.
    pub seed: u32,
    /// Of the address of its buckets or directory, [`storage_tag`]; 0 if it has none.
    pub storage: u32,
}

impl MapHeader {
    /// Of the first three words of a map, in every Go version: `hmap.count`, `hash0` and `buckets`, or `Map.used`, `seed`
    /// and `dirPtr`.
    pub fn of_words(words: [u64; 3]) -> Self {
        let [entries, random, storage] = words;
        MapHeader {
            entries,
            seed: (random >> 32) as u32,
            storage: storage_tag(storage),
        }
    }
}

impl MapOperation {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<MapRecord>()] = bytes.try_into().ok()?;
        let header = MapHeader {
            entries: u64::from(half_word(bytes, offset_of!(MapRecord, entries))?),
            seed: half_word(bytes, offset_of!(MapRecord, seed))?,
            storage: half_word(bytes, offset_of!(RecordHeader, time))?,
        };
        Some(MapOperation {
            row: *bytes.get(offset_of!(RecordHeader, row))?,
            stack: StackId(word(bytes, offset_of!(MapRecord, stack))?),
            map_type: word(bytes, offset_of!(MapRecord, map_type))?,
            map: word(bytes, offset_of!(MapRecord, map))?,
            header: (flags(bytes)? & FLAG_UNREADABLE == 0).then_some(header),
        })
    }
}

/// A map that is about to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth<'a> {
    /// Row of the plan's part about maps: tells how it grows.
    pub row: u8,
    /// Where it was called from: the first program counter is in the function that makes it grow.
    pub stack: StackId,
    /// Address of the map's Go type in the target.
    pub map_type: u64,
    /// Address of the map in the target.
    pub map: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
    bytes: &'a [u8; size_of::<GrowthRecord>()],
}

impl<'a> Growth<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<GrowthRecord>()] = bytes.try_into().ok()?;
        Some(Growth {
            row: *bytes.get(offset_of!(RecordHeader, row))?,
            stack: StackId(word(bytes, offset_of!(GrowthRecord, stack))?),
            map_type: word(bytes, offset_of!(GrowthRecord, map_type))?,
            map: word(bytes, offset_of!(GrowthRecord, map))?,
            time_ns: word(bytes, offset_of!(GrowthRecord, time_ns))?,
            bytes,
        })
    }

    /// The map's header; `None` if it, or the table, could not be read.
    pub fn words(&self) -> Option<[u64; MAP_WORDS]> {
        if flags(self.bytes)? & FLAG_UNREADABLE != 0 {
            return None;
        }
        let mut words = [0; MAP_WORDS];
        for (number, to) in words.iter_mut().enumerate() {
            *to = word(self.bytes, offset_of!(GrowthRecord, words) + 8 * number)?;
        }
        Some(words)
    }

    /// The first eight bytes of the table that grows, 0 for a map without tables.
    pub fn table(&self) -> u64 {
        word(self.bytes, offset_of!(GrowthRecord, table)).unwrap_or(0)
    }
}

/// The runtime ends the program, or a goroutine panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash<'a> {
    /// Row of the plan's part about crashes.
    pub row: u8,
    /// Where it happened.
    pub stack: StackId,
    /// Number of the goroutine; `None` if it could not be read.
    pub goroutine: Option<u64>,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
    /// The start of the message, as the target has it; `None` if it is no string or could not be read.
    pub message: Option<&'a [u8]>,
}

impl<'a> Crash<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<CrashRecord>()] = bytes.try_into().ok()?;
        let length = word(bytes, offset_of!(CrashRecord, length))?;
        let length = usize::try_from(length)
            .unwrap_or(MESSAGE_BYTES)
            .min(MESSAGE_BYTES);
        let message = bytes
            .get(offset_of!(CrashRecord, message)..)?
            .get(..length)?;
        let goroutine = word(bytes, offset_of!(CrashRecord, goroutine_id))?;
        Some(Crash {
            row: *bytes.get(offset_of!(RecordHeader, row))?,
            stack: StackId(word(bytes, offset_of!(CrashRecord, stack))?),
            goroutine: (goroutine != 0).then_some(goroutine),
            time_ns: word(bytes, offset_of!(CrashRecord, time_ns))?,
            message: (flags(bytes)? & FLAG_UNREADABLE == 0).then_some(message),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Record, decode, encoded};

    /// The same record with the flag that says that something could not be read.
    fn unreadable(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes[2..4].copy_from_slice(&FLAG_UNREADABLE.to_ne_bytes());
        bytes
    }

    #[test]
    fn an_operation_on_a_map_decodes() {
        let bytes = encoded::map(3, 77, 0x4a_0000, 0xc000_1000, 12, 0xdead_beef);
        let expected = MapOperation {
            row: 3,
            stack: StackId(77),
            map_type: 0x4a_0000,
            map: 0xc000_1000,
            header: Some(MapHeader {
                entries: 12,
                seed: 0xdead_beef,
                storage: 0,
            }),
        };
        assert_eq!(decode(&bytes), Ok(Record::Map(expected)));
        let without = MapOperation {
            header: None,
            ..expected
        };
        assert_eq!(decode(&unreadable(bytes)), Ok(Record::Map(without)));
    }

    #[test]
    fn a_growth_decodes() {
        let bytes = encoded::growth(1, 77, 2, 3, 4, [10, 11, 12, 13, 14, 15]);
        let Ok(Record::Growth(growth)) = decode(&bytes) else {
            panic!("not a growth")
        };
        assert_eq!((growth.row, growth.map_type, growth.map), (1, 2, 3));
        assert_eq!(growth.words(), Some([10, 11, 12, 13, 14, 15]));
        assert_eq!(growth.table(), 4);
        let bytes = unreadable(bytes);
        assert!(matches!(decode(&bytes), Ok(Record::Growth(growth)) if growth.words().is_none()));
    }

    #[test]
    fn a_crash_decodes_whatever_it_says_of_its_length() {
        let mut bytes = encoded::crash(0, 77, "concurrent map writes");
        let message = |bytes: &[u8]| match decode(bytes) {
            Ok(Record::Crash(crash)) => crash.message.map(<[u8]>::to_vec),
            other => panic!("{other:?} is no crash"),
        };
        assert_eq!(
            message(&bytes).as_deref(),
            Some(&b"concurrent map writes"[..])
        );
        let at = offset_of!(CrashRecord, length);
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert_eq!(message(&bytes).map(|text| text.len()), Some(MESSAGE_BYTES));
        assert_eq!(message(&unreadable(bytes)), None);
    }
}
