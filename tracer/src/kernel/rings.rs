//! How many event rings there are, and how large.

use aya::util::online_cpus;
use tracer_common::config::MAP_EVENTS;
use tracer_common::limits::MAX_RINGS;

/// Bytes of a ring by default: about 350,000 events, which two cores need a fifth of a second to produce. On a host with
/// more runnable threads than CPUs the agent has been seen waiting for 160 ms.
const RING_BYTES: u32 = 16 << 20;
/// Most bytes of all rings by default: they are written from end to end again and again, so all of it is memory in use.
const MOST_BYTES: u32 = 64 << 20;

/// The event rings of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rings {
    /// How many, a power of two.
    pub(super) count: u32,
    /// Bytes of each, a power of two.
    pub(super) bytes: u32,
    /// Bytes of a page, the least a ring can have.
    page: u32,
}

impl Rings {
    /// The rings for this host.
    pub(super) fn of_host(bytes: Option<u32>, count: Option<u32>) -> Self {
        // A host that does not tell is taken for a small one.
        let cpus = online_cpus().map_or(1, |cpus| cpus.len());
        let page = u32::try_from(rustix::param::page_size()).unwrap_or(1 << 16);
        let rings = Rings::new(bytes, count, cpus, page);
        log::debug!(
            "{cpus} CPUs: {} event rings of {} bytes",
            rings.count,
            rings.bytes
        );
        rings
    }

    /// The names of the rings' maps.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        MAP_EVENTS.into_iter().take(self.count as usize)
    }

    /// The size of every map that could be a ring: one page for those that are none.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u32> {
        std::iter::repeat_n(self.bytes, self.count as usize).chain(std::iter::repeat(self.page))
    }

    /// The rings for a host with `cpus` CPUs and pages of `page` bytes: `bytes` in all and `count` of them if that is
    /// asked for, both powers of two. A ring has at least one page: so small a total makes fewer rings.
    ///
    /// By default one for each CPU: two that write to one ring wait for its cache lines, which makes a hit 3 to 4 % dearer
    /// already with two.
    fn new(bytes: Option<u32>, count: Option<u32>, cpus: usize, page: u32) -> Self {
        let number = |rings: usize| u32::try_from(rings).unwrap_or(1);
        let suitable = number(cpus.clamp(1, MAX_RINGS).next_power_of_two());
        let total = bytes.unwrap_or(MOST_BYTES.min(suitable * RING_BYTES));
        let most = (total / page).clamp(1, number(MAX_RINGS));
        let count = count.unwrap_or(suitable).min(most);
        Rings {
            count,
            bytes: total / count,
            page,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = 1 << 20;

    /// Number and bytes of the rings.
    fn rings(bytes: Option<u32>, count: Option<u32>, cpus: usize, page: u32) -> (u32, u32) {
        let rings = Rings::new(bytes, count, cpus, page);
        (rings.count, rings.bytes)
    }

    #[test]
    fn more_cpus_have_more_rings_and_more_memory_up_to_a_limit() {
        let check = |cpus, count, mib| {
            assert_eq!(
                rings(None, None, cpus, 4096),
                (count, mib * MIB),
                "{cpus} CPUs"
            );
        };
        check(0, 1, 16);
        check(1, 1, 16);
        check(2, 2, 16);
        check(3, 4, 16);
        check(8, 8, 8);
        check(512, 8, 8);
    }

    #[test]
    fn what_is_asked_for_is_shared_out() {
        let asked = |bytes, count| rings(Some(bytes), Some(count), 64, 4096);
        assert_eq!(asked(MIB, 1), (1, MIB));
        assert_eq!(asked(MIB, 4), (4, MIB / 4));
        assert_eq!(asked(1 << 31, 1), (1, 1 << 31));
    }

    #[test]
    fn no_ring_is_smaller_than_a_page() {
        let asked = |bytes, page| rings(Some(bytes), Some(8), 64, page);
        assert_eq!(asked(4096, 4096), (1, 4096));
        assert_eq!(asked(8192, 4096), (2, 4096));
        assert_eq!(asked(1 << 16, 1 << 16), (1, 1 << 16));
    }

    #[test]
    fn maps_that_are_no_ring_take_a_page() {
        let rings = Rings::new(Some(MIB), Some(2), 64, 4096);
        let sizes: Vec<_> = rings.sizes().take(MAX_RINGS).collect();
        assert_eq!(sizes[..3], [MIB / 2, MIB / 2, 4096]);
        assert_eq!(rings.names().collect::<Vec<_>>(), ["EVENTS_0", "EVENTS_1"]);
    }
}
