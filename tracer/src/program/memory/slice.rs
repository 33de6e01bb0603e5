//! Memory made of bytes, for tests.

use super::Memory;
use crate::program::RuntimePc;

/// Bytes from an address on.
#[derive(Debug)]
pub(crate) struct Slice {
    start: u64,
    bytes: Vec<u8>,
}

impl Slice {
    /// Words from `start` on.
    pub(crate) fn of_words(start: u64, words: &[u64]) -> Self {
        Slice {
            start,
            bytes: words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
        }
    }
}

impl Memory for Slice {
    fn read(&self, address: RuntimePc, bytes: &mut [u8]) -> usize {
        let from = address.0.checked_sub(self.start);
        let from = from.and_then(|from| usize::try_from(from).ok());
        let there = from.and_then(|from| self.bytes.get(from..));
        let there = there.unwrap_or_default();
        let length = there.len().min(bytes.len());
        bytes[..length].copy_from_slice(&there[..length]);
        length
    }
}
