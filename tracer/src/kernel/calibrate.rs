//! What a hit costs on this very host: the real program, on a function of our own, some thousand times.
//!
//! Hides the function, which is called with registers and a stack as a Go allocation has them.

use super::KernelError;
use super::cost::HitCost;
use super::place::Place;
use super::probe::Probe;
use super::switches::Switches;
use crate::program::FileOffset;
use crate::stream::{RingSource, Source as _};
use aya::Ebpf;
use procfs::process::{MMapPath, Process};
use rustix::process::getpid;
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::num::NonZeroU32;
use std::time::Duration;
use tracer_common::config::{self, RowState};
use tracer_common::cookie::{AllocCookie, Cookie, Tiny};
use tracer_common::family::Family;

/// Row that no plan uses, for the records of the measurement.
const ROW: u8 = u8::MAX;
/// Hits of one batch, and batches; the median batch counts. All together take some milliseconds.
const HITS: u64 = 500;
const BATCHES: usize = 5;
/// A program with work of its own loses by a hit what it had in the processor's caches and pipeline, which a loop of
/// hits does not. Measured on `tests/programs/surge` with Go 1.27: 1.16 us of CPU time for each hit, where the loop has
/// 0.98.
const DISTURBANCE: f64 = 1.18;

/// Measures; `None` if this is not possible here: tracing works without it.
pub(super) fn measure(
    ebpf: &mut Ebpf,
    switches: &mut Switches,
    source: &mut RingSource,
    rows: usize,
) -> Option<HitCost> {
    if rows > usize::from(ROW) {
        return None;
    }
    let place = own_place()?;
    let offset = own_offset(function::address())?;
    let probe = Probe {
        family: Family::Alloc,
        program: config::PROGRAM_ALLOC,
        cookie: AllocCookie::new(Cookie::new(ROW, false), Tiny::Never).cookie(),
        offset,
        function: "calibration".to_owned(),
    };
    // Stays attached until the capture ends: nothing calls the function again, and detaching would hold up the rest.
    place.attach(ebpf, &probe).ok()?;
    let cost = compare(switches);
    // Whatever happened: nothing records before the capture starts, and nothing is left of this.
    switches.set_row(ROW, RowState::OFF).ok()?;
    switches.set_recording(config::RECORDING_OFF).ok()?;
    while source.drain(&mut |_record| {}) > 0 {}
    log::debug!("a hit costs {cost:?}");
    cost
}

/// Attaches a program that does nothing to the function, and takes it out again; `None` if this machine has no such
/// function.
pub(super) fn try_probe(ebpf: &mut Ebpf) -> Option<Result<(), KernelError>> {
    let probe = Probe {
        family: Family::Alloc,
        program: config::PROGRAM_EMPTY,
        cookie: Cookie::NONE,
        offset: own_offset(function::address())?,
        function: "a function of tracer's own".to_owned(),
    };
    // It goes with the programs.
    Some(own_place()?.attach(ebpf, &probe).map(drop))
}

fn compare(switches: &mut Switches) -> Option<HitCost> {
    switches.set_recording(config::RECORDING_ON).ok()?;
    switches.set_row(ROW, RowState::EXACT).ok()?;
    let recorded_ns = median_hit()?;
    switches.set_row(ROW, RowState::OFF).ok()?;
    let silent_ns = median_hit()?;
    Some(HitCost {
        recorded_ns,
        silent_ns: silent_ns.min(recorded_ns),
    })
}

/// What one hit of the median batch would cost a program, in nanoseconds.
fn median_hit() -> Option<f64> {
    let mut batches: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let start = thread_time();
            function::hit(HITS);
            thread_time().saturating_sub(start)
        })
        .collect();
    batches.sort_unstable();
    let median = batches.get(BATCHES / 2)?;
    Some(DISTURBANCE * median.as_secs_f64() * 1e9 / HITS as f64)
}

fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

fn own_place() -> Option<Place> {
    let file = File::open("/proc/self/exe").ok()?;
    let pid = NonZeroU32::new(getpid().as_raw_nonzero().get().unsigned_abs())?;
    Some(Place::new(file, pid))
}

/// Where in the executable the code at an address is.
fn own_offset(address: u64) -> Option<FileOffset> {
    let maps = Process::myself().ok()?.maps().ok()?;
    let of_file = maps.into_iter().find(|map| {
        (map.address.0..map.address.1).contains(&address)
            && matches!(map.pathname, MMapPath::Path(_))
    })?;
    Some(FileOffset(address - of_file.address.0 + of_file.offset))
}

/// The probed function.
#[cfg(target_arch = "x86_64")]
mod function {
    use std::arch::naked_asm;

    /// Its probed instruction is its first, `push %rbp`, as in a Go function.
    #[unsafe(naked)]
    extern "C" fn probed() {
        naked_asm!("push rbp", "pop rbp", "ret")
    }

    /// Frame records on the stack; the probed function and its return address make eight frames of them.
    const FRAMES: usize = 6;

    /// Calls `probed` so many times, with a size of 64 bytes, no type, no goroutine and a chain of frames. Go's registers
    /// for these are RAX, RBX, R14 and RBP; all but the first belong to the caller here, as R12 does.
    #[unsafe(naked)]
    extern "C" fn call(times: u64) {
        naked_asm!(
            "push rbp",
            "push rbx",
            "push r12",
            "push r14",
            // Frame records from the outermost, which has no caller: a return address, and the frame pointer of the
            // caller below it.
            "mov ecx, {frames}",
            "xor ebp, ebp",
            "2:",
            "push rcx",
            "push rbp",
            "mov rbp, rsp",
            "dec ecx",
            "jnz 2b",
            "mov r12, rdi",
            "xor ebx, ebx",
            "xor r14d, r14d",
            "3:",
            "mov eax, 64",
            "call {probed}",
            "dec r12",
            "jnz 3b",
            "add rsp, 16 * {frames}",
            "pop r14",
            "pop r12",
            "pop rbx",
            "pop rbp",
            "ret",
            probed = sym probed,
            frames = const FRAMES,
        )
    }

    /// Address of the probed instruction.
    pub(super) fn address() -> u64 {
        probed as *const () as u64
    }

    /// Hits the probe.
    pub(super) fn hit(times: u64) {
        if times > 0 {
            call(times);
        }
    }
}

/// There is none for other machines: their hits are not calibrated.
#[cfg(not(target_arch = "x86_64"))]
mod function {
    pub(super) fn address() -> u64 {
        0
    }

    pub(super) fn hit(_times: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_can_be_called_and_found_in_the_executable() {
        function::hit(3);
        assert!(own_offset(function::address()).is_some_and(|offset| offset.0 > 0));
    }
}
