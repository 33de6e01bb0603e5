//! The frame-pointer walk of a goroutine stack, bounded, in large reads.
//!
//! Go keeps frame pointers on amd64 and arm64 since 1.12 (`src/cmd/internal/obj/x86/obj6.go`). The walk follows the
//! chain from the probed instruction outwards and hashes the frames on the way. `bpf_get_stack` is not used: it
//! is slower, and kernels before 6.1 miss the caller at `push %rbp`.

use crate::args::Registers;
use crate::scratch::{CHUNK_WORDS, Slot};
use crate::settings;
use aya_ebpf::helpers::generated::bpf_probe_read_user;
use tracer_common::limits::{CHUNK_BYTES, MAX_FRAMES};
use tracer_common::record::{FLAG_TRUNCATED, FLAG_UNREADABLE};

/// Bytes of a frame record: the caller's frame pointer, then the return address.
const FRAME_RECORD: u64 = 16;

/// Fills `slot.stack` and gives its identity.
///
/// What the walk decides on is kept in the slot, behind volatile accesses, and not in registers: the verifier forgets
/// what is in map memory, so that the states of all iterations and exits are alike to it and it checks each piece of
/// code about once. With registers it walked 400,000 instructions, half a second for every attach.
#[inline(always)]
pub fn walk(regs: &Registers, frame_set_up: bool, slot: &mut Slot) -> u64 {
    let limit = settings::stack_depth();
    let mut hash = Hash::new(settings::hash_seed());
    read_chunk(slot, regs.stack_pointer);
    let mut frame_pointer = regs.frame_pointer;
    set_flags(slot, 0);

    slot.stack.frames[0] = regs.instruction_pointer;
    hash.add(regs.instruction_pointer);
    let mut depth: u64 = 1;
    if !frame_set_up && limit > 1 && chunk_bytes(slot) != 0 {
        // The call pushed the return address and the function has pushed nothing yet.
        slot.stack.frames[1] = slot.chunk[0];
        hash.add(slot.chunk[0]);
        depth = 2;
    }

    for _ in 0..MAX_FRAMES {
        // The outermost frame of a goroutine has a zero frame pointer (`gogo` in `src/runtime/asm_amd64.s`).
        if frame_pointer == 0 {
            break;
        }
        if depth >= limit || depth >= MAX_FRAMES as u64 {
            set_flags(slot, FLAG_TRUNCATED);
            break;
        }
        let mut offset = frame_pointer.wrapping_sub(slot.chunk_base);
        if offset > CHUNK_BYTES as u64 - FRAME_RECORD || offset + FRAME_RECORD > chunk_bytes(slot) {
            read_chunk(slot, frame_pointer);
            offset = 0;
        }
        if chunk_bytes(slot) == 0 || !frame_pointer.is_multiple_of(8) {
            set_flags(slot, FLAG_UNREADABLE);
            break;
        }
        // The compiler knows the bound already and would drop this check, but kernel 6.12 has forgotten it by now: there a
        // comparison of `offset + 16` undoes what the verifier knew of `offset`.
        let word = forget(offset / 8) as usize;
        if word >= CHUNK_WORDS - 1 {
            break;
        }
        let return_address = slot.chunk[word + 1];
        if return_address == 0 {
            break;
        }
        frame_pointer = slot.chunk[word];
        slot.stack.frames[depth as usize] = return_address;
        hash.add(return_address);
        depth += 1;
    }
    slot.stack.depth = depth;
    let id = hash.finish(flags(slot));
    slot.stack.id = id;
    id
}

/// The same number, of which the compiler knows nothing.
#[inline(always)]
fn forget(mut number: u64) -> u64 {
    // SAFETY: a move of a register to itself. Without an instruction two lines would have one address, which the kernel
    // refuses.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) number) };
    number
}

/// Reads a chunk at `address`, or a single frame record where a whole chunk would leave the mapped memory.
#[inline(always)]
fn read_chunk(slot: &mut Slot, address: u64) {
    let chunk = slot.chunk.as_mut_ptr();
    let mut bytes = CHUNK_BYTES as u64;
    // SAFETY: `chunk` has CHUNK_BYTES bytes; the helper checks the user address.
    if unsafe { bpf_probe_read_user(chunk.cast(), CHUNK_BYTES as u32, address as *const _) } != 0 {
        // SAFETY: as above, FRAME_RECORD is less than CHUNK_BYTES.
        let failed =
            unsafe { bpf_probe_read_user(chunk.cast(), FRAME_RECORD as u32, address as *const _) }
                != 0;
        bytes = if failed { 0 } else { FRAME_RECORD };
    }
    slot.chunk_base = address;
    // SAFETY: a field of a live map value.
    unsafe { (&raw mut slot.chunk_bytes).write_volatile(bytes) };
}

#[inline(always)]
fn chunk_bytes(slot: &Slot) -> u64 {
    // SAFETY: a field of a live map value.
    unsafe { (&raw const slot.chunk_bytes).read_volatile() }
}

#[inline(always)]
fn set_flags(slot: &mut Slot, flags: u16) {
    // SAFETY: a field of a live map value.
    unsafe { (&raw mut slot.stack.header.flags).write_volatile(flags) };
}

/// Flags of the walked stack.
#[inline(always)]
pub fn flags(slot: &Slot) -> u16 {
    // SAFETY: a field of a live map value.
    unsafe { (&raw const slot.stack.header.flags).read_volatile() }
}

/// Frames of the walked stack.
#[inline(always)]
pub fn depth(slot: &Slot) -> u64 {
    // SAFETY: a field of a live map value.
    unsafe { (&raw const slot.stack.depth).read_volatile() }
}

/// A 64-bit hash of a sequence of words: multiply and fold, twice at the end. Good enough that 100,000 stacks collide
/// with a probability below 10^-9, and seeded so that a target cannot choose its stacks' identities.
struct Hash(u64);

impl Hash {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    #[inline(always)]
    fn new(seed: u64) -> Self {
        Hash(seed)
    }

    #[inline(always)]
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(Self::FACTOR);
        self.0 ^= self.0 >> 32;
    }

    #[inline(always)]
    fn finish(mut self, flags: u16) -> u64 {
        self.add(flags as u64);
        self.add(0);
        self.0
    }
}
