//! Sums per Go type of one stack.

use super::Sums;
use smallvec::SmallVec;

/// Distinct types kept for one stack. Generic code and `reflect` may make more; they share one entry.
const MAX_TYPES: usize = 32;

/// What a stack allocated of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeTotals {
    /// Address of the type in the target, 0 for memory without a type.
    pub type_pointer: u64,
    /// Sums over its allocations.
    pub sums: Sums,
}

/// Sums per type.
#[derive(Clone, Debug, Default)]
pub struct Types {
    /// The first is in place: most stacks allocate one type.
    known: SmallVec<[TypeTotals; 1]>,
    others: Option<Box<Sums>>,
}

impl Types {
    /// Adds `times` allocations alike.
    pub fn add(&mut self, type_pointer: u64, size: u64, rounded: Option<u64>, times: u64) {
        if let Some(known) = self
            .known
            .iter_mut()
            .find(|known| known.type_pointer == type_pointer)
        {
            known.sums.add(size, rounded, times);
        } else if self.known.len() < MAX_TYPES {
            let mut sums = Sums::default();
            sums.add(size, rounded, times);
            self.known.push(TypeTotals { type_pointer, sums });
        } else {
            let others = self.others.get_or_insert_default();
            others.add(size, rounded, times);
        }
    }

    /// Adds the sums of `other`.
    pub fn merge(&mut self, other: &Types) {
        for row in &other.known {
            let mut known = self.known.iter_mut();
            if let Some(known) = known.find(|known| known.type_pointer == row.type_pointer) {
                known.sums.merge(&row.sums);
            } else if self.known.len() < MAX_TYPES {
                self.known.push(*row);
            } else {
                self.others.get_or_insert_default().merge(&row.sums);
            }
        }
        if let Some(others) = &other.others {
            self.others.get_or_insert_default().merge(others);
        }
    }

    /// Whether so many bytes of a type are counted.
    pub fn has(&self, type_pointer: u64, alloc_bytes: u64) -> bool {
        let mut known = self.known.iter();
        known.any(|row| row.type_pointer == type_pointer && row.sums.alloc_bytes >= alloc_bytes)
    }

    /// Counts `to` bytes for an allocation of this type that was counted with `from`.
    pub fn correct(&mut self, type_pointer: u64, from: u64, to: u64) {
        let known = self
            .known
            .iter_mut()
            .find(|known| known.type_pointer == type_pointer);
        match known {
            Some(known) => known.sums.correct(from, to),
            None => {
                if let Some(others) = &mut self.others {
                    others.correct(from, to);
                }
            }
        }
    }

    /// The types, in order of their first allocation.
    pub fn iter(&self) -> impl Iterator<Item = &TypeTotals> {
        self.known.iter()
    }

    /// Sums over the types beyond the bound.
    pub fn others(&self) -> Sums {
        self.others.as_deref().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_beyond_the_bound_share_one_entry() {
        let mut types = Types::default();
        for type_pointer in 0..40 {
            types.add(type_pointer, 8, Some(8), 1);
        }
        types.add(3, 8, Some(8), 1);
        assert_eq!(types.iter().count(), MAX_TYPES);
        assert_eq!(
            types
                .iter()
                .find(|t| t.type_pointer == 3)
                .unwrap()
                .sums
                .allocs,
            2
        );
        assert_eq!(types.others().allocs, 8);
    }
}
