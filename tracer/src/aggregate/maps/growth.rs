//! What a growth does to a map, by the runtime's rules.
//!
//! Source: `hashGrow` and `overLoadFactor` in `src/runtime/map.go` up to Go 1.23; `growToTable`, `rehash`, `grow` and
//! `split` in `src/internal/runtime/maps` from 1.24.

use super::Instance;
use crate::decode::MapHeader;
use crate::plan::Growing;
use tracer_common::limits::MAP_WORDS;

/// Entries of a bucket, and of a group.
const GROUP: u64 = 8;
/// No map has more buckets: 2^48 bytes are all there is.
const MAX_LOG2_BUCKETS: u64 = 45;
/// Slots of a table that does not grow any more, but is split (`maxTableCapacity`).
const LARGEST_TABLE: u64 = 1024;

/// One growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GrowthStep {
    /// The map before.
    pub(super) header: MapHeader,
    /// Whether the map had the smallest size that there is.
    pub(super) first: bool,
    /// Whether it only gets rid of overflow buckets.
    pub(super) same_size: bool,
    how: Growing,
    /// Slots of what grows: of the whole map, or of one of several tables.
    slots: u64,
    /// Whether what grows is the whole map.
    whole: bool,
}

impl GrowthStep {
    pub(super) fn of(how: Growing, words: [u64; MAP_WORDS], table: u64) -> Self {
        let [entries, second, storage, directory, ..] = words;
        let header = MapHeader::of_words([entries, second, storage]);
        let step = GrowthStep {
            header,
            first: false,
            same_size: false,
            how,
            slots: GROUP,
            whole: true,
        };
        match how {
            Growing::Buckets => {
                // `hmap.B`, behind `flags`, and then `noverflow`.
                let log2 = (second >> 8 & 0xff).min(MAX_LOG2_BUCKETS);
                GrowthStep {
                    first: log2 == 0,
                    same_size: too_many_overflow_buckets(second >> 16 & 0xffff, log2)
                        && !over_load_factor(entries.saturating_add(1), log2),
                    slots: GROUP << log2,
                    ..step
                }
            }
            Growing::ToTable => GrowthStep {
                first: true,
                ..step
            },
            // `table.capacity`, behind `used`; `Map.dirLen`.
            Growing::Table => GrowthStep {
                slots: table >> 16 & 0xffff,
                whole: directory == 1,
                ..step
            },
        }
    }

    /// Slots of the map afterwards; `known` are those it had before, if that is known.
    pub(super) fn slots_after(&self, known: Option<u64>) -> Option<u64> {
        let added = if self.same_size { 0 } else { self.slots };
        self.slots_before()
            .or(known)
            .map(|slots| slots.saturating_add(added))
    }

    /// Slots of the map before, if what grows is the whole map.
    pub(super) fn slots_before(&self) -> Option<u64> {
        self.whole.then_some(self.slots)
    }

    /// Where the map's table is afterwards, if that is known: `grow` puts the new table into the same directory.
    pub(super) fn storage_after(&self) -> Option<u32> {
        (self.how == Growing::Table && self.slots < LARGEST_TABLE).then_some(self.header.storage)
    }

    /// Whether a map at the same address, of the same type, but with another seed, can be the known one: emptied in
    /// between, which keeps its table and draws a new seed.
    pub(super) fn continues(&self, known: &Instance) -> bool {
        let large_enough = known
            .slots
            .is_some_and(|slots| slots <= self.slots || !self.whole);
        !self.first && known.storage == Some(self.header.storage) && large_enough
    }
}

/// `tooManyOverflowBuckets`: as many as there are buckets, of which no more than 2^15 are counted.
fn too_many_overflow_buckets(overflow: u64, log2: u64) -> bool {
    overflow >= 1 << log2.min(15)
}

/// `overLoadFactor`: more than 6.5 entries for each of 2^`log2` buckets. In Go 1.21 it is 6, by a slip in rounding; a map
/// whose overflow buckets are few tells that it grows for its entries.
fn over_load_factor(entries: u64, log2: u64) -> bool {
    entries > GROUP && entries > 13 * ((1 << log2) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(entries: u64, log2: u64, overflow: u64) -> GrowthStep {
        let words = [entries, log2 << 8 | overflow << 16, 3, 0, 0, 0];
        GrowthStep::of(Growing::Buckets, words, 0)
    }

    #[test]
    fn buckets_double_when_they_are_full_and_stay_when_they_overflow() {
        let first = buckets(8, 0, 0);
        assert!(first.first && !first.same_size);
        assert_eq!(first.slots_after(None), Some(16));
        let second = buckets(13, 1, 0);
        assert!(!second.first && !second.same_size);
        assert_eq!(second.slots_after(None), Some(32));
        let overflown = buckets(20, 4, 16);
        assert!(overflown.same_size);
        assert_eq!(overflown.slots_after(None), Some(128));
        let in_go_1_21 = buckets(12, 1, 1);
        assert!(!in_go_1_21.same_size, "6 entries for each bucket");
    }

    #[test]
    fn tables_double_up_to_1024_and_split_then() {
        let words = |directory| [900, 0, 3, directory, 0, 0];
        let table = |slots: u64| 7 | slots << 16;
        let to_table = GrowthStep::of(Growing::ToTable, [8, 0, 3, 0, 0, 0], 0);
        assert!(to_table.first);
        assert_eq!(to_table.slots_after(None), Some(16));
        let grow = GrowthStep::of(Growing::Table, words(1), table(512));
        assert_eq!(grow.slots_after(None), Some(1024));
        let split = GrowthStep::of(Growing::Table, words(1), table(1024));
        assert_eq!(split.slots_after(None), Some(2048));
        let one_of_two = GrowthStep::of(Growing::Table, words(2), table(1024));
        assert_eq!(one_of_two.slots_after(Some(2048)), Some(3072));
        assert_eq!(one_of_two.slots_after(None), None);
    }

    #[test]
    fn nonsense_is_no_overflow() {
        let step = GrowthStep::of(Growing::Buckets, [u64::MAX; MAP_WORDS], u64::MAX);
        assert!(step.slots_after(Some(u64::MAX)).is_some());
    }
}
