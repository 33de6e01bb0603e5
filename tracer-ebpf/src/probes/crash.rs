//! Fatal errors, and the panics that maps are a cause of.
//!
//! A fatal error is recorded whatever it says. A panic is recorded only if it says what the runtime says of a write to a
//! nil map: programs may panic and recover all the time.

use crate::args::Registers;
use crate::counters::count;
use crate::memory::{read, read_text};
use crate::probes::cookie;
use crate::stack::AtProbe;
use crate::{emit, goroutine, intern, settings};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use tracer_common::cookie::{CrashCookie, MessageArgument};
use tracer_common::counter::Counter;
use tracer_common::family::Family;
use tracer_common::limits::MESSAGE_BYTES;
use tracer_common::record::{CrashRecord, FLAG_UNREADABLE, RecordHeader};

/// Offset of `Kind_` in `abi.Type`, in every version.
const TYPE_KIND: u64 = 23;
/// The bits of it that say the kind.
const KIND_MASK: u8 = 31;
/// `reflect.String`.
const KIND_STRING: u8 = 24;
/// Bytes of "assignment to entry in nil map", and how it starts. Source: `src/runtime/map.go`.
const NIL_MAP_LENGTH: u64 = 30;
const NIL_MAP_START: u64 = u64::from_ne_bytes(*b"assignme");

#[uprobe]
pub fn crash(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record(&ctx);
    }
    0
}

/// A string of the target.
struct Text {
    address: u64,
    length: u64,
}

/// The value of a panic.
enum Value {
    /// What the runtime says of a write to a nil map.
    NilMap(Text),
    /// What tells is on a page that is not there.
    Unreadable,
    /// Anything else.
    Other,
}

#[inline(always)]
fn record(ctx: &ProbeContext) {
    let regs = Registers::read(ctx);
    let cookie = cookie(ctx);
    let argument = CrashCookie::of(cookie).message();
    if argument == MessageArgument::Interface && matches!(panic_value(&regs), Value::Other) {
        return;
    }
    count(Counter::Crashes);
    let Some(stack) = intern::stack(ctx, &regs, AtProbe(cookie), regs.goroutine) else {
        return count(Counter::CrashesScratchBusy);
    };
    // Only now, and a second time: what the verifier learns from it would have it check the walk several times.
    let text = match argument {
        MessageArgument::String => Text {
            address: regs.argument0,
            length: regs.argument1,
        },
        MessageArgument::Interface => match panic_value(&regs) {
            Value::NilMap(text) => text,
            Value::Unreadable | Value::Other => Text {
                address: 0,
                length: 0,
            },
        },
    };
    let record = CrashRecord {
        header: RecordHeader {
            kind: Family::Crash.kind(),
            row: cookie.row(),
            flags: 0,
            time: 0,
        },
        stack,
        goroutine: regs.goroutine,
        goroutine_id: goroutine::id(regs.goroutine),
        // SAFETY: the helper takes no argument and cannot fail.
        time_ns: unsafe { bpf_ktime_get_ns() },
        length: text.length,
        message: [0; MESSAGE_BYTES],
    };
    let sent = emit::record_with(regs.goroutine, record, |record| {
        if text.address == 0 || !read_text(&mut record.message, text.address, text.length) {
            record.header.flags = FLAG_UNREADABLE;
        }
    });
    if !sent {
        count(Counter::CrashesRingFull);
    }
}

/// What `gopanic` was called with: an interface value, its type and its data.
#[inline(always)]
fn panic_value(regs: &Registers) -> Value {
    let (type_pointer, data) = (regs.argument0, regs.argument1);
    if type_pointer == 0 {
        return Value::Other;
    }
    let Some(kind) = read::<u8>(type_pointer + TYPE_KIND) else {
        return Value::Unreadable;
    };
    if kind & KIND_MASK != KIND_STRING {
        return Value::Other;
    }
    let Some([address, length]) = read::<[u64; 2]>(data) else {
        return Value::Unreadable;
    };
    if length != NIL_MAP_LENGTH {
        return Value::Other;
    }
    match read::<u64>(address) {
        None => Value::Unreadable,
        Some(NIL_MAP_START) => Value::NilMap(Text { address, length }),
        Some(_) => Value::Other,
    }
}
