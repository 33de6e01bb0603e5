//! Strings, functions and locations of a profile: each once.

use super::proto::{Function, Label, Line, Location};
use crate::output::folded::NOT_KNOWN;
use crate::output::text::line::printable;
use crate::report::Frame;
use std::collections::HashMap;

/// The tables so far.
#[derive(Debug)]
pub(super) struct Tables<'a> {
    frames: &'a [Frame],
    positions: HashMap<String, i64>,
    pub(super) strings: Vec<String>,
    /// By name and file.
    by_name: HashMap<(i64, i64), u64>,
    pub(super) functions: Vec<Function>,
    /// By the logical frames at a place.
    by_frames: HashMap<Vec<usize>, u64>,
    pub(super) locations: Vec<Location>,
    not_known: Option<u64>,
}

impl<'a> Tables<'a> {
    /// Tables of stacks whose frames are positions in `frames`.
    pub(super) fn new(frames: &'a [Frame]) -> Self {
        Tables {
            frames,
            positions: HashMap::from([(String::new(), 0)]),
            strings: vec![String::new()],
            by_name: HashMap::new(),
            functions: Vec::new(),
            by_frames: HashMap::new(),
            locations: Vec::new(),
            not_known: None,
        }
    }

    /// The position of a string.
    pub(super) fn string(&mut self, text: &str) -> i64 {
        if let Some(position) = self.positions.get(text) {
            return *position;
        }
        let position = i64::try_from(self.strings.len()).unwrap_or(0);
        self.strings.push(printable(text).into_owned());
        self.positions.insert(text.to_owned(), position);
        position
    }

    /// A label with a string.
    pub(super) fn label(&mut self, key: &str, value: &str) -> Label {
        Label {
            key: self.string(key),
            str: self.string(value),
            ..Label::default()
        }
    }

    /// A label with a number of bytes.
    pub(super) fn bytes(&mut self, key: &str, bytes: u64) -> Label {
        Label {
            key: self.string(key),
            num: i64::try_from(bytes).unwrap_or(i64::MAX),
            num_unit: self.string("bytes"),
            ..Label::default()
        }
    }

    /// The locations of a stack whose frames, innermost first, are at these positions.
    pub(super) fn stack(&mut self, frames: &[usize]) -> Vec<u64> {
        if frames.is_empty() {
            return vec![self.not_known()];
        }
        let table = self.frames;
        let is_inlined = |at: &usize| table.get(*at).is_some_and(|frame| frame.inlined);
        // Those inlined into one function are at one place with it.
        frames
            .split_inclusive(|at| !is_inlined(at))
            .map(|logical| self.location(logical))
            .collect()
    }

    fn location(&mut self, logical: &[usize]) -> u64 {
        if let Some(id) = self.by_frames.get(logical) {
            return *id;
        }
        let frames = logical.iter().filter_map(|at| self.frames.get(*at));
        let line = frames.map(|frame| self.line(frame)).collect();
        let id = self.add(line);
        self.by_frames.insert(logical.to_vec(), id);
        id
    }

    /// Where what is at no stack is put.
    pub(super) fn not_known(&mut self) -> u64 {
        if let Some(id) = self.not_known {
            return id;
        }
        let function_id = self.function(NOT_KNOWN, "");
        let line = Line {
            function_id,
            line: 0,
        };
        let id = self.add(vec![line]);
        self.not_known = Some(id);
        id
    }

    fn add(&mut self, line: Vec<Line>) -> u64 {
        let id = self.locations.len() as u64 + 1;
        self.locations.push(Location { id, line });
        id
    }

    fn line(&mut self, frame: &Frame) -> Line {
        Line {
            function_id: self.function(&frame.function, &frame.file),
            line: frame.line.map_or(0, i64::from),
        }
    }

    fn function(&mut self, name: &str, file: &str) -> u64 {
        let (name, filename) = (self.string(name), self.string(file));
        let functions = &mut self.functions;
        *self.by_name.entry((name, filename)).or_insert_with(|| {
            let id = functions.len() as u64 + 1;
            functions.push(Function {
                id,
                name,
                system_name: name,
                filename,
            });
            id
        })
    }
}
