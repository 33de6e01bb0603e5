//! The Go register ABI: the only file that names machine registers.
//!
//! Source: `src/cmd/compile/abi-internal.md` of the Go distribution: integer arguments in RAX, RBX, CX, …, the running
//! `g` in R14.

use crate::atomic::forget;
use aya_ebpf::bindings::pt_regs;
use aya_ebpf::helpers::generated::{
    bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_task_pt_regs,
};
use aya_ebpf::programs::{PerfEventContext, ProbeContext};
use core::mem::{offset_of, size_of};
use tracer_common::cookie::ArgumentIndex;

/// The registers a probe needs, at the probed instruction.
pub struct Registers {
    /// First integer argument.
    pub argument0: u64,
    /// Second integer argument.
    pub argument1: u64,
    /// The running `g`.
    pub goroutine: u64,
    pub instruction_pointer: u64,
    pub stack_pointer: u64,
    pub frame_pointer: u64,
}

#[cfg(bpf_target_arch = "x86_64")]
impl Registers {
    #[inline(always)]
    pub fn read(ctx: &ProbeContext) -> Self {
        let regs = ctx.regs;
        // SAFETY: the context of a uprobe program is a `pt_regs`, which the verifier checks again. Volatile, so that
        // registers read anew are new to the verifier, without the bounds it learned of an earlier value.
        let read = |register: *const u64| unsafe { register.read_volatile() };
        // SAFETY: only addresses of fields are taken.
        unsafe {
            Registers {
                argument0: read(&raw const (*regs).rax),
                argument1: read(&raw const (*regs).rbx),
                goroutine: read(&raw const (*regs).r14),
                instruction_pointer: read(&raw const (*regs).rip),
                stack_pointer: read(&raw const (*regs).rsp),
                frame_pointer: read(&raw const (*regs).rbp),
            }
        }
    }
}

#[cfg(bpf_target_arch = "x86_64")]
impl Registers {
    /// The registers of the thread that took a page fault, in user mode, and whether the kernel took it for the thread, in
    /// a system call.
    #[inline(always)]
    pub fn of_fault(ctx: &PerfEventContext) -> (Self, bool) {
        // SAFETY: the context of a perf event's program begins with the registers where the event happened; only the
        // address of a field is taken. Volatile, as in `read`.
        let code_segment = unsafe { (&raw const (*ctx.ctx).regs.cs).read_volatile() };
        let in_kernel = code_segment & USER_MODE != USER_MODE;
        let regs = if in_kernel {
            // SAFETY: the helpers cannot fail: a task that takes a page fault of its own has user registers.
            let saved = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) as *const pt_regs };
            // Else the compiler makes one load of the two here and below, from either pointer, which the verifier
            // refuses.
            Self::without_arguments(saved, forget)
        } else {
            // SAFETY: see above.
            Self::without_arguments(unsafe { &raw const (*ctx.ctx).regs }, |value| value)
        };
        (regs, in_kernel)
    }

    /// Registers without arguments, from a context or from what the kernel saved; the verifier checks either.
    #[inline(always)]
    fn without_arguments(regs: *const pt_regs, value_of: impl Fn(u64) -> u64) -> Self {
        // SAFETY: see `of_fault`.
        let read = |register: *const u64| value_of(unsafe { register.read_volatile() });
        // SAFETY: only addresses of fields are taken.
        unsafe {
            Registers {
                argument0: 0,
                argument1: 0,
                goroutine: read(&raw const (*regs).r14),
                instruction_pointer: read(&raw const (*regs).rip),
                stack_pointer: read(&raw const (*regs).rsp),
                frame_pointer: read(&raw const (*regs).rbp),
            }
        }
    }
}

/// Bits of the code segment's selector that say that code runs in user mode.
#[cfg(bpf_target_arch = "x86_64")]
const USER_MODE: u64 = 3;

/// Which word of `pt_regs` is the register of an [`ArgumentIndex`]: four bits for each, the first lowest.
#[cfg(bpf_target_arch = "x86_64")]
const WORDS_OF_ARGUMENTS: u64 = {
    const fn word(offset: usize) -> u64 {
        (offset / size_of::<u64>()) as u64
    }
    let words = [
        word(offset_of!(pt_regs, rax)),
        word(offset_of!(pt_regs, rbx)),
        word(offset_of!(pt_regs, rcx)),
        word(offset_of!(pt_regs, rdi)),
        word(offset_of!(pt_regs, rsi)),
        word(offset_of!(pt_regs, r8)),
        word(offset_of!(pt_regs, r9)),
        word(offset_of!(pt_regs, r10)),
        word(offset_of!(pt_regs, r11)),
        word(offset_of!(pt_regs, rdx)),
        word(offset_of!(pt_regs, rbp)),
        word(offset_of!(pt_regs, r12)),
        word(offset_of!(pt_regs, r13)),
        word(offset_of!(pt_regs, r14)),
        word(offset_of!(pt_regs, r15)),
        // None: no plan has it.
        word(offset_of!(pt_regs, orig_rax)),
    ];
    let mut packed = 0;
    let mut index = 0;
    while index < words.len() {
        assert!(words[index] < 16, "the table has four bits for each");
        packed |= words[index] << (4 * index);
        index += 1;
    }
    packed
};

/// The register of an index.
///
/// Not a choice among fields: the compiler would make one read at a variable offset of it, which the verifier refuses.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
fn register(ctx: &ProbeContext, index: ArgumentIndex) -> u64 {
    let word = WORDS_OF_ARGUMENTS >> (4 * (index.get() as u32 & 15)) & 15;
    let mut value = 0u64;
    // SAFETY: reads one of the first words of the context into `value`, which stays 0 if the helper refuses.
    unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast(),
            size_of::<u64>() as u32,
            (ctx.regs as u64 + 8 * word) as *const _,
        )
    };
    value
}

/// The first four integer arguments, the second from the register of this index.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub fn four_arguments(ctx: &ProbeContext, second: ArgumentIndex) -> [u64; 4] {
    let regs = ctx.regs;
    // SAFETY: see `Registers::read`.
    let read = |register: *const u64| unsafe { register.read_volatile() };
    // SAFETY: only addresses of fields are taken.
    unsafe {
        [
            read(&raw const (*regs).rax),
            register(ctx, second),
            read(&raw const (*regs).rcx),
            read(&raw const (*regs).rdi),
        ]
    }
}

/// Third integer argument.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub fn argument2(ctx: &ProbeContext) -> u64 {
    // SAFETY: see `Registers::read`.
    unsafe { (&raw const (*ctx.regs).rcx).read_volatile() }
}
