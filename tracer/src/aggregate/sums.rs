//! Sums of allocations.

/// Sums of allocations, or estimates of them where allocations were sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Allocations.
    pub allocs: u64,
    /// Bytes asked for.
    pub requested_bytes: u64,
    /// Bytes after rounding to size classes, of those allocations whose rounding is known.
    pub alloc_bytes: u64,
    /// Allocations whose rounding is not known.
    pub unrounded: u64,
}

impl Sums {
    /// Adds `count` allocations alike.
    pub(super) fn add(&mut self, size: u64, rounded: Option<u64>, count: u64) {
        let times = |bytes: u64| bytes.saturating_mul(count);
        self.allocs = self.allocs.saturating_add(count);
        self.requested_bytes = self.requested_bytes.saturating_add(times(size));
        match rounded {
            Some(bytes) => self.alloc_bytes = self.alloc_bytes.saturating_add(times(bytes)),
            None => self.unrounded = self.unrounded.saturating_add(count),
        }
    }

    /// Counts `to` bytes for an allocation that was counted with `from`.
    pub(super) fn correct(&mut self, from: u64, to: u64) {
        self.alloc_bytes = self.alloc_bytes.saturating_sub(from).saturating_add(to);
    }

    /// Adds the sums of `other`.
    pub fn merge(&mut self, other: &Sums) {
        self.allocs += other.allocs;
        self.requested_bytes = self.requested_bytes.saturating_add(other.requested_bytes);
        self.alloc_bytes = self.alloc_bytes.saturating_add(other.alloc_bytes);
        self.unrounded += other.unrounded;
    }

    /// What was added since `earlier`, which must be an earlier state of these sums.
    pub fn since(&self, earlier: &Sums) -> Sums {
        Sums {
            allocs: self.allocs.saturating_sub(earlier.allocs),
            requested_bytes: self.requested_bytes.saturating_sub(earlier.requested_bytes),
            alloc_bytes: self.alloc_bytes.saturating_sub(earlier.alloc_bytes),
            unrounded: self.unrounded.saturating_sub(earlier.unrounded),
        }
    }

    /// Rounded bytes, `None` if some allocation's rounding is not known.
    pub fn known_alloc_bytes(&self) -> Option<u64> {
        (self.unrounded == 0).then_some(self.alloc_bytes)
    }
}
