//! The instructions of a function of the target, no more than a bound, and one of them as a place for a probe.

use super::Site;
use super::site::CostClass;
use crate::program::{Function, GoBinary, VirtualAddress};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

/// Bytes of a function to search; the longest that is searched, `gcMarkTermination`, has 3,300.
const SEARCHED_BYTES: usize = 8192;

/// The code of a function.
pub(super) fn instructions<'a>(
    binary: &'a GoBinary,
    function: &Function<'_>,
) -> impl Iterator<Item = Instruction> + 'a {
    let len =
        usize::try_from(function.size).map_or(SEARCHED_BYTES, |size| size.min(SEARCHED_BYTES));
    let code = binary.code(function.address, len).unwrap_or_default();
    let mut decoder = Decoder::with_ip(64, code, function.address.0, DecoderOptions::NONE);
    std::iter::from_fn(move || decoder.can_decode().then(|| decoder.decode()))
}

/// An instruction in the middle of a function as a place for a probe.
pub(super) fn site_at(function: &Function<'_>, instruction: &Instruction) -> Site {
    let address = VirtualAddress(instruction.ip());
    let (cost, reason) = match instruction.flow_control() {
        FlowControl::Call => (CostClass::Emulated, "a call, which the kernel emulates"),
        FlowControl::ConditionalBranch => {
            (CostClass::Emulated, "a branch, which the kernel emulates")
        }
        _ => (CostClass::SingleStepped, "behind a call, rarely passed"),
    };
    Site {
        address,
        offset: address.0.saturating_sub(function.address.0),
        instruction: format!("{:?}", instruction.mnemonic()).to_lowercase(),
        cost,
        frame_set_up: true,
        reason,
    }
}
