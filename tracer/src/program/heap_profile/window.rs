//! Memory of the target in large pieces that are kept for one walk: its buckets lie close together, and a system call
//! for each would take longer than the copying.
//!
//! Hides the pieces. However the target leads the walk, it costs bounded memory and time.

use crate::program::{Memory, RuntimePc};
use std::collections::{HashMap, VecDeque};

/// Size of a piece. The runtime takes memory for buckets 256 KiB at a time (`persistentChunkSize`), each P its own.
const PIECE: usize = 1 << 16;
/// What is read where a whole piece cannot be.
const PAGE: usize = 1 << 12;
/// Most pieces that are kept, 16 MiB; then the oldest goes.
const MAX_KEPT: usize = 256;
/// Most bytes that one walk reads. Two hundred thousand buckets with stacks of 128 frames are as much.
const MAX_READ: usize = 1 << 28;

/// The pieces of one walk.
#[derive(Debug)]
pub(super) struct Window<'a> {
    memory: &'a dyn Memory,
    /// By their address: whole pieces, and pages.
    pieces: HashMap<u64, Vec<u8>>,
    oldest_first: VecDeque<u64>,
    bytes_left: usize,
}

impl<'a> Window<'a> {
    pub(super) fn new(memory: &'a dyn Memory) -> Self {
        Self {
            memory,
            pieces: HashMap::new(),
            oldest_first: VecDeque::new(),
            bytes_left: MAX_READ,
        }
    }

    /// Fills `bytes` from `address` on; `None` if there is no such memory, or too much was read.
    pub(super) fn read(&mut self, mut address: u64, mut bytes: &mut [u8]) -> Option<()> {
        while !bytes.is_empty() {
            let piece = self.from(address)?;
            let length = piece.len().min(bytes.len());
            let (filled, rest) = bytes.split_at_mut_checked(length)?;
            filled.copy_from_slice(piece.get(..length)?);
            bytes = rest;
            address = address.checked_add(length as u64)?;
        }
        Some(())
    }

    /// What is kept from `address` on, at least one byte.
    fn from(&mut self, address: u64) -> Option<&[u8]> {
        let start = match self.kept(address) {
            Some(start) => start,
            None => self
                .fetch(address, PIECE)
                .or_else(|| self.fetch(address, PAGE))?,
        };
        let into = usize::try_from(address - start).ok()?;
        let rest = self.pieces.get(&start)?.get(into..)?;
        (!rest.is_empty()).then_some(rest)
    }

    /// Where the piece or the page starts that holds `address`.
    fn kept(&self, address: u64) -> Option<u64> {
        let mut starts = [PIECE, PAGE].into_iter().map(|size| start(address, size));
        starts.find(|start| {
            let piece = self.pieces.get(start);
            piece.is_some_and(|piece| address - start < piece.len() as u64)
        })
    }

    /// Reads the piece of that size that holds `address`; `None` if that byte cannot be read.
    fn fetch(&mut self, address: u64, size: usize) -> Option<u64> {
        self.bytes_left = self.bytes_left.checked_sub(size)?;
        let start = start(address, size);
        let mut piece = vec![0; size];
        let read = self.memory.read(RuntimePc(start), &mut piece);
        piece.truncate(read);
        if address - start >= read as u64 {
            return None;
        }
        if self.oldest_first.len() == MAX_KEPT {
            let oldest = self.oldest_first.pop_front()?;
            self.pieces.remove(&oldest);
        }
        // The page at the start of a piece that could not be read whole has the same address.
        if self.pieces.insert(start, piece).is_none() {
            self.oldest_first.push_back(start);
        }
        Some(start)
    }
}

/// Where the aligned piece of `size` bytes starts that holds `address`.
fn start(address: u64, size: usize) -> u64 {
    address & !(size as u64 - 1)
}
