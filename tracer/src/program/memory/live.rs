//! Memory of a process that runs.
//!
//! Hides the two ways in which the kernel gives it. `/proc/PID/mem` asks for our rights when it is opened and never again,
//! and stays this program's memory; but its file belongs to the process's user, so that `CAP_SYS_PTRACE` alone does not
//! open it. `process_vm_readv` asks at each call, for `CAP_SYS_PTRACE` alone, and by the process's id.

use super::{Memory, Place};
use crate::program::files::Held;
use crate::program::rights::Need;
use crate::program::{RuntimePc, TargetError};
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::fmt;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;

/// What one vector of a call may have at most (`IOV_MAX`).
const MAX_VECTORS: usize = 1024;
/// A transfer ends in the middle of a vector only at the end of a page (process_vm_readv(2) promises not even that), so
/// that none reaches beyond one.
const PAGE: u64 = 4096;

/// How memory is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// From `/proc/PID/mem`, which stays open.
    File,
    /// By `process_vm_readv`, because that file does not open.
    Call,
}

impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Means::File => "/proc/PID/mem",
            Means::Call => "process_vm_readv",
        })
    }
}

/// Why memory can be read in neither way.
#[derive(Clone, Copy, Debug)]
pub(in crate::program) struct Refused {
    /// What the kernel says to opening the file.
    file: Errno,
    /// What it says to the call.
    call: Errno,
}

impl Refused {
    /// The error of reading the memory of process `pid`.
    pub(in crate::program) fn explain(self, pid: i32) -> TargetError {
        // The file's answer tells more: it may be missing because the process has ended.
        log::debug!("process_vm_readv of process {pid}: {}", self.call);
        TargetError::needing(Need::Memory, pid, "read the memory", self.file.into())
    }
}

/// The memory of one process. It stays that program's: after its end, or when the process executes another program, reads
/// fail.
#[derive(Debug)]
pub(in crate::program) enum Live {
    /// `/proc/PID/mem`.
    File(File),
    /// `process_vm_readv`.
    Call {
        pid: Pid,
        /// `/proc/PID/maps`, which belongs to the program as `mem` does: it is empty when that is gone.
        maps: File,
    },
}

impl Live {
    /// The memory of the process `pid`, whose memory map is `maps`.
    pub(in crate::program) fn open(pid: i32, maps: &Held) -> Result<Self, Refused> {
        let file = match File::open(format!("/proc/{pid}/mem")) {
            Ok(file) => return Ok(Live::File(file)),
            Err(error) => errno(&error),
        };
        let pid = Pid::from_raw(pid);
        // Nothing is there; the kernel says so only to who may read.
        match process_vm_readv(pid, &mut [IoSliceMut::new(&mut [0])], &[remote(0, 1)]) {
            Ok(_) | Err(Errno::EFAULT) => {}
            Err(call) => return Err(Refused { file, call }),
        }
        let maps = maps.file().and_then(File::try_clone);
        let maps = maps.map_err(|error| Refused {
            file,
            call: errno(&error),
        })?;
        Ok(Live::Call { pid, maps })
    }

    /// How it is read.
    pub(in crate::program) fn means(&self) -> Means {
        match self {
            Live::File(_) => Means::File,
            Live::Call { .. } => Means::Call,
        }
    }
}

impl Memory for Live {
    fn read(&self, address: RuntimePc, bytes: &mut [u8]) -> usize {
        match self {
            Live::File(file) => file.read_at(bytes, address.0).unwrap_or_default(),
            Live::Call { .. } => {
                let mut place = [Place {
                    address,
                    bytes,
                    filled: 0,
                }];
                self.read_each(&mut place);
                let [place] = place;
                place.filled
            }
        }
    }

    fn read_each(&self, places: &mut [Place<'_>]) {
        match self {
            // A call for each: `preadv` has many buffers, but one place.
            Live::File(_) => {
                for place in places {
                    place.filled = self.read(place.address, place.bytes);
                }
            }
            Live::Call { pid, maps } => {
                places.iter_mut().for_each(|place| place.filled = 0);
                read_by_call(*pid, places);
                // Asked afterwards: what was read before was this program's.
                if maps.read_at(&mut [0], 0).unwrap_or_default() == 0 {
                    places.iter_mut().for_each(|place| place.filled = 0);
                }
            }
        }
    }
}

/// Reads all places. A call ends at the first byte that cannot be read; the next one begins with the next place.
fn read_by_call(pid: Pid, mut places: &mut [Place<'_>]) {
    while !places.is_empty() {
        let (mut locals, remotes) = vectors(places);
        let read = match process_vm_readv(pid, &mut locals, &remotes) {
            Ok(read) => read,
            Err(Errno::EFAULT) => 0,
            Err(_) => return,
        };
        let asked: usize = remotes.iter().map(|remote| remote.len).sum();
        let (mut left, mut done) = (read, 0);
        for place in places.iter_mut() {
            let taken = left.min(place.bytes.len() - place.filled);
            place.filled += taken;
            left -= taken;
            if place.filled < place.bytes.len() {
                break;
            }
            done += 1;
        }
        // Less than asked: the place that the loop stopped at has an end here.
        done += usize::from(read < asked);
        places = places.get_mut(done..).unwrap_or_default();
    }
}

/// What one call is given: as much of what the places still lack as it takes, in pieces that end with their page.
fn vectors<'a>(places: &'a mut [Place<'_>]) -> (Vec<IoSliceMut<'a>>, Vec<RemoteIoVec>) {
    let (mut locals, mut remotes) = (Vec::new(), Vec::new());
    for place in places {
        let mut address = place.address.0.wrapping_add(place.filled as u64);
        let mut rest = place.bytes.get_mut(place.filled..).unwrap_or_default();
        while !rest.is_empty() {
            if remotes.len() == MAX_VECTORS {
                return (locals, remotes);
            }
            let of_page = usize::try_from(PAGE - address % PAGE).unwrap_or(usize::MAX);
            let (piece, behind) = rest.split_at_mut(rest.len().min(of_page));
            remotes.push(remote(address, piece.len()));
            address = address.wrapping_add(piece.len() as u64);
            locals.push(IoSliceMut::new(piece));
            rest = behind;
        }
    }
    (locals, remotes)
}

fn remote(address: u64, len: usize) -> RemoteIoVec {
    RemoteIoVec {
        // An address of another process; one that is none is not read.
        base: usize::try_from(address).unwrap_or_default(),
        len,
    }
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::files::Files;
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    use std::ptr;
    use std::time::{Duration, Instant};

    /// Both ways to this process's own memory.
    fn both() -> [Live; 2] {
        let pid = std::process::id().cast_signed();
        let maps = Files::open(pid).maps;
        let by_call = Live::Call {
            pid: Pid::from_raw(pid),
            maps: maps.file().unwrap().try_clone().unwrap(),
        };
        let by_file = Live::open(pid, &maps).unwrap();
        assert_eq!(by_file.means(), Means::File);
        [by_file, by_call]
    }

    fn address<T>(of: &T) -> u64 {
        ptr::from_ref(of).addr() as u64
    }

    #[test]
    fn words_of_a_process_are_read_and_bad_addresses_are_not() {
        for memory in both() {
            let word = Box::new(0x0123_4567_89ab_cdef_u64);
            let memory: &dyn Memory = &memory;
            assert_eq!(memory.word(RuntimePc(address(&*word))), Some(*word));
            assert_eq!(memory.word(RuntimePc(0)), None);
            assert_eq!(memory.word(RuntimePc(u64::MAX)), None);
        }
    }

    #[test]
    fn a_place_is_read_up_to_the_end_of_the_memory() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let stack = maps.lines().find(|line| line.ends_with("[stack]"));
        let (_, end) = stack.and_then(|line| line.split_once('-')).unwrap();
        let end = u64::from_str_radix(end.split_once(' ').unwrap().0, 16).unwrap();
        // The arguments and the environment, which nobody changes.
        const LENGTH: usize = 5000;
        let [by_file, by_call] = both().map(|memory| {
            let mut bytes = vec![0; LENGTH + 100];
            let read = memory.read(RuntimePc(end - LENGTH as u64), &mut bytes);
            assert_eq!(read, LENGTH, "{:?}", memory.means());
            bytes
        });
        assert_eq!(by_file, by_call);
    }

    #[test]
    fn many_places_are_read_and_each_says_how_much() {
        let words: Vec<u64> = (0..5000).collect();
        for memory in both() {
            let memory: &dyn Memory = &memory;
            let mut places: Vec<RuntimePc> =
                words.iter().map(|word| RuntimePc(address(word))).collect();
            places[7] = RuntimePc(0);
            places[4000] = RuntimePc(u64::MAX - 3);
            let read = memory.words_at_each(&places);
            for (index, (read, word)) in read.iter().zip(&words).enumerate() {
                let expected = (index != 7 && index != 4000).then_some([*word]);
                assert_eq!(*read, expected, "{index}");
            }
        }
    }

    /// The program that it executes has the same addresses: without randomization.
    #[test]
    fn a_process_that_executes_another_program_or_ends_has_no_memory_any_more() {
        let mut child = Command::new("setarch")
            .args(["-R", "sh", "-c", "read line; exec sh -c 'read line'"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id().cast_signed();
        let arguments = || std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        wait_until(|| arguments().starts_with(b"sh\0-c\0read line; exec"));
        let maps = Files::open(pid).maps;
        let by_file = Live::open(pid, &maps).unwrap();
        let by_call = Live::Call {
            pid: Pid::from_raw(pid),
            maps: maps.file().unwrap().try_clone().unwrap(),
        };
        let (by_file, by_call): (&dyn Memory, &dyn Memory) = (&by_file, &by_call);
        let start = || {
            let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
            let (start, _) = maps.split_once('-').unwrap();
            RuntimePc(u64::from_str_radix(start, 16).unwrap())
        };
        let before = start();
        assert!(by_file.word(before).is_some());
        assert_eq!(by_file.word(before), by_call.word(before));
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"go\n").unwrap();
        wait_until(|| arguments() == b"sh\0-c\0read line\0");
        wait_until(|| by_file.word(before).is_none());
        assert_eq!((by_call.word(before), start()), (None, before));
        drop(input);
        child.wait().unwrap();
        assert_eq!((by_file.word(before), by_call.word(before)), (None, None));
    }

    fn wait_until(done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < deadline, "it does not come about");
            std::thread::yield_now();
        }
    }
}
