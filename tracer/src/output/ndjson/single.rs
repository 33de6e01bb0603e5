//! The `event` line, one for each allocation, and the `stack` line that such lines refer to.

use super::super::{
    OutputError,
    json::{schema, write_line},
};
use crate::report::{Frame, SingleAlloc};
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    /// An allocation.
    Event {
        /// Nanoseconds since the start of recording; `null` if it was not measured.
        t_ns: Option<u64>,
        /// `alloc`, or `sample` of the heap profiler, which stands for others.
        kind: &'static str,
        /// Bytes asked for; of a sample, what they are rounded to.
        size: u64,
        /// Left out if it is one.
        #[serde(skip_serializing_if = "is_one")]
        objects: u64,
        /// The Go type; `null` if it is not known.
        #[serde(rename = "type")]
        type_name: Option<&'a str>,
        /// 16 hexadecimal digits; a `stack` line defines it.
        stack: schema::StackId,
        /// Address of its `g`, hexadecimal; left out of samples.
        #[serde(skip_serializing_if = "Option::is_none")]
        goroutine: Option<String>,
        /// Left out if it is not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        goroutine_id: Option<u64>,
        /// How many allocations of its size it stands for; left out if that is itself alone.
        #[serde(skip_serializing_if = "is_one")]
        weight: u64,
        /// Whether others of its kind are not recorded at times; left out if not.
        #[serde(skip_serializing_if = "schema::is_false")]
        windowed: bool,
    },
    /// A stack that `event` lines name.
    Stack {
        id: schema::StackId,
        /// Logical frames, innermost first: those of the runtime that lead to the allocator, too.
        frames: Vec<schema::Frame<'a>>,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_one(value: &u64) -> bool {
    *value == 1
}

/// Writes the line of an allocation.
pub fn write_single(alloc: &SingleAlloc<'_>, out: &mut dyn Write) -> Result<(), OutputError> {
    let line = Line::Event {
        t_ns: alloc.t_ns,
        kind: if alloc.sampled { "sample" } else { "alloc" },
        size: alloc.size,
        objects: alloc.objects,
        type_name: alloc.type_name,
        stack: schema::StackId(alloc.stack),
        goroutine: alloc.goroutine.map(|address| format!("{address:#x}")),
        goroutine_id: alloc.goroutine_id,
        weight: alloc.weight,
        windowed: alloc.windowed,
    };
    write_line(&line, out)
}

/// Writes the line that defines a stack.
pub fn write_stack(id: u64, frames: &[Frame], out: &mut dyn Write) -> Result<(), OutputError> {
    let line = Line::Stack {
        id: schema::StackId(id),
        frames: frames.iter().map(Into::into).collect(),
    };
    write_line(&line, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use serde_json::{Value, json};

    fn value(write: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn an_allocation_is_a_line() {
        let alloc = SingleAlloc {
            t_ns: Some(5),
            sampled: false,
            size: 24,
            objects: 1,
            stack: 0x9f,
            type_name: Some("main.User"),
            goroutine: Some(0x00c0_0000_61c0),
            goroutine_id: None,
            weight: 1,
            windowed: false,
        };
        let line = value(|out| write_single(&alloc, out).unwrap());
        assert_eq!(
            line,
            json!({
                "event": "event", "t_ns": 5, "kind": "alloc", "size": 24, "type": "main.User",
                "stack": "000000000000009f", "goroutine": "0xc0000061c0"
            })
        );
        let sample = SingleAlloc {
            t_ns: None,
            sampled: true,
            type_name: None,
            goroutine: None,
            goroutine_id: Some(17),
            weight: 4,
            windowed: true,
            ..alloc
        };
        let line = value(|out| write_single(&sample, out).unwrap());
        assert_eq!(
            line,
            json!({
                "event": "event", "t_ns": null, "kind": "sample", "size": 24, "type": null,
                "stack": "000000000000009f", "goroutine_id": 17, "weight": 4, "windowed": true
            })
        );
    }

    #[test]
    fn a_stack_has_its_frames() {
        let frames = fixture::report().frames;
        let line = value(|out| write_stack(1, &frames[..2], out).unwrap());
        assert_eq!(line["event"], "stack");
        assert_eq!(line["id"], "0000000000000001");
        assert_eq!(line["frames"][0]["function"], frames[0].function);
        assert_eq!(line["frames"].as_array().unwrap().len(), 2);
    }
}
