//! The host: which targets are captured, when something happens to them, and who gets what they find.
//!
//! A [`Driver`] owns time, signals and the ends of processes, for any number of targets, in one event loop (`events`). A
//! [`Capture`](crate::capture::Capture) is told the time and never asks; a [`Consumer`] gets moments and is the only way
//! out. `record` is a driver with files, `attach` one with a stream, `top` one with a screen, `run` one with a child.

mod clock;
mod consumer;
mod course;
mod driver;
mod events;
mod exit;
mod signals;

pub use clock::now;
pub use consumer::{Consumer, Flow, Following, Moment};
pub use course::Course;
pub use driver::{DriveError, Driver};
