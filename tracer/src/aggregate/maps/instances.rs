//! Which map is which.
//!
//! A map is known by its address, its type and its hash seed together. The same seed elsewhere is the map after its
//! stack moved, or a copy of it (`maps.Clone`), which has its entries elsewhere. Another seed at the same address is another map, unless what was seen last may have emptied the known one:
//! the runtime draws a new seed then. Bounded: maps that nothing was seen of for longest are forgotten first, but for
//! the largest.

use super::growth::GrowthStep;
use super::{Look, Watched};
use crate::decode::MapHeader;
use crate::plan::Operation;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use tracer_common::record::storage_tag;

/// Most maps that are kept apart at the same time.
pub(super) const MAX_INSTANCES: usize = 1 << 16;
/// Largest maps, which are not forgotten.
const LARGEST: usize = 64;
/// Most points of a map's curve; when there are more, about every other one goes.
const MAX_POINTS: usize = 128;

/// Number of a map, in the order of appearance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub u64);

/// A map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Which one.
    pub id: InstanceId,
    /// Its address in the target.
    pub map: u64,
    /// Address of its Go type.
    pub map_type: u64,
    /// Position of the row that it was first seen at.
    pub row: u32,
    /// Entries when it was seen last.
    pub entries: u64,
    /// Most entries it was seen with.
    pub max_entries: u64,
    /// Room for entries; `None` if it has several tables and not all were seen growing.
    pub slots: Option<u64>,
    /// Growths.
    pub growths: u64,
    /// Values set.
    pub writes: u64,
    /// Keys deleted, also those that were not there.
    pub deletes: u64,
    /// Whether it was still there when it was looked at last; `None` if it never was.
    pub alive: Option<bool>,
    /// Monotonic time in nanoseconds, and entries then.
    pub curve: Vec<(u64, u64)>,
    seed: u32,
    /// Whether its first growth was seen.
    from_the_start: bool,
    /// Of the address of its buckets or directory, if that is known ([`MapHeader::storage`]).
    pub(super) storage: Option<u32>,
    /// Whether the last operation may have emptied it.
    pub(super) emptied: bool,
    /// The last operation, whose effect is not known yet.
    pending: Option<Pending>,
    touched: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    row: u32,
    before: u64,
    operation: Operation,
}

impl Pending {
    /// Whether it can have led to so many entries: if not, operations are missing in between.
    fn leads_to(&self, after: u64) -> bool {
        match self.operation {
            Operation::Assign => after
                .checked_sub(self.before)
                .is_some_and(|added| added <= 1),
            Operation::Delete => self.before.checked_sub(after).is_some_and(|gone| gone <= 1),
            Operation::Clear => after == 0,
            Operation::Grow(_) => false,
        }
    }
}

/// What an operation did, once it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) row: u32,
    before: u64,
    /// Entries after it.
    pub(super) after: u64,
}

impl Settled {
    /// Entries added less entries removed.
    pub(super) fn net(&self) -> i64 {
        self.after.wrapping_sub(self.before).cast_signed()
    }
}

/// A map as a record shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) map: u64,
    pub(super) map_type: u64,
    pub(super) header: MapHeader,
    /// Room for entries, if that is known.
    pub(super) slots: Option<u64>,
}

/// Where an instance is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) slot: usize,
    pub(super) new: bool,
}

/// All maps that are known.
#[derive(Clone, Debug, Default)]
pub struct Instances {
    known: Vec<Instance>,
    by_address: HashMap<u64, usize>,
    by_seed: HashMap<(u64, u32), usize>,
    /// Maps seen so far, those that were forgotten included.
    seen: u64,
    /// Sightings so far.
    clock: u64,
}

impl Instances {
    /// Every map that is not forgotten.
    pub fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.known.iter()
    }

    /// Maps that were forgotten, because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.seen.saturating_sub(self.known.len() as u64)
    }

    /// Gives rows other positions.
    pub(super) fn move_rows(&mut self, position: impl Fn(u32) -> u32) {
        for instance in &mut self.known {
            instance.row = position(instance.row);
        }
    }

    /// The maps with most entries, those that are gone after all others.
    pub(super) fn largest(&self, limit: usize) -> Vec<Watched> {
        let mut largest: Vec<&Instance> = self.known.iter().collect();
        if limit < largest.len() {
            largest.select_nth_unstable_by_key(limit, |known| known.rank());
            largest.truncate(limit);
        }
        let watched = largest.into_iter().map(|instance| Watched {
            id: instance.id,
            map: instance.map,
        });
        watched.collect()
    }

    /// The map of a sighting at `row`. `may_be` tells whether a map with another seed can be the one that is known at
    /// this address.
    pub(super) fn find(
        &mut self,
        row: u32,
        sighting: &Sighting,
        may_be: impl FnOnce(&Instance) -> bool,
    ) -> Found {
        self.clock += 1;
        let slot = self
            .at_its_address(sighting, may_be)
            .or_else(|| self.moved(sighting));
        let found = match slot {
            Some(slot) => Found { slot, new: false },
            None => Found {
                slot: self.add(row, sighting),
                new: true,
            },
        };
        if let Some(instance) = self.known.get_mut(found.slot) {
            instance.touched = self.clock;
            instance.alive = None;
            instance.see(sighting.header.entries);
        }
        found
    }

    /// The known map at the address of a sighting, if it is that one.
    fn at_its_address(
        &mut self,
        sighting: &Sighting,
        may_be: impl FnOnce(&Instance) -> bool,
    ) -> Option<usize> {
        let slot = *self.by_address.get(&sighting.map)?;
        let instance = self.known.get_mut(slot)?;
        if instance.map_type != sighting.map_type {
            return None;
        }
        let seed = sighting.header.seed;
        if instance.seed != seed {
            if !may_be(instance) {
                return None;
            }
            self.by_seed.remove(&(instance.map_type, instance.seed));
            self.by_seed.insert((instance.map_type, seed), slot);
            instance.seed = seed;
        }
        Some(slot)
    }

    /// The known map with the seed of a sighting, which lay elsewhere.
    fn moved(&mut self, sighting: &Sighting) -> Option<usize> {
        let slot = *self
            .by_seed
            .get(&(sighting.map_type, sighting.header.seed))?;
        let instance = self.known.get_mut(slot)?;
        if !instance.may_have_moved(sighting) {
            return None;
        }
        if self.by_address.get(&instance.map) == Some(&slot) {
            self.by_address.remove(&instance.map);
        }
        self.by_address.insert(sighting.map, slot);
        instance.map = sighting.map;
        Some(slot)
    }

    fn add(&mut self, row: u32, sighting: &Sighting) -> usize {
        if self.known.len() >= MAX_INSTANCES {
            self.forget();
        }
        if let Some(before) = self.by_address.get(&sighting.map)
            && let Some(freed) = self.known.get_mut(*before)
        {
            freed.alive = Some(false);
        }
        let slot = self.known.len();
        let MapHeader { entries, seed, .. } = sighting.header;
        self.known.push(Instance {
            id: InstanceId(self.seen),
            map: sighting.map,
            map_type: sighting.map_type,
            row,
            entries,
            max_entries: entries,
            slots: None,
            growths: 0,
            writes: 0,
            deletes: 0,
            alive: None,
            curve: Vec::new(),
            seed,
            from_the_start: false,
            storage: None,
            emptied: false,
            pending: None,
            touched: self.clock,
        });
        self.seen += 1;
        self.by_address.insert(sighting.map, slot);
        self.by_seed.insert((sighting.map_type, seed), slot);
        slot
    }

    /// Forgets the half that nothing was seen of for longest, but for the largest.
    fn forget(&mut self) {
        let largest: HashSet<InstanceId> = self.largest(LARGEST).iter().map(|one| one.id).collect();
        let mut touched: Vec<u64> = self.known.iter().map(|known| known.touched).collect();
        let middle = touched.len() / 2;
        let (_, oldest_kept, _) = touched.select_nth_unstable(middle);
        let oldest_kept = *oldest_kept;
        self.known
            .retain(|known| known.touched >= oldest_kept || largest.contains(&known.id));
        self.by_address.clear();
        self.by_seed.clear();
        for (slot, known) in self.known.iter().enumerate() {
            if known.alive != Some(false) {
                self.by_address.insert(known.map, slot);
            }
            self.by_seed.insert((known.map_type, known.seed), slot);
        }
    }

    /// An operation of `row` on a map that is as `header` says; gives what the one before it did.
    pub(super) fn operate(
        &mut self,
        slot: usize,
        operation: Operation,
        row: u32,
        header: &MapHeader,
    ) -> Option<Settled> {
        let entries = header.entries;
        let instance = self.known.get_mut(slot)?;
        let settled = instance.settle(entries);
        instance.pending = Some(Pending {
            row,
            before: entries,
            operation,
        });
        instance.emptied = match operation {
            Operation::Clear => true,
            Operation::Delete => entries <= 1,
            Operation::Assign | Operation::Grow(_) => false,
        };
        // The first write gives it what it had not; a growth, which follows the write, tells for itself.
        instance.storage = Some(header.storage).filter(|storage| *storage != 0);
        instance.writes += u64::from(operation == Operation::Assign);
        instance.deletes += u64::from(operation == Operation::Delete);
        settled
    }

    /// A growth of a map; tells whether all its growths were seen.
    pub(super) fn grow(&mut self, slot: usize, step: &GrowthStep, time_ns: u64) -> bool {
        let Some(instance) = self.known.get_mut(slot) else {
            return false;
        };
        instance.growths += 1;
        instance.from_the_start |= step.first;
        instance.slots = step.slots_after(instance.slots);
        instance.storage = step.storage_after();
        instance.emptied = false;
        instance.mark(time_ns, step.header.entries);
        instance.from_the_start
    }

    /// Takes what was read of a map from outside; gives what the last operation on it did.
    pub(super) fn look(&mut self, look: &Look) -> Option<Settled> {
        // Numbers grow with the position.
        let slot = self
            .known
            .binary_search_by_key(&look.id, |known| known.id)
            .ok()?;
        let instance = self.known.get_mut(slot)?;
        // Go keeps its address space: the process has ended, and what was seen last stays.
        let header = MapHeader::of_words(look.words?);
        let is_same = header.seed == instance.seed || instance.was_emptied(&header);
        instance.alive = Some(is_same);
        if !is_same {
            return None;
        }
        instance.storage = Some(header.storage).filter(|storage| *storage != 0);
        instance.mark(look.time_ns, header.entries);
        instance.max_entries = instance.max_entries.max(header.entries);
        if !look.last {
            return None;
        }
        instance.entries = header.entries;
        instance.settle(header.entries)
    }
}

impl Instance {
    /// Its place among others, the largest first: many that are gone do not hide one that grows.
    pub fn rank(&self) -> (bool, Reverse<u64>) {
        (self.alive == Some(false), Reverse(self.max_entries))
    }

    /// Whether a map at its address with another seed can be this one: emptied, which draws a new seed and keeps the
    /// buckets or the directory. Those of a map that was made anew are others, or not there yet. Where only growths are
    /// recorded nothing tells whether it was emptied.
    pub(super) fn was_emptied(&self, header: &MapHeader) -> bool {
        (self.emptied || self.pending.is_none()) && self.storage == Some(header.storage)
    }

    /// Whether the map of a sighting elsewhere, with the same seed, can be this one: its entries stay where they are, or
    /// lie on the same stack and move as far.
    fn may_have_moved(&self, sighting: &Sighting) -> bool {
        let header = &sighting.header;
        let Some(storage) = self.storage else {
            // Seeds of 32 bits are alike by chance; then the number of entries, or the room for them, hardly is.
            let same_room = self.slots.is_some() && self.slots == sighting.slots;
            return same_room || self.entries.abs_diff(header.entries) <= 1;
        };
        let distance = storage_tag(sighting.map).wrapping_sub(storage_tag(self.map));
        header.storage == storage || header.storage == storage.wrapping_add(distance)
    }

    fn see(&mut self, entries: u64) {
        self.entries = entries;
        self.max_entries = self.max_entries.max(entries);
    }

    fn settle(&mut self, after: u64) -> Option<Settled> {
        let pending = self.pending.take()?;
        let Pending { row, before, .. } = pending;
        pending
            .leads_to(after)
            .then_some(Settled { row, before, after })
    }

    fn mark(&mut self, time_ns: u64, entries: u64) {
        if self.curve.len() >= MAX_POINTS {
            thin(&mut self.curve);
        }
        // Growths recorded before it was looked at may arrive after.
        let at = self.curve.partition_point(|(time, _)| *time <= time_ns);
        self.curve.insert(at, (time_ns, entries));
    }
}

/// Leaves at most about half of the points, at even distances of time where there were so many: growths come in bursts of
/// hundreds, as many tables of one map are full at the same time, and must not push the rest of the course out.
fn thin(curve: &mut Vec<(u64, u64)>) {
    let (Some((start, _)), Some((end, _))) = (curve.first(), curve.last()) else {
        return;
    };
    let (start, end) = (*start, *end);
    let distance = end.saturating_sub(start) / (MAX_POINTS as u64 / 2) + 1;
    let mut next = start;
    curve.retain(|(time, _)| {
        let stays = *time >= next;
        if stays {
            next = time.saturating_add(distance);
        }
        stays
    });
}
