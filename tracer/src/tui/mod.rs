//! A running capture on the whole screen: `tracer top`.
//!
//! Dependencies go one way. `state` folds reports and keys into what is shown; `view` turns that into a frame; both are pure
//! and know no terminal. `terminal` is the only file that touches one: it hides raw mode, the alternate screen, how keys are
//! read, and that all of that is undone whatever happens.

mod painter;
pub mod state;
pub mod terminal;
pub mod view;
