//! One file per family of probes.

mod alloc;
mod empty;
mod resume;
