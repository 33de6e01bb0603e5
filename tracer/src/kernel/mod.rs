//! The kernel side of a capture: check, load, attach, count, detach.
//!
//! The only place besides `stream` that names aya. Hides program and map handles: a capture gets an [`Attached`].

mod attach;
mod calibrate;
mod counters;
mod detach;
mod empty;
mod error;
mod extra;
mod load;
mod log;
mod object;
mod preflight;
mod probe;
mod rings;

pub use attach::{Attached, Detaching, attach};
pub use calibrate::HitCost;
pub use counters::{Counters, ExtraHits};
pub use detach::detach_in_background;
pub use empty::{EmptyProbes, attach_empty};
pub use error::{Feature, KernelError};
pub use extra::Extra;
pub use load::{Anchors, Settings};
pub use preflight::{Check, Verdict, doctor, require};
