//! Mode sampled: the runtime's own samples, taken when it takes them, and where there are none, whole spans.

mod findings;
mod labels;
mod live;
mod spans;
mod traced;
mod types;
