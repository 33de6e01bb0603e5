//! `cargo xtask dist`: what people install who have no checkout. A tarball with a static binary, its manual pages,
//! completions and a systemd unit, the same bytes for the same sources.

mod tarball;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{bpf, command, progress, sudo, workspace};
use tarball::{Entry, Tarball};

/// Build a tarball to install from: a static binary, manual pages, completions, a systemd unit
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Put this agent into it, in place of a static one that is built for it
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the binary runs on.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Shells, and where each looks for completions below a prefix.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/tracer"),
    ("fish", "share/fish/vendor_completions.d/tracer.fish"),
    ("zsh", "share/zsh/site-functions/_tracer"),
];

/// Texts of the checkout, and where they go.
const TEXTS: [(&str, &str); 4] = [
    ("README.md", "share/doc/tracer/README.md"),
    ("LICENSE-APACHE", "share/doc/tracer/LICENSE-APACHE"),
    ("LICENSE-MIT", "share/doc/tracer/LICENSE-MIT"),
    (
        "xtask/src/dist/tracer@.service",
        "lib/systemd/system/tracer@.service",
    ),
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let agent = match &arguments.agent {
        Some(agent) => agent.clone(),
        None => static_agent()?,
    };
    let path = write(&agent, &workspace::target().join("dist"))?;
    let length = fs::metadata(&path)?.len();
    progress::say(&format!(
        "wrote {} ({:.1} MB) and its .sha256",
        path.display(),
        length as f64 / 1e6
    ));
    Ok(())
}

/// Writes the tarball with this agent, and its checksum, and gives its path.
pub(crate) fn write(agent: &Path, directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let top = format!("tracer-{VERSION}-x86_64-linux");
    let name = format!("{top}.tar.gz");
    let path = directory.join(&name);
    let time = commit_time()?;
    let tarball = Tarball {
        top,
        time,
        entries: entries(agent, time)?,
    };
    let mut bytes = Vec::new();
    tarball.write(&mut bytes)?;
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    let sum = command::output(
        Command::new("sha256sum")
            .arg("--")
            .arg(&name)
            .current_dir(directory),
    )?;
    let sum_path = directory.join(format!("{name}.sha256"));
    fs::write(&sum_path, sum).with_context(|| format!("cannot write {}", sum_path.display()))?;
    Ok(path)
}

fn entries(agent: &Path, time: u64) -> Result<Vec<Entry>> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let mut entries = vec![Entry::program("bin/tracer", read(agent)?)];
    for (source, path) in TEXTS {
        entries.push(Entry::text(path, read(&workspace::root().join(source))?));
    }
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

/// When the sources were committed, for the times in the tarball; `SOURCE_DATE_EPOCH` if it is set, as
/// https://reproducible-builds.org/specs/source-date-epoch/ says.
fn commit_time() -> Result<u64> {
    let time = match env::var("SOURCE_DATE_EPOCH") {
        Ok(time) => time,
        Err(_) => command::output(
            Command::new("git")
                .args(["log", "-1", "--format=%ct"])
                .current_dir(workspace::root()),
        )
        .context("cannot tell when the sources are from: set SOURCE_DATE_EPOCH")?,
    };
    let time = time.trim();
    time.parse()
        .with_context(|| format!("{time:?} is no time in seconds"))
}

/// Builds the agent so that it needs no library of the host it runs on, and names no directory of this one.
fn static_agent() -> Result<PathBuf> {
    sudo::refuse_to_build_for_another_user()?;
    bpf::ensure()?;
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let mut flags = OsString::from("-Ctarget-feature=+crt-static");
    for (from, to) in [
        (Some(workspace::root()), "/tracer"),
        (cargo_home.or_else(home), "/cargo"),
    ] {
        if let Some(from) = from {
            flags.push("\x1f--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
    }
    command::run(
        workspace::cargo()
            .args(["build", "--locked", "--release", "--package", "tracer"])
            .args(["--target", TARGET])
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            // Function names stay: a panic says where it was.
            .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "none"),
    )?;
    let agent = workspace::target().join(TARGET).join("release/tracer");
    ensure_static(&agent)?;
    Ok(agent)
}

/// A program that needs libraries names them in its dynamic section.
fn ensure_static(agent: &Path) -> Result<()> {
    let needed = command::output(Command::new("readelf").args(["-d", "-W", "--"]).arg(agent))?;
    ensure!(
        !needed.contains("(NEEDED)"),
        "{} is not static: {needed}",
        agent.display()
    );
    Ok(())
}

/// Checks a tarball with this agent as a person meets it: the same bytes twice, a checksum that fits, and a program,
/// pages and completions that work where it is unpacked.
pub(crate) fn check(agent: &Path) -> Result<()> {
    let work = tempfile::tempdir().context("cannot create a directory")?;
    let first = write(agent, &work.path().join("first"))?;
    let second = write(agent, &work.path().join("second"))?;
    ensure!(
        fs::read(&first)? == fs::read(&second)?,
        "two tarballs of the same sources differ"
    );
    let directory = first.parent().unwrap_or(work.path());
    let mut check_sum = Command::new("sha256sum");
    check_sum
        .arg("--check")
        .arg("--strict")
        .current_dir(directory);
    let sum = first.with_extension("gz.sha256");
    command::output(check_sum.arg(sum.file_name().unwrap_or_default()))?;
    let prefix = work.path().join("prefix");
    fs::create_dir(&prefix)?;
    command::output(
        Command::new("tar")
            .args(["-xzf"])
            .arg(&first)
            .args(["--strip-components=1", "-C"])
            .arg(&prefix),
    )?;
    let version = command::output(Command::new(prefix.join("bin/tracer")).arg("--version"))?;
    ensure!(
        version.trim() == format!("tracer {VERSION}"),
        "the agent in the tarball is {version:?}"
    );
    for (shell, path) in COMPLETIONS {
        let script = fs::read_to_string(prefix.join(path))?;
        ensure!(script.contains("record"), "no completions for {shell}");
    }
    let page = fs::read_to_string(prefix.join("share/man/man1/tracer-record.1"))?;
    ensure!(page.contains(".SH EXAMPLES"), "a manual page is incomplete");
    check_unit(&prefix)
}

/// Has systemd read the unit, where there is systemd.
fn check_unit(prefix: &Path) -> Result<()> {
    // The unit names the place where the tarball is usually unpacked, which the host may lack.
    let unit = fs::read_to_string(prefix.join("lib/systemd/system/tracer@.service"))?;
    let here = format!("{}/bin/tracer", prefix.display());
    ensure!(
        unit.contains("/usr/local/bin/tracer"),
        "the unit runs another program"
    );
    let path = prefix.join("tracer@demo.service");
    fs::write(&path, unit.replace("/usr/local/bin/tracer", &here))?;
    // The service that it watches.
    fs::write(
        prefix.join("demo.service"),
        "[Service]\nExecStart=/bin/true\n",
    )?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&path);
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        progress::say("no systemd here: its unit was not checked");
        return Ok(());
    }
    // Of a directive that it does not know it only says so.
    let output = verify.output().context("cannot run systemd-analyze")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && told.is_empty(),
        "systemd finds fault with the unit: {told}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands for the agent.
    fn stand_in(directory: &Path) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = directory.join("agent");
        let script = "#!/bin/sh\ncase $1 in\n\
            completions) echo \"record for $2\" ;;\n\
            man) printf '.TH %s\\n.SH EXAMPLES\\n' \"$3\" > \"$4/tracer-record.1\" ;;\n\
            --version) echo tracer $VERSION ;;\nesac\n";
        fs::write(&path, script.replace("$VERSION", VERSION)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_tarball_holds_what_a_person_installs() {
        let directory = tempfile::tempdir().unwrap();
        let agent = stand_in(directory.path());
        check(&agent).unwrap();
        let path = write(&agent, directory.path()).unwrap();
        let listing = command::output(Command::new("tar").arg("-tzf").arg(&path)).unwrap();
        let prefix = format!("tracer-{VERSION}-x86_64-linux/");
        let names: Vec<&str> = listing
            .lines()
            .map(|line| line.strip_prefix(&prefix).unwrap())
            .filter(|name| !name.ends_with('/') && !name.is_empty())
            .collect();
        assert_eq!(
            names,
            [
                "bin/tracer",
                "lib/systemd/system/tracer@.service",
                "share/bash-completion/completions/tracer",
                "share/doc/tracer/LICENSE-APACHE",
                "share/doc/tracer/LICENSE-MIT",
                "share/doc/tracer/README.md",
                "share/fish/vendor_completions.d/tracer.fish",
                "share/man/man1/tracer-record.1",
                "share/zsh/site-functions/_tracer",
            ]
        );
    }

    #[test]
    fn another_program_is_not_taken_for_the_agent() {
        let error = check(Path::new("/bin/true")).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("the agent in the tarball is"), "{error}");
    }

    #[test]
    fn a_program_that_needs_libraries_is_not_static() {
        let error = ensure_static(Path::new("/bin/sh")).unwrap_err().to_string();
        assert!(error.contains("/bin/sh is not static"), "{error}");
    }
}
