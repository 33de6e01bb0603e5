//! What the program `leak` says of itself: the runtime's own heap profile, and what is known of each of its functions.
//!
//! Hides how samples are scaled, done here again and by itself.

use crate::{list, number};
use serde_json::Value;
use std::collections::BTreeMap;

/// Samples of a function of the program, of one size: raw counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// The innermost function that is not the runtime's own.
    pub function: String,
    /// Bytes of one object.
    pub size: u64,
    /// Objects that were sampled.
    pub allocs: u64,
    /// Those of them that were freed.
    pub frees: u64,
}

/// What samples stand for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    /// Objects.
    pub objects: f64,
    /// Their bytes.
    pub bytes: f64,
    /// Variance of the bytes.
    pub variance: f64,
}

/// The profile of the program when its scene was `"before"` it or `"after"` it.
pub fn profile(report: &Value, when: &str) -> Vec<Samples> {
    let records = list(&report["profile"], when).iter();
    let samples = records.map(|record| Samples {
        function: record["function"].as_str().expect("a name").to_owned(),
        size: number(record, "/size"),
        allocs: number(record, "/alloc_objects"),
        frees: number(record, "/free_objects"),
    });
    samples
        .filter(|samples| samples.function.starts_with("main."))
        .collect()
}

/// What was sampled and freed in the scene.
pub fn profile_of_scene(report: &Value) -> Vec<Samples> {
    let before = profile(report, "before");
    let mut samples = profile(report, "after");
    for after in &mut samples {
        let mut same = before.iter();
        let same =
            same.find(|before| before.function == after.function && before.size == after.size);
        if let Some(before) = same {
            after.allocs -= before.allocs;
            after.frees -= before.frees;
        }
    }
    samples
}

/// Sums of a count of samples, by function; without functions that have none.
pub fn by_function(samples: &[Samples], count: impl Fn(&Samples) -> u64) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for one in samples.iter().filter(|one| count(one) > 0) {
        *sums.entry(one.function.clone()).or_default() += count(one);
    }
    sums
}

/// Sums of a figure of the sites of a capture, by function; of the program's own ones, without those that have none.
pub fn sites_by_function(capture: &Value, figure: impl Fn(&Value) -> u64) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for site in list(capture, "sites") {
        let function = site["frames"][0]["function"].as_str().unwrap_or_default();
        if function.starts_with("main.") && figure(site) > 0 {
            *sums.entry(function.to_owned()).or_default() += figure(site);
        }
    }
    sums
}

impl Estimate {
    /// Scales a count of samples as runtime/pprof does: an object of this size was sampled with the probability
    /// 1 - exp(-size/rate).
    pub fn of(samples: &[Samples], rate: u64, count: impl Fn(&Samples) -> u64) -> Self {
        let mut sum = Estimate::default();
        for one in samples {
            let (size, count) = (one.size as f64, count(one) as f64);
            let probability = -(-size / rate as f64).exp_m1();
            sum.objects += count / probability;
            sum.bytes += count / probability * size;
            sum.variance += count * (1.0 - probability) * (size / probability).powi(2);
        }
        sum
    }

    /// Standard error of the bytes.
    pub fn error(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// What the functions of the scene have allocated, and what of it is alive: by function, bytes.
pub fn known_bytes(report: &Value) -> BTreeMap<String, (u64, u64)> {
    let sites = list(report, "sites").iter();
    let bytes = sites.map(|site| {
        let function = site["function"].as_str().expect("a name").to_owned();
        (
            function,
            (number(site, "/bytes"), number(site, "/live/bytes")),
        )
    });
    bytes.collect()
}
