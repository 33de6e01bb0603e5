//! The garbage collector: its cycles and pauses as the runtime counts them, and who pays for them.

mod assists;
mod cycles;
mod pauses;
mod truth;
