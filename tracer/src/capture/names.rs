//! Names of everything that a report of this target speaks of; what was named once stays named.

use crate::aggregate::{HeapHistory, Totals};
use crate::report::to_site;
use crate::symbolize::{Symbolizer, Symbols};
use std::iter::{empty, once};

/// Frames that are named before others to find the place of a stack: few have more of the runtime's own.
const INNER_FRAMES: usize = 8;

/// What is named so far, and what names more.
#[derive(Debug)]
pub(super) struct Names {
    symbolizer: Symbolizer,
    symbols: Symbols,
}

impl Names {
    /// Nothing is named yet.
    pub(super) fn new(symbolizer: Symbolizer) -> Self {
        Names {
            symbolizer,
            symbols: Symbols::default(),
        }
    }

    /// Names what is new in these totals, and in what the runtime's own profile of the heap said.
    pub(super) fn of(&mut self, totals: &Totals, history: Option<&HeapHistory>) -> &Symbols {
        let (symbolizer, symbols) = (&mut self.symbolizer, &mut self.symbols);
        let pcs = totals.frames.values().map(|frames| &*frames.pcs);
        let stacks = totals.stacks.values();
        let types = stacks.flat_map(|stack| stack.types.iter().map(|row| row.type_pointer));
        symbols.extend(symbolizer, pcs, types);
        let map_types = totals.maps.rows.iter().map(|row| row.map_type);
        symbols.extend_map_types(symbolizer, map_types);
        let faulting = totals.faults.stacks.keys();
        let faulting = faulting.filter_map(|stack| totals.frames.get(stack)?.pcs.first());
        symbols.extend_accesses(symbolizer, faulting.copied());
        self.name_heap(totals, history);
        &self.symbols
    }

    /// How many program counters of a stack, innermost first, lead to its place. Names them.
    pub(super) fn frames_to_place(&mut self, pcs: &[u64]) -> usize {
        let mut length = INNER_FRAMES.min(pcs.len());
        loop {
            let inner = pcs.get(..length).unwrap_or(pcs);
            self.symbols
                .extend(&mut self.symbolizer, once(inner), empty());
            match to_site(inner, &self.symbols) {
                Some(found) => return found,
                None if length >= pcs.len() => return pcs.len(),
                None => length = (2 * length).min(pcs.len()),
            }
        }
    }

    /// Names what is known of the heap, and who made the goroutines.
    fn name_heap(&mut self, totals: &Totals, history: Option<&HeapHistory>) {
        let (symbolizer, symbols) = (&mut self.symbolizer, &mut self.symbols);
        let buckets = || {
            let buckets = history.into_iter().flat_map(|history| history.buckets());
            buckets.map(|bucket| &*bucket.pcs)
        };
        let sampled = totals.heap.stacks.keys();
        let sampled = sampled.filter_map(|id| Some(&*totals.frames.get(id)?.pcs));
        symbols.extend(symbolizer, buckets(), empty());
        symbols.extend_allocated(symbolizer, buckets().chain(sampled));
        let frames = totals.frames.values();
        let creations: Vec<[u64; 1]> = frames
            .filter_map(|frames| Some([frames.creation()?]))
            .collect();
        symbols.extend(symbolizer, creations.iter().map(|pc| &pc[..]), empty());
    }
}
