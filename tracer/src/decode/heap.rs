//! Records of heap samples, of sampled objects that are freed, and of goroutine labels.

use super::{StackId, flags, half_word, word};
use std::mem::{offset_of, size_of};
use tracer_common::limits::{LABEL_KEY_BYTES, LABEL_VALUE_BYTES, MAX_LABELS};
use tracer_common::record::{
    FLAG_TRUNCATED, FLAG_UNREADABLE, HeapFreeRecord, HeapSampleRecord, Label, LabelsRecord,
    RecordHeader,
};

/// What the runtime's heap profiler samples, or the objects that a span was filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapSample {
    /// Row of the plan's part about the heap: tells which of the two.
    pub row: u8,
    /// Where it was allocated; of a span, where the last object was.
    pub stack: StackId,
    /// Address of the object, 0 for a span.
    pub address: u64,
    /// Bytes of one object, rounded to its size class.
    pub size: u64,
    /// How many objects: 1 unless it is a span.
    pub objects: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
    /// Number of the goroutine that allocates, 0 if it could not be read.
    pub goroutine_id: u64,
}

impl HeapSample {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<HeapSampleRecord>()] = bytes.try_into().ok()?;
        Some(HeapSample {
            row: *bytes.get(offset_of!(RecordHeader, row))?,
            stack: StackId(word(bytes, offset_of!(HeapSampleRecord, stack))?),
            address: word(bytes, offset_of!(HeapSampleRecord, address))?,
            size: word(bytes, offset_of!(HeapSampleRecord, size))?,
            objects: word(bytes, offset_of!(HeapSampleRecord, objects))?,
            time_ns: word(bytes, offset_of!(HeapSampleRecord, time_ns))?,
            goroutine_id: word(bytes, offset_of!(HeapSampleRecord, goroutine_id))?,
        })
    }
}

/// The runtime frees an object that its heap profiler had sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapFree {
    /// Address of the object.
    pub address: u64,
    /// The monotonic clock, nanoseconds.
    pub time_ns: u64,
}

impl HeapFree {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<HeapFreeRecord>()] = bytes.try_into().ok()?;
        Some(HeapFree {
            address: word(bytes, offset_of!(HeapFreeRecord, address))?,
            time_ns: word(bytes, offset_of!(HeapFreeRecord, time_ns))?,
        })
    }
}

/// Identity of the labels of a goroutine within one capture; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelsId(pub u64);

/// The definition of a goroutine's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelSet<'a> {
    /// Which labels.
    pub id: LabelsId,
    /// Whether some are missing: there are too many, or they could not be read.
    pub incomplete: bool,
    labels: &'a [u8],
}

impl<'a> LabelSet<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let bytes: &[u8; size_of::<LabelsRecord>()] = bytes.try_into().ok()?;
        let count = usize::try_from(word(bytes, offset_of!(LabelsRecord, count))?).ok()?;
        let labels = bytes.get(offset_of!(LabelsRecord, labels)..)?;
        Some(LabelSet {
            id: LabelsId(word(bytes, offset_of!(LabelsRecord, id))?),
            incomplete: flags(bytes)? & (FLAG_TRUNCATED | FLAG_UNREADABLE) != 0
                || count > MAX_LABELS,
            labels: labels.get(..count.min(MAX_LABELS) * size_of::<Label>())?,
        })
    }

    /// Keys and values; of each the first bytes, if it is long.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.labels
            .chunks_exact(size_of::<Label>())
            .filter_map(|label| {
                let text = |length, at, most: usize| {
                    let length = usize::try_from(half_word(label, length)?).ok()?;
                    label.get(at..)?.get(..length.min(most))
                };
                Some((
                    text(
                        offset_of!(Label, key_bytes),
                        offset_of!(Label, key),
                        LABEL_KEY_BYTES,
                    )?,
                    text(
                        offset_of!(Label, value_bytes),
                        offset_of!(Label, value),
                        LABEL_VALUE_BYTES,
                    )?,
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Record, decode, encoded};

    #[test]
    fn a_sample_and_its_free_decode() {
        let expected = HeapSample {
            row: 2,
            stack: StackId(77),
            address: 0xc000_1000,
            size: 48,
            objects: 1,
            time_ns: 1234,
            goroutine_id: 9,
        };
        let bytes = encoded::heap_sample(2, 77, 0xc000_1000, (48, 1), 1234);
        assert_eq!(decode(&bytes), Ok(Record::HeapSample(expected)));
        let freed = HeapFree {
            address: 0xc000_1000,
            time_ns: 1300,
        };
        let bytes = encoded::heap_free(0xc000_1000, 1300);
        assert_eq!(decode(&bytes), Ok(Record::HeapFree(freed)));
    }

    #[test]
    fn labels_decode_and_long_ones_are_cut() {
        let long = "x".repeat(LABEL_VALUE_BYTES + 3);
        let bytes = encoded::labels(5, &[("tenant", "acme"), ("path", &long)]);
        let Ok(Record::Labels(set)) = decode(&bytes) else {
            panic!("no labels")
        };
        assert_eq!((set.id, set.incomplete), (LabelsId(5), false));
        let cut = &long.as_bytes()[..LABEL_VALUE_BYTES];
        let all: Vec<_> = set.iter().collect();
        assert_eq!(
            all,
            [
                (b"tenant".as_slice(), b"acme".as_slice()),
                (b"path".as_slice(), cut)
            ]
        );
    }

    #[test]
    fn a_wrong_number_of_labels_does_no_harm() {
        let mut bytes = encoded::labels(5, &[("a", "b")]);
        bytes[offset_of!(LabelsRecord, count)] = 0xff;
        let Ok(Record::Labels(set)) = decode(&bytes) else {
            panic!("no labels")
        };
        assert!(set.incomplete);
        assert_eq!(set.iter().count(), MAX_LABELS);
    }
}
