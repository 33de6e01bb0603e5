//! Tests of the walk, over lists in a slice of memory.

use super::*;
use crate::program::memory::Slice;

/// `runtime.mbuckets`, `runtime.mProfCycle`, `runtime.MemProfileRate`, then buckets: from [`START`] on.
struct Target {
    words: Box<[u64]>,
    used: usize,
    counts_bytes: bool,
}

/// Address of the first word.
const START: u64 = 0xc000_0123_4000;
const HEAD: usize = 0;
const CYCLE: usize = 1;
const RATE: usize = 2;
/// Words of a bucket before its stack, and which of them are what.
const HEADER: usize = 6;
const ALL_NEXT: usize = 1;
const TYPE: usize = 2;
const SIZE: usize = 4;
const STACK_LENGTH: usize = 5;

impl Target {
    fn new(counts_bytes: bool) -> Self {
        let mut words = vec![0; 1 << 16].into_boxed_slice();
        words[RATE] = 4096;
        Target {
            words,
            used: 3,
            counts_bytes,
        }
    }

    fn address(&self, word: usize) -> u64 {
        START + 8 * word as u64
    }

    /// Puts a bucket at the head of the list; its counts are active, then for the three cycles to come. Returns its
    /// first word.
    fn push(&mut self, size: u64, pcs: &[u64], counts: [(u64, u64); 4]) -> usize {
        let start = self.used;
        let header = [0, self.words[HEAD], 1, 77, size, pcs.len() as u64];
        self.words[start..start + HEADER].copy_from_slice(&header);
        self.used += HEADER;
        self.words[self.used..self.used + pcs.len()].copy_from_slice(pcs);
        self.used += pcs.len();
        for (allocs, frees) in counts {
            let mut cycle = vec![allocs, frees];
            if self.counts_bytes {
                cycle.extend([allocs * size, frees * size]);
            }
            self.words[self.used..self.used + cycle.len()].copy_from_slice(&cycle);
            self.used += cycle.len();
        }
        self.words[HEAD] = self.address(start);
        start
    }

    fn profile(&self) -> HeapProfile {
        let place = |word| RuntimePc(self.address(word));
        HeapProfile {
            memory: Arc::new(Slice::of_words(START, &self.words)),
            pid: std::process::id().cast_signed(),
            has_late_rate: self.counts_bytes,
            variables: Variables {
                buckets: place(HEAD),
                cycle: place(CYCLE),
                rate: place(RATE),
            },
            linked: true,
            counts_bytes: self.counts_bytes,
        }
    }

    fn read(&self) -> HeapSnapshot {
        self.profile().read().unwrap()
    }
}

fn counts(allocs: u64, frees: u64) -> Counts {
    Counts { allocs, frees }
}

#[test]
fn every_bucket_is_read_in_both_layouts() {
    for counts_bytes in [false, true] {
        let mut target = Target::new(counts_bytes);
        target.words[CYCLE] = 5 << 1 | 1;
        target.push(64, &[10, 20, 30], [(9, 4), (0, 0), (1, 0), (0, 2)]);
        let newest = target.push(1152, &[], [(1, 1), (0, 0), (0, 0), (7, 0)]);
        let snapshot = target.read();
        assert_eq!((snapshot.rate_bytes, snapshot.cycle), (4096, 5));
        assert!(snapshot.flushed && snapshot.complete && snapshot.steady && snapshot.collected);
        let [newer, older] = &snapshot.buckets[..] else {
            panic!("{snapshot:?}")
        };
        assert_eq!(newer.address, target.address(newest));
        assert_eq!((newer.size, &newer.pcs[..]), (1152, &[][..]));
        assert_eq!(newer.now(), counts(8, 1));
        assert_eq!((older.size, &older.pcs[..]), (64, &[10, 20, 30][..]));
        assert_eq!(older.active, counts(9, 4));
        assert_eq!(older.future, [counts(0, 0), counts(1, 0), counts(0, 2)]);
        assert_eq!((older.now(), older.now().live()), (counts(10, 6), 4));
    }
}

#[test]
fn published_is_what_the_runtimes_own_reader_would_say() {
    let mut target = Target::new(false);
    target.words[CYCLE] = 4 << 1;
    target.push(16, &[1], [(0, 0), (1, 0), (10, 2), (100, 4)]);
    target.push(32, &[2], [(0, 0), (0, 0), (0, 0), (5, 0)]);
    // The runtime first makes active what the cycle, 4 modulo 3, holds.
    let snapshot = target.read();
    assert!(snapshot.collected && !snapshot.flushed);
    let published = [0, 1].map(|at: usize| snapshot.published(&snapshot.buckets[at]));
    assert_eq!(published, [counts(0, 0), counts(10, 2)]);
    // If then none is active, all count.
    let mut target = Target::new(false);
    target.words[CYCLE] = 6 << 1;
    target.push(48, &[3], [(0, 0), (0, 0), (1, 0), (1, 1)]);
    let snapshot = target.read();
    assert!(!snapshot.collected);
    assert_eq!(snapshot.published(&snapshot.buckets[0]), counts(2, 1));
}

#[test]
fn a_profiler_that_is_off_is_not_one_without_samples() {
    let mut target = Target::new(false);
    let state = |target: &Target| target.profile().state().unwrap();
    assert_eq!(state(&target), ProfilerState::On { rate_bytes: 4096 });
    assert!(target.read().buckets.is_empty() && target.read().complete);
    for rate in [0, u64::MAX] {
        target.words[RATE] = rate;
        assert_eq!(state(&target), ProfilerState::Off { linked: true });
    }
}

#[test]
fn a_rate_that_is_not_set_yet_is_the_default() {
    let mut child = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .unwrap();
    let state = |target: &Target, pid: i32| {
        let profile = HeapProfile {
            pid,
            ..target.profile()
        };
        profile.state().unwrap()
    };
    let one_thread = child.id().cast_signed();
    let late = ProfilerState::On {
        rate_bytes: DEFAULT_RATE,
    };
    let off = ProfilerState::Off { linked: true };
    for (counts_bytes, expected) in [(true, late), (false, off)] {
        let mut target = Target::new(counts_bytes);
        target.words[RATE] = 0;
        assert_eq!(state(&target, one_thread), expected);
        // With a cycle of the collector behind it, it has started.
        target.words[CYCLE] = 1 << 1;
        assert_eq!(state(&target, one_thread), off);
    }
    // So has it with a second thread.
    let mut target = Target::new(true);
    target.words[RATE] = 0;
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let second = std::thread::spawn(move || wait.recv().is_err());
    assert_eq!(state(&target, std::process::id().cast_signed()), off);
    drop(end);
    second.join().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_long_list_is_read_quickly() {
    let mut target = Target::new(true);
    for size in 0..2000 {
        target.push(size, &[7; 9], [(1, 0); 4]);
    }
    let snapshot = target.read();
    assert_eq!((snapshot.buckets.len(), snapshot.complete), (2000, true));
    assert!(snapshot.buckets.iter().all(|bucket| *bucket.pcs == [7; 9]));
}

#[test]
fn a_broken_list_ends_and_is_said_to_be_incomplete() {
    let check = |what: &str, kept: usize, damage: fn(&mut Target, usize)| {
        let mut target = Target::new(true);
        let oldest = target.push(16, &[1, 2], [(1, 0); 4]);
        target.push(16, &[3], [(1, 0); 4]);
        damage(&mut target, oldest);
        let snapshot = target.read();
        assert!(!snapshot.complete, "{what}");
        assert_eq!(snapshot.buckets.len(), kept, "{what}");
    };
    check("a cycle", 2, |target, oldest| {
        target.words[oldest + ALL_NEXT] = target.words[HEAD];
    });
    check("an address without memory", 2, |target, oldest| {
        target.words[oldest + ALL_NEXT] = 8;
    });
    check("an address beyond all memory", 2, |target, oldest| {
        target.words[oldest + ALL_NEXT] = u64::MAX - 7;
    });
    check("a bucket of another profile", 1, |target, oldest| {
        target.words[oldest + TYPE] = 2;
    });
    check("a size that is none", 1, |target, oldest| {
        target.words[oldest + SIZE] = 1 << 60;
    });
    check("a stack that is too long", 1, |target, oldest| {
        target.words[oldest + STACK_LENGTH] = 1025;
    });
    check("a stack of any length", 1, |target, oldest| {
        target.words[oldest + STACK_LENGTH] = u64::MAX;
    });
}

#[test]
fn of_a_deep_stack_the_inner_frames_are_kept() {
    let mut target = Target::new(false);
    let pcs: Vec<u64> = (0..1000).collect();
    target.push(16, &pcs, [(3, 1), (0, 0), (0, 0), (0, 0)]);
    let snapshot = target.read();
    let bucket = &snapshot.buckets[0];
    assert_eq!(&bucket.pcs[..], &pcs[..128]);
    assert_eq!(bucket.now(), counts(3, 1));
}

#[test]
fn a_process_without_the_variables_is_an_error() {
    let target = Target::new(false);
    let mut profile = target.profile();
    profile.variables.cycle = RuntimePc(8);
    assert!(profile.state().is_ok());
    let error = profile.read().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the runtime's variable runtime.mProfCycle could not be read at 0x8; the process may have exited"
    );
}
