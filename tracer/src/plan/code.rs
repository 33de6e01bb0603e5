//! The instructions of a function of the target, no more than a bound.

use crate::target::{Function, GoBinary};
use iced_x86::{Decoder, DecoderOptions, Instruction};

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
