//! The files of `/proc/PID` that are read as long as a capture goes on, opened once, at its start.
//!
//! The kernel asks for our rights when such a file is opened. An open one answers on after the agent has given its rights
//! up, and never for another process of the same id. What is read once, at the start, is not here; nor are files below
//! `/sys/fs/cgroup`: everybody may read them, and a process may move to another group.

use rustix::io::Errno;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;

/// The files of one process.
#[derive(Debug)]
pub(super) struct Files {
    /// What resident memory consists of.
    pub(super) status: Held,
    /// What addresses are mapped to.
    pub(super) maps: Held,
    /// Names of its control groups.
    pub(super) groups: Held,
}

impl Files {
    /// Opens those of the process `pid`, which must be found alive afterwards.
    pub(super) fn open(pid: i32) -> Self {
        let open = |name| Held::open(pid, name);
        Files {
            status: open("status"),
            maps: open("maps"),
            groups: open("cgroup"),
        }
    }
}

/// An open file, or why it is not.
#[derive(Debug)]
pub(super) struct Held(Result<File, Errno>);

impl Held {
    fn open(pid: i32, name: &str) -> Self {
        let file = File::open(format!("/proc/{pid}/{name}"));
        Held(file.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }

    /// The file itself.
    pub(super) fn file(&self) -> io::Result<&File> {
        self.0.as_ref().map_err(|errno| (*errno).into())
    }

    /// Reads what it says now, from its start.
    pub(super) fn reader(&self) -> io::Result<BufReader<FromStart<'_>>> {
        let file = self.file()?;
        Ok(BufReader::new(FromStart { file, at: 0 }))
    }
}

/// A reading of a file that may be read by others at the same time.
#[derive(Debug)]
pub(super) struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
