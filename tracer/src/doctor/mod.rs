//! What this host and a process are good for: facts, what follows from them, and the words for it.
//!
//! `host` and `target` find the facts by trying; `verdict` and `cost` are pure; `text` is what people read.

mod cost;
mod host;
mod target;
mod text;
mod verdict;

pub use cost::{Cost, costs};
pub use host::Host;
pub use target::{Rates, Target};
pub use text::{of_host, of_target, of_verdict};
pub use verdict::{Finding, Mark, Verdict, verdict};
