//! One bucket of the heap profile: a stack, a size, and how many objects of it were sampled.
//!
//! Hides the layout of `bucket` and `memRecord` of `src/runtime/mprof.go`, which DWARF of binaries built with each
//! version confirms: the header is the same from Go 1.19 to 1.27; 1.27 has dropped the counts of bytes from the record.

use super::window::Window;
use crate::program::bytes;

/// The last Go 1.N whose records count bytes, between the counts of objects. They say nothing new: all objects of a
/// bucket have its size, on both sides (`mProf_Malloc`; `freeSpecial` gives `mProf_Free` the span's element size).
pub(super) const LAST_WITH_BYTES: u16 = 26;

/// Size of the header, and of a word of the stack behind it.
const HEADER: usize = 48;
const WORD: usize = 8;
const ALL_NEXT: usize = 8;
const TYPE: usize = 16;
const SIZE: usize = 32;
const STACK_LENGTH: usize = 40;
/// `memProfile`, as against profiles of blocking and mutexes.
const MEM_PROFILE: u64 = 1;
/// The longest stack that the runtime stores (`maxProfStackDepth`); up to Go 1.22 it is 32.
const MAX_STACK: usize = 1024;
/// How much of it is kept. The default of `GODEBUG=profstackdepth` is as much.
const MAX_KEPT: usize = 128;
/// User space of x86-64 and arm64 has fewer bytes: a larger size is not one.
const MAX_SIZE: u64 = 1 << 48;
/// Cycles in a record: the active counts, and three that are to come.
const CYCLES: usize = 4;

/// Sampled objects. Raw: neither scaled to what was allocated nor in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects that were sampled when they were allocated.
    pub allocs: u64,
    /// Those of them that were freed.
    pub frees: u64,
}

/// What one stack allocated in one size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Where the runtime keeps it, for as long as the process lives.
    pub address: u64,
    /// Bytes of each object: those of its slot, not of what was asked for.
    pub size: u64,
    /// One return address for each logical frame, inlined ones too, innermost first. Go 1.26 and newer keep the
    /// allocator's own frames.
    pub pcs: Box<[u64]>,
    /// Published counts.
    pub active: Counts,
    /// Counts that will be published with a cycle to come, at its number modulo 3.
    pub future: [Counts; 3],
}

impl Counts {
    /// The sum.
    #[must_use]
    pub fn plus(self, other: Counts) -> Counts {
        // The target's numbers: they may be anything.
        Counts {
            allocs: self.allocs.wrapping_add(other.allocs),
            frees: self.frees.wrapping_add(other.frees),
        }
    }

    /// Objects that are not freed.
    #[must_use]
    pub fn live(self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }
}

impl Bucket {
    /// All counts, published or not: everything sampled up to now, and every free that sweeping has come to.
    #[must_use]
    pub fn now(&self) -> Counts {
        self.future.into_iter().fold(self.active, Counts::plus)
    }

    /// The bucket at `address`, and the address of the next in the list of all; `None` if there is none.
    pub(super) fn read(
        window: &mut Window<'_>,
        address: u64,
        counts_bytes: bool,
    ) -> Option<(Self, u64)> {
        let mut header = [0; HEADER];
        window.read(address, &mut header)?;
        let word = |at| bytes::u64_at(&header, at);
        let (size, length) = (word(SIZE)?, usize::try_from(word(STACK_LENGTH)?).ok()?);
        if word(TYPE)? != MEM_PROFILE || size > MAX_SIZE || length > MAX_STACK {
            return None;
        }
        let mut stack = [[0; WORD]; MAX_KEPT];
        let kept = stack.get_mut(..length.min(MAX_KEPT))?;
        let stack_address = address.checked_add(HEADER as u64)?;
        window.read(stack_address, kept.as_flattened_mut())?;
        let record_address = stack_address.checked_add((length * WORD) as u64)?;
        let [active, future @ ..] = record(window, record_address, counts_bytes)?;
        let bucket = Bucket {
            address,
            size,
            pcs: kept.iter().map(|pc| u64::from_le_bytes(*pc)).collect(),
            active,
            future,
        };
        Some((bucket, word(ALL_NEXT)?))
    }
}

/// The `memRecord` at `address`.
fn record(window: &mut Window<'_>, address: u64, counts_bytes: bool) -> Option<[Counts; CYCLES]> {
    let cycle_size = if counts_bytes { 4 * WORD } else { 2 * WORD };
    let mut record = [0; CYCLES * 4 * WORD];
    let record = record.get_mut(..CYCLES * cycle_size)?;
    window.read(address, record)?;
    let mut counts = [Counts::default(); CYCLES];
    for (counts, cycle) in counts.iter_mut().zip(record.chunks_exact(cycle_size)) {
        counts.allocs = bytes::u64_at(cycle, 0)?;
        counts.frees = bytes::u64_at(cycle, WORD)?;
    }
    Some(counts)
}
