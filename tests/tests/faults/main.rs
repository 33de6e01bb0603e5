//! Page faults: every page that the target asks the kernel for, at the line that does, as the kernel itself counts them.

mod others;
mod scenes;
mod truth;
