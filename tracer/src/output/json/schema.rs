//! The JSON objects of `tracer.capture/1`, field for field; `tracer.stream/1` shares its parts.
//!
//! Written from borrowed data, read into owned data.

use std::{borrow::Cow, fmt, marker::PhantomData};

use super::heap::{Amount, Goroutine, Growth, Heap, Live, Recent};
use super::maps::{Crash, Finding, MapCoverage, MapInstance, MapSite};
use super::pages::{Faults, Gc, Memory};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Unexpected, Visitor},
};

/// The whole document.
#[derive(Serialize, Deserialize)]
pub(super) struct Capture<'a> {
    pub(super) schema: Cow<'a, str>,
    pub(super) target: Target<'a>,
    pub(super) window: Window<'a>,
    pub(super) totals: Totals,
    pub(super) completeness: Completeness<'a>,
    pub(super) overhead: Overhead,
    /// Each distinct frame once; `stacks` points into it.
    pub(super) frames: Vec<Frame<'a>>,
    pub(super) sites: Vec<Site<'a>>,
    /// Indices into `frames`, innermost first, by stack id.
    pub(super) stacks: OrderedMap<StackId, Cow<'a, [usize]>>,
    /// What is known of the goroutines that run them, by stack id.
    #[serde(default)]
    pub(super) goroutines: OrderedMap<StackId, Goroutine<'a>>,
    #[serde(default)]
    pub(super) maps: Vec<MapSite<'a>>,
    #[serde(default)]
    pub(super) map_instances: Vec<MapInstance<'a>>,
    /// `null` if maps were not probed.
    pub(super) map_coverage: Option<MapCoverage<'a>>,
    #[serde(default)]
    pub(super) crashes: Vec<Crash<'a>>,
    /// Of the whole capture; `null`, like the two that follow, where it was not measured.
    pub(super) faults: Option<Faults>,
    pub(super) gc: Option<Gc<'a>>,
    pub(super) heap: Option<Heap<'a>>,
    pub(super) memory: Option<Memory<'a>>,
    pub(super) timeline: Vec<TimelinePoint>,
    /// The same figures by something else than the site, if that was asked for; not read back, but made anew.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) groups: Option<Vec<Group<'a>>>,
    /// Not read back either.
    #[serde(skip_deserializing)]
    pub(super) findings: Vec<Finding<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Target<'a> {
    pub(super) pid: u32,
    pub(super) exe: Cow<'a, str>,
    pub(super) build_id: Option<Cow<'a, str>>,
    pub(super) go_version: Cow<'a, str>,
    pub(super) arch: Cow<'a, str>,
    pub(super) stripped: bool,
    pub(super) pie: bool,
    pub(super) cgo: bool,
    pub(super) container: Option<Cow<'a, str>>,
    /// `null` if there is none.
    pub(super) memory_limit_bytes: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Window<'a> {
    pub(super) start_unix_ns: u64,
    pub(super) duration_ns: u64,
    pub(super) mode: Cow<'a, str>,
    /// Empty in captures of versions that knew one mode only.
    #[serde(default)]
    pub(super) mode_steps: Vec<ModeStep<'a>>,
    pub(super) ended_by: Cow<'a, str>,
    /// Whether the capture was still going on, so that nothing has ended it; left out if not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) running: bool,
}

pub(in crate::output) fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Serialize, Deserialize)]
pub(super) struct ModeStep<'a> {
    /// Since the start of recording.
    pub(super) at_ns: u64,
    pub(super) mode: Cow<'a, str>,
    pub(super) reason: Cow<'a, str>,
}

/// Standard errors of figures that were estimated from some of the allocations.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Estimate {
    pub(super) allocs_error: Option<u64>,
    pub(super) alloc_bytes_error: Option<u64>,
}

/// Sums over all sites.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Totals {
    pub(super) allocs: u64,
    pub(super) alloc_bytes: Option<u64>,
    pub(super) requested_bytes: Option<u64>,
    /// `null` if each allocation was counted.
    pub(super) estimate: Option<Estimate>,
    /// Writes, deletes and clears; `null` if they were not recorded.
    pub(super) map_writes: Option<u64>,
    pub(super) map_growths: Option<u64>,
    /// `null`, like the two that follow, where it was not measured.
    #[serde(skip_deserializing)]
    pub(super) faults_minor: Option<u64>,
    #[serde(skip_deserializing)]
    pub(super) faults_major: Option<u64>,
    #[serde(skip_deserializing)]
    pub(super) gc_cycles: Option<u64>,
}

/// All in allocations, but for `unknown_pcs` (distinct program counters) and `coverage` (0 to 1).
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Completeness<'a> {
    pub(super) hits: u64,
    pub(super) delivered: u64,
    /// Others stand for them.
    #[serde(default)]
    pub(super) sampled_out: u64,
    pub(super) lost: OrderedMap<Cow<'a, str>, u64>,
    pub(super) unknown_pcs: u64,
    pub(super) truncated_stacks: u64,
    /// By cause. Like `counters` and `families` empty in captures of versions that did not tell.
    #[serde(default)]
    pub(super) truncated_by: OrderedMap<Cow<'a, str>, u64>,
    pub(super) undefined_stacks: u64,
    pub(super) overflowed: u64,
    #[serde(default)]
    pub(super) unbinned_sizes: u64,
    /// Whether figures are lower bounds: some functions were recorded in windows, of which none has ended.
    #[serde(default)]
    pub(super) unseen: bool,
    pub(super) unsure_bytes: Option<u64>,
    /// Everything that the kernel half counted.
    #[serde(default)]
    pub(super) counters: OrderedMap<Cow<'a, str>, u64>,
    /// Other records than allocations, by what they are.
    #[serde(default)]
    pub(super) families: OrderedMap<Cow<'a, str>, Family<'a>>,
    pub(super) coverage: Option<f64>,
}

/// Hits = delivered + lost, if hits are counted.
#[derive(Serialize, Deserialize)]
pub(super) struct Family<'a> {
    pub(super) hits: Option<u64>,
    pub(super) delivered: u64,
    pub(super) lost: OrderedMap<Cow<'a, str>, u64>,
}

/// Percentages are of one CPU.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Overhead {
    pub(super) ns_per_hit: Option<f64>,
    pub(super) hits_per_s: Float,
    pub(super) target_cpu_pct: Option<f64>,
    /// Of the CPU time that the target used, not of one CPU.
    pub(super) target_share_pct: Option<f64>,
    /// All that it used.
    pub(super) target_used_pct: Option<f64>,
    pub(super) agent_cpu_pct: Option<f64>,
    pub(super) agent_rss_bytes: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Frame<'a> {
    pub(super) function: Cow<'a, str>,
    pub(super) package: Cow<'a, str>,
    pub(super) file: Cow<'a, str>,
    pub(super) line: Option<u32>,
    pub(super) inlined: bool,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Site<'a> {
    pub(super) id: u32,
    pub(super) frames: Vec<Frame<'a>>,
    pub(super) allocs: u64,
    pub(super) alloc_bytes: Option<u64>,
    pub(super) requested_bytes: Option<u64>,
    /// `null` if each allocation was counted.
    pub(super) estimate: Option<Estimate>,
    pub(super) size: Size<'a>,
    pub(super) types: Vec<Type<'a>>,
    /// `null` if they were not recorded.
    pub(super) faults: Option<Faults>,
    /// `null`, like the two that follow, where it is not known.
    pub(super) live: Option<Live>,
    pub(super) recent: Option<Recent<'a>>,
    pub(super) growth: Option<Growth<'a>>,
    /// `null`, like the two that follow, if the collector was not probed.
    pub(super) gc_assist_ns: Option<u64>,
    pub(super) gc_assists: Option<u64>,
    pub(super) gc_calls: Option<u64>,
    pub(super) stacks: Vec<SiteStack<'a>>,
}

/// Sizes asked for, in bytes.
#[derive(Serialize, Deserialize)]
pub(in crate::output) struct Size<'a> {
    pub(super) min: u64,
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
    pub(super) mean: Float,
    /// `[size, allocations]`
    pub(super) buckets: Cow<'a, [(u64, u64)]>,
    /// Allocations in no bucket.
    pub(super) unbinned: u64,
}

/// `bytes` are bytes asked for; captures of earlier versions lack `alloc_bytes`.
#[derive(Serialize, Deserialize)]
pub(super) struct Type<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) allocs: u64,
    pub(super) alloc_bytes: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) pointer_bytes: Option<u64>,
    /// Of all that was ever allocated.
    pub(super) live_bytes: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct SiteStack<'a> {
    pub(super) id: StackId,
    pub(super) allocs: u64,
    pub(super) alloc_bytes: Option<u64>,
    pub(super) requested_bytes: Option<u64>,
    /// Of both kinds; `null` if they were not recorded.
    pub(super) faults: Option<u64>,
    /// `null` if each allocation was counted.
    pub(super) estimate: Option<Estimate>,
    /// `null`, like the next, where it is not known.
    pub(super) live: Option<Amount>,
    pub(super) recent: Option<Amount>,
    /// Left out where they are those of the site: it has one stack, or one type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) types: Option<Vec<Type<'a>>>,
}

/// What allocations with something in common add up to.
#[derive(Serialize)]
pub(super) struct Group<'a> {
    /// What they have in common: `stack`, `type`, `function` or `package`.
    pub(super) by: &'static str,
    /// Distinct among the groups; of a stack its id. `-` where there is no name.
    pub(super) name: Cow<'a, str>,
    pub(super) allocs: u64,
    pub(super) alloc_bytes: Option<u64>,
    pub(super) requested_bytes: Option<u64>,
    /// Page faults of both kinds; `null` if they were not recorded, or have nothing to do with it.
    pub(super) faults: Option<u64>,
    /// `null` where it is not known.
    pub(super) live_bytes: Option<u64>,
    /// `null` if each allocation was counted.
    pub(super) estimate: Option<Estimate>,
    pub(super) pointer_bytes: Option<u64>,
    pub(super) size: Option<Size<'a>>,
    pub(super) types: Vec<Type<'a>>,
    pub(super) sites: Vec<GroupSite>,
}

/// What a site contributes to a group.
#[derive(Serialize)]
pub(super) struct GroupSite {
    pub(super) id: u32,
    pub(super) allocs: u64,
    pub(super) alloc_bytes: Option<u64>,
    pub(super) requested_bytes: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::output) struct TimelinePoint {
    pub(super) t_ns: u64,
    pub(super) allocs: Option<u64>,
    pub(super) alloc_bytes: Option<u64>,
    pub(super) rss_bytes: Option<u64>,
    pub(super) rss_anon_bytes: Option<u64>,
    pub(super) rss_file_bytes: Option<u64>,
    pub(super) swap_bytes: Option<u64>,
    /// What the collector takes for live, and the size at which it should be done with the next cycle.
    pub(super) heap_live: Option<u64>,
    pub(super) heap_goal: Option<u64>,
    /// In the interval, like `gc_cycles`.
    pub(super) faults: Option<u64>,
    pub(super) gc_cycles: Option<u64>,
    /// What the control group with the least memory limit uses.
    pub(super) limit_used_bytes: Option<u64>,
}

/// A quotient. JSON has no word for "not a number", so that one is `null` there.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
pub(super) struct Float(pub(super) f64);

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or(f64::NAN)))
    }
}

/// Id of a stack: 16 hex digits, because readers that keep numbers as doubles would round 64 bits.
#[derive(Clone, Copy)]
pub(in crate::output) struct StackId(pub(in crate::output) u64);

impl Serialize for StackId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for StackId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // `from_str_radix` alone would take a sign.
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(&text, 16) {
            Ok(id) if digits => Ok(Self(id)),
            _ => Err(D::Error::invalid_value(
                Unexpected::Str(&text),
                &"16 hex digits",
            )),
        }
    }
}

/// A JSON object whose entries keep their order.
pub(super) struct OrderedMap<K, V>(pub(super) Vec<(K, V)>);

impl<K, V> Default for OrderedMap<K, V> {
    fn default() -> Self {
        OrderedMap(Vec::new())
    }
}

impl<K: Serialize, V: Serialize> Serialize for OrderedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for OrderedMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
    type Value = OrderedMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(OrderedMap(entries))
    }
}
