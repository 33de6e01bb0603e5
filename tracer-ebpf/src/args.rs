//! The Go register ABI: the only file that names machine registers.
//!
//! Source: `src/cmd/compile/abi-internal.md` of the Go distribution: integer arguments in RAX, RBX, CX, …, the running
//! `g` in R14.

use aya_ebpf::programs::ProbeContext;

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

/// Third integer argument.
#[cfg(bpf_target_arch = "x86_64")]
#[inline(always)]
pub fn argument2(ctx: &ProbeContext) -> u64 {
    // SAFETY: see `Registers::read`.
    unsafe { (&raw const (*ctx.regs).rcx).read_volatile() }
}
