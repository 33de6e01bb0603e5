//! What an instruction does with memory.

use super::{GoBinary, VirtualAddress};

/// What an instruction does with the memory it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads it.
    Read,
    /// Writes it, and may read it too.
    Write,
    /// Reads some and writes other.
    Both,
}

impl GoBinary {
    /// What the instruction at `pc` does with memory; `None` if it touches none or is not known.
    pub fn access_at(&self, pc: VirtualAddress) -> Option<Access> {
        let _ = (self, pc);
        None
    }
}
