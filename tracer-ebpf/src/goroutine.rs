//! Who allocates: the number of a goroutine, the `go` statement that made it, and its profiler labels.
//!
//! Hides the way from the running `g` to the goroutine, and the two forms of its labels: a `map[string]string` up to Go
//! 1.23, a slice of keys and values from 1.24 on (`src/runtime/pprof/label.go`). Sets of labels are interned as stacks
//! are, see `intern`.

use crate::atomic::forget;
use crate::counters::count;
use crate::memory::{read, read_text};
use crate::scratch::{LabelWalk, Slot, get, set};
use crate::{emit, hash, settings};
use aya_ebpf::helpers::generated::bpf_loop;
use aya_ebpf::{macros::map, maps::Array};
use core::ffi::c_void;
use core::mem::size_of;
use tracer_common::config::{LABELS_LIST, LABELS_MAP};
use tracer_common::counter::Counter;
use tracer_common::family::Family;
use tracer_common::limits::{MAX_LABELS, SEEN_LABELS};
use tracer_common::record::{FLAG_TRUNCATED, FLAG_UNREADABLE, Label, LabelsRecord, RecordHeader};

#[map]
static SEEN_LABEL_SETS: Array<u64> = Array::with_max_entries(SEEN_LABELS, 0);

/// A goroutine that allocates; all 0 if there is none, or where it could not be read.
pub struct Goroutine {
    /// `goid`.
    pub id: u64,
    /// `g.gopc`.
    pub creator: u64,
    /// Identity of its labels.
    pub labels: u64,
}

/// The goroutine for which the code with this `g` in its register runs, which is that of the system stack or its own. New
/// labels go through the ring of `key`.
#[inline(always)]
pub fn allocating(running: u64, key: u64, slot: &mut Slot) -> Goroutine {
    let path = settings::goroutine_path();
    let goroutine = user_goroutine(running, &path).unwrap_or(0);
    if goroutine == 0 {
        return Goroutine {
            id: 0,
            creator: 0,
            labels: 0,
        };
    }
    Goroutine {
        id: id(goroutine),
        creator: read(goroutine + path.g_gopc).unwrap_or(0),
        labels: labels(goroutine + path.g_labels, key, slot),
    }
}

/// The number of a goroutine; 0 if it cannot be read.
#[inline(always)]
pub fn id(goroutine: u64) -> u64 {
    match settings::g_goid() {
        0 => 0,
        offset => read(goroutine + offset).unwrap_or(0),
    }
}

/// `m.curg` of the thread: the goroutine, whether it runs on its own stack or waits for code on the system stack; 0 where
/// the scheduler itself runs.
#[inline(always)]
fn user_goroutine(running: u64, path: &settings::GoroutinePath) -> Option<u64> {
    let m: u64 = read(running + path.g_m)?;
    read(m + path.m_curg)
}

/// Identity of the labels that `g.labels` at `address` points to, 0 for none, sent unless user space has them.
#[inline(always)]
fn labels(address: u64, key: u64, slot: &mut Slot) -> u64 {
    let form = settings::labels_form();
    if form != LABELS_MAP && form != LABELS_LIST {
        return 0;
    }
    let found = match read::<u64>(address) {
        Some(0) => return 0,
        Some(labels) if form == LABELS_MAP => of_map(labels),
        Some(labels) => of_list(labels),
        None => None,
    };
    let walk = found.unwrap_or(over(FLAG_UNREADABLE));
    if walk.used == 0 && walk.flags == 0 {
        return 0;
    }
    slot.label_walk = walk;
    set(&raw mut slot.labels.count, 0);
    read_labels(slot);
    let flags = get(&raw const slot.label_walk.flags);
    let count = get(&raw const slot.labels.count);
    let sum = get(&raw const slot.label_walk.sum);
    let id = hash::finish(hash::add(sum, count), flags as u16).max(1);
    slot.labels.header = RecordHeader {
        kind: Family::Labels.kind(),
        row: 0,
        flags: flags as u16,
        time: 0,
    };
    slot.labels.id = id;
    define_once(key, &slot.labels);
    id
}

/// Bytes of a string's header.
const STRING: u64 = 16;
/// As many labels as can be kept, and bit n for each label n of these.
const MOST: u64 = MAX_LABELS as u64;
const ALL: u64 = (1 << MOST) - 1;

/// `runtime.hmap`: `count`, `B`, `buckets`, `oldbuckets`; `bmap`: eight bytes that tell which entries are there, keys,
/// values. Source: `src/runtime/map.go`.
mod hmap {
    pub const B: u64 = 9;
    pub const BUCKETS: u64 = 16;
    pub const OLD_BUCKETS: u64 = 24;
    pub const ENTRIES: u64 = 8;
    /// `minTopHash`: lower values are those of entries that are not there.
    pub const MIN_TOP_HASH: u8 = 5;
}

/// A walk over no labels, because of `flags`.
#[inline(always)]
fn over(flags: u16) -> LabelWalk {
    LabelWalk {
        keys: 0,
        stride: 0,
        values: 0,
        used: 0,
        sum: settings::hash_seed(),
        flags: flags as u64,
    }
}

/// Labels in a `map[string]string`: one of more than eight has more than one bucket and is not read.
#[inline(always)]
fn of_map(variable: u64) -> Option<LabelWalk> {
    let map: u64 = read(variable)?;
    if map == 0 || read::<u64>(map)? == 0 {
        return Some(over(0));
    }
    if read::<u8>(map + hmap::B)? != 0 || read::<u64>(map + hmap::OLD_BUCKETS)? != 0 {
        return Some(over(FLAG_TRUNCATED));
    }
    let bucket: u64 = read(map + hmap::BUCKETS)?;
    let top: [u8; 8] = read(bucket)?;
    let mut used = 0;
    for (entry, top) in top.iter().enumerate() {
        if *top >= hmap::MIN_TOP_HASH {
            used |= 1 << entry;
        }
    }
    let keys = bucket + hmap::ENTRIES;
    Some(LabelWalk {
        keys,
        stride: STRING,
        values: keys + hmap::ENTRIES * STRING,
        used,
        ..over(0)
    })
}

/// Labels in a slice of pairs of strings.
#[inline(always)]
fn of_list(variable: u64) -> Option<LabelWalk> {
    let [labels, length]: [u64; 2] = read(variable)?;
    let (used, flags) = match length {
        0..MOST => ((1 << length) - 1, 0),
        MOST => (ALL, 0),
        _ => (ALL, FLAG_TRUNCATED),
    };
    Some(LabelWalk {
        keys: labels,
        stride: 2 * STRING,
        values: labels + STRING,
        used,
        ..over(flags)
    })
}

/// Reads the labels that the walk in the slot knows of. Calls of one function by the kernel, as in `stack::other_frames`.
#[inline(always)]
fn read_labels(slot: &mut Slot) {
    let mut context: *mut Slot = slot;
    let step: unsafe extern "C" fn(u32, *mut *mut Slot) -> i64 = read_label;
    // SAFETY: `step` has the signature that the helper calls, and the context outlives the call.
    unsafe {
        bpf_loop(
            MAX_LABELS as u32,
            step as *mut c_void,
            (&raw mut context).cast(),
            0,
        )
    };
}

/// Adds label `number`, if there is one and it can be read.
#[inline(never)]
unsafe extern "C" fn read_label(number: u32, context: *mut *mut Slot) -> i64 {
    // SAFETY: the context is that of `read_labels`, whose caller has the only reference to the slot.
    let slot = unsafe { &mut **context };
    if get(&raw const slot.label_walk.used) >> (number & 63) & 1 == 0 {
        return 0;
    }
    let count = forget(get(&raw const slot.labels.count));
    if count >= MOST {
        return 0;
    }
    let at = get(&raw const slot.label_walk.stride) * number as u64;
    let keys = get(&raw const slot.label_walk.keys) + at;
    let values = get(&raw const slot.label_walk.values) + at;
    match fill(&mut slot.labels.labels[count as usize], keys, values) {
        Some(hash) => {
            let sum = get(&raw const slot.label_walk.sum).wrapping_add(hash);
            set(&raw mut slot.label_walk.sum, sum);
            set(&raw mut slot.labels.count, count + 1);
        }
        None => {
            let flags = get(&raw const slot.label_walk.flags) | FLAG_UNREADABLE as u64;
            set(&raw mut slot.label_walk.flags, flags);
        }
    }
    0
}

/// Words of a label: its two lengths, then its texts.
const WORDS: usize = size_of::<Label>() / 8;

/// Reads a label from the headers of its two strings, and gives its hash.
#[inline(always)]
fn fill(label: &mut Label, key: u64, value: u64) -> Option<u64> {
    let [key, key_bytes]: [u64; 2] = read(key)?;
    let [value, value_bytes]: [u64; 2] = read(value)?;
    let words: *mut u64 = (&raw mut *label).cast();
    for word in 0..WORDS {
        // What an earlier label left here would be part of the hash. Not an assignment: the compiler would call its
        // `memset`.
        // SAFETY: a label has so many words, in a record of words at a multiple of eight bytes: see the assertion.
        set(unsafe { words.add(word) }, 0);
    }
    label.key_bytes = key_bytes.min(u32::MAX as u64) as u32;
    label.value_bytes = value_bytes.min(u32::MAX as u64) as u32;
    if !read_text(&mut label.key, key, key_bytes)
        || !read_text(&mut label.value, value, value_bytes)
    {
        return None;
    }
    let mut hash = settings::hash_seed();
    for word in 0..WORDS {
        // SAFETY: as above.
        hash = hash::add(hash, get(unsafe { words.add(word) }));
    }
    Some(hash)
}

const _: () = assert!(
    size_of::<Label>().is_multiple_of(8)
        && core::mem::offset_of!(LabelsRecord, labels).is_multiple_of(8)
);

/// Sends the labels through the ring of `key` unless user space has them.
#[inline(always)]
fn define_once(key: u64, labels: &LabelsRecord) {
    let slot = (labels.id as u32) & (SEEN_LABELS - 1);
    let Some(seen) = SEEN_LABEL_SETS.get_ptr_mut(slot) else {
        return;
    };
    // SAFETY: `seen` is a live map value; another CPU may write it at the same time, then one of the two sets is sent
    // again.
    if unsafe { seen.read_volatile() } == labels.id {
        return;
    }
    count(Counter::LabelSets);
    if emit::copy(key, labels) {
        // SAFETY: as above.
        unsafe { seen.write_volatile(labels.id) };
    } else {
        count(Counter::LabelSetsRingFull);
    }
}
