//! Where the runtime of a Go version keeps what the programs on the heap read.
//!
//! Source: DWARF of binaries built with Go 1.19, 1.21 to 1.27 (1.20 is taken for 1.19); `src/runtime/runtime2.go`,
//! `mheap.go`, `mcache.go`; for labels `src/runtime/pprof/label.go`.

use crate::plan::code::instructions;
use crate::program::GoBinary;
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use tracer_common::config::{LABELS_LIST, LABELS_MAP};

/// Byte offsets, and values, of one Go version; 0 where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapLayout {
    /// `m.curg`.
    pub m_curg: u64,
    /// `g.gopc`.
    pub g_gopc: u64,
    /// `g.labels`.
    pub g_labels: u64,
    /// What `g.labels` points to: one of the `LABELS_` constants of [`tracer_common::config`].
    pub labels_form: u64,
    /// `special.kind`.
    pub special_kind: u64,
    /// `_KindSpecialProfile`.
    pub special_profile: u64,
    /// `mcache.alloc`.
    pub mcache_alloc: u64,
    /// `mspan.allocCount`.
    pub span_alloc_count: u64,
    /// `mspan.allocCountBeforeCache`.
    pub span_count_before: u64,
    /// `mspan.elemsize`.
    pub span_elemsize: u64,
}

/// First minor version of each layout, newest first.
const LAYOUTS: [(u16, HeapLayout); 7] = [
    (
        26,
        HeapLayout {
            g_gopc: 288,
            g_labels: 352,
            ..GO_1_25
        },
    ),
    (25, GO_1_25),
    (
        24,
        HeapLayout {
            labels_form: LABELS_LIST,
            special_kind: 16,
            mcache_alloc: 48,
            ..GO_1_23
        },
    ),
    (23, GO_1_23),
    (22, GO_1_22),
    // `mspan.pinnerBits` came, and with 1.22 `mspan.nelems` became shorter.
    (
        21,
        HeapLayout {
            span_alloc_count: 104,
            span_count_before: 110,
            span_elemsize: 112,
            ..GO_1_22
        },
    ),
    (
        0,
        HeapLayout {
            g_gopc: 296,
            g_labels: 360,
            ..GO_1_22
        },
    ),
];

const GO_1_22: HeapLayout = HeapLayout {
    m_curg: 192,
    g_gopc: 280,
    g_labels: 344,
    labels_form: LABELS_MAP,
    special_kind: 10,
    special_profile: 2,
    mcache_alloc: 40,
    span_alloc_count: 96,
    span_count_before: 102,
    span_elemsize: 104,
};

/// `_KindSpecialWeakHandle` came before `_KindSpecialProfile`, and with 1.25 `_KindSpecialTinyBlock`.
const GO_1_23: HeapLayout = HeapLayout {
    g_gopc: 288,
    g_labels: 352,
    special_profile: 3,
    ..GO_1_22
};

/// From 1.24 on `special.offset` has a whole word.
const GO_1_25: HeapLayout = HeapLayout {
    m_curg: 184,
    labels_form: LABELS_LIST,
    special_kind: 16,
    special_profile: 4,
    mcache_alloc: 48,
    ..GO_1_22
};

impl HeapLayout {
    /// The layout of a binary: that of its version, of the newest known one if it is newer; how specials are told as its
    /// code has it.
    pub(super) fn of(binary: &GoBinary) -> Self {
        let layout = Self::of_version(binary.go_version().minor);
        let (special_kind, special_profile) =
            special(binary).unwrap_or((layout.special_kind, layout.special_profile));
        HeapLayout {
            special_kind,
            special_profile,
            ..layout
        }
    }

    /// The layout of Go 1.`minor`.
    pub(in crate::plan) fn of_version(minor: u16) -> Self {
        let known = LAYOUTS.iter().find(|(first, _)| *first <= minor);
        known.map(|(_, layout)| *layout).unwrap_or_default()
    }
}

/// Where `setprofilebucket` writes the kind of a special, and which: the one byte that it writes.
fn special(binary: &GoBinary) -> Option<(u64, u64)> {
    let function = binary.function("runtime.setprofilebucket")?;
    byte_written(instructions(binary, &function))
}

/// The offset of the first constant byte that code writes to an object, and the byte.
fn byte_written(mut code: impl Iterator<Item = Instruction>) -> Option<(u64, u64)> {
    let write = code.find(|code| {
        code.mnemonic() == Mnemonic::Mov
            && code.op0_kind() == OpKind::Memory
            && code.op1_kind() == OpKind::Immediate8
            && !matches!(code.memory_base(), Register::RSP | Register::RIP)
    })?;
    Some((write.memory_displacement64(), write.immediate(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    #[test]
    fn the_kind_of_a_special_is_in_the_code() {
        // movb $9,8(%rsp); mov 0x18(%rsp),%rbx; movb $4,0x10(%rbx); mov %rcx,0x18(%rbx)
        let code = [
            0xc6, 0x44, 0x24, 0x08, 0x09, 0x48, 0x8b, 0x5c, 0x24, 0x18, 0xc6, 0x43, 0x10, 0x04,
            0x48, 0x89, 0x4b, 0x18,
        ];
        let decoder = Decoder::with_ip(64, &code, 0x40_1000, DecoderOptions::NONE);
        assert_eq!(byte_written(decoder.into_iter()), Some((16, 4)));
        let without = Decoder::with_ip(64, &code[14..], 0x40_1000, DecoderOptions::NONE);
        assert_eq!(byte_written(without.into_iter()), None);
    }

    #[test]
    fn each_version_has_the_layout_of_its_own_or_of_the_one_before() {
        let gopc = |minor| HeapLayout::of_version(minor).g_gopc;
        let expected = [296, 296, 280, 280, 288, 288, 280, 288, 288, 288];
        assert_eq!([19, 20, 21, 22, 23, 24, 25, 26, 27, 99].map(gopc), expected);
        let kind = |minor| {
            let layout = HeapLayout::of_version(minor);
            (layout.special_kind, layout.special_profile)
        };
        let expected = [(10, 2), (10, 3), (16, 3), (16, 4), (16, 4)];
        assert_eq!([22, 23, 24, 25, 27].map(kind), expected);
    }
}
