//! The process whose instructions are probed.

use super::KernelError;
use super::load::uprobe;
use super::probe::Probe;
use crate::program::Process;
use aya::Ebpf;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLinkId, UProbeScope};
use std::fs::File;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

/// Whose instructions are probed.
#[derive(Debug)]
pub(super) struct Place {
    /// The running file, held open: its path in this process leads to it even if it was deleted, replaced or lies in
    /// another mount namespace, and to no other one when the process id is used again.
    file: File,
    scope: UProbeScope,
}

impl Place {
    pub(super) fn new(file: File, pid: NonZeroU32) -> Self {
        Place {
            file,
            scope: UProbeScope::OneProcess(pid),
        }
    }

    /// The place of all probes of a process.
    pub(super) fn of(process: &Process) -> Result<Self, KernelError> {
        let pid = NonZeroU32::new(process.pid().unsigned_abs()).ok_or_else(|| gone(process))?;
        let exe = process.exe_path();
        let file = File::open(&exe).map_err(|source| {
            let exe = exe.display().to_string();
            explain(process, KernelError::Executable { exe, source })
        })?;
        Ok(Self::new(file, pid))
    }

    /// Attaches a probe, with the program that it names.
    pub(super) fn attach(
        &self,
        ebpf: &mut Ebpf,
        probe: &Probe,
    ) -> Result<UProbeLinkId, KernelError> {
        let Probe {
            program,
            cookie,
            offset,
            ref function,
            ..
        } = *probe;
        let point = UProbeAttachPoint {
            location: UProbeAttachLocation::AbsoluteOffset(offset.0),
            cookie: Some(cookie.word()),
        };
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        let attached = uprobe(ebpf, program)?.attach(point, path, self.scope);
        attached.map_err(|source| KernelError::Attach {
            function: function.clone(),
            source: Box::new(source),
        })
    }
}

/// What it means that something failed: often that the target has exited.
pub(super) fn explain(process: &Process, error: KernelError) -> KernelError {
    if process.is_alive() {
        error
    } else {
        gone(process)
    }
}

pub(super) fn gone(process: &Process) -> KernelError {
    KernelError::TargetExited { pid: process.pid() }
}
