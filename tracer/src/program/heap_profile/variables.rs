//! Where the runtime keeps what the heap profile consists of.
//!
//! Hides how the variables are found where the symbol table is gone: by the functions that use them. Seen in the code
//! of binaries built with each version, plain, PIE, with cgo and with profile-guided optimization.

use super::HeapProfileError;
use crate::program::{GoBinary, LoadBias, RuntimePc, VirtualAddress};

/// The last Go 1.N in which `runtime.MemProfile` reads the profile itself.
const LAST_PLAIN_READER: u16 = 22;

/// The variables, where the process has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variables {
    /// `runtime.mbuckets`: the list's head.
    pub(super) buckets: RuntimePc,
    /// `runtime.mProfCycle`.
    pub(super) cycle: RuntimePc,
    /// `runtime.MemProfileRate`.
    pub(super) rate: RuntimePc,
}

impl Variables {
    pub(super) fn find(binary: &GoBinary, bias: LoadBias) -> Result<Self, HeapProfileError> {
        let find = |name, in_code: fn(&GoBinary) -> Option<VirtualAddress>| {
            let address = binary.variable(name).or_else(|| in_code(binary));
            let address = address.ok_or(HeapProfileError::NotFound { name })?;
            Ok(bias.to_runtime(address))
        };
        Ok(Variables {
            buckets: find("runtime.mbuckets", buckets)?,
            cycle: find("runtime.mProfCycle", cycle)?,
            rate: find("runtime.MemProfileRate", rate)?,
        })
    }
}

/// Whether the code that reads a profile is linked. The linker asks the same and switches the profiler off if it is not
/// (`disableMemoryProfiling`, `linksetup` in `src/cmd/link/internal/ld/lib.go`); the function's name survives stripping.
pub(super) fn reader_is_linked(binary: &GoBinary) -> bool {
    let reader = if binary.go_version().minor <= LAST_PLAIN_READER {
        "runtime.MemProfile"
    } else {
        "runtime.memProfileInternal"
    };
    binary.function(reader).is_some()
}

/// The only variable that `mProf_FlushLocked` uses.
fn buckets(binary: &GoBinary) -> Option<VirtualAddress> {
    first(binary, "runtime.mProf_FlushLocked")
}

/// `mProf_Flush` begins with it.
fn cycle(binary: &GoBinary) -> Option<VirtualAddress> {
    first(binary, "runtime.mProf_Flush")
}

/// `profilealloc` asks for the mcache first, which is `mcache0` while there is no P, then for the next sample.
fn rate(binary: &GoBinary) -> Option<VirtualAddress> {
    let used = binary.variables_of("runtime.profilealloc");
    let mcache = used.first()?;
    used.iter().find(|used| *used != mcache).copied()
}

fn first(binary: &GoBinary, function: &str) -> Option<VirtualAddress> {
    binary.variables_of(function).first().copied()
}
