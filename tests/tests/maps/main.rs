//! Maps: who writes to them, how they grow and how large they get, equal to what the program says of itself, for both
//! layouts of maps; and programs that die of what they do to a map.

mod crashes;
mod growth;
mod truth;
mod writes;
