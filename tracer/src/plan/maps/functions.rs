//! The runtime's functions that work on maps, and those that end a program or start a panic.
//!
//! Data, not patterns: a map's functions call each other, and each operation must pass one probe. Source:
//! `src/runtime/map*.go` up to Go 1.23 and with `GOEXPERIMENT=noswissmap`, `src/internal/runtime/maps/*.go` from 1.24,
//! whose functions for compiled code keep their names in `runtime`.

use super::{Growing, Operation};
use tracer_common::cookie::{MapArguments, MessageArgument};

/// What the names of functions that change a map start with: those that are not in the table are news.
pub(super) const CHANGING: [&str; 3] =
    ["runtime.mapassign", "runtime.mapdelete", "runtime.mapclear"];

/// What the names of all functions of the table start with.
pub(super) const PREFIXES: [&str; 5] = [
    "runtime.mapassign",
    "runtime.mapdelete",
    "runtime.mapclear",
    "runtime.hashGrow",
    "internal/runtime/maps.(*",
];

/// A function that works on maps.
#[derive(Debug)]
pub(super) struct MapFunction {
    pub(super) name: &'static str,
    pub(super) operation: Operation,
    pub(super) arguments: MapArguments,
}

const fn typed(name: &'static str, operation: Operation) -> MapFunction {
    MapFunction {
        name,
        operation,
        arguments: MapArguments::TypeMap,
    }
}

const fn growth(name: &'static str, how: Growing, arguments: MapArguments) -> MapFunction {
    MapFunction {
        name,
        operation: Operation::Grow(how),
        arguments,
    }
}

/// How a map of buckets grows.
pub(super) const BUCKET_GROWTHS: &[MapFunction] = &[growth(
    "runtime.hashGrow",
    Growing::Buckets,
    MapArguments::TypeMap,
)];

/// How a Swiss map grows. `(*table).rehash` does nothing but call `grow` or `split`, which nothing else calls, by the size
/// of the table: it is probed in their place because profile-guided optimization inlines both into it.
pub(super) const SWISS_GROWTHS: &[MapFunction] = &[
    growth(
        "internal/runtime/maps.(*Map).growToTable",
        Growing::ToTable,
        MapArguments::MapType,
    ),
    growth(
        "internal/runtime/maps.(*table).rehash",
        Growing::Table,
        MapArguments::TableTypeMap,
    ),
];

/// Functions that compiled code calls to change a map. None calls another.
pub(super) const CHANGES: &[MapFunction] = &[
    typed("runtime.mapassign", Operation::Assign),
    typed("runtime.mapassign_fast32", Operation::Assign),
    typed("runtime.mapassign_fast32ptr", Operation::Assign),
    typed("runtime.mapassign_fast64", Operation::Assign),
    typed("runtime.mapassign_fast64ptr", Operation::Assign),
    typed("runtime.mapassign_faststr", Operation::Assign),
    typed("runtime.mapdelete", Operation::Delete),
    typed("runtime.mapdelete_fast32", Operation::Delete),
    typed("runtime.mapdelete_fast64", Operation::Delete),
    typed("runtime.mapdelete_faststr", Operation::Delete),
    typed("runtime.mapclear", Operation::Clear),
];

/// Functions of the runtime by which `reflect` calls another one, with the same arguments. Where the compiler has inlined
/// that one, the wrapper is probed in its place. Source: `src/runtime/map.go`, `map_swiss.go` in
/// Go 1.24 and 1.25.
pub(super) const WRAPPERS: &[(&str, &str)] = &[
    ("reflect.mapassign0", "runtime.mapassign"),
    ("reflect.mapassign_faststr0", "runtime.mapassign_faststr"),
    ("reflect.mapdelete", "runtime.mapdelete"),
    ("reflect.mapdelete_faststr", "runtime.mapdelete_faststr"),
    ("reflect.mapclear", "runtime.mapclear"),
];

/// Functions that end the program, or start a panic. From Go 1.24 maps have a `fatal` of their own, which calls this one.
pub(super) const CRASHES: &[(&str, MessageArgument)] = &[
    ("runtime.fatal", MessageArgument::String),
    ("runtime.throw", MessageArgument::String),
    ("runtime.gopanic", MessageArgument::Interface),
];
