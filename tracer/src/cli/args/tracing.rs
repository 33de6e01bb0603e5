//! Options that say how to trace.

use super::parse::{bytes, percent, ring_bytes, rings};
use crate::capture::{HeapAsked, Wanted};
use crate::plan::{Extras, HeapProbes, MapProbes};
use clap::{ValueEnum, value_parser};
use tracer_common::limits::MAX_FRAMES;

/// CPU time that probes may take in mode auto, unless something else is asked for.
pub(in crate::cli) const DEFAULT_BUDGET: &str = "5%";

/// How to trace.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Tracing {
    /// How much to record
    #[arg(long, value_enum, value_name = "MODE", default_value_t = ModeArgument::Auto)]
    pub(in crate::cli) mode: ModeArgument,
    /// CPU time that probes may take in mode auto, in percent of what the target uses; no effect in other modes
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = DEFAULT_BUDGET)]
    pub(in crate::cli) max_overhead: f64,
    /// What to record of maps [default: growth; off in mode sampled]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(in crate::cli) maps: Option<Maps>,
    /// Whether to record page faults [default: on; off in mode sampled]
    #[arg(long, value_enum, value_name = "SWITCH")]
    pub(in crate::cli) faults: Option<Switch>,
    /// Whether to record what the garbage collector does [default: on; off in mode sampled]
    #[arg(long, value_enum, value_name = "SWITCH")]
    pub(in crate::cli) gc: Option<Switch>,
    /// Whether to record what stays alive, where the runtime's heap profiler is on; no effect in mode sampled, which always
    /// does
    #[arg(long, value_enum, value_name = "SWITCH", default_value_t = Switch::On)]
    pub(in crate::cli) live: Switch,
    /// Leave out allocations of fewer bytes; does not apply to samples, as those of mode sampled
    #[arg(long, value_name = "BYTES", value_parser = bytes, default_value = "0")]
    pub(in crate::cli) min_size: u64,
    /// Most frames of a stack
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(2..=MAX_FRAMES as u64), default_value_t = MAX_FRAMES as u64)]
    pub(in crate::cli) stack_depth: u64,
    /// Size of all event rings together, a power of two; 16MiB to 64MiB by default
    #[arg(long, value_name = "BYTES", value_parser = ring_bytes)]
    pub(in crate::cli) ring_size: Option<u32>,
    /// Number of event rings, a power of two up to 8; by default one for each CPU
    #[arg(long, value_name = "N", value_parser = rings)]
    pub(in crate::cli) rings: Option<u32>,
}

/// How much to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ModeArgument {
    /// Each allocation while that fits into --max-overhead, else as many as fit: figures are estimates then
    Auto,
    /// Each allocation, whatever it costs: figures equal the runtime's own
    Exact,
    /// What the runtime's heap profiler samples, about one allocation in 512 KiB: for hours in production. Where it is off,
    /// the spans that allocations fill
    Sampled,
}

/// What to record of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Maps {
    /// How they grow, writes to nil maps, fatal errors: rare, unless maps are made and filled all the time
    Growth,
    /// The same, and each write, delete and clear
    Writes,
    /// Nothing
    Off,
}

/// Whether to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

impl Tracing {
    /// What to record.
    pub(in crate::cli) fn wanted(&self) -> Wanted {
        let sampled = self.mode == ModeArgument::Sampled;
        let maps = self
            .maps
            .unwrap_or(if sampled { Maps::Off } else { Maps::Growth });
        let is_on = |switch: Option<Switch>| switch.map_or(!sampled, |switch| switch == Switch::On);
        Wanted {
            allocations: !sampled,
            extras: Extras {
                maps: match maps {
                    Maps::Growth => MapProbes::Growth,
                    Maps::Writes => MapProbes::Writes,
                    Maps::Off => MapProbes::Off,
                },
                faults: is_on(self.faults),
                gc: is_on(self.gc),
                // The target says what there is to probe.
                heap: HeapProbes::Off,
            },
            heap: match self.live {
                _ if sampled => HeapAsked::Samples,
                Switch::On => HeapAsked::Live,
                Switch::Off => HeapAsked::Nothing,
            },
        }
    }
}
