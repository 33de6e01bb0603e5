//! The wire contract between the kernel programs and the agent.
//!
//! Everything both halves must agree on is here and nowhere else: the bytes of a record, the list of counters, the
//! names of programs, maps and globals, and every bound. The crate holds bytes and numbers only: no I/O, no logic,
//! no allocation.

#![no_std]

pub mod bytes;
pub mod config;
pub mod counter;
pub mod limits;
pub mod record;
