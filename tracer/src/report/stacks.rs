//! Each logical frame once, and every stack as positions among them.

use super::sites::history_stack;
use super::{Frame, Stack};
use crate::aggregate::{Frames, HeapHistory, Totals};
use crate::symbolize::{self, Symbols};
use std::collections::{HashMap, HashSet};

/// Positions of frames.
#[derive(Default)]
struct Table {
    frames: Vec<Frame>,
    positions: HashMap<Frame, usize>,
    /// Stacks share most of their program counters, and those the logical frames at each.
    known: HashMap<*const symbolize::Frame, Vec<usize>>,
}

impl Table {
    fn position(&mut self, logical: &symbolize::Frame) -> usize {
        let entry = self.positions.entry(Frame::from(logical));
        *entry.or_insert_with_key(|frame| {
            self.frames.push(frame.clone());
            self.frames.len() - 1
        })
    }

    fn stack(&mut self, pcs: &[u64], symbols: &Symbols) -> Vec<usize> {
        let mut stack = Vec::new();
        for logical in symbols.stack(pcs) {
            let address = logical.as_ptr();
            if !self.known.contains_key(&address) {
                let positions = logical.iter().map(|frame| self.position(frame)).collect();
                self.known.insert(address, positions);
            }
            stack.extend_from_slice(self.known.get(&address).map_or(&[][..], Vec::as_slice));
        }
        stack.shrink_to_fit();
        stack
    }
}

/// The frames, and all stacks in the order of their ids: those of records, and those of the runtime's own profile.
pub(super) fn stacks(
    totals: &Totals,
    history: Option<&HeapHistory>,
    symbols: &Symbols,
) -> (Vec<Frame>, Vec<Stack>) {
    let mut table = Table::default();
    let mut stacks: Vec<Stack> = Vec::with_capacity(totals.frames.len());
    let mut known: HashSet<u64> = HashSet::new();
    for (id, definition) in &totals.frames {
        known.insert(id.0);
        stacks.push(Stack {
            id: id.0,
            frames: table.stack(&definition.pcs, symbols),
            creator: creator(&mut table, definition, symbols),
            labels: labels(totals, definition),
        });
    }
    for bucket in history.iter().flat_map(|history| history.buckets()) {
        let id = history_stack(&bucket.pcs).0;
        if known.insert(id) {
            stacks.push(Stack {
                id,
                frames: table.stack(&bucket.pcs, symbols),
                creator: None,
                labels: Vec::new(),
            });
        }
    }
    stacks.sort_unstable_by_key(|stack| stack.id);
    (table.frames, stacks)
}

/// The `go` statement, which is a call: the innermost frame there.
fn creator(table: &mut Table, definition: &Frames, symbols: &Symbols) -> Option<usize> {
    let pcs = [definition.creation()?];
    let frame = symbols.stack(&pcs).next()?.first()?;
    Some(table.position(frame))
}

fn labels(totals: &Totals, definition: &Frames) -> Vec<(String, String)> {
    let labels = totals.heap.labels.get(&definition.labels);
    let pairs = labels.iter().flat_map(|labels| &labels.pairs);
    pairs
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}
