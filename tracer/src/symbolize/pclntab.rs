//! Frames from the Go runtime's own tables, inlined calls included: what a traceback would print.

use crate::program::{
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
            CallSite::AtParentPc => (
                walk.position(call.parent_pc),
                function.inlined_at(call.parent_pc, &mut walk.steps),
            ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{
        GoBinary,
        fixture::{BASE, END, Fixture, MALLOC, MemoryFile, OUTER},
    };

    const FILE: &str = "/go/src/runtime/malloc.go";

    fn open(version: &'static str) -> GoBinary {
        let fixture = Fixture {
            version,
            ..Fixture::default()
        };
        GoBinary::open(&MemoryFile::new(&fixture.build().bytes).path()).unwrap()
    }

    fn check(address: u64, expected: &[(&str, u32)]) {
        for version in ["go1.19.8", "go1.27.3"] {
            let binary = open(version);
            let places = frames(binary.pclntab().unwrap(), VirtualAddress(address));
            let found: Vec<_> = places
                .iter()
                .map(|place| (place.function.as_ref(), place.line.unwrap()))
                .collect();
            assert_eq!(found, expected, "{address:#x} in {version}");
            assert!(
                places
                    .iter()
                    .all(|place| place.file.as_deref() == Some(FILE))
            );
        }
    }

    #[test]
    fn lines_follow_the_program_counter() {
        check(OUTER, &[("main.outer", 10)]);
        check(OUTER + 7, &[("main.outer", 10)]);
        check(OUTER + 16, &[("main.outer", 11)]);
        check(MALLOC, &[("runtime.mallocgc", 10)]);
        check(MALLOC - 1, &[("main.outer", 11)]);
    }

    #[test]
    fn an_inlined_call_comes_before_its_caller() {
        check(OUTER + 8, &[("main.inner", 20), ("main.outer", 10)]);
        check(OUTER + 15, &[("main.inner", 20), ("main.outer", 10)]);
    }

    #[test]
    fn addresses_outside_the_code_have_no_frames() {
        for address in [0, BASE, OUTER - 1, END, u64::MAX] {
            check(address, &[]);
        }
    }

    #[test]
    fn no_changed_byte_makes_it_panic_or_run_on() {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                ..Fixture::default()
            };
            let original = fixture.build().bytes;
            let tables = usize::try_from(END - BASE).unwrap();
            for at in tables..original.len() {
                for byte in [0x00, 0x01, 0x80, 0xff] {
                    let mut bytes = original.clone();
                    bytes[at] = byte;
                    let Ok(binary) = GoBinary::open(&MemoryFile::new(&bytes).path()) else {
                        continue;
                    };
                    let Some(table) = binary.pclntab() else {
                        continue;
                    };
                    for address in (OUTER..END).step_by(5) {
                        assert!(frames(table, VirtualAddress(address)).len() <= MAX_INLINED + 1);
                    }
                }
            }
        }
    }
}
