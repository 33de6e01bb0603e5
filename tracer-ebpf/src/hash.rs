//! The hash that identities are made of: of stacks, and of sets of labels.

/// Factor of a 64-bit hash of a sequence of words: multiply and fold, twice at the end. Good enough that
/// 100,000 stacks collide with a probability below 10^-9, and seeded so that a target cannot choose its stacks'
/// identities.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Adds a word to the hash of those before it, which begins with the seed.
#[inline(always)]
pub fn add(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(FACTOR);
    product ^ product >> 32
}

/// The identity of what was hashed, which differs if its flags do.
#[inline(always)]
pub fn finish(hash: u64, flags: u16) -> u64 {
    add(add(hash, flags as u64), 0)
}
