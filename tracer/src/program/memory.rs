//! Memory of a program, by address: the one way in which its words are read. It cannot write.
//!
//! Hides where the bytes are: in a process that runs, in a slice for tests. What a running process says is untrusted and
//! may be torn: callers check it for plausibility.

mod live;
#[cfg(test)]
mod slice;

pub use live::Means;
pub(super) use live::{Live, Refused};
#[cfg(test)]
pub(crate) use slice::Slice;

use super::address::RuntimePc;
use std::fmt::Debug;

/// Memory that can be read by address.
pub trait Memory: Debug + Send + Sync {
    /// Reads from `address` on into `bytes`: how many of them, fewer than all where the memory ends; 0 if there is none.
    fn read(&self, address: RuntimePc, bytes: &mut [u8]) -> usize;

    /// Reads many places, in as few calls of the system as there can be. What cannot be read stays as it is, and says so.
    fn read_each(&self, places: &mut [Place<'_>]) {
        for place in places {
            place.filled = self.read(place.address, place.bytes);
        }
    }
}

/// One of several places to read at once.
#[derive(Debug)]
pub struct Place<'a> {
    /// Where it starts.
    pub address: RuntimePc,
    /// What it is read into.
    pub bytes: &'a mut [u8],
    /// How many bytes of that were read.
    pub filled: usize,
}

impl dyn Memory + '_ {
    /// The word at `address`; `None` if there is no such memory, or no process any more.
    #[must_use]
    pub fn word(&self, address: RuntimePc) -> Option<u64> {
        let [word] = self.words(address)?;
        Some(word)
    }

    /// Three words, or another small number of them, from `address` on; `None` as for one.
    #[must_use]
    pub fn words<const COUNT: usize>(&self, address: RuntimePc) -> Option<[u64; COUNT]> {
        let mut bytes = [[0; 8]; COUNT];
        let all = bytes.as_flattened_mut();
        let length = all.len();
        (self.read(address, all) == length).then(|| bytes.map(u64::from_ne_bytes))
    }

    /// The same at each of `addresses`, in their order.
    #[must_use]
    pub fn words_at_each<const COUNT: usize>(
        &self,
        addresses: &[RuntimePc],
    ) -> Vec<Option<[u64; COUNT]>> {
        let mut bytes = vec![[[0; 8]; COUNT]; addresses.len()];
        let mut places: Vec<Place<'_>> = bytes
            .iter_mut()
            .zip(addresses)
            .map(|(bytes, address)| Place {
                address: *address,
                bytes: bytes.as_flattened_mut(),
                filled: 0,
            })
            .collect();
        self.read_each(&mut places);
        let whole: Vec<bool> = places
            .iter()
            .map(|place| place.filled == place.bytes.len())
            .collect();
        let words = bytes.iter().zip(whole);
        words
            .map(|(bytes, whole)| whole.then(|| bytes.map(u64::from_ne_bytes)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_where_all_of_them_are() {
        let memory: &dyn Memory = &Slice::of_words(0x1000, &[1, 2, 3]);
        assert_eq!(memory.word(RuntimePc(0x1008)), Some(2));
        assert_eq!(memory.words(RuntimePc(0x1008)), Some([2, 3]));
        assert_eq!(memory.words::<2>(RuntimePc(0x1010)), None);
        assert_eq!(memory.word(RuntimePc(0xfff)), None);
        assert_eq!(memory.word(RuntimePc(u64::MAX)), None);
        let places = [0x1010, 0, 0x1000].map(RuntimePc);
        assert_eq!(memory.words_at_each(&places), [Some([3]), None, Some([1])]);
    }
}
