//! What one event costs the agent's collecting thread: decoding it, and adding it up.

#[expect(dead_code, reason = "benchmarks do not fill a batch again")]
#[path = "../examples/synthetic/batch.rs"]
mod batch;

use batch::{Allocation, Batch};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tracer::aggregate::{Aggregator, CodeFacts, GcRules, MapRules, Rounding, Rules, TypeFacts};
use tracer::decode::decode;
use tracer::plan::{Pointers, Yields};
use tracer::stream::Source as _;

/// Events of one replay.
const EVENTS: u64 = 1 << 16;
/// Frames of a stack.
const DEPTH: u64 = 16;

/// Every type has pointers, no code is the runtime's.
struct Facts;

impl TypeFacts for Facts {
    fn has_pointers(&self, _: u64) -> Option<bool> {
        Some(true)
    }
}

impl CodeFacts for Facts {
    fn physical(&self, pcs: &[u64]) -> Vec<u64> {
        pcs.to_vec()
    }

    fn is_runtime(&self, _: u64) -> bool {
        false
    }

    fn is_frameless(&self, _pc: u64) -> bool {
        false
    }
}

/// What is allocated.
#[derive(Clone, Copy)]
struct Mix {
    stacks: u64,
    /// Distinct sizes of a stack.
    sizes: u64,
    /// Distinct types of a stack.
    types: u64,
}

/// What most programs look like to most stacks: one size, one type.
const PLAIN: Mix = Mix {
    stacks: 1000,
    sizes: 1,
    types: 1,
};

fn aggregator() -> Aggregator {
    let rules = Rules {
        rows: vec![Pointers::ByType, Pointers::Never, Pointers::Tiny],
        headers: true,
    };
    Aggregator::new(
        Rounding::new(rules, Box::new(Facts)),
        Yields::AfterProbe,
        (MapRules::default(), GcRules::default()),
        Box::new(Facts),
    )
}

/// Identity of a stack: a hash, as in the kernel.
fn id(stack: u64) -> u64 {
    (stack + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn define_all(batch: &mut Batch, stacks: u64) {
    for stack in 0..stacks {
        let pcs: Vec<u64> = (0..DEPTH)
            .map(|frame| 0x40_0000 + stack * 64 + frame)
            .collect();
        batch.define(id(stack), &pcs);
    }
}

/// Events by stacks of equal share, in random order.
fn events(mix: Mix) -> Batch {
    let mut random = fastrand::Rng::with_seed(1);
    let mut batch = Batch::default();
    for _ in 0..EVENTS {
        let stack = random.u64(0..mix.stacks);
        let row = random.u8(0..3);
        let size = if row == 2 {
            8
        } else {
            24 + 40 * random.u64(0..mix.sizes)
        };
        let type_pointer = 0x4a_0000 + 64 * (stack + random.u64(0..mix.types));
        batch.allocate(Allocation {
            row,
            stack: id(stack),
            size,
            type_pointer,
            tiny: row == 2,
        });
    }
    batch
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(EVENTS));
    let mut batch = events(PLAIN);
    group.bench_function("allocations", |bencher| {
        bencher.iter(|| {
            batch.rewind();
            batch.drain(&mut |record| {
                black_box(decode(black_box(record)).is_ok());
            })
        });
    });
    let mut batch = Batch::default();
    define_all(&mut batch, EVENTS / 16);
    group.throughput(Throughput::Elements(EVENTS / 16));
    group.bench_function("stack definitions", |bencher| {
        bencher.iter(|| {
            batch.rewind();
            batch.drain(&mut |record| {
                black_box(decode(black_box(record)).is_ok());
            })
        });
    });
    group.finish();
}

/// Events by stacks that are known already, as nearly all are.
fn aggregation(c: &mut Criterion) {
    let stacks = |stacks| Mix { stacks, ..PLAIN };
    let cases = [
        ("10 stacks", stacks(10)),
        ("1,000 stacks", stacks(1000)),
        ("100,000 stacks", stacks(100_000)),
        ("a dozen sizes", Mix { sizes: 12, ..PLAIN }),
        (
            "sizes in a histogram",
            Mix {
                sizes: 1000,
                ..PLAIN
            },
        ),
        ("a dozen types", Mix { types: 12, ..PLAIN }),
        (
            "more types than are kept",
            Mix {
                types: 100,
                ..PLAIN
            },
        ),
    ];
    let mut group = c.benchmark_group("decode and aggregate");
    group.throughput(Throughput::Elements(EVENTS));
    for (name, mix) in cases {
        let mut aggregator = aggregator();
        let mut definitions = Batch::default();
        define_all(&mut definitions, mix.stacks);
        definitions.drain(&mut |record| aggregator.apply(decode(record)));
        let mut batch = events(mix);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                batch.rewind();
                batch.drain(&mut |record| aggregator.apply(decode(record)))
            });
        });
    }
    group.finish();
}

/// Stacks that are seen for the first time, each with one event.
fn first_sight(c: &mut Criterion) {
    let stacks = EVENTS / 16;
    let mut batch = Batch::default();
    for stack in 0..stacks {
        let pcs: Vec<u64> = (0..DEPTH)
            .map(|frame| 0x40_0000 + stack * 64 + frame)
            .collect();
        batch.define(id(stack), &pcs);
        batch.allocate(Allocation {
            row: 1,
            stack: id(stack),
            size: 64,
            type_pointer: 0,
            tiny: false,
        });
    }
    let mut group = c.benchmark_group("decode and aggregate");
    group.throughput(Throughput::Elements(stacks));
    group.bench_function("a new stack for each event", |bencher| {
        bencher.iter_batched_ref(
            aggregator,
            |aggregator| {
                batch.rewind();
                batch.drain(&mut |record| aggregator.apply(decode(record)))
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decoding, aggregation, first_sight);
criterion_main!(benches);
