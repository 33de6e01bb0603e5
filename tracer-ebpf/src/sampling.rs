//! Which allocations are recorded when not each is: at random, large ones sooner than small ones.
//!
//! An allocation of n bytes is taken with a probability of about n in the sampling distance, rounded to a power of two,
//! so that the reciprocal, its weight, is a whole number and sums of weights have no bias. Each is decided on its own: no
//! state that CPUs or preempted programs could share.

use aya_ebpf::helpers::generated::bpf_get_prandom_u32;

/// Logarithm of the weight of an allocation of `size` bytes; 0 if each such allocation is recorded.
#[inline(always)]
pub fn weight_log2(size: u64, distance_log2: u8) -> u8 {
    if distance_log2 == 0 || size >> distance_log2 != 0 {
        return 0;
    }
    distance_log2 - floor_log2(size as u32)
}

/// Whether to record an allocation of this weight.
#[inline(always)]
pub fn chosen(weight_log2: u8) -> bool {
    if weight_log2 == 0 {
        return true;
    }
    // SAFETY: the helper takes no argument and cannot fail.
    let random = unsafe { bpf_get_prandom_u32() };
    random & ((1u32 << (weight_log2 & 31)) - 1) == 0
}

/// Position of the highest bit that is set, 0 if none is. BPF has no instruction for it.
#[inline(always)]
fn floor_log2(number: u32) -> u8 {
    let mut rest = number;
    let mut log = 0;
    for step in [16, 8, 4, 2, 1] {
        if rest >> step != 0 {
            rest >>= step;
            log += step as u8;
        }
    }
    log
}
