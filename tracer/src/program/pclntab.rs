//! pclntab, the table by which the Go runtime names the frames of a traceback: functions, files,
//! lines and inlined calls by program counter. No stripping removes it.
//!
//! This file knows its bytes; what a program counter means is put together in `symbolize::pclntab`.
//! Format: `src/runtime/symtab.go`, `src/runtime/symtabinl.go`, `src/cmd/link/internal/ld/pcln.go`.

use std::ops::Range;

use super::{
    address::VirtualAddress,
    bytes,
    elf::Elf,
    moduledata::{ModuleData, Table},
    symbols::{Entry, SymbolIndex},
};

/// Which of a function's pcdata tables holds the index of the inlined call (`PCDATA_InlTreeIndex`).
const PCDATA_INL_TREE_INDEX: usize = 2;
/// Which of a function's funcdata is the tree of inlined calls (`FUNCDATA_InlTree`).
const FUNCDATA_INL_TREE: usize = 3;
/// The magic number of Go 1.18 and 1.19; Go 1.20 widened the function record and changed the tree.
const MAGIC_GO_1_18: u32 = 0xffff_fff0;

/// Offsets in a function record of what is at the same place in all versions.
const NAME_OFF: usize = 4;
const PCSP: usize = 16;
const PCFILE: usize = 20;
const PCLN: usize = 24;
const NPCDATA: usize = 28;
const CU_OFFSET: usize = 32;

/// The tables, as slices of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pclntab<'a> {
    names: &'a [u8],
    units: &'a [u8],
    files: &'a [u8],
    values: &'a [u8],
    records: &'a [u8],
    functions: &'a [u8],
    funcdata: &'a [u8],
    text: u64,
    quantum: u64,
    go_1_18: bool,
}

/// Steps through tables of values that one lookup may still take, so that a table that lies costs
/// milliseconds. Real functions need some thousands.
#[derive(Debug)]
pub(crate) struct Steps(u32);

/// Steps through the tables of all functions together: some tenths of a second. The largest programs need some
/// millions.
const MAX_STEPS_OF_ALL: u32 = 1 << 27;

impl Default for Steps {
    fn default() -> Self {
        Self(1 << 20)
    }
}

impl Steps {
    /// Enough for lookups all over the program.
    pub(super) fn of_all() -> Self {
        Self(MAX_STEPS_OF_ALL)
    }
}

/// An inlined call, as the tree of its function holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InlinedCall<'a> {
    /// The function that was inlined.
    pub(crate) name: &'a [u8],
    /// The address of an instruction that belongs to the caller, at the call.
    pub(crate) parent_pc: u64,
    /// Where it was called.
    pub(crate) call_site: CallSite<'a>,
}

/// How a tree says where a call was inlined.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CallSite<'a> {
    /// Since Go 1.20: at the file and line of that instruction.
    AtParentPc,
    /// Before: by place, and by the index of the caller in the tree.
    Place {
        /// The file of the call.
        file: Option<&'a [u8]>,
        /// Its line.
        line: i32,
        /// The caller; negative if it is the function itself.
        parent: i32,
    },
}

impl<'a> Pclntab<'a> {
    /// The tables that `module` points to.
    pub(crate) fn new(elf: &'a Elf, module: &ModuleData) -> Option<Self> {
        let header = elf.bytes_from(module.pclntab)?;
        let bytes_of = |table: Table, element: u64| {
            let length = table.length.checked_mul(element)?;
            elf.bytes_at(table.address, usize::try_from(length).ok()?)
        };
        Some(Self {
            names: bytes_of(module.funcnametab, 1)?,
            units: bytes_of(module.cutab, 4)?,
            files: bytes_of(module.filetab, 1)?,
            values: bytes_of(module.pctab, 1)?,
            records: bytes_of(module.pclntable, 1)?,
            functions: bytes_of(module.ftab, 8)?,
            funcdata: elf.bytes_from(module.gofunc).unwrap_or_default(),
            text: module.text,
            quantum: u64::from(bytes::u8_at(header, 6)?),
            go_1_18: bytes::u32_at(header, 0)? == MAGIC_GO_1_18,
        })
    }

    /// An index of all functions; `names` is where the file holds their names.
    pub(crate) fn symbol_index(&self, names: Range<usize>) -> SymbolIndex {
        let pairs = self
            .functions
            .chunks_exact(8)
            .zip(self.functions.chunks_exact(8).skip(1));
        let entries = pairs.filter_map(|(function, next)| {
            let entry = bytes::u32_at(function, 0)?;
            let size = bytes::u32_at(next, 0)?.checked_sub(entry)?;
            let record = bytes::u32_at(function, 4)? as usize;
            let name = bytes::u32_at(self.records, record.checked_add(NAME_OFF)?)?;
            let address = self.text.wrapping_add(u64::from(entry));
            Some(Entry::new(address, u64::from(size), name))
        });
        SymbolIndex::new(names, entries.collect())
    }

    /// The function whose code holds `address`.
    pub(crate) fn function(&self, address: VirtualAddress) -> Option<FunctionRecord<'a>> {
        let offset = u32::try_from(address.0.checked_sub(self.text)?).ok()?;
        let (functions, _) = self.functions.as_chunks::<8>();
        let after =
            functions.partition_point(|f| bytes::u32_at(f, 0).is_some_and(|entry| entry <= offset));
        // The last element only marks the end.
        let end = bytes::u32_at(functions.get(after)?, 0)?;
        let function = functions.get(after.checked_sub(1)?)?;
        let entry = bytes::u32_at(function, 0)?;
        (entry <= offset && offset < end).then_some(())?;
        self.record_of(function)
    }

    /// Every pair of a function and a function inlined into it whose name satisfies `wanted`, as often as the trees
    /// name it. A table that lies ends the search.
    pub(crate) fn inlined_copies(
        &self,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Vec<(&'a [u8], &'a [u8])> {
        let mut copies = Vec::new();
        let mut steps = Steps::of_all();
        for function in self.functions.as_chunks::<8>().0 {
            let Some(function) = self.record_of(function) else {
                continue;
            };
            let count = function.inlined_calls(&mut steps).unwrap_or_default();
            let calls = (0..count).map_while(|index| function.inlined_call(index));
            for call in calls.filter(|call| wanted(call.name)) {
                copies.extend(function.name().map(|host| (host, call.name)));
            }
        }
        copies
    }

    /// The record that an element of the function table points to.
    fn record_of(&self, function: &[u8]) -> Option<FunctionRecord<'a>> {
        let entry = bytes::u32_at(function, 0)?;
        Some(FunctionRecord {
            table: *self,
            entry: self.text.wrapping_add(u64::from(entry)),
            record: self.records.get(bytes::u32_at(function, 4)? as usize..)?,
        })
    }

    /// The largest value in the table at `offset`; `None` if there is no such table.
    fn largest_value(&self, offset: u32, steps: &mut Steps) -> Option<i32> {
        let mut rest = self.values.get(offset as usize..).filter(|_| offset != 0)?;
        let (mut value, mut largest, mut first) = (-1_i32, -1, true);
        loop {
            steps.0 = steps.0.checked_sub(1)?;
            let (delta, after) = bytes::uvarint(rest)?;
            if delta == 0 && !first {
                return Some(largest);
            }
            first = false;
            value = value.wrapping_add(zigzag(delta));
            largest = largest.max(value);
            rest = bytes::uvarint(after)?.1;
        }
    }

    fn name(&self, offset: u32) -> Option<&'a [u8]> {
        bytes::c_string(self.names, offset as usize)
    }

    /// The value that the table at `offset` has for `pc`, in a function that starts at `entry`.
    fn value(&self, offset: u32, entry: u64, pc: u64, steps: &mut Steps) -> Option<i32> {
        let mut rest = self.values.get(offset as usize..).filter(|_| offset != 0)?;
        let (mut end, mut value) = (entry, -1_i32);
        loop {
            steps.0 = steps.0.checked_sub(1)?;
            let (delta, after) = bytes::uvarint(rest)?;
            // A zero ends the table, except as the first delta.
            if delta == 0 && end != entry {
                return None;
            }
            let (length, after) = bytes::uvarint(after)?;
            value = value.wrapping_add(zigzag(delta));
            end = end.wrapping_add(length.wrapping_mul(self.quantum));
            if pc < end {
                return Some(value);
            }
            rest = after;
        }
    }
}

fn zigzag(number: u64) -> i32 {
    let low = u32::try_from(number & 0xffff_ffff).unwrap_or_default();
    (low >> 1).cast_signed() ^ -(low & 1).cast_signed()
}

/// A function record (`_func`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct FunctionRecord<'a> {
    table: Pclntab<'a>,
    entry: u64,
    record: &'a [u8],
}

impl<'a> FunctionRecord<'a> {
    /// Its name.
    pub(crate) fn name(&self) -> Option<&'a [u8]> {
        self.table.name(self.word(NAME_OFF)?)
    }

    /// The file that the instruction at `pc` comes from.
    pub(crate) fn file(&self, pc: u64, steps: &mut Steps) -> Option<&'a [u8]> {
        self.file_of(
            self.table
                .value(self.word(PCFILE)?, self.entry, pc, steps)?,
        )
    }

    /// The line that the instruction at `pc` comes from.
    pub(crate) fn line(&self, pc: u64, steps: &mut Steps) -> Option<i32> {
        self.table.value(self.word(PCLN)?, self.entry, pc, steps)
    }

    /// How many bytes of the stack the function has taken at `pc`, its return address not among them.
    pub(crate) fn frame_size(&self, pc: u64, steps: &mut Steps) -> Option<u32> {
        let size = self.table.value(self.word(PCSP)?, self.entry, pc, steps)?;
        u32::try_from(size).ok()
    }

    /// The index in the tree of the innermost inlined call that the instruction at `pc` belongs to.
    pub(crate) fn inlined_at(&self, pc: u64, steps: &mut Steps) -> Option<i32> {
        let index = self
            .table
            .value(self.inlined_table()?, self.entry, pc, steps)?;
        (index >= 0).then_some(index)
    }

    /// How many calls the tree has.
    fn inlined_calls(&self, steps: &mut Steps) -> Option<i32> {
        self.table
            .largest_value(self.inlined_table()?, steps)?
            .checked_add(1)
    }

    /// Where the table of indices into the tree is.
    fn inlined_table(&self) -> Option<u32> {
        let count = self.word(NPCDATA)? as usize;
        (PCDATA_INL_TREE_INDEX < count)
            .then(|| self.word(self.header() + 4 * PCDATA_INL_TREE_INDEX))?
    }

    /// The call at `index` of the tree.
    pub(crate) fn inlined_call(&self, index: i32) -> Option<InlinedCall<'a>> {
        let funcdata_count = usize::from(bytes::u8_at(self.record, self.header() - 1)?);
        let pcdata_count = self.word(NPCDATA)? as usize;
        let at = self.header().checked_add(pcdata_count.checked_mul(4)?)?;
        let tree = (FUNCDATA_INL_TREE < funcdata_count)
            .then(|| self.word(at + 4 * FUNCDATA_INL_TREE))??;
        let size = if self.table.go_1_18 { 20 } else { 16 };
        let skip = usize::try_from(index).ok()?.checked_mul(size)?;
        let call = self
            .table
            .funcdata
            .get((tree as usize).checked_add(skip)?..)?;
        let address = |at| Some(self.entry.wrapping_add(u64::from(bytes::u32_at(call, at)?)));
        if self.table.go_1_18 {
            return Some(InlinedCall {
                name: self.table.name(bytes::u32_at(call, 12)?)?,
                parent_pc: address(16)?,
                call_site: CallSite::Place {
                    file: self.file_of(bytes::i32_at(call, 4)?),
                    line: bytes::i32_at(call, 8)?,
                    parent: i32::from(bytes::u16_at(call, 0)?.cast_signed()),
                },
            });
        }
        Some(InlinedCall {
            name: self.table.name(bytes::u32_at(call, 4)?)?,
            parent_pc: address(8)?,
            call_site: CallSite::AtParentPc,
        })
    }

    fn file_of(&self, index: i32) -> Option<&'a [u8]> {
        let unit = self.word(CU_OFFSET)? as usize;
        let at = unit
            .checked_add(usize::try_from(index).ok()?)?
            .checked_mul(4)?;
        let offset = bytes::u32_at(self.table.units, at)?;
        bytes::c_string(self.table.files, offset as usize)
    }

    /// The size of the fixed part of the record.
    fn header(&self) -> usize {
        if self.table.go_1_18 { 40 } else { 44 }
    }

    fn word(&self, at: usize) -> Option<u32> {
        bytes::u32_at(self.record, at)
    }
}
