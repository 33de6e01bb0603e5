//! Where things are in the checkout. Everything that is built or downloaded goes below `target/`, whatever
//! directory the user's own cargo settings name, because the agent and its build script look there.

use std::{env, ffi::OsString, path::PathBuf, process::Command};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let mut root = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    root.pop();
    root
}

/// `target/` of the checkout.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// The release build of the agent.
pub(crate) fn agent() -> PathBuf {
    target().join("release/tracer")
}

/// The cargo that runs this task, at work in the checkout.
pub(crate) fn cargo() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target());
    command
}
