//! Single allocations with their names, for a reader of a thread of its own.
//!
//! Hides how times are put together again, and which stacks and types are named already.

use super::now::Now;
use crate::collect::{Batch, Missed, Single, Spout};
use crate::decode::StackId;
use crate::report::{Frame, SingleAlloc, type_name};
use crate::symbolize::{Symbolizer, Symbols};
use std::collections::HashMap;
use tracer_common::record::TIME_SHIFT;

/// Names of types that are remembered, by stack, type and size; then all are forgotten at once.
const MAX_REMEMBERED: usize = 1 << 16;

/// Allocations between two looks whether the sink takes more.
const TOGETHER: usize = 1024;

/// Takes allocations off a running capture, one by one.
#[derive(Debug)]
pub struct Feed {
    spout: Spout,
    symbolizer: Symbolizer,
    symbols: Symbols,
    start_ns: u64,
    stacks: HashMap<StackId, Box<[u64]>>,
    /// Stacks that no sink was told of yet.
    news: Vec<StackId>,
    types: HashMap<(StackId, u64, u64), Option<String>>,
}

/// Where allocations go.
pub trait SingleSink {
    /// Whether it takes any now. What comes while it does not is counted as missed.
    fn is_ready(&self) -> bool;
    /// A stack that allocations name from now on: logical frames, innermost first.
    fn stack(&mut self, id: u64, frames: &[Frame]);
    /// An allocation.
    fn alloc(&mut self, alloc: &SingleAlloc<'_>);
    /// No more is there for now.
    fn pause(&mut self);
}

impl Feed {
    /// A feed of a capture that started at `start_ns` on the monotonic clock.
    pub(super) fn new(spout: Spout, symbolizer: Symbolizer, start_ns: u64) -> Self {
        Feed {
            spout,
            symbolizer,
            symbols: Symbols::default(),
            start_ns,
            stacks: HashMap::new(),
            news: Vec::new(),
            types: HashMap::new(),
        }
    }

    /// How many allocations were missed, which can be asked for from another thread.
    pub fn missed(&self) -> Missed {
        self.spout.missed()
    }

    /// Gives `sink` what comes until the capture has ended. Records have a part of their time, to which `clock` has the rest.
    pub fn run(mut self, sink: &mut impl SingleSink, clock: impl Fn() -> Now) {
        while let Some(Batch { singles, stacks }) = self.spout.next() {
            for (id, pcs) in stacks {
                // A stack may be defined twice.
                if self.stacks.insert(id, pcs).is_none() {
                    self.news.push(id);
                }
            }
            let now = clock().monotonic_ns() >> TIME_SHIFT;
            for piece in singles.chunks(TOGETHER) {
                if sink.is_ready() {
                    self.tell_stacks(sink);
                    piece.iter().for_each(|single| self.tell(single, now, sink));
                    sink.pause();
                } else {
                    self.spout.skip(piece.len());
                }
            }
        }
    }

    fn tell_stacks(&mut self, sink: &mut impl SingleSink) {
        for id in self.news.drain(..) {
            let Some(pcs) = self.stacks.get(&id) else {
                continue;
            };
            let stack = || std::iter::once(&**pcs);
            self.symbols
                .extend(&mut self.symbolizer, stack(), std::iter::empty());
            self.symbols.extend_allocated(&mut self.symbolizer, stack());
            let frames = self.symbols.stack(pcs).flatten();
            sink.stack(id.0, &frames.map(Frame::from).collect::<Vec<_>>());
        }
    }

    fn tell(&mut self, single: &Single, now: u64, sink: &mut impl SingleSink) {
        let (stack, type_pointer, size) = match single {
            Single::Alloc(alloc) => (alloc.stack, alloc.type_pointer, alloc.size),
            // Samples have no type: the code that asks for the memory tells it.
            Single::Sample(sample) => (sample.stack, 0, sample.size),
        };
        if self.types.len() >= MAX_REMEMBERED {
            self.types.clear();
        }
        let key = (stack, type_pointer, size);
        if !self.types.contains_key(&key) {
            let name = self.type_name(single);
            self.types.insert(key, name);
        }
        let type_name = self.types.get(&key).and_then(Option::as_deref);
        sink.alloc(&match single {
            Single::Alloc(alloc) => SingleAlloc {
                t_ns: alloc.time.map(|time| self.since_start(time, now)),
                sampled: false,
                size: alloc.size,
                objects: 1,
                stack: alloc.stack.0,
                type_name,
                goroutine: Some(alloc.goroutine),
                goroutine_id: None,
                weight: alloc.weight,
                windowed: alloc.window != 0,
            },
            Single::Sample(sample) => SingleAlloc {
                t_ns: Some(sample.time_ns.saturating_sub(self.start_ns)),
                sampled: true,
                size: sample.size,
                objects: sample.objects,
                stack: sample.stack.0,
                type_name,
                goroutine: None,
                goroutine_id: Some(sample.goroutine_id).filter(|id| *id != 0),
                weight: 1,
                windowed: false,
            },
        });
    }

    fn type_name(&mut self, single: &Single) -> Option<String> {
        match single {
            Single::Alloc(alloc) => {
                let pointers = std::iter::once(alloc.type_pointer);
                self.symbols
                    .extend(&mut self.symbolizer, std::iter::empty(), pointers);
                let pcs = self.stacks.get(&alloc.stack)?;
                type_name(pcs, alloc.type_pointer, alloc.size, &self.symbols)
            }
            Single::Sample(sample) => {
                let pcs = self.stacks.get(&sample.stack)?;
                let name = self.symbols.allocated(pcs, Some(sample.size));
                name.map(str::to_owned)
            }
        }
    }

    /// Nanoseconds since the start of recording of a time of which the record has the low 32 bits; `now` is later by less
    /// than the 73 minutes that these last.
    fn since_start(&self, time: u32, now: u64) -> u64 {
        since(self.start_ns, time, now)
    }
}

fn since(start_ns: u64, time: u32, now: u64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits are what the record has"
    )]
    let age = (now as u32).wrapping_sub(time);
    let then = now.saturating_sub(u64::from(age)) << TIME_SHIFT;
    then.saturating_sub(start_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_32_bits_is_put_back_behind_the_start() {
        let start_units = (7_u64 << 32) + 0xffff_fff0;
        let start_ns = start_units << TIME_SHIFT;
        let at = |units: u64| since(start_ns, (units & 0xffff_ffff) as u32, start_units + 1000);
        assert_eq!(at(start_units), 0);
        assert_eq!(at(start_units + 1), 1 << TIME_SHIFT);
        // The low bits have wrapped meanwhile.
        assert_eq!(at(start_units + 900), 900 << TIME_SHIFT);
        assert_eq!(at(start_units + 1000), 1000 << TIME_SHIFT);
    }
}
