//! What happened between two moments of a capture that goes on.
//!
//! [`Places`] follows the aggregate by what changed in it, with each stack reduced to the place that it ends at: a report of
//! that costs in proportion to places, however many stacks lead to them. [`LiveView`] makes intervals of such reports,
//! [`Lumps`] tells what windows, which are known late, say of one of them, and [`Pace`] is the rate of the last second.
//! Pure: no clock, no thread, no file. Hides which figures of a report were shown already.

pub mod interval;
mod lumps;
mod pace;
mod places;
mod view;

pub use lumps::{Lumps, Step, Timing};
pub use pace::Pace;
pub use places::{Detail, Places};
pub use view::LiveView;
