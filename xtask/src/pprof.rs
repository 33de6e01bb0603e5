//! `go tool pprof` for the live test that reads profiles with it, built beforehand: since Go 1.25 `go tool` builds it
//! when it is first used, which takes half a minute.

use anyhow::Result;

use crate::{go::Toolchain, programs, progress};

/// The file in [`programs::directory`].
const TOOL: &str = "pprof";

/// Builds the tool.
pub(crate) fn prepare(toolchain: &Toolchain) -> Result<()> {
    let tool = programs::directory().join(TOOL).display().to_string();
    let message = format!("building pprof with Go {}", toolchain.version);
    progress::during(&message, || {
        toolchain.output(&["build", "-o", &tool, "cmd/pprof"])
    })
    .map(drop)
}
