//! The exit code that an error stands for.

use super::sinks::Misuse;
use crate::capture::CaptureError;
use crate::drive::DriveError;
use crate::kernel::KernelError;
use crate::output::OutputError;
use crate::plan::PlanError;
use crate::program::{TargetError, TargetErrorKind};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NO_TARGET: u8 = 3;
const PRIVILEGE: u8 = 4;
const KERNEL: u8 = 5;

/// The code to exit with: 1 failed, 2 bad usage, 3 the target is gone or is not a Go program, 4 not enough privilege, 5
/// kernel feature missing.
pub fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(of_cause).unwrap_or(FAILED)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(DriveError::Capture(error)) = cause.downcast_ref::<DriveError>() {
        return capture(error);
    }
    if let Some(error) = cause.downcast_ref::<CaptureError>() {
        return capture(error);
    }
    if let Some(error) = cause.downcast_ref::<KernelError>() {
        return Some(kernel(error));
    }
    if let Some(error) = cause.downcast_ref::<TargetError>() {
        return Some(target(error));
    }
    if cause.is::<Misuse>() {
        return Some(USAGE);
    }
    match cause.downcast_ref::<OutputError>() {
        Some(OutputError::UnknownFormat { .. } | OutputError::NoComparison { .. }) => Some(USAGE),
        _ => None,
    }
}

fn capture(error: &CaptureError) -> Option<u8> {
    match error {
        CaptureError::Target(error) => Some(target(error)),
        CaptureError::Kernel(error) => Some(kernel(error)),
        CaptureError::Plan(PlanError::TooOld { .. }) => Some(NO_TARGET),
        _ => None,
    }
}

fn target(error: &TargetError) -> u8 {
    match error.kind() {
        TargetErrorKind::Gone | TargetErrorKind::NotGo => NO_TARGET,
        TargetErrorKind::Privilege => PRIVILEGE,
        TargetErrorKind::Failed => FAILED,
    }
}

fn kernel(error: &KernelError) -> u8 {
    match error {
        KernelError::Privilege { .. } => PRIVILEGE,
        KernelError::MissingFeature { .. } => KERNEL,
        KernelError::TargetExited { .. } => NO_TARGET,
        _ => FAILED,
    }
}
