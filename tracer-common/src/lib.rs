//! The wire contract between the kernel programs and the agent.
//!
//! Everything both halves must agree on is here and nowhere else: the families of records and their bytes, the list of
//! counters, the cookies of probes, the names of programs, maps and globals, and every bound. The crate holds bytes and
//! numbers only: no I/O, no logic, no allocation.

#![no_std]

#[macro_use]
mod list;

pub mod bytes;
pub mod config;
pub mod cookie;
pub mod counter;
pub mod family;
pub mod limits;
pub mod record;
