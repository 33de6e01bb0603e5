//! Names the Go type of what a stack allocated.
//!
//! Hides what the runtime does with types: it hands the allocator the type of one element for a whole array, and none
//! for memory that it knows to be free of pointers. Which of its functions asked, an inner frame of the stack, tells
//! what the memory is for. The rules are rows of two tables, read off the sources of Go 1.19 to 1.27.

use super::{Figures, TypeFigures};
use crate::aggregate::{BucketHistory, Sums, Types};
use crate::program::GoType;
use crate::symbolize::{Frame, Symbols};
use std::collections::HashMap;

/// Name of memory whose type is not known.
pub(super) const NO_TYPE: &str = "-";

/// Package of the types that the compiler makes for the insides of maps (`map.bucket[…]`, `map.group[…]`); no other
/// package can have a keyword for its name. They come alone and in arrays, and are the same to a reader.
const MAP_INSIDES: &str = "map.";

/// What a function of the runtime makes of the type that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// One value of it.
    Value,
    /// An array of it, behind a slice or a map.
    Array,
    /// A channel's buffer for such elements.
    Channel,
    /// One value, for which the runtime uses a type of its own: its name says nothing to a reader.
    Boxed(&'static str),
    /// Memory that never has a type.
    Untyped,
}

/// A function of the runtime that calls the allocator.
struct Caller {
    function: &'static str,
    given: Given,
    /// What memory without a type is, where this function asks for it.
    untyped: &'static str,
}

const fn typed(function: &'static str, given: Given) -> Caller {
    Caller {
        function,
        given,
        untyped: NO_TYPE,
    }
}

const fn untyped(function: &'static str, untyped: &'static str) -> Caller {
    Caller {
        function,
        given: Given::Untyped,
        untyped,
    }
}

/// All callers of `mallocgc` in src/runtime whose memory has one meaning. `growslice`, `makeslicecopy` and
/// `moveSlice…` drop the type of elements without pointers; of the first two it is read off the code of their caller
/// ([`Symbols::element`]). `convT64` and its kin box every value of their size, whatever its type.
const CALLERS: &[Caller] = &[
    // malloc.go
    typed("runtime.newobject", Given::Value),
    typed("runtime.newarray", Given::Array),
    // slice.go
    typed("runtime.makeslice", Given::Array),
    typed("runtime.makeslicecopy", Given::Array),
    typed("runtime.growslice", Given::Array),
    typed("runtime.moveSlice", Given::Array),
    typed("runtime.moveSliceNoCap", Given::Array),
    untyped("internal/bytealg.MakeNoZero", "[]uint8"),
    // chan.go; the channel itself is in one piece with a buffer without pointers.
    Caller {
        function: "runtime.makechan",
        given: Given::Channel,
        untyped: "chan",
    },
    // iface.go
    typed("runtime.convT", Given::Value),
    typed("runtime.convTnoptr", Given::Value),
    typed("runtime.convT16", Given::Boxed("any(16-bit)")),
    typed("runtime.convT32", Given::Boxed("any(32-bit)")),
    typed("runtime.convT64", Given::Boxed("any(64-bit)")),
    typed("runtime.convTstring", Given::Boxed("any(string)")),
    typed("runtime.convTslice", Given::Boxed("any(slice)")),
    untyped("runtime.itabAdd", "runtime.itabTableType"),
    untyped("runtime.buildTypeAssertCache", "abi.TypeAssertCache"),
    untyped(
        "runtime.buildInterfaceSwitchCache",
        "abi.InterfaceSwitchCache",
    ),
    // string.go
    untyped("runtime.rawstring", "string"),
    untyped("runtime.slicebytetostring", "string"),
    untyped("runtime.rawbyteslice", "[]uint8"),
    untyped("runtime.rawruneslice", "[]int32"),
    untyped("runtime.gobytes", "[]uint8"),
    // malloc.go, under the name of the package that calls it
    typed("reflect.unsafe_New", Given::Value),
];

/// Functions of the standard library that grow or copy byte slices, and allocate nothing else without a type.
const OF_BYTES: &[&str] = &[
    "bytes.Clone",
    "bytes.growSlice",
    "encoding/json.Marshal",
    "fmt.(*buffer).write",
    "fmt.(*buffer).writeByte",
    "fmt.(*buffer).writeRune",
    "fmt.(*buffer).writeString",
    "internal/stringslite.Clone",
    "io.ReadAll",
    "os.ReadFile",
    "os.readFileContents",
    "strings.(*Builder).Write",
    "strings.(*Builder).WriteByte",
    "strings.(*Builder).WriteRune",
    "strings.(*Builder).WriteString",
    "strings.Clone",
];

/// How to name what one stack allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meaning {
    /// `None` if no known function asked.
    given: Option<Given>,
    untyped: &'static str,
}

impl Meaning {
    /// Reads a stack, innermost frame first, up to the first function outside the runtime.
    fn of<'a>(frames: impl Iterator<Item = &'a Frame>) -> Self {
        let mut meaning = Meaning {
            given: None,
            untyped: NO_TYPE,
        };
        for frame in frames {
            let function = &*frame.function;
            let caller = CALLERS.iter().find(|caller| caller.function == function);
            if let Some(caller) = caller
                && meaning.given.is_none()
            {
                meaning.given = Some(caller.given);
                meaning.untyped = caller.untyped;
            }
            if !frame.is_runtime() {
                if meaning.untyped == NO_TYPE && OF_BYTES.contains(&function) {
                    meaning.untyped = "[]uint8";
                }
                break;
            }
        }
        meaning
    }

    fn untyped(self, sums: &Sums) -> TypeFigures {
        // The collector does not scan memory without a type (`noscan` in malloc.go).
        row(self.untyped.to_owned(), sums, Some(0))
    }

    fn typed(self, go_type: &GoType, sums: &Sums) -> TypeFigures {
        let name = &go_type.name;
        // A function that is not in the table: sizes tell an array from a single value, but for arrays of one.
        let given = self.given.unwrap_or(
            if sums.requested_bytes == sums.allocs.saturating_mul(go_type.size_bytes) {
                Given::Value
            } else {
                Given::Array
            },
        );
        let name = match given {
            Given::Array if name.starts_with(MAP_INSIDES) => name.clone(),
            Given::Array => format!("[]{name}"),
            Given::Channel => format!("chan {name}"),
            Given::Boxed(name) => name.to_owned(),
            Given::Value | Given::Untyped => name.clone(),
        };
        row(name, sums, Some(scanned(go_type, sums)))
    }
}

/// What a stack allocated in objects of `size_bytes`, of which no record tells the type: the code that asks does.
pub(super) fn from_code(
    pcs: &[u64],
    size_bytes: u64,
    figures: &Figures,
    symbols: &Symbols,
) -> TypeFigures {
    let name = symbols.allocated(pcs, Some(size_bytes));
    TypeFigures {
        name: name.unwrap_or(NO_TYPE).to_owned(),
        allocs: figures.allocs,
        alloc_bytes: figures.alloc_bytes,
        bytes: figures.requested_bytes,
        pointer_bytes: None,
        live_bytes: None,
    }
}

/// What the runtime's own profile has alive of a stack and a size.
pub(super) fn live_from_code(
    bucket: &BucketHistory,
    live_bytes: u64,
    symbols: &Symbols,
) -> TypeFigures {
    let nothing = Figures {
        alloc_bytes: Some(0),
        ..Figures::default()
    };
    TypeFigures {
        live_bytes: Some(live_bytes),
        ..from_code(&bucket.pcs, bucket.size, &nothing, symbols)
    }
}

/// What one stack allocated, by the types that the runtime was given.
pub(super) fn of_stack(pcs: &[u64], types: &Types, symbols: &Symbols) -> Vec<TypeFigures> {
    let meaning = Meaning::of(symbols.stack(pcs).flatten());
    let known = types.iter().map(|of_type| match of_type.type_pointer {
        0 => match symbols.element(pcs) {
            Some(element) => row(format!("[]{}", element.name), &of_type.sums, Some(0)),
            None => meaning.untyped(&of_type.sums),
        },
        pointer => match symbols.go_type(pointer) {
            Some(go_type) => meaning.typed(go_type, &of_type.sums),
            None => row(NO_TYPE.to_owned(), &of_type.sums, None),
        },
    });
    let others = Some(types.others())
        .filter(|sums| sums.allocs > 0)
        .map(|sums| row(NO_TYPE.to_owned(), &sums, None));
    known.chain(others).collect()
}

/// The same, by the names of the types, most bytes first. Two descriptors of one name (a plugin's, or made by `reflect`)
/// are one row.
pub(super) fn by_name(rows: Vec<TypeFigures>) -> Vec<TypeFigures> {
    if rows.len() < 2 {
        return rows;
    }
    let mut by_name: HashMap<String, TypeFigures> = HashMap::new();
    for row in rows {
        match by_name.get_mut(&row.name) {
            Some(known) => known.merge(&row),
            None => drop(by_name.insert(row.name.clone(), row)),
        }
    }
    let mut rows: Vec<TypeFigures> = by_name.into_values().collect();
    rows.sort_by(|a, b| {
        let by_weight = b.weight().cmp(&a.weight());
        by_weight.then_with(|| a.name.cmp(&b.name))
    });
    rows
}

fn row(name: String, sums: &Sums, pointer_bytes: Option<u64>) -> TypeFigures {
    TypeFigures {
        name,
        allocs: sums.allocs,
        alloc_bytes: sums.known_alloc_bytes(),
        bytes: Some(sums.requested_bytes),
        pointer_bytes,
        live_bytes: None,
    }
}

/// Bytes that the collector scans: an object up to its last pointer.
fn scanned(go_type: &GoType, sums: &Sums) -> u64 {
    if go_type.pointer_bytes == 0 {
        return 0;
    }
    let tail = go_type.size_bytes.saturating_sub(go_type.pointer_bytes);
    sums.requested_bytes
        .saturating_sub(sums.allocs.saturating_mul(tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Kind;

    const NODE: u64 = 99;
    const WORD: u64 = 98;
    const GROUP: u64 = 97;
    const UNKNOWN: u64 = 96;

    /// Symbols in which the program counters 1, 2, … are these functions.
    fn symbols(functions: &[&str]) -> Symbols {
        let go_type = |name: &str, size_bytes, pointer_bytes| GoType {
            name: name.to_owned(),
            size_bytes,
            pointer_bytes,
            kind: Kind::Struct,
        };
        let runtime = ["runtime", "internal", "reflect"];
        let frame = |function: &&str| {
            let package = function.split(['.', '/']).next().unwrap();
            let package = if runtime.contains(&package) {
                "runtime"
            } else {
                package
            };
            vec![Frame::of(function, package, 1)]
        };
        // The first program counter is the probed one, which is named apart.
        Symbols::of(
            (2..).zip(functions.iter().map(frame)),
            vec![
                (NODE, go_type("main.node", 24, 8)),
                (WORD, go_type("runtime.uint64InterfacePtr", 8, 0)),
                (GROUP, go_type("map.group[string]int", 200, 192)),
            ],
        )
    }

    fn rows(functions: &[&str], allocs: &[(u64, u64)]) -> Vec<TypeFigures> {
        let mut types = Types::default();
        for (type_pointer, size) in allocs {
            types.add(*type_pointer, *size, Some(*size), 1);
        }
        let pcs: Vec<u64> = (1..=functions.len() as u64 + 1).collect();
        by_name(of_stack(&pcs, &types, &symbols(functions)))
    }

    fn check(functions: &[&str], (type_pointer, size): (u64, u64), expect: &str) {
        let rows = rows(functions, &[(type_pointer, size)]);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, [expect], "{functions:?}");
    }

    #[test]
    fn elements_that_the_callers_code_tells_name_a_grown_slice() {
        let functions = [
            "runtime.mallocgc",
            "runtime.growslice",
            "main.f",
            "main.main",
        ];
        let element = GoType {
            name: "main.sample".to_owned(),
            size_bytes: 16,
            pointer_bytes: 0,
            kind: Kind::Struct,
        };
        let mut types = Types::default();
        types.add(0, 64, Some(64), 1);
        let pcs = [1, 2, 3, 4, 5];
        // The call of growslice returns into main.f.
        for (return_address, expect) in [(4, "[]main.sample"), (5, "-")] {
            let symbols = symbols(&functions).with_element(return_address, element.clone());
            let rows = of_stack(&pcs, &types, &symbols);
            assert_eq!((&*rows[0].name, rows[0].pointer_bytes), (expect, Some(0)));
        }
    }

    #[test]
    fn the_functions_of_the_table_are_distinct() {
        let names: std::collections::HashSet<&str> = CALLERS
            .iter()
            .map(|caller| caller.function)
            .chain(OF_BYTES.iter().copied())
            .collect();
        assert_eq!(names.len(), CALLERS.len() + OF_BYTES.len());
    }

    #[test]
    fn who_asked_tells_an_array_from_a_value() {
        check(&["main.work"], (NODE, 24), "main.node");
        check(&["runtime.newobject", "main.work"], (NODE, 24), "main.node");
        check(
            &["runtime.makeslice", "main.work"],
            (NODE, 24),
            "[]main.node",
        );
        check(
            &["runtime.growslice", "main.work"],
            (NODE, 96),
            "[]main.node",
        );
    }

    #[test]
    fn an_unknown_caller_leaves_it_to_the_sizes() {
        let unknown = ["runtime.makeNovelty", "main.work"];
        check(&unknown, (NODE, 24), "main.node");
        check(&unknown, (NODE, 48), "[]main.node");
    }

    #[test]
    fn who_asked_names_memory_without_a_type() {
        let string = [
            "runtime.rawstring",
            "runtime.rawstringtmp",
            "runtime.concatstrings",
        ];
        check(&[&string[..], &["main.work"]].concat(), (0, 46), "string");
        check(
            &[
                "runtime.rawruneslice",
                "runtime.stringtoslicerune",
                "main.work",
            ],
            (0, 64),
            "[]int32",
        );
        check(&["runtime.makechan", "main.work"], (0, 224), "chan");
        check(&["runtime.growslice", "main.work"], (0, 64), "-");
        check(&["main.work"], (0, 14), "-");
    }

    #[test]
    fn the_frames_outside_the_site_do_not_name_anything() {
        check(
            &["main.work", "runtime.makechan", "io.ReadAll"],
            (0, 14),
            "-",
        );
    }

    #[test]
    fn the_library_is_known_for_its_byte_slices() {
        check(
            &["runtime.growslice", "io.ReadAll", "main.work"],
            (0, 512),
            "[]uint8",
        );
        check(
            &["runtime.slicebytetostring", "io.ReadAll"],
            (0, 512),
            "string",
        );
        check(&["runtime.growslice", "io.Other"], (0, 512), "-");
    }

    #[test]
    fn the_innermost_caller_decides() {
        let hidden = ["runtime.newobject", "runtime.makechan", "main.work"];
        check(&hidden, (NODE, 24), "main.node");
        check(&hidden[1..], (NODE, 24), "chan main.node");
    }

    #[test]
    fn a_boxed_number_is_not_given_the_runtimes_name() {
        check(&["runtime.convT64", "main.work"], (WORD, 8), "any(64-bit)");
    }

    #[test]
    fn the_insides_of_a_map_have_one_name() {
        check(
            &["runtime.newarray", "main.work"],
            (GROUP, 800),
            "map.group[string]int",
        );
    }

    #[test]
    fn pointer_bytes_are_what_the_collector_scans() {
        let makeslice = ["runtime.makeslice", "main.work"];
        let scanned = |allocs: &[(u64, u64)]| -> Vec<(String, u64, Option<u64>)> {
            rows(&makeslice, allocs)
                .into_iter()
                .map(|row| (row.name.clone(), row.weight(), row.pointer_bytes))
                .collect()
        };
        let expect = |name: &str, bytes, pointers| (name.to_owned(), bytes, pointers);
        assert_eq!(
            scanned(&[(NODE, 240), (NODE, 48), (0, 7)]),
            [
                expect("[]main.node", 288, Some(256)),
                expect("-", 7, Some(0))
            ]
        );
        assert_eq!(
            scanned(&[(0, 7), (UNKNOWN, 1)]),
            [expect("-", 8, None)],
            "what is unknown may have pointers"
        );
    }

    #[test]
    fn types_beyond_the_bound_have_no_name() {
        let many: Vec<(u64, u64)> = (1000..1040).map(|pointer| (pointer, 8)).collect();
        let rows = rows(&["main.work"], &many);
        assert_eq!((rows.len(), rows[0].allocs), (1, 40));
    }
}
