//! What a process's resident memory consists of, and what its addresses are mapped to.
//!
//! Hides the files of `/proc` that say so.

use super::{GoBinary, Process, mappings::Mapping};
use procfs::{FromBufRead as _, process::Status};
use std::io::BufRead;
use std::os::unix::ffi::OsStrExt as _;

/// Most ranges that are kept, the lowest addresses first: the kernel's default for the mappings of a process
/// (`vm.max_map_count`), which has far fewer when neighbours are put together.
const MAX_RANGES: usize = 1 << 16;

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// All of it: `VmRSS`.
    pub rss: u64,
    /// Of no file: `RssAnon`.
    pub anon: u64,
    /// Of mapped files: `RssFile`.
    pub file: u64,
    /// Shared without a file: `RssShmem`.
    pub shmem: u64,
    /// Swapped out: `VmSwap`.
    pub swap: u64,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Its first address.
    pub start: u64,
    /// The first one behind it.
    pub end: u64,
    /// What is there.
    pub kind: MappedKind,
}

/// What a range of addresses holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappedKind {
    /// The executable: code, constants, variables.
    Binary,
    /// Another file, a shared library for one.
    File,
    /// Anything else.
    Anonymous,
}

impl Process {
    /// What its resident memory consists of; `None` if it has exited.
    #[must_use]
    pub fn resident(&self) -> Option<Resident> {
        let status = Status::from_buf_read(self.files().status.reader().ok()?).ok()?;
        let bytes = |kib: Option<u64>| kib.unwrap_or_default().saturating_mul(1024);
        Some(Resident {
            // A process that has exited has no memory and no such line.
            rss: status.vmrss?.saturating_mul(1024),
            anon: bytes(status.rssanon),
            file: bytes(status.rssfile),
            shmem: bytes(status.rssshmem),
            swap: bytes(status.vmswap),
        })
    }

    /// All its mappings in ascending order, neighbours of one kind put together; `None` if they cannot be read.
    #[must_use]
    pub fn mapped(&self, binary: &GoBinary) -> Option<Vec<Mapped>> {
        let name = self.exe_link();
        let inode = binary.identity().inode;
        let ranges = ranges(self.files().maps.reader().ok()?, |mapping| {
            mapping.shows(inode, name.as_os_str().as_bytes())
        })?;
        // Only what a process that still runs says is of this one.
        (self.is_alive() && !ranges.is_empty()).then_some(ranges)
    }
}

/// The ranges that the lines of `maps` stand for; `None` if they cannot be read.
fn ranges(mut maps: impl BufRead, is_binary: impl Fn(&Mapping<'_>) -> bool) -> Option<Vec<Mapped>> {
    let mut ranges: Vec<Mapped> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if maps.read_until(b'\n', &mut line).ok()? == 0 || ranges.len() == MAX_RANGES {
            return Some(ranges);
        }
        let Some(mapping) = Mapping::parse(line.strip_suffix(b"\n").unwrap_or(&line)) else {
            continue;
        };
        let before = ranges
            .last_mut()
            .filter(|before| before.end == mapping.start);
        // Variables that start as zero are in no file; what is mapped for them has no name and follows the others.
        let is_zeroed = mapping.inode == 0
            && mapping.name.is_empty()
            && before
                .as_ref()
                .is_some_and(|before| before.kind == MappedKind::Binary);
        let kind = if is_binary(&mapping) || is_zeroed {
            MappedKind::Binary
        } else if mapping.inode != 0 {
            MappedKind::File
        } else {
            MappedKind::Anonymous
        };
        match before {
            Some(before) if before.kind == kind => before.end = mapping.end,
            _ => ranges.push(Mapped {
                start: mapping.start,
                end: mapping.end,
                kind,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn check(maps: &str, expected: &[(u64, u64, MappedKind)]) {
        let found = ranges(maps.as_bytes(), |mapping| mapping.shows(7, b"/opt/app")).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|range| (range.start, range.end, range.kind))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn neighbours_of_one_kind_are_one_range() {
        use MappedKind::{Anonymous, Binary, File};
        check(
            "400000-480000 r-xp 00000000 fe:01 7    /opt/app\n\
             480000-500000 r--p 00080000 fe:01 7    /opt/app\n\
             500000-510000 rw-p 00100000 fe:01 7    /opt/app\n\
             510000-530000 rw-p 00000000 00:00 0 \n\
             530000-540000 rw-p 00000000 00:00 0    [heap]\n\
             c000000000-c000400000 rw-p 00000000 00:00 0 \n\
             c000400000-c004000000 ---p 00000000 00:00 0 \n\
             7f0000000000-7f0000001000 r-xp 00000000 fe:01 8    /lib/libc.so.6\n\
             7f0000001000-7f0000002000 rw-p 00000000 00:00 0 \n\
             7f0000002000-7f0000003000 rw-p 00000000 00:00 0    [anon: Go: heap]\n",
            &[
                (0x40_0000, 0x53_0000, Binary),
                (0x53_0000, 0x54_0000, Anonymous),
                (0xc0_0000_0000, 0xc0_0400_0000, Anonymous),
                (0x7f00_0000_0000, 0x7f00_0000_1000, File),
                (0x7f00_0000_1000, 0x7f00_0000_3000, Anonymous),
            ],
        );
        check("", &[]);
        check("nonsense\n", &[]);
    }

    #[test]
    fn the_number_of_ranges_is_bounded() {
        let lines = (0..100_000_u64).map(|index| {
            let start = 0x1000_0000 + index * 0x2000;
            format!("{start:x}-{:x} rw-p 00000000 00:00 0 \n", start + 0x1000)
        });
        let maps: String = lines.collect();
        let found = ranges(maps.as_bytes(), |_| false).unwrap();
        assert_eq!(found.len(), MAX_RANGES);
    }

    #[test]
    fn resident_memory_has_parts() {
        let myself = Process::open(std::process::id().cast_signed()).unwrap();
        let resident = myself.resident().unwrap();
        assert!(resident.anon > 0 && resident.file > 0);
        assert_eq!(resident.rss, resident.anon + resident.file + resident.shmem);
    }

    #[test]
    fn a_process_that_has_exited_has_none() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = Process::open(child.id().cast_signed()).unwrap();
        assert!(process.resident().is_some());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(process.resident(), None);
    }
}
