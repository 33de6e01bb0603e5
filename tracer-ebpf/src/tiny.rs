//! Whether a tiny object takes a new block: asks the runtime's own state at the moment of the allocation.
//!
//! Pointer-free objects of fewer than 16 bytes share blocks of 16 bytes (`src/runtime/malloc.go`, "Tiny allocator").
//! Where the goroutine can yield between the probe and the allocation (a mark assist, a stack check) it may go on at
//! another P with other room: it is asked again there, see `probes::resume`.

use crate::args::Registers;
use crate::memory::read;
use crate::settings;
use tracer_common::cookie::Tiny;
use tracer_common::record::{FLAG_TINY_NEW, FLAG_TINY_SHARED};

/// `maxTinySize`.
const BLOCK: u64 = 16;
/// Offset of `PtrBytes` in `abi.Type`, in every version.
const TYPE_PTR_BYTES: u64 = 8;

/// The record flag that says where the object goes; 0 if it is not tiny or the state cannot be read.
#[inline(always)]
pub fn flag(regs: &Registers, tiny: Tiny) -> u16 {
    let size = regs.argument0;
    let is_tiny = match tiny {
        Tiny::Never => false,
        Tiny::Always => true,
        Tiny::ByType => size < BLOCK && has_pointers(regs.argument1) == Some(false),
    };
    if !is_tiny {
        return 0;
    }
    match used(regs.goroutine) {
        Some(used) if fits(used, size) => FLAG_TINY_SHARED,
        Some(_) => FLAG_TINY_NEW,
        None => 0,
    }
}

/// For every size of a tiny object, whether it shares the current block: bit n is for n bytes.
#[inline(always)]
pub fn shared_sizes(regs: &Registers) -> Option<u64> {
    let used = used(regs.goroutine)?;
    let mut sizes = 0;
    for size in 1..BLOCK {
        if fits(used, size) {
            sizes |= 1 << size;
        }
    }
    Some(sizes)
}

#[inline(always)]
fn fits(used: u64, size: u64) -> bool {
    aligned(used, size) + size <= BLOCK
}

/// Bytes in use of the current block of the P that runs the goroutine: `mcache.tinyoffset`, all if there is no block.
#[inline(always)]
fn used(goroutine: u64) -> Option<u64> {
    let path = settings::tiny_path();
    let m: u64 = read(goroutine + path.g_m)?;
    let p: u64 = read(m + path.m_p)?;
    // `getMCache` in `src/runtime/mcache.go`: there is no P before `schedinit` has made them.
    let mcache: u64 = if p == 0 {
        if path.mcache0 == 0 {
            return None;
        }
        read(path.mcache0)?
    } else {
        read(p + path.p_mcache)?
    };
    let [block, used]: [u64; 2] = read(mcache + path.mcache_tiny)?;
    Some(if block == 0 { BLOCK } else { used })
}

/// As the runtime aligns: by what the size is a multiple of.
#[inline(always)]
fn aligned(offset: u64, size: u64) -> u64 {
    let align = if size.is_multiple_of(8) {
        8
    } else if size.is_multiple_of(4) {
        4
    } else if size.is_multiple_of(2) {
        2
    } else {
        1
    };
    (offset + align - 1) & !(align - 1)
}

/// Whether a Go type contains pointers; `None` if it cannot be read.
#[inline(always)]
pub fn has_pointers(type_pointer: u64) -> Option<bool> {
    if type_pointer == 0 {
        return Some(false);
    }
    Some(read::<u64>(type_pointer + TYPE_PTR_BYTES)? != 0)
}
