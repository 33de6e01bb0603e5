//! The kernel side of a capture: check, load, attach, count, detach.
//!
//! The only place besides `stream` that names aya. Hides program and map handles: a capture gets an [`Attached`].

mod attach;
mod calibrate;
mod cost;
mod counters;
mod detach;
mod empty;
mod error;
mod faults;
mod link;
mod load;
mod log;
mod object;
mod place;
mod preflight;
mod probe;
mod rings;
mod switches;
mod trial;

pub use attach::{Attached, attach, hit_cost};
pub use cost::HitCost;
pub use detach::detach_in_background;
pub use empty::{EmptyProbes, attach_empty};
pub use error::{Feature, KernelError};
pub use link::Detaching;
pub use load::{Anchors, Settings};
pub use preflight::{release, require};
pub use trial::{Ability, Trial, try_host};
