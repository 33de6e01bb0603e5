//! The three kinds of address a program has, as three types, so that one cannot be taken for another;
//! every conversion between them has a name and lives here or in [`super::GoBinary::file_offset`].

use std::fmt;

/// A position in the executable file, in bytes from its start. Probes are attached by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileOffset(pub u64);

/// An address as the linker assigned it: what symbols, DWARF and pclntab speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualAddress(pub u64);

/// An address in the running process: a program counter, or a pointer to a type descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuntimePc(pub u64);

/// How far the kernel moved the executable when it loaded it: runtime address minus link-time address.
///
/// Zero for an executable that is linked at fixed addresses, a page-aligned random number for a PIE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoadBias(pub u64);

impl LoadBias {
    /// The bias of an executable that runs where it was linked.
    pub const NONE: Self = Self(0);

    /// Where the linker put what the process has at `pc`.
    ///
    /// An address below the bias, which cannot lie in the executable, wraps around to one that no
    /// segment holds.
    #[must_use]
    pub const fn to_link_time(self, pc: RuntimePc) -> VirtualAddress {
        VirtualAddress(pc.0.wrapping_sub(self.0))
    }

    /// Where the process has what the linker put at `address`.
    #[must_use]
    pub const fn to_runtime(self, address: VirtualAddress) -> RuntimePc {
        RuntimePc(address.0.wrapping_add(self.0))
    }
}

macro_rules! display_as_hex {
    ($($address:ty),+) => {$(
        impl fmt::Display for $address {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    )+};
}

display_as_hex!(FileOffset, VirtualAddress, RuntimePc, LoadBias);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_bias_converts_both_ways() {
        let bias = LoadBias(0x5555_0000_0000);
        let linked = VirtualAddress(0x1234);
        assert_eq!(bias.to_runtime(linked), RuntimePc(0x5555_0000_1234));
        assert_eq!(bias.to_link_time(bias.to_runtime(linked)), linked);
        assert_eq!(LoadBias::NONE.to_link_time(RuntimePc(7)), VirtualAddress(7));
    }

    #[test]
    fn an_address_below_the_bias_is_in_no_segment() {
        assert!(LoadBias(0x1000).to_link_time(RuntimePc(1)).0 > i64::MAX as u64);
    }

    #[test]
    fn addresses_print_as_hexadecimal() {
        assert_eq!(VirtualAddress(255).to_string(), "0xff");
    }
}
