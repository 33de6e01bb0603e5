//! What can go wrong in a capture.

use crate::collect::CollectorDied;
use crate::kernel::KernelError;
use crate::plan::PlanError;
use crate::program::TargetError;
use std::io;

/// Why a capture cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant is the stage it comes from, which says what it is"
)]
pub enum CaptureError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Collector(#[from] CollectorDied),
    #[error("cannot start a thread for the capture")]
    Thread(#[source] io::Error),
}
