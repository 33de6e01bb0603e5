//! What takes an instruction of its own: atomic operations on map memory, and a barrier for the compiler.
//!
//! `core::sync::atomic` offers none but load and store here: rustc declares the BPF targets as having no
//! compare-and-swap. The instructions exist (add since Linux 3.18, exchange since 5.12).

use core::arch::asm;

/// Adds `value` to the word.
///
/// # Safety
/// `word` points to a live, aligned map value.
#[inline(always)]
pub unsafe fn add(word: *mut u64, value: u64) {
    // SAFETY: the caller vouches for `word`; the instruction changes that word only.
    unsafe {
        asm!("lock *(u64 *)({word} + 0) += {value}", word = in(reg) word, value = in(reg) value)
    };
}

/// Stores `value` and gives what was there.
///
/// # Safety
/// `word` points to a live, aligned map value.
#[inline(always)]
pub unsafe fn exchange(word: *mut u64, value: u64) -> u64 {
    let mut old = value;
    // SAFETY: the caller vouches for `word`; the instruction changes that word only.
    unsafe {
        asm!("{old} = xchg_64({word} + 0, {old})", word = in(reg) word, old = inout(reg) old)
    };
    old
}

/// The same number, of which the compiler knows nothing.
#[inline(always)]
pub fn forget(mut number: u64) -> u64 {
    // SAFETY: a move of a register to itself. Without an instruction two lines would have one address, which the kernel
    // refuses.
    unsafe { asm!("{0} = {0}", inout(reg) number) };
    number
}
