//! Which allocations were made to let a map grow: those whose stack passes through a function that does that.

use crate::aggregate::{StackTotals, Totals};
use crate::symbolize::{Frame, Symbols};
use crate::target::MapType;
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
            let mut frames = symbols.stack(&definition.pcs);
            if let Some(growing) = frames.position(&mut grows)
                && let Some(callers) = definition.pcs.get(growing + 1..)
            {
                stacks.push((stack, callers));
            }
        }
        GrowthStacks { stacks }
    }

    /// The number of each stack, and the callers of the growing function, innermost first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &'a [u64])> {
        let stacks = self.stacks.iter().enumerate();
        stacks.map(|(number, (_, callers))| (number, *callers))
    }

    /// What was allocated by a stack.
    pub(super) fn totals(&self, number: usize) -> Option<&'a StackTotals> {
        self.stacks.get(number).map(|(stack, _)| *stack)
    }

    /// Whether a stack allocates what maps of this type keep their entries in (`map.group[K]V`, `map.bucket[K]V`).
    pub(super) fn allocates_groups_of(
        &self,
        number: usize,
        map_type: &MapType,
        symbols: &Symbols,
    ) -> bool {
        let suffix = format!("[{}]{}", map_type.key.name, map_type.elem.name);
        let Some(stack) = self.totals(number) else {
            return false;
        };
        stack.types.iter().any(|row| {
            let go_type = symbols.go_type(row.type_pointer);
            go_type.is_some_and(|go_type| go_type.name.ends_with(&suffix))
        })
    }
}
