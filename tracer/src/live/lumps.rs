//! What sites and types did in an interval where that is known late: windows tell in lumps what they stand for.

use crate::report::Figures;
use std::collections::HashMap;

/// What a site or a type did in the last interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its identity, the same in every snapshot.
    pub id: u32,
    /// What it did; if that is not known of this very interval, what it did in one of this length since its figures
    /// changed last.
    pub figures: Figures,
    /// How well `figures` are known.
    pub timing: Timing,
}

/// How well it is known what was allocated in an interval. What windows stand for is known when they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// In this very interval.
    Exact,
    /// As a mean over a time of its own.
    Mean,
    /// Nothing was told yet.
    Unknown,
}

/// What windows told of each site or type, and when.
#[derive(Debug, Default)]
pub struct Lumps {
    /// Whether the last interval was told at once.
    timely: bool,
    /// End of the last interval that was.
    since_ns: u64,
    t_ns: u64,
    last: HashMap<u32, Lump>,
}

#[derive(Clone, Copy, Debug)]
struct Lump {
    figures: Figures,
    from_ns: u64,
    t_ns: u64,
}

impl Lumps {
    /// Takes in what has changed in an interval.
    pub fn take(&mut self, changed: &HashMap<u32, Figures>, timely: bool, t_ns: u64) {
        (self.timely, self.t_ns) = (timely, t_ns);
        if timely {
            self.since_ns = t_ns;
            self.last.clear();
            return;
        }
        for (id, figures) in changed.iter().filter(|(_, figures)| figures.allocs > 0) {
            let from_ns = self.last.get(id).map_or(self.since_ns, |lump| lump.t_ns);
            let figures = *figures;
            self.last.insert(
                *id,
                Lump {
                    figures,
                    from_ns,
                    t_ns,
                },
            );
        }
    }

    /// What a site or type did in the last interval; `figures` are what has changed in it.
    pub fn step(&self, id: u32, figures: Figures, interval_ns: u64) -> Step {
        let (figures, timing) = match self.last.get(&id) {
            _ if self.timely => (figures, Timing::Exact),
            None => (figures, Timing::Unknown),
            Some(lump) => {
                // What does not come again was at most so much since.
                let took = lump.t_ns.saturating_sub(lump.from_ns);
                let took = took.max(self.t_ns.saturating_sub(lump.t_ns)).max(1);
                let scaled = |value: u64| {
                    let value = u128::from(value) * u128::from(interval_ns) / u128::from(took);
                    u64::try_from(value).unwrap_or(u64::MAX)
                };
                let mean = Figures {
                    allocs: scaled(lump.figures.allocs),
                    alloc_bytes: lump.figures.alloc_bytes.map(scaled),
                    requested_bytes: lump.figures.requested_bytes.map(scaled),
                    ..figures
                };
                (mean, Timing::Mean)
            }
        };
        Step {
            id,
            figures,
            timing,
        }
    }
}
