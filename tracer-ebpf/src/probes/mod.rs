//! One file per family of probes.

mod alloc;
mod crash;
mod empty;
mod fault;
mod gc;
mod heap;
mod map;
mod resume;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::bpf_get_attach_cookie;
use aya_ebpf::programs::ProbeContext;
use tracer_common::cookie::Cookie;

#[inline(always)]
fn cookie(ctx: &ProbeContext) -> Cookie {
    // SAFETY: the context is that of a uprobe program, for which the helper is allowed.
    Cookie::from_word(unsafe { bpf_get_attach_cookie(ctx.as_ptr()) })
}
