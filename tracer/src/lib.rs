//! Shows where the memory of a running Go program comes from, from outside.
//!
//! ```text
//! program ──▶ plan ──▶ kernel ──▶ stream ──▶ decode ──▶ aggregate ──▶ report ──▶ output
//! (what is    (pure    (load +    (raw       (bytes →   (ids and      (plain     (one file
//!  running)    data)    attach)    records)   records)   numbers)      data)      per format)
//!                                                │ new stacks, types      ▲
//!                                                └──────▶ symbolize ──────┘
//! ```
//!
//! The type changes at each arrow, so that a stage cannot be skipped by accident, and dependencies point from left to
//! right only. `capture` wires the stages for one target, and `drive` drives any number of them, with the one event loop;
//! `collect` runs stream to aggregate on a thread of its own, for all of them; `governor` keeps
//! what `kernel` costs the target within a budget; `live` tells what happened between two moments of a capture; `findings`
//! turns a report into a diagnosis, which outputs show first; `compare`
//! sets two reports side by side; `tui` shows a running capture on the whole screen; `cli` says what was asked for.
//!
//! What must stay true:
//! - `plan`, `decode`, `aggregate`, `report`, `live`, `findings`, `compare`, `output` and the state and view of `tui` do no I/O beyond
//!   the writer they are given, and see no file descriptor and no clock.
//! - Only `kernel` and `stream` name aya. Everything after `stream` runs without root.
//! - Only `tracer-common` defines bytes on the wire; only `decode` reads them.
//! - `aggregate` holds ids and numbers, never strings, in bounded memory.
//! - Every way to lose an event increments exactly one counter, and every report carries the counters.
//! - No return probes, nothing is written into the target's memory, no state is keyed by thread.
//! - The target is untrusted input: its binary gives an error, never a panic, never unbounded work.
//! - `unsafe` is in `kernel` and in the two audited files `program/mapped_file.rs` and `program/memory.rs` only.

pub mod aggregate;
pub mod capture;
pub mod cli;
pub mod collect;
pub mod compare;
pub mod decode;
pub mod doctor;
pub mod drive;
pub mod findings;
pub mod governor;
#[cfg(test)]
mod hostile;
pub mod kernel;
pub mod launch;
pub mod live;
pub mod output;
pub mod plan;
pub mod program;
pub mod report;
#[cfg(test)]
mod stopwatch;
pub mod stream;
pub mod symbolize;
pub mod tui;
mod units;
