//! Resident memory: what it consists of, how far it is from its limit, and what is found wrong with it.

mod findings;
mod group;
mod limit;
mod parts;
