//! Reads words of the process's memory, through `/proc/PID/mem`; it cannot write.
//!
//! What a running process says is untrusted and may be torn: callers check it for plausibility.

use super::address::RuntimePc;
use super::error::TargetError;
use super::process::Process;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The memory of one process. It stays that process's: after its end reads fail.
#[derive(Debug)]
pub struct Memory(File);

impl Memory {
    /// Opens the memory of `process` for reading.
    ///
    /// # Errors
    /// The process is gone, or may not be looked at (`CAP_SYS_PTRACE`).
    pub fn open(process: &Process) -> Result<Self, TargetError> {
        let path = format!("/proc/{}/mem", process.pid());
        File::open(path)
            .map(Self)
            .map_err(|error| TargetError::from_io(process.pid(), "read the memory", error))
    }

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
        self.0
            .read_exact_at(bytes.as_flattened_mut(), address.0)
            .ok()?;
        Some(bytes.map(u64::from_ne_bytes))
    }

    /// Reads from `address` on into `bytes`: how many of them, fewer than all where the memory ends; 0 if there is none.
    pub(super) fn read(&self, address: RuntimePc, bytes: &mut [u8]) -> usize {
        self.0.read_at(bytes, address.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_process_are_read_and_bad_addresses_are_not() {
        let process = Process::open(std::process::id().cast_signed()).unwrap();
        let memory = Memory::open(&process).unwrap();
        let word = Box::new(0x0123_4567_89ab_cdef_u64);
        assert_eq!(
            memory.word(RuntimePc(std::ptr::from_ref(&*word).addr() as u64)),
            Some(*word)
        );
        assert_eq!(memory.word(RuntimePc(0)), None);
        assert_eq!(memory.word(RuntimePc(u64::MAX)), None);
    }
}
