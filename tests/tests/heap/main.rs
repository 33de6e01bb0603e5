//! The live heap since the start of the process, read from the runtime's own profile without any probe.

mod errors;
mod growth;
mod off;
mod snapshot;
mod taken;
