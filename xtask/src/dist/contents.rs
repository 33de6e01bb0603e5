//! What every way to install has: the agent, its manual pages, completions, a systemd unit, texts; with paths below a
//! prefix such as `/usr`.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::archive::Entry;
use crate::{command, workspace};

/// Where the unit is below a prefix, and the program that it runs as it stands in the checkout.
pub(super) const UNIT: &str = "lib/systemd/system/tracer@.service";
const UNIT_RUNS: &str = "/usr/local/bin/tracer";

/// Shells, and where each looks for completions below a prefix.
pub(super) const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/tracer"),
    ("fish", "share/fish/vendor_completions.d/tracer.fish"),
    ("zsh", "share/zsh/site-functions/_tracer"),
];

/// Texts of the checkout, and where they go.
const TEXTS: [(&str, &str); 3] = [
    ("README.md", "share/doc/tracer/README.md"),
    ("LICENSE-APACHE", "share/doc/tracer/LICENSE-APACHE"),
    ("LICENSE-MIT", "share/doc/tracer/LICENSE-MIT"),
];

/// The files, to be unpacked at `prefix`, with this agent. `time` is that of the sources, in seconds of Unix time.
pub(super) fn entries(agent: &Path, prefix: &str, time: u64) -> Result<Vec<Entry>> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let mut entries = vec![Entry::program("bin/tracer", read(agent)?)];
    for (source, path) in TEXTS {
        entries.push(Entry::text(path, read(&workspace::root().join(source))?));
    }
    let unit = fs::read_to_string(workspace::root().join("xtask/src/dist/tracer@.service"))
        .context("cannot read the systemd unit")?;
    let program = format!("{prefix}/bin/tracer");
    ensure!(
        unit.contains(UNIT_RUNS),
        "the systemd unit does not run {UNIT_RUNS}"
    );
    entries.push(Entry::text(
        UNIT,
        unit.replace(UNIT_RUNS, &program).into_bytes(),
    ));
    for (shell, path) in COMPLETIONS {
        let script = command::output(Command::new(agent).args(["completions", shell]))?;
        entries.push(Entry::text(path, script.into_bytes()));
    }
    let pages = tempfile::tempdir().context("cannot create a directory for manual pages")?;
    let date = command::output(Command::new("date").args([
        "--utc",
        &format!("--date=@{time}"),
        "+%Y-%m-%d",
    ]))?;
    command::output(
        Command::new(agent)
            .args(["man", "--date", date.trim()])
            .arg(pages.path()),
    )?;
    for page in fs::read_dir(pages.path())?.flatten() {
        let path = format!("share/man/man1/{}", page.file_name().to_string_lossy());
        entries.push(Entry::text(&path, read(&page.path())?));
    }
    Ok(entries)
}
