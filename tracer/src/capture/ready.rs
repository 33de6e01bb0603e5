//! A capture whose probes are attached and silent: all that is missing is the word, so that several can begin together.

use super::error::CaptureError;
use super::feed::Feed;
use super::heap::require_memory;
use super::host::Host;
use super::now::Now;
use super::prepared::Prepared;
use super::recording::Recording;
use super::request::{ModeAsked, Request};
use super::running::Capture;
use crate::collect::Spout;
use crate::symbolize::Symbolizer;
use std::sync::Arc;

/// A capture before its first record.
#[derive(Debug)]
pub struct Ready {
    prepared: Prepared,
    mode: ModeAsked,
    /// `None` if the target is only looked at.
    recording: Option<Recording>,
    spout: Option<Spout>,
}

impl Prepared {
    /// Attaches the probes; none in [`ModeAsked::Heap`].
    ///
    /// # Errors
    /// The kernel refuses, or the target exits meanwhile; nothing stays attached then. Or its memory may not be read, where
    /// nothing else is.
    pub fn attach(mut self, request: &Request, host: &mut Host) -> Result<Ready, CaptureError> {
        let mode = request.mode;
        let (recording, spout) = match mode {
            ModeAsked::Heap => {
                require_memory(&self.process, &self.binary, self.bias)?;
                (None, None)
            }
            ModeAsked::Exact | ModeAsked::Auto { .. } | ModeAsked::Sampled => {
                if mode == ModeAsked::Sampled {
                    self.heap.warn_of_frequent_samples();
                }
                let (recording, spout) = Recording::attach(&mut self, request, host)?;
                (Some(recording), spout)
            }
        };
        Ok(Ready {
            prepared: self,
            mode,
            recording,
            spout,
        })
    }
}

impl Ready {
    /// Begins to record.
    ///
    /// # Errors
    /// The kernel refuses, or the system has no thread left.
    pub fn start(self, now: Now) -> Result<Capture, CaptureError> {
        let Ready {
            prepared,
            mut mode,
            mut recording,
            spout,
        } = self;
        if let Some(recording) = &mut recording {
            recording.start(&prepared, mode)?;
            // Where nobody can keep the budget, each allocation is recorded.
            if !recording.is_governed() && prepared.allocations {
                mode = ModeAsked::Exact;
            }
        }
        let symbolizer = || Symbolizer::new(Arc::clone(&prepared.binary), prepared.bias);
        let feed = spout.map(|spout| Feed::new(spout, symbolizer(), now.monotonic_ns()));
        let symbolizer = symbolizer();
        Ok(Capture::new(
            prepared, mode, recording, feed, symbolizer, now,
        ))
    }
}
