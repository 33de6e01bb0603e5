//! The list of record families: what the kernel half sends, and for each its kind byte, its counters and its switch.
//!
//! Whatever is done once for each family derives from here: arrays over [`Family`], and matches without a `_`. What to
//! do for a new one is in `tracer/docs/adding-a-record-family.md`.

use crate::config::SWITCH_EXTRAS;
use crate::counter::Counter;

list! {
    /// A family of records. Reports list them in this order.
    pub enum Family {
        /// Heap allocations: [`crate::record::AllocRecord`].
        Alloc,
        /// Goroutines that go on where they may have changed their P: [`crate::record::ResumeRecord`].
        Resume,
        /// Definitions of stacks: [`crate::record::StackRecord`].
        Stack,
        /// Writes, deletes and clears of maps: [`crate::record::MapRecord`].
        MapWrite,
        /// Growths of maps: [`crate::record::GrowthRecord`].
        MapGrowth,
        /// Fatal errors and panics: [`crate::record::CrashRecord`].
        Crash,
        /// Page faults: [`crate::record::FaultRecord`].
        Fault,
        /// Events of the garbage collector, mark assists excepted: [`crate::record::GcRecord`].
        Gc,
        /// Begins and ends of mark assists: [`crate::record::AssistRecord`].
        Assist,
        /// Samples of the heap: [`crate::record::HeapSampleRecord`].
        HeapSample,
        /// Sampled objects that are freed: [`crate::record::HeapFreeRecord`].
        HeapFree,
        /// Definitions of goroutine labels: [`crate::record::LabelsRecord`].
        Labels,
    }
}

array_over! {
    /// A value for each family.
    pub struct PerFamily over Family;
}

list! {
    /// What is recorded besides allocations and can be given up when it costs too much: a family, or those that make no
    /// sense without each other.
    pub enum Extra {
        /// Writes, deletes and clears of maps.
        MapWrites,
        /// Growths of maps.
        MapGrowths,
        /// Page faults.
        Faults,
        /// Mark assists.
        Assists,
        /// Samples of the heap, and the end of sampled objects.
        Live,
    }
}

array_over! {
    /// A value for each [`Extra`].
    pub struct PerExtra over Extra;
}

/// What is true of a family. A record that is due has arrived or is lost: `seen` = arrived + `sampled_out` + each of
/// `lost`.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Counts what is to be recorded. Its name is the family's in reports.
    pub seen: Counter,
    /// Counts those of `seen` that the sampling distance left out: others stand for them.
    pub sampled_out: Option<Counter>,
    /// Every way to lose a record.
    pub lost: &'static [Counter],
    /// Count hits that are none of `seen`: they are not to be recorded. Where an [`Extra`] is given up, see
    /// [`Extra::paused`].
    pub silent: &'static [Counter],
    /// Whether a program runs for each record. Definitions are sent along with what needs them.
    pub has_hit: bool,
    /// As what it can be given up; `None` for what stays.
    pub extra: Option<Extra>,
}

impl Facts {
    /// A family with a hit for each record.
    const fn of_hits(seen: Counter, lost: &'static [Counter]) -> Self {
        Facts {
            seen,
            sampled_out: None,
            lost,
            silent: &[],
            has_hit: true,
            extra: None,
        }
    }

    /// A family of definitions: one that is lost is sent again with the next record that needs it.
    const fn of_definitions(seen: Counter, lost: &'static [Counter]) -> Self {
        Facts {
            has_hit: false,
            ..Facts::of_hits(seen, lost)
        }
    }

    /// The same, as something that can be given up.
    const fn given_up_as(self, extra: Extra) -> Self {
        Facts {
            extra: Some(extra),
            ..self
        }
    }
}

impl Family {
    /// [`crate::record::RecordHeader::kind`] of its records; never 0.
    pub const fn kind(self) -> u8 {
        self as u8 + 1
    }

    /// The family whose records have this kind.
    #[inline]
    pub fn of_kind(kind: u8) -> Option<Self> {
        let index = kind.checked_sub(1)?;
        Family::ALL.get(usize::from(index)).copied()
    }

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        self.facts().seen.name()
    }

    /// What is true of it.
    pub const fn facts(self) -> Facts {
        match self {
            Family::Alloc => Facts {
                sampled_out: Some(Counter::SampledOut),
                silent: &[Counter::Filtered, Counter::Paused],
                ..Facts::of_hits(
                    Counter::Hits,
                    &[Counter::LostRingFull, Counter::LostScratchBusy],
                )
            },
            Family::Resume => Facts::of_hits(Counter::Resumes, &[Counter::ResumeRingFull]),
            Family::Stack => {
                Facts::of_definitions(Counter::StackDefinitions, &[Counter::StackRingFull])
            }
            Family::MapWrite => Facts::of_hits(
                Counter::MapWrites,
                &[Counter::MapWritesRingFull, Counter::MapWritesScratchBusy],
            )
            .given_up_as(Extra::MapWrites),
            Family::MapGrowth => Facts::of_hits(
                Counter::MapGrowths,
                &[Counter::MapGrowthsRingFull, Counter::MapGrowthsScratchBusy],
            )
            .given_up_as(Extra::MapGrowths),
            Family::Crash => Facts::of_hits(
                Counter::Crashes,
                &[Counter::CrashesRingFull, Counter::CrashesScratchBusy],
            ),
            Family::Fault => Facts::of_hits(
                Counter::Faults,
                &[Counter::FaultsRingFull, Counter::FaultsScratchBusy],
            )
            .given_up_as(Extra::Faults),
            Family::Gc => Facts::of_hits(
                Counter::GcEvents,
                &[Counter::GcEventsRingFull, Counter::GcEventsScratchBusy],
            ),
            Family::Assist => Facts::of_hits(
                Counter::Assists,
                &[Counter::AssistsRingFull, Counter::AssistsScratchBusy],
            )
            .given_up_as(Extra::Assists),
            Family::HeapSample => Facts::of_hits(
                Counter::HeapSamples,
                &[
                    Counter::HeapSamplesRingFull,
                    Counter::HeapSamplesScratchBusy,
                ],
            )
            .given_up_as(Extra::Live),
            Family::HeapFree => Facts::of_hits(
                Counter::HeapFrees,
                &[Counter::HeapFreesRingFull, Counter::HeapFreesUnreadable],
            )
            .given_up_as(Extra::Live),
            Family::Labels => {
                Facts::of_definitions(Counter::LabelSets, &[Counter::LabelSetsRingFull])
            }
        }
    }
}

impl Extra {
    /// Counts what its probes see while it is given up.
    pub const fn paused(self) -> Counter {
        match self {
            Extra::MapWrites => Counter::MapWritesPaused,
            Extra::MapGrowths => Counter::MapGrowthsPaused,
            Extra::Faults => Counter::FaultsPaused,
            Extra::Assists => Counter::AssistsPaused,
            Extra::Live => Counter::LivePaused,
        }
    }

    /// Which of the [`crate::config::SWITCHES`] its programs test.
    pub const fn switch(self) -> usize {
        SWITCH_EXTRAS + self.index()
    }

    /// The families that it is.
    pub fn families(self) -> impl Iterator<Item = Family> {
        let of_it = move |family: &Family| family.facts().extra == Some(self);
        Family::ALL.into_iter().filter(of_it)
    }
}

/// Counters that are about no record: each other one says one thing of one family, or of one [`Extra`].
const NOTES: [Counter; 1] = [Counter::StackUnreadable];

const _: () = {
    let mut index = 0;
    while index < Counter::COUNT {
        let counter = Counter::ALL[index];
        assert!(
            meanings(counter) == 1,
            "a counter has one meaning: it is in the facts of one family, of one extra, or a note"
        );
        index += 1;
    }
};

/// How many meanings a counter has.
const fn meanings(counter: Counter) -> usize {
    let mut meanings = times(counter, &NOTES);
    let mut index = 0;
    while index < Family::COUNT {
        let facts = Family::ALL[index].facts();
        meanings += times(counter, &[facts.seen]);
        meanings += times(counter, facts.lost) + times(counter, facts.silent);
        if let Some(sampled_out) = facts.sampled_out {
            meanings += times(counter, &[sampled_out]);
        }
        index += 1;
    }
    index = 0;
    while index < Extra::COUNT {
        meanings += times(counter, &[Extra::ALL[index].paused()]);
        index += 1;
    }
    meanings
}

/// How often a counter is in a list.
const fn times(counter: Counter, list: &[Counter]) -> usize {
    let mut times = 0;
    let mut index = 0;
    while index < list.len() {
        if list[index].slot() == counter.slot() {
            times += 1;
        }
        index += 1;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_names_its_family_and_nothing_else() {
        for family in Family::ALL {
            assert_eq!(Family::of_kind(family.kind()), Some(family));
        }
        let last = Family::ALL.map(Family::kind).into_iter().max().unwrap_or(0);
        assert_eq!(
            (Family::of_kind(0), Family::of_kind(last + 1)),
            (None, None)
        );
    }

    #[test]
    fn each_extra_is_at_least_one_family_and_has_a_switch_of_its_own() {
        for extra in Extra::ALL {
            assert!(extra.families().count() > 0, "{extra:?}");
            let alike = Extra::ALL
                .iter()
                .filter(|other| other.switch() == extra.switch());
            assert_eq!(alike.count(), 1, "{extra:?}");
        }
    }

    #[test]
    fn an_array_has_the_value_of_each_entry_at_its_place() {
        let mut kinds = PerFamily::from_fn(Family::kind);
        kinds[Family::Fault] = 99;
        for (family, kind) in kinds.iter() {
            let expected = if family == Family::Fault {
                99
            } else {
                family.kind()
            };
            assert_eq!((*kind, kinds[family]), (expected, expected));
        }
    }
}
