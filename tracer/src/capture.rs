//! A capture: ONE target, recorded or looked at. It wires the stages together, and is a value that is driven.
//!
//! ```text
//! Prepared::new ──▶ attach ──▶ Ready::start(now) ──▶ Capture: tick(now)…, report(now)…, stop, finish(now) ──▶ Ended
//! ```
//!
//! It has no clock and no signal: a driver (`drive`) says what time it is, and when it is over. The one thread that waits for
//! time is the governor's, whose windows are shorter than a tick. Start with `running`, which keeps the books; what is
//! recorded comes from `recording`, what is read from outside from `readings` and `heap`. `timeline` and `overhead` are
//! arithmetic. What captures of one host share is in `host`; page faults are not: each capture has events of its own.

mod error;
mod facts;
mod feed;
mod gauges;
mod heap;
mod host;
mod names;
mod now;
mod overhead;
mod prepared;
mod profiled;
mod readings;
mod ready;
mod recording;
mod request;
mod running;
mod steps;
mod timeline;

pub use error::CaptureError;
pub use feed::{Feed, SingleSink};
pub use host::Host;
pub use now::Now;
pub use prepared::Prepared;
pub use ready::Ready;
pub use request::{HeapAsked, ModeAsked, Request, Wanted};
pub use running::{Capture, Ended};
