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
        // SAFETY: the context of a uprobe program is a `pt_regs`, which the verifier checks again.
        let regs = unsafe { &*ctx.regs };
        Registers {
            argument0: regs.rax,
            argument1: regs.rbx,
            goroutine: regs.r14,
            instruction_pointer: regs.rip,
            stack_pointer: regs.rsp,
            frame_pointer: regs.rbp,
        }
    }
}
