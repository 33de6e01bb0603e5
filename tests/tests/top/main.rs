//! `tracer top` in a real terminal: what it shows is what the target does, keys do what they say, and the terminal is
//! afterwards as it was before.

mod ends;
mod scene;
mod screen;
