//! What a program with many sites and stacks allocates: records as the kernel half would send them, made on the way.
//!
//! Hides chance: everything follows from the number of a stack, so that nothing about it has to be kept.

use crate::batch::{Allocation, Batch};
use crate::program::{Program, Type, row};
use fastrand::Rng;
use tracer_common::limits::SEEN_STACKS;

/// Frames of a stack: from here on, up to twice as many.
const DEPTH: u64 = 12;
/// Callers of a function.
const CALLERS: u64 = 2;
/// Distinct sizes of a stack of many sizes, at most.
const MANY_SIZES: u64 = 60_000;

/// Events of a program.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    program: &'a Program,
    stacks: u64,
    random: Rng,
    /// The kernel half's table of stacks that user space has.
    seen: Vec<u64>,
    /// Events made so far.
    events: u64,
}

/// What a site allocates.
#[derive(Clone, Copy, Debug)]
enum Sizes {
    /// Values of its types.
    OfTypes(u64),
    /// Arrays of its type, of up to so many lengths.
    Arrays(u64),
    /// Buffers and strings of any size, small ones more often.
    Any,
}

impl<'a> Load<'a> {
    pub(crate) fn new(program: &'a Program, stacks: u64) -> Self {
        Load {
            program,
            stacks,
            random: Rng::with_seed(1),
            seen: vec![0; SEEN_STACKS as usize],
            events: 0,
        }
    }

    /// Replaces what is in `batch` by the next records, about `bytes` of them, up to the event `last`. Gives the number
    /// of events.
    pub(crate) fn fill(&mut self, batch: &mut Batch, bytes: usize, last: u64) -> u64 {
        batch.clear();
        let before = self.events;
        while batch.bytes() < bytes && self.events < last {
            let stack = self.next_stack();
            self.event(batch, stack);
            self.events += 1;
        }
        self.events - before
    }

    /// By turns a stack that was not there yet and one as in Zipf's law: some stacks are hot, most are rare.
    fn next_stack(&mut self) -> u64 {
        let fresh = self.events / 2;
        if self.events.is_multiple_of(2) && fresh < self.stacks {
            return fresh;
        }
        scramble(small(&mut self.random, self.stacks)) % self.stacks
    }

    fn event(&mut self, batch: &mut Batch, stack: u64) {
        let program = self.program;
        let site = stack % program.sites.len() as u64;
        let (size, go_type) = self.object(site);
        let row = row(&program.plan, size, go_type.has_pointers).unwrap_or(0);
        let id = scramble(!stack);
        let slot = pick(id, self.seen.len());
        let slot = &mut self.seen[slot];
        if *slot != id {
            *slot = id;
            batch.define(id, &pcs(program, stack, site));
        }
        batch.allocate(Allocation {
            row: u8::try_from(row).unwrap_or(0),
            stack: id,
            size,
            type_pointer: if go_type.has_pointers {
                go_type.pointer
            } else {
                0
            },
            tiny: size < 16 && !go_type.has_pointers,
        });
    }

    fn object(&mut self, site: u64) -> (u64, Type) {
        let types = &self.program.types;
        let go_type = |number| types[pick(scramble(site) + number, types.len())];
        match sizes(site) {
            Sizes::OfTypes(count) => {
                let go_type = go_type(self.random.u64(0..count));
                (go_type.size, go_type)
            }
            Sizes::Arrays(lengths) => {
                let go_type = go_type(0);
                (go_type.size * self.random.u64(1..=lengths), go_type)
            }
            Sizes::Any => {
                let bytes = Type {
                    has_pointers: false,
                    ..go_type(0)
                };
                (1 + small(&mut self.random, MANY_SIZES), bytes)
            }
        }
    }
}

/// Of a hundred sites, 85 have one to three sizes, ten have up to 40, three have thousands; two have many types.
fn sizes(site: u64) -> Sizes {
    let chance = scramble(site);
    match chance % 100 {
        0..65 => Sizes::OfTypes(1),
        65..75 => Sizes::OfTypes(2 + chance / 100 % 2),
        75..77 => Sizes::OfTypes(40),
        77..87 => Sizes::Arrays(2 + chance / 100 % 2),
        87..97 => Sizes::Arrays(4 + chance / 100 % 37),
        _ => Sizes::Any,
    }
}

/// The probe, a function of the runtime, the site, its callers.
fn pcs(program: &Program, stack: u64, site: u64) -> Vec<u64> {
    let rows = &program.plan.rows;
    let row = &rows[pick(scramble(site), rows.len())];
    let between = program.between[pick(scramble(site), program.between.len())];
    let inner = [
        row.site.address.0,
        between,
        program.sites[pick(site, program.sites.len())],
    ];
    let depth = DEPTH + scramble(stack) % DEPTH;
    let mut pcs = inner.to_vec();
    let mut callee = scramble(site);
    for frame in inner.len() as u64..depth {
        let caller = scramble(stack << 8 | frame) % CALLERS;
        callee = scramble(callee << 8 | caller);
        pcs.push(program.callers[pick(callee, program.callers.len())]);
    }
    pcs
}

fn pick(number: u64, count: usize) -> usize {
    usize::try_from(number % count as u64).unwrap_or(0)
}

/// A random number below `limit`, of any magnitude as often as of any other.
fn small(random: &mut Rng, limit: u64) -> u64 {
    let magnitude = random.u32(0..=limit.ilog2());
    random.u64(0..limit >> magnitude)
}

/// The mixing function of SplitMix64: equal numbers give equal ones, near numbers give distant ones.
fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
