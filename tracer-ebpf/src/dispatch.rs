//! Which allocations of a dispatcher are its own: those whose allocation function the compiler has inlined into it.
//!
//! Needed for programs built with profile-guided optimization only. Follows `mallocgc` in `src/runtime/malloc.go`.

use crate::args::Registers;
use crate::tiny;
use tracer_common::cookie::{AllocCookie, dispatch};

/// `maxSmallSize - mallocHeaderSize`.
const MAX_SMALL: u64 = 32_760;
/// Largest object with pointers that has no header (`heapBitsInSpan`).
const MAX_WITHOUT_HEADER: u64 = 512;
/// `maxTinySize`.
const TINY: u64 = 16;
/// Largest size with a specialised function.
const MAX_SPECIALISED: u64 = 80;

/// Whether the dispatcher at this probe allocates itself what it is asked for.
#[inline(always)]
pub fn is_own(regs: &Registers, cookie: AllocCookie) -> bool {
    cookie.dispatched() & (1 << destination(regs, cookie.specialised())) != 0
}

/// Bit of the function that the allocation goes to.
#[inline(always)]
fn destination(regs: &Registers, specialised: bool) -> u32 {
    let size = regs.argument0;
    if size > MAX_SMALL {
        return dispatch::LARGE;
    }
    let pointers = tiny::has_pointers(regs.argument1).unwrap_or(false);
    if !pointers && size < TINY {
        return dispatch::TINY;
    }
    if specialised && size <= MAX_SPECIALISED {
        let base = if pointers {
            dispatch::SCAN_CLASS
        } else {
            dispatch::NOSCAN_CLASS
        };
        return base + size_class(size);
    }
    match (pointers, size <= MAX_WITHOUT_HEADER) {
        (false, _) => dispatch::SMALL_NOSCAN,
        (true, true) => dispatch::SMALL_SCAN_NO_HEADER,
        (true, false) => dispatch::SMALL_SCAN_HEADER,
    }
}

/// Number of the class of a size of at most 80 bytes (`src/internal/runtime/gc/sizeclasses.go`).
#[inline(always)]
fn size_class(size: u64) -> u32 {
    match size {
        0..=8 => 1,
        9..=16 => 2,
        17..=24 => 3,
        25..=32 => 4,
        33..=48 => 5,
        49..=64 => 6,
        _ => dispatch::MAX_CLASS,
    }
}
