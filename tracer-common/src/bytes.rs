//! Records as the bytes that the kernel half writes, for records that do not come from there: tests, benchmarks.
//!
//! Hides how a record becomes bytes: fields in the order of [`crate::record`], which has no padding.

use crate::record::{
    AllocRecord, AssistRecord, CrashRecord, FaultRecord, GcRecord, GrowthRecord, HeapFreeRecord,
    HeapSampleRecord, LabelsRecord, MapRecord, RecordHeader, ResumeRecord, StackRecord,
};

impl AllocRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let AllocRecord {
            header,
            stack,
            size,
            type_pointer,
            goroutine,
        } = *self;
        record(header, [stack, size, type_pointer, goroutine])
    }
}

impl ResumeRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        record(self.header, [self.goroutine, self.shared])
    }
}

impl StackRecord {
    /// The record on the wire: its first `depth` frames, no more than it has.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let depth = usize::try_from(self.depth).unwrap_or(usize::MAX);
        let frames = self.frames.into_iter().take(depth);
        let words = [self.id, self.depth, self.creator, self.labels];
        record(self.header, words.into_iter().chain(frames))
    }
}

impl HeapSampleRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let HeapSampleRecord {
            header,
            stack,
            address,
            size,
            objects,
            time_ns,
            goroutine_id,
        } = *self;
        record(
            header,
            [stack, address, size, objects, time_ns, goroutine_id],
        )
    }
}

impl HeapFreeRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        record(self.header, [self.address, self.time_ns])
    }
}

impl LabelsRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let labels = self.labels.into_iter().flat_map(|label| {
            let lengths = [label.key_bytes, label.value_bytes];
            let lengths = lengths.into_iter().flat_map(u32::to_ne_bytes);
            lengths.chain(label.key).chain(label.value)
        });
        record(self.header, [self.id, self.count]).chain(labels)
    }
}

impl MapRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let words = record(self.header, [self.stack, self.map_type, self.map]);
        words.chain(
            [self.entries, self.seed]
                .into_iter()
                .flat_map(u32::to_ne_bytes),
        )
    }
}

impl GrowthRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let GrowthRecord {
            header,
            stack,
            map_type,
            map,
            time_ns,
            table,
            words,
        } = *self;
        let fields = [stack, map_type, map, time_ns, table];
        record(header, fields.into_iter().chain(words))
    }
}

impl CrashRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let CrashRecord {
            header,
            stack,
            goroutine,
            goroutine_id,
            time_ns,
            length,
            message,
        } = *self;
        let fields = [stack, goroutine, goroutine_id, time_ns, length];
        record(header, fields).chain(message)
    }
}

impl FaultRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        record(self.header, [self.stack, self.address])
    }
}

impl GcRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let GcRecord {
            header,
            stack,
            time_ns,
            arguments,
            words,
        } = *self;
        let first = [stack, time_ns].into_iter().chain(arguments);
        record(header, first.chain(words))
    }
}

impl AssistRecord {
    /// The record on the wire.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        record(self.header, [self.stack, self.worker, self.time_ns])
    }
}

fn record(header: RecordHeader, words: impl IntoIterator<Item = u64>) -> impl Iterator<Item = u8> {
    let RecordHeader {
        kind,
        row,
        flags,
        time,
    } = header;
    let header = [kind, row].into_iter().chain(flags.to_ne_bytes());
    let header = header.chain(time.to_ne_bytes());
    header.chain(words.into_iter().flat_map(u64::to_ne_bytes))
}
