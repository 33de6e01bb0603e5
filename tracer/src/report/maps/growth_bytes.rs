//! Which allocations were made to let a map grow: those whose stack passes through a function that does that.

use crate::aggregate::{StackTotals, Totals};
use crate::program::MapType;
use crate::symbolize::{Frame, Symbols};
use std::collections::HashMap;

/// Functions that make a map grow: the probed ones of `plan`.
const GROWING: [&str; 3] = [
    "runtime.hashGrow",
    "internal/runtime/maps.(*Map).growToTable",
    "internal/runtime/maps.(*table).rehash",
];

/// Stacks of allocations within a growth.
#[derive(Debug)]
pub(super) struct GrowthStacks<'a> {
    /// What was allocated, and the program counters of the growing function's callers.
    stacks: Vec<(&'a StackTotals, &'a [u64])>,
}

impl<'a> GrowthStacks<'a> {
    pub(super) fn find(totals: &'a Totals, symbols: &Symbols) -> Self {
        let mut known: HashMap<*const Frame, bool> = HashMap::new();
        let mut grows = |frames: &[Frame]| {
            *known.entry(frames.as_ptr()).or_insert_with(|| {
                let mut functions = frames.iter().map(|frame| &*frame.function);
                functions.any(|function| GROWING.contains(&function))
            })
        };
        let mut stacks = Vec::new();
        for (id, stack) in &totals.stacks {
            let Some(definition) = totals.frames.get(id) else {
                continue;
            };
            let growing = symbols.stack(&definition.pcs).position(&mut grows);
            if let Some(callers) = growing.and_then(|at| callers(&definition.pcs, at, symbols)) {
                stacks.push((stack, callers));
            }
        }
        GrowthStacks { stacks }
    }

    /// What each stack allocated, and the callers of the growing function, innermost first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a StackTotals, &'a [u64])> {
        self.stacks.iter().copied()
    }
}

/// The callers of the function at position `growing` of a stack, up to the place in the code: farther out, the stack of
/// an allocation lacks more frames than that of the growth, if both were cut.
pub(super) fn callers<'a>(pcs: &'a [u64], growing: usize, symbols: &Symbols) -> Option<&'a [u64]> {
    let callers = pcs.get(growing + 1..)?;
    let mut frames = symbols.stack(pcs).skip(growing + 1);
    match frames.position(|logical| !logical.iter().all(Frame::is_runtime)) {
        Some(place) => callers.get(..=place),
        None => Some(callers),
    }
}

/// What maps of a type keep their entries in, as the end of its name (`map.group[K]V`, `map.bucket[K]V`).
pub(super) fn entries_of(map_type: &MapType) -> String {
    format!("[{}]{}", map_type.key.name, map_type.elem.name)
}

/// What a stack allocated of each type that maps keep their entries in, with the end of its name.
pub(super) fn by_entries<'a>(
    stack: &'a StackTotals,
    symbols: &'a Symbols,
) -> impl Iterator<Item = (&'a str, StackTotals)> {
    stack.types.iter().filter_map(|row| {
        let name = &symbols.go_type(row.type_pointer)?.name;
        let prefixes = ["map.group", "map.bucket"];
        let entries = prefixes
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))?;
        let part = StackTotals {
            sums: row.sums,
            // Of all types together: no less than that of one.
            uncertainty: stack.uncertainty.clone(),
            ..StackTotals::default()
        };
        Some((entries, part))
    })
}
