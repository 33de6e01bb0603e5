//! The state of the garbage collector's pacer, `runtime.gcController`, from its first words.
//!
//! Hides where each Go version keeps what, and how it computes the heap goal, which it does not keep. Source: DWARF of
//! binaries built with each version; `src/runtime/mgcpacer.go`.

use super::{GoBinary, VirtualAddress};
use tracer_common::limits::CONTROLLER_WORDS;

/// What the pacer knows. Bytes, if a name does not say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControllerState {
    /// `GOGC`; negative if that is off.
    pub gc_percent: i32,
    /// `GOMEMLIMIT`; [`i64::MAX`] if there is none.
    pub memory_limit: u64,
    /// Objects that were live at the last mark, and everything allocated since: `heapLive`.
    pub heap_live: u64,
    /// Objects that were live at the last mark: `heapMarked`.
    pub heap_marked: u64,
    /// The size at which the next cycle should be done: `heapGoal()`, as `MemStats.NextGC`; [`u64::MAX`] if no size
    /// starts one.
    pub heap_goal: u64,
    /// CPU time of mark assists in this cycle, or in the last one, nanoseconds.
    pub assist_ns: u64,
    /// The same of dedicated and fractional mark workers.
    pub worker_ns: u64,
    /// The same of mark workers on processors that were idle.
    pub idle_ns: u64,
    /// Spans that hold objects: `heapInUse`.
    pub heap_in_use: u64,
    /// Spans that are free and not returned to the operating system: `heapFree`.
    pub heap_free: u64,
    /// Spans that are free and returned: `heapReleased`.
    pub heap_released: u64,
    /// Bytes of all objects ever allocated, when their span was full: `totalAlloc`.
    pub total_alloc: u64,
    /// Bytes of all objects ever freed: `totalFree`.
    pub total_free: u64,
    /// All memory that the runtime has ready for use: `mappedReady`.
    pub mapped_ready: u64,
}

/// Where neither `GOGC` nor `GOMEMLIMIT` is set, the goal is a little less than 2^63.
const NO_GOAL: u64 = 1 << 60;

/// `math.MaxInt64`, what the runtime says where there is no `GOMEMLIMIT`.
const NO_MEMORY_LIMIT: u64 = i64::MAX.cast_unsigned();

impl ControllerState {
    /// `GOMEMLIMIT`; `None` if there is none.
    pub fn limit(&self) -> Option<u64> {
        Some(self.memory_limit).filter(|limit| *limit < NO_MEMORY_LIMIT)
    }

    /// The size at which the next cycle should be done; `None` if no size starts one.
    pub fn goal(&self) -> Option<u64> {
        Some(self.heap_goal).filter(|goal| *goal < NO_GOAL)
    }
}

/// Where Go 1.N keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControllerLayout {
    minor: u16,
}

/// Words before `gcPercentHeapGoal` that Go 1.21 no longer has: the pacer was a PI controller with a state of its own.
const OLD_WORDS: usize = 4;
/// The last version that has them.
const LAST_OLD: u16 = 20;

/// Numbers of the words, from Go 1.21 on.
mod word {
    pub(super) const GC_PERCENT: usize = 0;
    pub(super) const MEMORY_LIMIT: usize = 1;
    pub(super) const GC_PERCENT_HEAP_GOAL: usize = 9;
    pub(super) const SWEEP_DIST_MIN_TRIGGER: usize = 10;
    pub(super) const TRIGGERED: usize = 11;
    pub(super) const LAST_HEAP_GOAL: usize = 12;
    pub(super) const HEAP_LIVE: usize = 13;
    pub(super) const HEAP_MARKED: usize = 19;
    pub(super) const ASSIST_TIME: usize = 24;
    pub(super) const DEDICATED_MARK_TIME: usize = 25;
    pub(super) const FRACTIONAL_MARK_TIME: usize = 26;
    pub(super) const IDLE_MARK_TIME: usize = 27;
    pub(super) const HEAP_IN_USE: usize = 34;
    pub(super) const HEAP_RELEASED: usize = 35;
    pub(super) const HEAP_FREE: usize = 36;
    pub(super) const TOTAL_ALLOC: usize = 37;
    pub(super) const TOTAL_FREE: usize = 38;
    pub(super) const MAPPED_READY: usize = 39;
}

const _: () = assert!(word::MAPPED_READY + OLD_WORDS < CONTROLLER_WORDS);

/// User space of x86-64 and arm64 has fewer bytes: a larger size is not one.
const MAX_SIZE: u64 = 1 << 48;

impl ControllerLayout {
    /// The layout of Go 1.`minor`; that of the newest known version for a newer one.
    pub fn of(minor: u16) -> Self {
        ControllerLayout { minor }
    }

    /// Reads the state out of the first words of `gcController`; `None` if it makes no sense, as before the runtime has
    /// initialized it.
    pub fn state(&self, words: &[u64; CONTROLLER_WORDS]) -> Option<ControllerState> {
        let late = words.get(self.old_words()..)?;
        let word = |number: usize| late.get(number).copied();
        let size = |number: usize| word(number).filter(|size| *size < MAX_SIZE);
        let signed = |number: usize| words.get(number).map(|word| word.cast_signed());
        let mut state = ControllerState {
            // The low half of the word.
            gc_percent: i32::try_from(signed(word::GC_PERCENT)? << 32 >> 32).ok()?,
            memory_limit: u64::try_from(signed(word::MEMORY_LIMIT)?).ok()?,
            heap_live: size(word::HEAP_LIVE)?,
            heap_marked: size(word::HEAP_MARKED)?,
            heap_goal: 0,
            assist_ns: word(word::ASSIST_TIME)?,
            worker_ns: word(word::DEDICATED_MARK_TIME)?
                .checked_add(word(word::FRACTIONAL_MARK_TIME)?)?,
            idle_ns: word(word::IDLE_MARK_TIME)?,
            heap_in_use: size(word::HEAP_IN_USE)?,
            heap_free: size(word::HEAP_FREE)?,
            heap_released: size(word::HEAP_RELEASED)?,
            total_alloc: word(word::TOTAL_ALLOC)?,
            total_free: word(word::TOTAL_FREE)?,
            mapped_ready: size(word::MAPPED_READY)?,
        };
        (state.gc_percent >= -1 && state.mapped_ready > 0).then_some(())?;
        state.heap_goal = self.heap_goal(
            &state,
            &Triggers {
                by_percent: word(word::GC_PERCENT_HEAP_GOAL)?,
                after_sweep: word(word::SWEEP_DIST_MIN_TRIGGER)?,
                triggered: word(word::TRIGGERED)?,
            },
        );
        Some(state)
    }

    /// Byte offset of a word that is behind the old ones.
    fn late(&self, number: usize) -> u64 {
        8 * (number + self.old_words()) as u64
    }

    fn old_words(&self) -> usize {
        if self.minor <= LAST_OLD { OLD_WORDS } else { 0 }
    }

    /// `heapGoalInternal()`.
    fn heap_goal(&self, state: &ControllerState, triggers: &Triggers) -> u64 {
        /// `minRunway`: what a cycle that has started may still allocate.
        const MIN_RUNWAY: u64 = 64 << 10;
        let by_limit = self.memory_limit_heap_goal(state);
        if by_limit < triggers.by_percent {
            return by_limit;
        }
        let goal = triggers.by_percent.max(triggers.after_sweep);
        match triggers.triggered {
            // No cycle is under way.
            u64::MAX => goal,
            triggered => goal.max(triggered.saturating_add(MIN_RUNWAY)),
        }
    }

    /// `memoryLimitHeapGoal()`. The words are not of one moment, so no difference may be negative.
    fn memory_limit_heap_goal(&self, state: &ControllerState) -> u64 {
        let objects = state.total_alloc.saturating_sub(state.total_free);
        let limit = state.memory_limit;
        let other = state
            .mapped_ready
            .saturating_sub(state.heap_free)
            .saturating_sub(objects);
        let overage = state.mapped_ready.saturating_sub(limit);
        let taken = other.saturating_add(overage);
        if taken >= limit {
            return state.heap_marked;
        }
        let goal = limit - taken;
        let headroom = self.limit_headroom(goal);
        goal.saturating_sub(headroom)
            .max(headroom)
            .max(state.heap_marked)
    }

    /// What is kept free below the limit: `memoryLimitMinHeapGoalHeadroom` (1.19: `memoryLimitHeapGoalHeadroom`) and
    /// `memoryLimitHeapGoalHeadroomPercent`.
    fn limit_headroom(&self, goal: u64) -> u64 {
        const MIN_HEADROOM: u64 = 1 << 20;
        const HEADROOM_PERCENT: u64 = 3;
        if self.minor <= LAST_OLD {
            MIN_HEADROOM
        } else {
            (goal / 100 * HEADROOM_PERCENT).max(MIN_HEADROOM)
        }
    }
}

/// What `heapGoalInternal()` knows besides the memory limit.
#[derive(Clone, Copy, Debug)]
struct Triggers {
    /// `gcPercentHeapGoal`.
    by_percent: u64,
    /// `sweepDistMinTrigger`.
    after_sweep: u64,
    /// `triggered`: the heap's size when the cycle under way started; [`u64::MAX`] between cycles.
    triggered: u64,
}

impl GoBinary {
    /// The variable `runtime.gcController`: by its symbol, else by those of its fields that `gcControllerCommit` uses in
    /// all versions: the struct itself, `memoryLimit`, `lastHeapGoal`.
    pub(super) fn controller(&self) -> Option<VirtualAddress> {
        let layout = ControllerLayout::of(self.go_version().minor);
        let fields = [
            0,
            8 * word::MEMORY_LIMIT as u64,
            layout.late(word::LAST_HEAP_GOAL),
        ];
        let symbol = self.variable("runtime.gcController");
        symbol.or_else(|| self.place_of_variables("runtime.gcControllerCommit", &fields))
    }

    /// The counter `runtime.gcController.totalAlloc`: bytes of all spans that were ever filled, and of large objects.
    pub(crate) fn total_alloc_counter(&self) -> Option<VirtualAddress> {
        let layout = ControllerLayout::of(self.go_version().minor);
        let address = self
            .controller()?
            .0
            .checked_add(layout.late(word::TOTAL_ALLOC))?;
        Some(VirtualAddress(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const NO_LIMIT: u64 = i64::MAX.cast_unsigned();

    /// The words of a runtime with a heap of 100 MiB, of which 60 were live; the goal by `GOGC` is 120 MiB.
    fn words(minor: u16) -> [u64; CONTROLLER_WORDS] {
        let mut words = [0; CONTROLLER_WORDS];
        words[word::GC_PERCENT] = 100;
        words[word::MEMORY_LIMIT] = NO_LIMIT;
        let late = &mut words[ControllerLayout::of(minor).old_words()..];
        for (number, value) in [
            (word::GC_PERCENT_HEAP_GOAL, 120 * MIB),
            (word::SWEEP_DIST_MIN_TRIGGER, 70 * MIB),
            (word::TRIGGERED, u64::MAX),
            (word::HEAP_LIVE, 100 * MIB),
            (word::HEAP_MARKED, 60 * MIB),
            (word::ASSIST_TIME, 1),
            (word::DEDICATED_MARK_TIME, 20),
            (word::FRACTIONAL_MARK_TIME, 3),
            (word::IDLE_MARK_TIME, 4),
            (word::HEAP_IN_USE, 110 * MIB),
            (word::HEAP_RELEASED, 5 * MIB),
            (word::HEAP_FREE, 10 * MIB),
            (word::TOTAL_ALLOC, 900 * MIB),
            (word::TOTAL_FREE, 800 * MIB),
            (word::MAPPED_READY, 130 * MIB),
        ] {
            late[number] = value;
        }
        words
    }

    /// The heap goal of Go 1.`minor` with some words changed.
    fn goal(minor: u16, changed: &[(usize, u64)]) -> u64 {
        let layout = ControllerLayout::of(minor);
        let mut words = words(minor);
        for (number, value) in changed {
            let skip = if *number < word::GC_PERCENT_HEAP_GOAL {
                0
            } else {
                layout.old_words()
            };
            words[skip + number] = *value;
        }
        layout.state(&words).unwrap().heap_goal
    }

    #[test]
    fn the_state_is_read_in_every_layout() {
        for minor in [19, 21, 27] {
            let state = ControllerLayout::of(minor).state(&words(minor)).unwrap();
            let expected = ControllerState {
                gc_percent: 100,
                memory_limit: NO_LIMIT,
                heap_live: 100 * MIB,
                heap_marked: 60 * MIB,
                heap_goal: 120 * MIB,
                assist_ns: 1,
                worker_ns: 23,
                idle_ns: 4,
                heap_in_use: 110 * MIB,
                heap_free: 10 * MIB,
                heap_released: 5 * MIB,
                total_alloc: 900 * MIB,
                total_free: 800 * MIB,
                mapped_ready: 130 * MIB,
            };
            assert_eq!(state, expected, "Go 1.{minor}");
        }
    }

    #[test]
    fn a_cycle_under_way_and_sweeping_raise_the_goal() {
        let started = [(word::TRIGGERED, 130 * MIB)];
        assert_eq!(goal(27, &started), 130 * MIB + 65_536);
        let sweeping = [(word::SWEEP_DIST_MIN_TRIGGER, 125 * MIB)];
        assert_eq!(goal(27, &sweeping), 125 * MIB);
    }

    #[test]
    fn a_memory_limit_lowers_the_goal() {
        // 20 MiB are neither free nor objects: of 120 MiB less 20, 10 over the limit and 3 % or 1 MiB.
        let limit = [(word::MEMORY_LIMIT, 120 * MIB)];
        assert_eq!(goal(19, &limit), 89 * MIB);
        assert_eq!(goal(27, &limit), 90 * MIB - 90 * MIB / 100 * 3);
        // Far too low: what is live.
        assert_eq!(goal(27, &[(word::MEMORY_LIMIT, 30 * MIB)]), 60 * MIB);
        // Without GOGC the limit alone counts; without either nothing does.
        let off = [(word::GC_PERCENT_HEAP_GOAL, u64::MAX)];
        assert_eq!(
            goal(27, &[off[0], (word::MEMORY_LIMIT, 1020 * MIB)]),
            1000 * MIB - 1000 * MIB / 100 * 3
        );
        assert!(goal(27, &off) > MAX_SIZE);
    }

    #[test]
    fn what_makes_no_sense_is_no_state() {
        let layout = ControllerLayout::of(27);
        assert_eq!(layout.state(&[0; CONTROLLER_WORDS]), None);
        assert_eq!(layout.state(&[u64::MAX; CONTROLLER_WORDS]), None);
        assert_eq!(
            layout.state(&[0x5555_5555_5555_5555; CONTROLLER_WORDS]),
            None
        );
        let mut off = words(27);
        off[word::GC_PERCENT] = 0xffff_ffff;
        assert_eq!(layout.state(&off).map(|state| state.gc_percent), Some(-1));
        off[word::HEAP_LIVE] = u64::MAX;
        assert_eq!(layout.state(&off), None);
    }
}
