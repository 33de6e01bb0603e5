//! What the table of overheads compares, as data: a new row is one entry here.

use super::{budget::Limit, observer::Observer};

/// One way to run the target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Names it for machines, and in [`RATIOS`].
    pub(super) id: &'static str,
    /// Names it for people.
    pub(super) label: &'static str,
    /// Options of the target.
    pub(super) target: &'static [&'static str],
    pub(super) observer: Observer,
}

/// Two rows, set against each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    pub(super) what: &'static str,
    pub(super) figure: Figure,
    /// Ids of two rows: the first over the second.
    pub(super) of: (&'static str, &'static str),
    pub(super) limit: Limit,
}

/// What of two rows is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// How many times slower the target is.
    SlowDown,
    /// What an allocation takes more of the target's CPU time.
    AddedTime,
}

pub(super) const NOTHING: Row = Row {
    id: "nothing",
    label: "nothing attached",
    target: &[],
    observer: Observer::Nothing,
};

pub(super) const DEFAULT_PROFILE: Row = Row {
    id: "default_profile",
    label: "Go's own profiler, sampling (MemProfileRate=512 KiB)",
    target: &["-memprofilerate", "524288"],
    observer: Observer::Nothing,
};

pub(super) const EXACT_PROFILE: Row = Row {
    id: "exact_profile",
    label: "Go's own profiler, exact (MemProfileRate=1)",
    target: &["-memprofilerate", "1"],
    observer: Observer::Nothing,
};

pub(super) const EXACT: Row = Row {
    id: "exact",
    label: "tracer, exact",
    target: &[],
    observer: Observer::Agent(&[]),
};

pub(super) const ROWS: [Row; 11] = [
    NOTHING,
    DEFAULT_PROFILE,
    EXACT_PROFILE,
    Row {
        id: "empty",
        label: "probes that do nothing, on the same instructions",
        target: &[],
        observer: Observer::BareProbes(&[]),
    },
    Row {
        id: "filtered",
        label: "tracer, every allocation left out by --min-size",
        target: &[],
        observer: Observer::Agent(&["--min-size", "1GiB"]),
    },
    Row {
        id: "shallow",
        label: "tracer, exact, without the walk (--stack-depth 2)",
        target: &[],
        observer: Observer::Agent(&["--stack-depth", "2"]),
    },
    EXACT,
    Row {
        id: "allocations_only",
        label: "the same without page faults and the collector (--faults off --gc off)",
        target: &[],
        observer: Observer::Agent(&["--faults", "off", "--gc", "off"]),
    },
    Row {
        id: "auto",
        label: "tracer, within its budget of 5 % (--mode auto)",
        target: &[],
        observer: Observer::Agent(&["--mode", "auto"]),
    },
    Row {
        id: "timestamps",
        label: "tracer's probes with time stamps, records dropped",
        target: &[],
        observer: Observer::BareProbes(&["--timestamps"]),
    },
    Row {
        id: "bpftrace",
        label: "bpftrace, @[ustack] = count() at function entry",
        target: &[],
        observer: Observer::Bpftrace,
    },
];

pub(super) const RATIOS: [Ratio; 4] = [
    Ratio {
        what: "a recorded allocation over a probe that does nothing",
        figure: Figure::AddedTime,
        of: ("exact", "empty"),
        limit: Limit::AtMost(1.3),
    },
    Ratio {
        what: "slow-down: exact over Go's own exact profiler",
        figure: Figure::SlowDown,
        of: ("exact", "exact_profile"),
        limit: Limit::AtMost(0.8),
    },
    Ratio {
        what: "slow-down: page faults and the collector too, over allocations only",
        figure: Figure::SlowDown,
        of: ("exact", "allocations_only"),
        limit: Limit::AtMost(1.01),
    },
    // Where single-stepping an instruction is as dear as in a virtual machine; 2 × is the least anywhere.
    Ratio {
        what: "an allocation under bpftrace over one under tracer",
        figure: Figure::AddedTime,
        of: ("bpftrace", "exact"),
        limit: Limit::AtLeast(20.0),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_ids_of_their_own_and_ratios_name_them() {
        let ids: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        for (number, id) in ids.iter().enumerate() {
            assert!(!ids[..number].contains(id), "{id}");
        }
        for ratio in RATIOS {
            assert!(ids.contains(&ratio.of.0), "{}", ratio.of.0);
            assert!(ids.contains(&ratio.of.1), "{}", ratio.of.1);
        }
    }
}
