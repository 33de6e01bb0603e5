//! Where records come from: the live ring buffer, or a recording of one.
//!
//! Hides the transport: everything downstream takes bytes from a [`Source`] and does not know which.

mod replay;
mod ring;

pub use replay::Replay;
pub use ring::RingSource;

/// A place to take raw records from.
pub trait Source: Send {
    /// Hands every record that is there now to `sink`, oldest first, and returns how many there were. Does not wait.
    fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) -> usize;
}
