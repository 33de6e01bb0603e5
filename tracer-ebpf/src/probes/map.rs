//! Maps: each write, delete and clear, and each growth.
//!
//! All records about maps of one type go through one ring: a map's own order tells what each operation did, its address
//! changes if it lies on a stack that moves, and its seed when it becomes empty.
//!
//! What a map is like is read from its header before the operation. `runtime.hmap` and `maps.Map` begin alike: the number
//! of entries, a word whose upper half is random, `hash0` or the upper half of `seed`, and the address of the buckets or of
//! the directory.

use crate::args::{self, Registers};
use crate::counters::{count, pass_map};
use crate::memory::read;
use crate::probes::cookie;
use crate::stack::AtProbe;
use crate::{emit, intern, settings};
use aya_ebpf::helpers::generated::bpf_ktime_get_ns;
use aya_ebpf::macros::uprobe;
use aya_ebpf::programs::ProbeContext;
use tracer_common::cookie::{MapArguments, MapCookie};
use tracer_common::counter::Counter;
use tracer_common::family::{Extra, Family};
use tracer_common::limits::MAP_WORDS;
use tracer_common::record::{FLAG_UNREADABLE, GrowthRecord, MapRecord, RecordHeader, storage_tag};

/// Functions that compiled code calls take the map's type, then the map.
#[uprobe]
pub fn map_write(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record_write(&ctx);
    }
    0
}

#[inline(always)]
fn record_write(ctx: &ProbeContext) {
    if !settings::records(Extra::MapWrites) {
        return count(Counter::MapWritesPaused);
    }
    count(Counter::MapWrites);
    let regs = Registers::read(ctx);
    let cookie = cookie(ctx);
    pass_map(cookie.row());
    let (map_type, map) = (regs.argument0, regs.argument1);
    let Some(stack) = intern::stack(ctx, &regs, AtProbe(cookie), map_type) else {
        return count(Counter::MapWritesScratchBusy);
    };
    let (header, flags) = read_or_flag::<[u64; 3]>(map, [0; 3]);
    let [entries, random, storage] = header;
    let sent = emit::record(
        map_type,
        MapRecord {
            header: RecordHeader {
                kind: Family::MapWrite.kind(),
                row: cookie.row(),
                flags,
                time: storage_tag(storage),
            },
            stack,
            map_type,
            map,
            entries: entries.min(u32::MAX as u64) as u32,
            seed: (random >> 32) as u32,
        },
    );
    if !sent {
        count(Counter::MapWritesRingFull);
    }
}

#[uprobe]
pub fn map_growth(ctx: ProbeContext) -> u32 {
    if settings::recording() {
        record_growth(&ctx);
    }
    0
}

#[inline(always)]
fn record_growth(ctx: &ProbeContext) {
    if !settings::records(Extra::MapGrowths) {
        return count(Counter::MapGrowthsPaused);
    }
    count(Counter::MapGrowths);
    let regs = Registers::read(ctx);
    let cookie = cookie(ctx);
    let (map_type, map, table) = match MapCookie::of(cookie).arguments() {
        MapArguments::TypeMap => (regs.argument0, regs.argument1, 0),
        MapArguments::MapType => (regs.argument1, regs.argument0, 0),
        MapArguments::TableTypeMap => (regs.argument1, args::argument2(ctx), regs.argument0),
    };
    let Some(stack) = intern::stack(ctx, &regs, AtProbe(cookie), map_type) else {
        return count(Counter::MapGrowthsScratchBusy);
    };
    let (words, of_map) = read_or_flag::<[u64; MAP_WORDS]>(map, [0; MAP_WORDS]);
    let (table, of_table) = match table {
        0 => (0, 0),
        table => read_or_flag(table, 0),
    };
    let sent = emit::record(
        map_type,
        GrowthRecord {
            header: RecordHeader {
                kind: Family::MapGrowth.kind(),
                row: cookie.row(),
                flags: of_map | of_table,
                time: 0,
            },
            stack,
            map_type,
            map,
            // SAFETY: the helper takes no argument and cannot fail.
            time_ns: unsafe { bpf_ktime_get_ns() },
            table,
            words,
        },
    );
    if !sent {
        count(Counter::MapGrowthsRingFull);
    }
}

/// What is at `address`, or `nothing` and a record's flag if it cannot be read or there is none.
#[inline(always)]
fn read_or_flag<T>(address: u64, nothing: T) -> (T, u16) {
    let found = if address == 0 { None } else { read(address) };
    match found {
        Some(found) => (found, 0),
        None => (nothing, FLAG_UNREADABLE),
    }
}
