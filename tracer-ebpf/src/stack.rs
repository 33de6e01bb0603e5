//! The frame-pointer walk of a goroutine stack, bounded, in large reads.
//!
//! Go keeps frame pointers on amd64 and arm64 since 1.12 (`src/cmd/internal/obj/x86/obj6.go`). The walk follows the
//! chain from the probed instruction outwards and hashes the frames on the way. `bpf_get_stack` is not used: it
//! is slower, and kernels before 6.1 miss the caller at `push %rbp`.

use crate::args::Registers;
use crate::atomic::forget;
use crate::memory::{read, read_first_words};
use crate::scratch::{CHUNK_WORDS, Slot, get, set};
use crate::{hash, settings};
use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_user};
use core::ffi::c_void;
use core::mem::size_of;
use tracer_common::cookie::Cookie;
use tracer_common::limits::{CHUNK_BYTES, MAX_FRAMES};
use tracer_common::record::{FLAG_CANDIDATE, FLAG_LOGICAL, FLAG_TRUNCATED, FLAG_UNREADABLE};

/// Bytes of a frame record: the caller's frame pointer, then the return address.
const FRAME_RECORD: u64 = 16;

/// Frames that the walk takes at once, from its first chunk: most stacks have no more.
const FRAMES_AT_ONCE: usize = 32;

/// How far a walk has come.
struct Progress {
    frame_pointer: u64,
    hash: u64,
    depth: usize,
}

/// What is on top of the stack where a walk begins: the return address, while the frame pointer is still the caller's, or
/// the function's own frame.
///
/// A type for each way to tell, not a value: the compiler would make a copy of the walk for each value, in the program of
/// an allocation too.
pub trait Top {
    /// Flag of a stack whose second frame was on top.
    const FLAG: u16;

    /// Whether the return address can be on top.
    fn can_be_return_address(&self) -> bool;

    /// Whether this word on top is taken for it.
    fn is_return_address(&self, word: u64) -> bool;
}

/// The top at a probe: the cookie tells.
pub struct AtProbe(pub Cookie);

impl Top for AtProbe {
    const FLAG: u16 = 0;

    #[inline(always)]
    fn can_be_return_address(&self) -> bool {
        !self.0.frame_set_up()
    }

    #[inline(always)]
    fn is_return_address(&self, _word: u64) -> bool {
        true
    }
}

/// The top anywhere in the code, that of the Go toolchain if `in_go`. Only tables that user space has can tell what it is:
/// what looks like a return address is taken for one, and marked.
pub struct Anywhere {
    pub in_go: bool,
}

impl Top for Anywhere {
    const FLAG: u16 = FLAG_CANDIDATE;

    #[inline(always)]
    fn can_be_return_address(&self) -> bool {
        self.in_go
    }

    #[inline(always)]
    fn is_return_address(&self, word: u64) -> bool {
        settings::is_text(word)
    }
}

/// Fills `slot.stack` and gives its identity.
#[inline(always)]
pub fn walk<T: Top>(regs: &Registers, top: T, slot: &mut Slot) -> u64 {
    read_chunk(slot, regs.stack_pointer);
    set_flags(slot, 0);
    slot.stack.frames[0] = regs.instruction_pointer;
    let mut progress = Progress {
        frame_pointer: regs.frame_pointer,
        hash: hash::add(settings::hash_seed(), regs.instruction_pointer),
        depth: 1,
    };
    let mut flag = 0;
    if top.can_be_return_address()
        && settings::stack_depth() > 1
        && chunk_bytes(slot) != 0
        && top.is_return_address(slot.chunk[0])
    {
        // The call pushed the return address and the function has pushed nothing yet.
        slot.stack.frames[1] = slot.chunk[0];
        progress.hash = hash::add(progress.hash, slot.chunk[0]);
        progress.depth = 2;
        flag = T::FLAG;
    }
    if chunk_bytes(slot) == CHUNK_BYTES as u64 {
        first_frames(slot, regs.stack_pointer, &mut progress);
    }
    set(&raw mut slot.stack.depth, progress.depth as u64);
    let mut hash = progress.hash;
    // The outermost frame of a goroutine has a zero frame pointer (`gogo` in `src/runtime/asm_amd64.s`).
    if progress.frame_pointer != 0 {
        set(&raw mut slot.frame_pointer, progress.frame_pointer);
        set(&raw mut slot.hash, hash);
        other_frames(slot);
        hash = get(&raw const slot.hash);
    }
    if T::FLAG != 0 {
        set_flags(slot, flags(slot) | flag);
    }
    let id = hash::finish(hash, flags(slot));
    slot.stack.id = id;
    id
}

/// Fills `slot.stack` with frames that the runtime has already, at `address`, their number before them, and gives its
/// identity; `None` if there are none, or they cannot be read.
#[inline(always)]
pub fn take(address: u64, slot: &mut Slot) -> Option<u64> {
    let there: u64 = read(address).filter(|frames| *frames > 0)?;
    let most = settings::stack_depth().min(MAX_FRAMES as u64);
    let (depth, flags) = if there > most {
        (most, FLAG_LOGICAL | FLAG_TRUNCATED)
    } else {
        (there, FLAG_LOGICAL)
    };
    if !read_first_words(
        &mut slot.stack.frames,
        address + size_of::<u64>() as u64,
        depth,
    ) {
        return None;
    }
    set_flags(slot, flags);
    set(&raw mut slot.stack.depth, depth);
    set(&raw mut slot.hash, settings::hash_seed());
    hash_frames(slot);
    let id = hash::finish(get(&raw const slot.hash), flags);
    slot.stack.id = id;
    Some(id)
}

/// Hashes the frames of `slot.stack`, in steps as [`other_frames`] does.
#[inline(always)]
fn hash_frames(slot: &mut Slot) {
    let mut context: *mut Slot = slot;
    let step: unsafe extern "C" fn(u32, *mut *mut Slot) -> i64 = hash_step;
    // SAFETY: see `other_frames`.
    unsafe {
        bpf_loop(
            (MAX_FRAMES / FRAMES_OF_A_STEP) as u32,
            step as *mut c_void,
            (&raw mut context).cast(),
            0,
        )
    };
}

/// Adds the next frames to the hash.
#[inline(never)]
unsafe extern "C" fn hash_step(step: u32, context: *mut *mut Slot) -> i64 {
    // SAFETY: see `step`.
    let slot = unsafe { &mut **context };
    let depth = depth(slot);
    let mut hash = get(&raw const slot.hash);
    let mut verdict = GO_ON;
    let first = step as u64 * FRAMES_OF_A_STEP as u64;
    for number in first..first + FRAMES_OF_A_STEP as u64 {
        // See `step`.
        let index = forget(number) as usize;
        if number >= depth || index >= MAX_FRAMES {
            verdict = OVER;
            break;
        }
        hash = hash::add(hash, slot.stack.frames[index]);
    }
    set(&raw mut slot.hash, hash);
    verdict
}

/// Adds the frames that are in the first chunk, which was read at `base`, and leaves whatever is not plain (the end of
/// the chunk or of the stack, a limit, a bad frame pointer) to [`other_frames`].
///
/// A loop without calls, its state in registers: for eight frames it takes 20 ns, `bpf_loop` another 30.
#[inline(always)]
fn first_frames(slot: &mut Slot, base: u64, progress: &mut Progress) {
    let most = settings::stack_depth().min(MAX_FRAMES as u64) as usize;
    for _ in 0..FRAMES_AT_ONCE {
        // The compiler would fold the subtraction into the address, which the verifier refuses.
        let offset = forget(progress.frame_pointer.wrapping_sub(base));
        if offset > CHUNK_BYTES as u64 - FRAME_RECORD
            || !offset.is_multiple_of(8)
            || progress.depth >= most
        {
            break;
        }
        // SAFETY: a whole frame record lies between `offset` and the end of the chunk.
        let [caller, return_address] = unsafe {
            slot.chunk
                .as_ptr()
                .byte_add(offset as usize)
                .cast::<[u64; 2]>()
                .read()
        };
        if return_address == 0 {
            break;
        }
        slot.stack.frames[progress.depth] = return_address;
        progress.hash = hash::add(progress.hash, return_address);
        progress.depth += 1;
        progress.frame_pointer = caller;
    }
}

/// Takes up the walk where the slot says it is, and goes on to its end.
///
/// The steps are calls of one function by the kernel's `bpf_loop` (5.17), and all that a step decides on is in the slot,
/// behind volatile accesses: the verifier forgets what is in map memory, so that all steps are alike to it and it checks
/// the function about once: with the rest of the program 8,200 instructions on kernel 6.18. As a plain loop the walk of all
/// frames takes 400,000 with its state in registers and 110,000 with it in the slot, and kernel 6.1 gives up on the
/// latter after a million.
#[inline(always)]
fn other_frames(slot: &mut Slot) {
    let mut context: *mut Slot = slot;
    let step: unsafe extern "C" fn(u32, *mut *mut Slot) -> i64 = step;
    // SAFETY: `step` has the signature that the helper calls, and the context outlives the call.
    unsafe {
        bpf_loop(
            MAX_FRAMES as u32,
            step as *mut c_void,
            (&raw mut context).cast(),
            0,
        )
    };
}

/// Frames of one step: enough that a call of the function for each step does not show.
const FRAMES_OF_A_STEP: usize = 8;

/// The walk goes on, and it is over: what a step tells `bpf_loop`.
const GO_ON: i64 = 0;
const OVER: i64 = 1;

/// Adds the next frames.
#[inline(never)]
unsafe extern "C" fn step(_index: u32, context: *mut *mut Slot) -> i64 {
    // SAFETY: the context is that of `other_frames`, whose caller has the only reference to the slot.
    let slot = unsafe { &mut **context };
    let mut frame_pointer = get(&raw const slot.frame_pointer);
    let mut hash = get(&raw const slot.hash);
    let mut depth = depth(slot);
    let mut verdict = GO_ON;
    for _ in 0..FRAMES_OF_A_STEP {
        let Some([caller, return_address]) = frame_record(slot, frame_pointer, depth) else {
            verdict = OVER;
            break;
        };
        // The compiler would take the address before it has checked the bound, which the verifier refuses.
        let index = forget(depth) as usize;
        if index >= MAX_FRAMES {
            break;
        }
        slot.stack.frames[index] = return_address;
        hash = hash::add(hash, return_address);
        depth += 1;
        frame_pointer = caller;
    }
    set(&raw mut slot.frame_pointer, frame_pointer);
    set(&raw mut slot.hash, hash);
    set(&raw mut slot.stack.depth, depth);
    verdict
}

/// The caller's frame pointer and the return address of the frame at `frame_pointer`, number `depth` of the stack;
/// `None` if it is the last, or where the walk must end.
#[inline(always)]
fn frame_record(slot: &mut Slot, frame_pointer: u64, depth: u64) -> Option<[u64; 2]> {
    if frame_pointer == 0 {
        return None;
    }
    if depth >= settings::stack_depth() || depth >= MAX_FRAMES as u64 {
        set_flags(slot, FLAG_TRUNCATED);
        return None;
    }
    let mut offset = frame_pointer.wrapping_sub(get(&raw const slot.chunk_base));
    if offset > CHUNK_BYTES as u64 - FRAME_RECORD || offset + FRAME_RECORD > chunk_bytes(slot) {
        read_chunk(slot, frame_pointer);
        offset = 0;
    }
    if chunk_bytes(slot) == 0 || !frame_pointer.is_multiple_of(8) {
        set_flags(slot, FLAG_UNREADABLE);
        return None;
    }
    // The compiler knows the bound already and would drop this check, but kernel 6.12 has forgotten it by now: there a
    // comparison of `offset + 16` undoes what the verifier knew of `offset`.
    let word = forget(offset / 8) as usize;
    if word >= CHUNK_WORDS - 1 {
        return None;
    }
    let return_address = slot.chunk[word + 1];
    (return_address != 0).then_some([slot.chunk[word], return_address])
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
    set(&raw mut slot.chunk_base, address);
    set(&raw mut slot.chunk_bytes, bytes);
}

#[inline(always)]
fn chunk_bytes(slot: &Slot) -> u64 {
    get(&raw const slot.chunk_bytes)
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
    get(&raw const slot.stack.depth)
}
