//! What the program `maps` says of itself, and where a capture should say the same.

use serde_json::Value;
use std::collections::BTreeMap;
use tracer_tests::{Agent, Build, Program, list, timed};

/// What one function did to maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Site {
    pub writes: u64,
    pub deletes: u64,
    pub clears: u64,
    pub nil_writes: u64,
    pub net_entries: i64,
}

/// The maps that one function was the first to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maps {
    pub instances: u64,
    /// Largest length of one of them.
    pub max_entries: u64,
    /// Growths of each; none if the random seed of a map decides.
    pub growths: Option<u64>,
}

/// What the program printed.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// By function.
    pub sites: BTreeMap<String, Site>,
    /// By function.
    pub maps: BTreeMap<String, Maps>,
    /// Bytes that `main.growByKey` allocated: by the writes that made its map grow, by all writes.
    pub growing: (u64, u64),
    /// How often the stack with the map of `main.writeOnStack` moved.
    pub moves: u64,
    /// Addresses of the maps of `main.buildOne`.
    pub addresses: u64,
}

impl Truth {
    /// Takes one line.
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        match words[..] {
            ["site", function, .., net] => {
                let site = Site {
                    writes: number(3),
                    deletes: number(5),
                    clears: number(7),
                    nil_writes: number(9),
                    net_entries: net.parse().expect("a number"),
                };
                assert!(self.sites.insert(function.to_owned(), site).is_none());
            }
            ["map", function, .., growths] => {
                let maps = Maps {
                    instances: number(3),
                    max_entries: number(5),
                    growths: growths.parse().ok(),
                };
                assert!(self.maps.insert(function.to_owned(), maps).is_none());
            }
            ["bytes", ..] => self.growing = (number(3), number(5)),
            // Figures for people.
            ["heavy", ..] => {}
            ["moved", ..] => self.moves = number(2),
            ["reused", ..] => self.addresses = number(4),
            _ => panic!("no truth: {line}"),
        }
    }
}

/// A capture of the program, and what the program says.
#[derive(Debug)]
pub struct Traced {
    pub build: Build,
    pub truth: Truth,
    pub capture: Value,
}

/// Records what the program `maps` does, from its first write to its last. Its maps are there at the end of the capture.
pub fn trace(build: &Build, program: &[&str], agent: &[&str]) -> Traced {
    let mut maps = Program::start_at(&build.path(), program);
    maps.wait_for("ready");
    let agent = Agent::record(maps.pid(), agent);
    agent.wait_attached();
    maps.go_on();
    let mut truth = Truth::default();
    loop {
        let line = maps.line();
        if line == "done" {
            break;
        }
        truth.take(&line);
    }
    Traced {
        build: build.clone(),
        truth,
        capture: agent.interrupt().capture(),
    }
}

/// Traces builds of the program, all scenes that it survives.
pub fn trace_all(builds: &[Build], maps: &str) -> Vec<Traced> {
    builds
        .iter()
        // Probes of other things take the kernel time to take out, and there are many builds.
        .map(|build| {
            let options = ["--maps", maps, "--faults", "off", "--gc", "off"];
            timed(build, || trace(build, &[], &options))
        })
        .collect()
}

/// Whether a row's site, or a crash, is in a function. The site of what package reflect does is its own.
pub fn is_in(row: &Value, function: &str) -> bool {
    let innermost = row["frames"][0]["function"].as_str().unwrap_or_default();
    if function == "main.fillReflected" {
        return innermost.starts_with("reflect.");
    }
    innermost == function
}

impl Traced {
    /// Every map grew as often as the rules of its runtime say, and never to the same size.
    pub fn assert_growths(&self) {
        for (function, maps) in &self.truth.maps {
            let Some(growths) = maps.growths else {
                continue;
            };
            let found = self.sum(function, "growths").cast_unsigned();
            assert_eq!(
                found,
                growths * maps.instances,
                "{}: {function}",
                self.build
            );
            let same_size = self.sum(function, "same_size_growths");
            assert_eq!(same_size, 0, "{}: {function}", self.build);
        }
    }

    /// Growing allocated as many bytes as the program saw the runtime count.
    pub fn assert_growth_bytes(&self) {
        let bytes = self.sum("main.growByKey", "growth_bytes").cast_unsigned();
        let (growing, everything) = self.truth.growing;
        let context = format!("{}: {bytes} of {growing}, {everything}", self.build);
        if self.build.has_swiss_maps() {
            assert_eq!(bytes, growing, "{context}");
        } else {
            // Which buckets overflow, while the map grows or between, is up to its random seed. Each of the eight writes
            // that make it grow may have needed an overflow bucket for itself.
            let bucket = 208;
            assert!(
                (growing - 8 * bucket..=everything).contains(&bytes),
                "{context}"
            );
        }
    }

    /// The rows of the maps that a function works on.
    pub fn rows(&self, function: &str) -> Vec<&Value> {
        let rows = list(&self.capture, "maps").iter();
        rows.filter(|row| is_in(row, function)).collect()
    }

    /// The sum of a figure over the rows of a function.
    pub fn sum(&self, function: &str, field: &str) -> i64 {
        let rows = self.rows(function).into_iter();
        rows.map(|row| {
            let figure = row[field].as_i64();
            figure.unwrap_or_else(|| panic!("{}: no {field} in {row}", self.build))
        })
        .sum()
    }

    /// The largest figure of the rows of a function, 0 if there are none.
    pub fn max(&self, function: &str, field: &str) -> u64 {
        let rows = self.rows(function).into_iter();
        rows.map(|row| tracer_tests::number(row, &format!("/{field}")))
            .max()
            .unwrap_or(0)
    }

    /// The single maps that a function was the first to work on.
    pub fn instances(&self, function: &str) -> Vec<&Value> {
        let ids: Vec<&Value> = self.rows(function).iter().map(|row| &row["id"]).collect();
        let instances = list(&self.capture, "map_instances").iter();
        instances
            .filter(|instance| ids.contains(&&instance["map"]))
            .collect()
    }

    /// The findings of a rule about maps of a function.
    pub fn findings(&self, rule: &str, function: &str) -> Vec<&Value> {
        let ids: Vec<&Value> = self.rows(function).iter().map(|row| &row["id"]).collect();
        let findings = list(&self.capture, "findings").iter();
        findings
            .filter(|found| found["rule"] == rule && ids.contains(&&found["map"]))
            .collect()
    }
}
