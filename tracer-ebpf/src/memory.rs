//! The target's memory.
//!
//! Hides the helpers that read it, which fail where a page is not there: a program cannot wait for it.

use aya_ebpf::helpers::{bpf_probe_read_user, generated};
use core::mem::size_of;

/// What the integer type or array of integers `T` is at `address`; `None` if it cannot be read.
#[inline(always)]
pub fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the user address; T is an integer or an array of them.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

/// Reads words at `address` into `buffer`, which may be too large for the program's stack; false if they cannot be read.
#[inline(always)]
pub fn read_words<const N: usize>(buffer: &mut [u64; N], address: u64) -> bool {
    // SAFETY: `buffer` has so many bytes; the helper checks the user address.
    let result = unsafe {
        generated::bpf_probe_read_user(
            buffer.as_mut_ptr().cast(),
            size_of::<[u64; N]>() as u32,
            address as *const _,
        )
    };
    result == 0
}

/// Reads the first `length` bytes at `address` into `buffer`, no more than fit; false if they cannot be read.
#[inline(always)]
pub fn read_text<const N: usize>(buffer: &mut [u8; N], address: u64, length: u64) -> bool {
    let length = length.min(N as u64) as u32;
    // SAFETY: `buffer` has at least `length` bytes; the helper checks the user address.
    let result = unsafe {
        generated::bpf_probe_read_user(buffer.as_mut_ptr().cast(), length, address as *const _)
    };
    result == 0
}

/// Reads the first `count` words at `address` into `buffer`, no more than fit; false if they cannot be read.
#[inline(always)]
pub fn read_first_words<const N: usize>(buffer: &mut [u64; N], address: u64, count: u64) -> bool {
    let bytes = count.min(N as u64) as u32 * size_of::<u64>() as u32;
    // SAFETY: `buffer` has at least `bytes` bytes; the helper checks the user address.
    let result = unsafe {
        generated::bpf_probe_read_user(buffer.as_mut_ptr().cast(), bytes, address as *const _)
    };
    result == 0
}
