//! The process to trace: what `/proc` and a pidfd tell of it, without ever mistaking a newer process
//! of the same id for it.

use std::{
    fs, io,
    io::Read as _,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use procfs::{FromBufRead as _, ProcessCGroups};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::{
    GoBinary,
    address::LoadBias,
    cgroup,
    cgroup::MemoryGroup,
    error::TargetError,
    files::Files,
    mapped_file::FileIdentity,
    mappings::Mapping,
    memory,
    memory::{Means, Memory, Refused},
    rights::Need,
};

/// `PF_KTHREAD` of `include/linux/sched.h`, in the flags of `/proc/PID/stat`.
const PF_KTHREAD: u32 = 0x0020_0000;
/// What the kernel appends to the name of an executable that has been unlinked or replaced.
const DELETED: &str = " (deleted)";
const READ_EXE: &str = "read the executable";

/// A running process.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    pidfd: OwnedFd,
    files: Files,
    /// What its executable was called when it was opened, as the kernel says it.
    exe: PathBuf,
    memory: Result<Arc<memory::Live>, Refused>,
}

/// A process as its innermost pid namespace knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespaceIds {
    /// Its id there.
    pub pid: u32,
    /// The device of the namespace's file, as the kernel numbers it.
    pub device: u64,
    /// The inode of that file.
    pub inode: u64,
}

/// The name of a process's executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExeName {
    /// The path it was started from, as its own mount namespace names it.
    pub path: PathBuf,
    /// Whether the file has been removed or replaced under that name since.
    pub deleted: bool,
}

impl Process {
    /// Opens the process `pid`. The id of a thread leads to the process it belongs to.
    ///
    /// # Errors
    /// When there is no such process, it has exited, is a kernel thread, or may not be looked at.
    pub fn open(pid: i32) -> Result<Self, TargetError> {
        let group = thread_group(pid)?;
        let proc = procfs::process::Process::new(group)
            .map_err(|error| failed(group, "open the /proc directory", error))?;
        let id = Pid::from_raw(group).ok_or(TargetError::Gone { pid: group })?;
        let pidfd = pidfd_open(id, PidfdFlags::empty())
            .map_err(|errno| TargetError::from_io(group, "open a pidfd", errno.into()))?;
        // After the pidfd: that `proc` still answers shows that both are the same process.
        let stat = proc
            .stat()
            .map_err(|error| failed(group, "read the state", error))?;
        if stat.flags & PF_KTHREAD != 0 {
            return Err(TargetError::KernelThread { pid: group });
        }
        if matches!(stat.state, 'Z' | 'X') {
            return Err(TargetError::Zombie { pid: group });
        }
        let files = Files::open(group);
        let exe = fs::read_link(exe_path(group))
            .map_err(|error| TargetError::from_io(group, READ_EXE, error))?;
        let process = Self {
            pid: group,
            pidfd,
            memory: memory::Live::open(group, &files.maps).map(Arc::new),
            files,
            exe,
        };
        // The files were opened by the process's id: that it has not ended shows that they are its own.
        if !process.is_alive() {
            return Err(TargetError::Gone { pid: group });
        }
        Ok(process)
    }

    /// The process id; not the one asked for if that was a thread.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Becomes readable when the process ends.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Whether the process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let mut pidfd = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut pidfd, Some(&Timespec::default())) != Ok(1)
    }

    /// Its memory, to be read for as long as the process runs this program.
    ///
    /// # Errors
    /// The kernel did not let us read it when the process was opened.
    pub fn memory(&self) -> Result<Arc<dyn Memory>, TargetError> {
        match &self.memory {
            Ok(memory) => Ok(Arc::clone(memory) as Arc<dyn Memory>),
            Err(refused) => Err(refused.explain(self.pid)),
        }
    }

    /// How its memory is read; `None` if it is not.
    #[must_use]
    pub fn memory_means(&self) -> Option<Means> {
        self.memory.as_ref().ok().map(|memory| memory.means())
    }

    /// The process as its own pid namespace knows it.
    ///
    /// # Errors
    /// When the process is gone or may not be looked at.
    pub fn namespace_ids(&self) -> Result<NamespaceIds, TargetError> {
        const ACT: &str = "read the pid namespace";
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))
            .map_err(|error| TargetError::from_io(self.pid, ACT, error))?;
        // One id for each namespace on the way in, the innermost last; without namespaces in the kernel there is none.
        let pid = status.lines().find_map(|line| {
            let ids = line.strip_prefix("NSpid:")?;
            ids.split_whitespace().next_back()?.parse().ok()
        });
        let namespace = rustix::fs::stat(format!("/proc/{}/ns/pid", self.pid))
            .map_err(|errno| TargetError::from_io(self.pid, ACT, errno.into()))?;
        Ok(NamespaceIds {
            pid: pid.unwrap_or(self.pid.unsigned_abs()),
            device: kernel_device(namespace.st_dev),
            inode: namespace.st_ino,
        })
    }

    /// A path that leads to the executable itself, even if it was deleted, replaced, or lies in
    /// another mount namespace.
    #[must_use]
    pub fn exe_path(&self) -> PathBuf {
        exe_path(self.pid)
    }

    /// What the kernel calls its executable now; as it was at first, if that may not be read any more.
    pub(super) fn exe_link(&self) -> PathBuf {
        fs::read_link(self.exe_path()).unwrap_or_else(|_| self.exe.clone())
    }

    /// What the executable is called.
    ///
    /// # Errors
    /// When the process is gone or may not be looked at.
    pub fn exe_name(&self) -> Result<ExeName, TargetError> {
        let target = fs::read_link(self.exe_path())
            .map_err(|error| TargetError::from_io(self.pid, READ_EXE, error))?;
        let name = target.to_str().and_then(|name| name.strip_suffix(DELETED));
        let Some(name) = name.filter(|_| !self.sees_its_executable_at(&target)) else {
            return Ok(ExeName {
                path: target,
                deleted: false,
            });
        };
        Ok(ExeName {
            path: name.into(),
            deleted: true,
        })
    }

    /// Whether `path` leads the process to its own executable: then the name is the file's whole name,
    /// however it ends.
    fn sees_its_executable_at(&self, path: &Path) -> bool {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid));
        let path = root.join(path.strip_prefix("/").unwrap_or(path));
        match (FileIdentity::of(&path), FileIdentity::of(&self.exe_path())) {
            (Ok(there), Ok(own)) => there == own,
            _ => false,
        }
    }

    /// The Go program that the process runs.
    ///
    /// # Errors
    /// When the process is gone or may not be looked at, or is not a Go program we can trace.
    pub fn binary(&self) -> Result<GoBinary, TargetError> {
        let binary = GoBinary::open(&self.exe_path());
        if !self.is_alive() {
            return Err(TargetError::Gone { pid: self.pid });
        }
        binary.map_err(|error| match error {
            TargetError::Open { source, .. } => {
                TargetError::needing(Need::File, self.pid, "open the executable", source)
            }
            TargetError::Binary { path, source } => TargetError::Binary {
                path: self.exe_name().map_or(path, |name| name.path),
                source,
            },
            other => other,
        })
    }

    /// The command line, one string for each argument; empty if it cannot be read.
    #[must_use]
    pub fn cmdline(&self) -> Vec<String> {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let line = line.strip_suffix(&[0]).unwrap_or(&line);
        let arguments = line.split(|&byte| byte == 0);
        arguments
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect()
    }

    /// The id of the container the process runs in.
    #[must_use]
    pub fn container_id(&self) -> Option<String> {
        cgroup::container_id(self.groups()?)
    }

    /// The least memory limit of its control groups; `None` if there is none.
    #[must_use]
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        self.memory_group().limit_bytes
    }

    /// The limit of its memory by control groups, and how much of it is used.
    #[must_use]
    pub fn memory_group(&self) -> MemoryGroup {
        self.groups()
            .map_or_else(MemoryGroup::default, cgroup::memory_group)
    }

    /// Its control groups, as they are now.
    fn groups(&self) -> Option<ProcessCGroups> {
        ProcessCGroups::from_buf_read(self.files.groups.reader().ok()?).ok()
    }

    /// The files that are held open.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// How far the kernel moved `binary`, which must be what the process runs.
    ///
    /// # Errors
    /// When the memory map may not be read, does not show the executable, or the process has meanwhile
    /// executed another.
    pub fn load_bias(&self, binary: &GoBinary) -> Result<LoadBias, TargetError> {
        const ACT: &str = "read the memory map";
        let running = FileIdentity::of(&self.exe_path())
            .map_err(|error| TargetError::from_io(self.pid, ACT, error))?;
        if running != binary.identity() {
            return Err(TargetError::ExecutableChanged { pid: self.pid });
        }
        let Some(first) = binary.first_page_if_pie() else {
            return Ok(LoadBias::NONE);
        };
        let maps = self.files.maps.reader().and_then(|mut maps| {
            let mut text = Vec::new();
            maps.read_to_end(&mut text).map(|_| text)
        });
        let maps = maps.map_err(|error| TargetError::from_io(self.pid, ACT, error))?;
        let name = fs::read_link(self.exe_path())
            .map_err(|error| TargetError::from_io(self.pid, ACT, error))?;
        let name = name.as_os_str().as_bytes();
        let mut mappings = maps.split(|&byte| byte == b'\n').filter_map(Mapping::parse);
        let start = mappings.find(|mapping| {
            mapping.shows(running.inode, name) && mapping.offset == first.file_offset.0
        });
        match start {
            Some(start) => Ok(LoadBias(start.start.wrapping_sub(first.address.0))),
            None if self.is_alive() => Err(TargetError::NotMapped { pid: self.pid }),
            None => Err(TargetError::Gone { pid: self.pid }),
        }
    }
}

/// A device number as the kernel keeps it (`MKDEV` of `include/linux/kdev_t.h`).
fn kernel_device(device: u64) -> u64 {
    const MINOR_BITS: u32 = 20;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    u64::from(major) << MINOR_BITS | u64::from(minor)
}

fn exe_path(pid: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/exe"))
}

/// The process that the thread `pid` belongs to.
fn thread_group(pid: i32) -> Result<i32, TargetError> {
    const ACT: &str = "read the status";
    // `/proc/-1` and `/proc/0` do not exist either.
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|error| TargetError::from_io(pid, ACT, error))?;
    let group = status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    group.ok_or_else(|| TargetError::Process {
        pid,
        act: ACT,
        source: io::Error::from(io::ErrorKind::InvalidData),
    })
}

fn failed(pid: i32, act: &'static str, error: procfs::ProcError) -> TargetError {
    use procfs::ProcError;
    let error = match error {
        ProcError::PermissionDenied(_) => io::ErrorKind::PermissionDenied.into(),
        ProcError::NotFound(_) => io::ErrorKind::NotFound.into(),
        ProcError::Io(error, _) => error,
        other => io::Error::other(other.to_string()),
    };
    TargetError::from_io(pid, act, error)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{super::TargetErrorKind, *};

    fn myself() -> Process {
        Process::open(i32::try_from(std::process::id()).unwrap()).unwrap()
    }

    #[test]
    fn a_process_is_described() {
        let process = myself();
        assert_eq!(process.pid().unsigned_abs(), std::process::id());
        assert!(process.is_alive());
        let exe = process.exe_name().unwrap();
        assert_eq!(exe.path, std::env::current_exe().unwrap());
        assert!(!exe.deleted);
        assert_eq!(process.cmdline(), std::env::args().collect::<Vec<_>>());
    }

    #[test]
    fn a_thread_leads_to_its_process() {
        let (send, receive) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            send.send(rustix::thread::gettid().as_raw_nonzero().get())
                .unwrap();
            stopped.recv().unwrap_err();
        });
        let process = Process::open(receive.recv().unwrap()).unwrap();
        assert_eq!(process.pid().unsigned_abs(), std::process::id());
        drop(stop);
        thread.join().unwrap();
    }

    #[test]
    fn absent_processes_and_kernel_threads_are_told_apart() {
        for pid in [-1, 0, i32::MAX] {
            let error = Process::open(pid).unwrap_err();
            assert_eq!(error.kind(), TargetErrorKind::Gone, "{error}");
        }
        let stat = fs::read_to_string("/proc/2/stat").unwrap_or_default();
        if stat.contains("(kthreadd)") {
            let error = Process::open(2).unwrap_err();
            assert!(
                matches!(error, TargetError::KernelThread { pid: 2 }),
                "{error}"
            );
        }
    }

    #[test]
    fn an_ended_process_is_a_zombie_and_no_longer_alive() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Process::open(pid).unwrap();
        assert!(process.is_alive());
        drop(child.stdin.take());
        let mut pidfd = [PollFd::new(&process.pidfd, PollFlags::IN)];
        assert_eq!(poll(&mut pidfd, None), Ok(1));
        assert!(!process.is_alive());
        let error = Process::open(pid).unwrap_err();
        assert!(matches!(error, TargetError::Zombie { .. }), "{error}");
        child.wait().unwrap();
        assert!(matches!(process.exe_name(), Err(TargetError::Gone { .. })));
    }

    #[test]
    fn a_program_that_is_not_go_is_refused_as_such() {
        let error = myself().binary().unwrap_err();
        assert_eq!(error.kind(), TargetErrorKind::NotGo, "{error}");
    }
}
