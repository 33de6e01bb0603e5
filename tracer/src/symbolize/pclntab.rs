//! Frames from the Go runtime's own tables, inlined calls included: what a traceback would print.

use crate::target::{
    VirtualAddress,
    pclntab::{CallSite, FunctionRecord, Pclntab, Steps},
};

use super::frame::Place;

/// Deeper than the compiler inlines; a bound on trees that point in a circle.
const MAX_INLINED: usize = 64;

/// The frames at `address`, innermost first; empty if no Go function is there.
pub(super) fn frames<'a>(table: Pclntab<'a>, address: VirtualAddress) -> Vec<Place<'a>> {
    let Some(function) = table.function(address) else {
        return Vec::new();
    };
    let mut walk = Walk {
        function,
        steps: Steps::default(),
        places: Vec::new(),
    };
    let mut position = walk.position(address.0);
    let mut index = function.inlined_at(address.0, &mut walk.steps);
    while let Some(call) = index.and_then(|index| function.inlined_call(index)) {
        if walk.places.len() == MAX_INLINED {
            break;
        }
        walk.push(call.name, position);
        (position, index) = match call.call_site {
            CallSite::At(pc) => (walk.position(pc), function.inlined_at(pc, &mut walk.steps)),
            CallSite::Place { file, line, parent } => (
                Position {
                    file,
                    line: Some(line),
                },
                Some(parent).filter(|parent| *parent >= 0),
            ),
        };
    }
    walk.push(function.name().unwrap_or_default(), position);
    walk.places
}

#[derive(Clone, Copy)]
struct Position<'a> {
    file: Option<&'a [u8]>,
    line: Option<i32>,
}

struct Walk<'a> {
    function: FunctionRecord<'a>,
    steps: Steps,
    places: Vec<Place<'a>>,
}

impl<'a> Walk<'a> {
    fn position(&mut self, pc: u64) -> Position<'a> {
        Position {
            file: self.function.file(pc, &mut self.steps),
            line: self.function.line(pc, &mut self.steps),
        }
    }

    fn push(&mut self, name: &'a [u8], position: Position<'a>) {
        self.places.push(Place {
            function: String::from_utf8_lossy(name),
            file: position.file.map(String::from_utf8_lossy),
            line: position
                .line
                .and_then(|line| u32::try_from(line).ok())
                .filter(|line| *line > 0),
        });
    }
}
