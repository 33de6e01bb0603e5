//! Maps: what each stack does to maps of each type, and the single maps that are behind it.
//!
//! Hides what identifies a map: its address is not enough, because a map may lie on a goroutine's stack, which moves, and
//! because a freed map's address is used again; its hash seed is random, but drawn anew when the map becomes empty.

mod growth;
mod instances;

pub use instances::{Instance, InstanceId, Instances};

use crate::decode::{Crash, Growth, MapOperation, StackId};
use crate::plan::Operation;
use growth::GrowthStep;
use instances::{Settled, Sighting};
use std::collections::HashMap;

/// Most distinct pairs of a stack and a map type that are kept apart. What exceeds it is counted.
const MAX_MAP_ROWS: usize = 100_000;
/// Most distinct crashes that are kept; a process has one, a goroutine that panics and recovers in a loop has many alike.
const MAX_CRASHES: usize = 64;

/// What the rows of the plan's part about maps stand for.
#[derive(Clone, Debug, Default)]
pub struct MapRules {
    /// What each row does.
    pub operations: Vec<Operation>,
}

/// Everything seen of maps.
#[derive(Clone, Debug, Default)]
pub struct MapTotals {
    /// Sums per stack and type.
    pub rows: Vec<MapRowTotals>,
    /// Position in `rows`.
    positions: HashMap<(StackId, u64), u32>,
    /// The maps themselves.
    pub instances: Instances,
    /// Fatal errors and panics.
    pub crashes: Vec<CrashTotals>,
    /// Operations and growths beyond the bound on rows: in no row.
    pub overflowed: u64,
}

/// What one stack does to maps of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRowTotals {
    /// Which stack.
    pub stack: StackId,
    /// Address of the map's Go type.
    pub map_type: u64,
    /// Sums over its operations.
    pub counts: MapCounts,
}

/// Sums of operations on maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapCounts {
    /// Values set.
    pub writes: u64,
    /// Keys deleted, also those that were not there.
    pub deletes: u64,
    /// Maps cleared.
    pub clears: u64,
    /// Writes to a nil map, which panic.
    pub nil_writes: u64,
    /// Entries added less entries removed, by the operations whose effect is known.
    pub net_entries: i64,
    /// Operations whose effect is not known, because nothing was seen of the map after them.
    pub unsettled: u64,
    /// Growths, those to the same size included.
    pub growths: u64,
    /// Growths to the same size, to get rid of overflow buckets.
    pub same_size_growths: u64,
    /// Growths of maps that had the smallest size.
    pub first_growths: u64,
    /// Growths to a larger size of maps whose first growth was seen, that one included.
    pub steps: u64,
    /// Maps that were seen here first.
    pub instances: u64,
    /// Most entries of a map that were seen here, after the operation where that is known.
    pub max_entries: u64,
}

impl MapCounts {
    /// Adds the sums of `other`.
    pub fn merge(&mut self, other: &MapCounts) {
        let MapCounts {
            writes,
            deletes,
            clears,
            nil_writes,
            net_entries,
            unsettled,
            growths,
            same_size_growths,
            first_growths,
            steps,
            instances,
            max_entries,
        } = *other;
        self.writes += writes;
        self.deletes += deletes;
        self.clears += clears;
        self.nil_writes += nil_writes;
        self.net_entries = self.net_entries.saturating_add(net_entries);
        self.unsettled += unsettled;
        self.growths += growths;
        self.same_size_growths += same_size_growths;
        self.first_growths += first_growths;
        self.steps += steps;
        self.instances += instances;
        self.max_entries = self.max_entries.max(max_entries);
    }
}

/// Fatal errors or panics alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashTotals {
    /// Row of the plan's part about crashes.
    pub row: u8,
    /// Where it happened.
    pub stack: StackId,
    /// Number of the goroutine of the first one.
    pub goroutine: Option<u64>,
    /// Monotonic time of the first one, nanoseconds.
    pub time_ns: u64,
    /// The start of the message, as the target has it.
    pub message: Option<Box<[u8]>>,
    /// How often.
    pub count: u64,
}

/// A map to be looked at from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which one.
    pub id: InstanceId,
    /// Its address in the target.
    pub map: u64,
}

/// What was read of a map from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which one.
    pub id: InstanceId,
    /// Monotonic time, nanoseconds.
    pub time_ns: u64,
    /// Whether every record has been applied and none will follow, so that this is what the last operation led to.
    pub last: bool,
    /// The first three words at its address: another map's by now, if the seed is another. `None` if they could not be
    /// read.
    pub words: Option<[u64; 3]>,
}

impl MapTotals {
    /// The same with other stacks in the place of these. Crashes stay at theirs.
    pub fn renamed(self, mut name: impl FnMut(StackId) -> StackId) -> Self {
        let mut renamed = MapTotals {
            rows: Vec::new(),
            positions: HashMap::new(),
            ..self
        };
        let mut moved = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            let position = renamed.row(name(row.stack), row.map_type);
            moved.push(position);
            if let Some(position) = position {
                renamed.count(position, |counts| counts.merge(&row.counts));
            }
        }
        let position = |row: u32| *moved.get(usize::try_from(row).ok()?)?;
        renamed
            .instances
            .move_rows(|row| position(row).unwrap_or(row));
        renamed
    }

    /// Takes a write, a delete or a clear by the stack `stack`.
    pub(super) fn operation(&mut self, rules: &MapRules, stack: StackId, operation: &MapOperation) {
        let Some(row) = self.row(stack, operation.map_type) else {
            return;
        };
        let Some(&kind) = rules.operations.get(usize::from(operation.row)) else {
            return;
        };
        self.count(row, |counts| match kind {
            Operation::Assign if operation.map == 0 => counts.nil_writes += 1,
            Operation::Assign => counts.writes += 1,
            Operation::Delete => counts.deletes += 1,
            Operation::Clear => counts.clears += 1,
            Operation::Grow(_) => {}
        });
        // A nil map has no entries, and operations but writes are allowed.
        if let Some(header) = operation.header.filter(|_| operation.map != 0) {
            let sighting = Sighting {
                map: operation.map,
                map_type: operation.map_type,
                header,
                slots: None,
            };
            self.operated(row, &sighting, kind);
        }
    }

    /// Takes a growth by the stack `stack`.
    pub(super) fn growth(&mut self, rules: &MapRules, stack: StackId, growth: &Growth<'_>) {
        let Some(row) = self.row(stack, growth.map_type) else {
            return;
        };
        self.count(row, |counts| counts.growths += 1);
        let operation = rules.operations.get(usize::from(growth.row));
        let (Some(words), Some(&Operation::Grow(how))) = (growth.words(), operation) else {
            return;
        };
        let step = GrowthStep::of(how, words, growth.table());
        let sighting = Sighting {
            map: growth.map,
            map_type: growth.map_type,
            header: step.header,
            slots: step.slots_before(),
        };
        self.grown(row, &sighting, &step, growth.time_ns);
    }

    /// Takes a crash on the stack `stack`.
    pub(super) fn crash(&mut self, stack: StackId, crash: &Crash<'_>) {
        let alike = |known: &&mut CrashTotals| {
            known.row == crash.row
                && known.stack == stack
                && known.message.as_deref() == crash.message
        };
        if let Some(known) = self.crashes.iter_mut().find(alike) {
            known.count += 1;
        } else if self.crashes.len() < MAX_CRASHES {
            self.crashes.push(CrashTotals {
                row: crash.row,
                stack,
                goroutine: crash.goroutine,
                time_ns: crash.time_ns,
                message: crash.message.map(Box::from),
                count: 1,
            });
        }
    }

    /// The maps whose length is worth a look from outside: the largest.
    pub(super) fn watched(&self, limit: usize) -> Vec<Watched> {
        self.instances.largest(limit)
    }

    /// Takes what was read of a map from outside.
    pub(super) fn look(&mut self, look: &Look) {
        if let Some(settled) = self.instances.look(look) {
            self.settle(&settled);
        }
    }

    /// The row of a stack and a type; `None` beyond the bound.
    fn row(&mut self, stack: StackId, map_type: u64) -> Option<u32> {
        let key = (stack, map_type);
        if let Some(row) = self.positions.get(&key) {
            return Some(*row);
        }
        if self.rows.len() >= MAX_MAP_ROWS {
            self.overflowed += 1;
            return None;
        }
        let row = u32::try_from(self.rows.len()).ok()?;
        self.rows.push(MapRowTotals {
            stack,
            map_type,
            counts: MapCounts::default(),
        });
        self.positions.insert(key, row);
        Some(row)
    }

    fn count(&mut self, row: u32, change: impl FnOnce(&mut MapCounts)) {
        if let Some(row) = self.rows.get_mut(row as usize) {
            change(&mut row.counts);
        }
    }

    /// An operation of `row` on a map.
    fn operated(&mut self, row: u32, sighting: &Sighting, operation: Operation) {
        let header = &sighting.header;
        let entries = header.entries;
        let found = self
            .instances
            .find(row, sighting, |known| known.was_emptied(header));
        let settled = self.instances.operate(found.slot, operation, row, header);
        self.count(row, |counts| {
            counts.unsettled += 1;
            counts.instances += u64::from(found.new);
            counts.max_entries = counts.max_entries.max(entries);
        });
        if let Some(settled) = settled {
            self.settle(&settled);
        }
    }

    /// What the operation before this one did is known now.
    fn settle(&mut self, settled: &Settled) {
        self.count(settled.row, |counts| {
            counts.unsettled = counts.unsettled.saturating_sub(1);
            counts.net_entries = counts.net_entries.saturating_add(settled.net());
            counts.max_entries = counts.max_entries.max(settled.after);
        });
    }

    /// A growth, at `row`.
    fn grown(&mut self, row: u32, sighting: &Sighting, step: &GrowthStep, time_ns: u64) {
        let found = self
            .instances
            .find(row, sighting, |known| step.continues(known));
        let from_the_start = self.instances.grow(found.slot, step, time_ns);
        self.count(row, |counts| {
            counts.instances += u64::from(found.new);
            counts.max_entries = counts.max_entries.max(step.header.entries);
            counts.same_size_growths += u64::from(step.same_size);
            counts.first_growths += u64::from(step.first);
            counts.steps += u64::from(from_the_start && !step.same_size);
        });
    }
}

#[cfg(test)]
mod tests;
