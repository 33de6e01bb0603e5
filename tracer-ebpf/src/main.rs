//! The kernel half of tracer: uprobe programs that record Go heap allocations, and what happens to maps, into ring
//! buffers.
//!
//! A hit goes through `probes` (what is counted), `args` (machine registers), `stack` (the walk), `intern` (is the
//! stack new?) and `emit` (the ring). What the bytes mean is in `tracer-common`.

#![no_std]
#![no_main]
// `asm!` for BPF is not stable yet; the BPF targets need a nightly compiler (or RUSTC_BOOTSTRAP) anyway.
#![feature(asm_experimental_arch)]

mod args;
mod atomic;
mod counters;
mod dispatch;
mod emit;
mod goroutine;
mod hash;
mod intern;
mod memory;
mod probes;
mod sampling;
mod scratch;
mod settings;
mod stack;
mod tiny;

/// The kernel lets programs under this licence use every helper.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
#[used]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
