//! Nothing: what a hit costs before anything is looked at, for the bench to compare with.

use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;

#[uprobe]
pub fn empty(_ctx: ProbeContext) -> u32 {
    0
}
