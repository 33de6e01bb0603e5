//! Stacks of the runtime's own heap profile, which are logical, as the physical stacks that the kernel programs walk.

use crate::program::{GoBinary, LoadBias, PhysicalStacks, RuntimePc, VirtualAddress};
use std::sync::Arc;

/// Turns stacks of the runtime's heap profile into stacks as the kernel programs walk them, for one capture.
#[derive(Debug)]
pub(super) struct ProfiledStacks {
    bias: LoadBias,
    stacks: PhysicalStacks,
}

impl ProfiledStacks {
    pub(super) fn new(binary: &Arc<GoBinary>, bias: LoadBias) -> Self {
        ProfiledStacks {
            bias,
            stacks: PhysicalStacks::new(binary),
        }
    }

    /// The call that a stack begins with, then return addresses.
    pub(super) fn of(&mut self, pcs: &[u64]) -> Vec<u64> {
        let bias = self.bias;
        let link_time = |pc: &u64| bias.to_link_time(RuntimePc(*pc)).0;
        let logical: Vec<u64> = pcs.iter().map(link_time).collect();
        let physical = self.stacks.of(&logical).into_iter();
        let mut physical: Vec<u64> = physical
            .map(|pc| bias.to_runtime(VirtualAddress(pc)).0)
            .collect();
        if let Some(innermost) = physical.first_mut() {
            *innermost = innermost.saturating_sub(1);
        }
        physical
    }
}
