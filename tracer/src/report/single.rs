//! One allocation, as plain data: what a stream shows of each where that is asked for.

use super::types;
use crate::aggregate::Types;
use crate::symbolize::Symbols;

/// One allocation, or one sample of the heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleAlloc<'a> {
    /// Nanoseconds since the start of recording, within a microsecond; `None` if it was not measured.
    pub t_ns: Option<u64>,
    /// Whether it is a sample, which stands for others, too.
    pub sampled: bool,
    /// Bytes asked for; of a sample, what they are rounded to.
    pub size: u64,
    /// Objects: 1, unless it is a sample of a span.
    pub objects: u64,
    /// Identity of its stack within the capture.
    pub stack: u64,
    /// Name of the Go type as Go prints it; `None` if that is not known.
    pub type_name: Option<&'a str>,
    /// Address of the running `g`: tells goroutines apart while they live; `None` for samples.
    pub goroutine: Option<u64>,
    /// Number of the goroutine; `None` if it is not known.
    pub goroutine_id: Option<u64>,
    /// How many allocations of its size it stands for, itself included, where some are left out by their size.
    pub weight: u64,
    /// Whether others of its kind are not recorded at times, see mode auto.
    pub windowed: bool,
}

/// Name of the Go type of an allocation of `size` bytes through a stack, innermost program counter first; `None` if it is
/// not known.
pub fn type_name(pcs: &[u64], type_pointer: u64, size: u64, symbols: &Symbols) -> Option<String> {
    let mut one = Types::default();
    one.add(type_pointer, size, None, 1);
    let rows = types::of_stack(pcs, &one, symbols);
    let name = rows.into_iter().next()?.name;
    (name != types::NO_TYPE).then_some(name)
}
