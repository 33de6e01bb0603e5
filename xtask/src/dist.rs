//! `cargo xtask dist`: what people install who have no checkout. A tarball, a Debian package and a container image, each
//! with the same static binary; the same sources make the same bytes.

mod archive;
mod contents;
mod deb;
mod image;
mod trial;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use tracer_object::Place;

use crate::{
    bpf, build, command, progress,
    sudo::{self, Privilege},
    workspace,
};
use archive::Entry;
pub(crate) use trial::check;

/// Build what people install: a tarball, a Debian package, a container image, with a static binary
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Put this agent into it, in place of a static one that is built for it
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// Try each as a person meets it: unpack, install and purge, run (needs root)
    #[arg(long)]
    check: bool,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the binary runs on.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Everything that is made, by the path of each.
#[derive(Debug)]
pub(crate) struct Made {
    tarball: PathBuf,
    deb: PathBuf,
    image: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let agent = match &arguments.agent {
        Some(agent) => agent.clone(),
        None => static_agent(Place::Kept)?,
    };
    if arguments.check {
        let privilege = Privilege::obtain("to install the package and run the image")?;
        progress::during("trying each", || check(&privilege, &agent))?;
    }
    let made = make(&agent, &workspace::target().join("dist"))?;
    for path in made.paths() {
        let length = fs::metadata(path)?.len();
        progress::say(&format!(
            "wrote {} ({:.1} MB) and its .sha256",
            path.display(),
            length as f64 / 1e6
        ));
    }
    Ok(())
}

impl Made {
    fn paths(&self) -> [&Path; 3] {
        [&self.tarball, &self.deb, &self.image]
    }
}

/// Makes everything with this agent, and a checksum beside each.
fn make(agent: &Path, directory: &Path) -> Result<Made> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let time = commit_time()?;
    let top = format!("tracer-{VERSION}-x86_64-linux");
    let files = contents::entries(agent, "/usr/local", time)?;
    let files: Vec<Entry> = files.into_iter().map(|file| file.below(&top)).collect();
    let tarball = archive::gzip(&archive::tar(&files, time)?)?;
    let deb = deb::package(contents::entries(agent, "/usr", time)?, time)?;
    let program = fs::read(agent).with_context(|| format!("cannot read {}", agent.display()))?;
    let image = image::archive(program, time)?;
    let write = |name: &str, bytes: &[u8]| write_with_sum(directory, name, bytes);
    Ok(Made {
        tarball: write(&format!("{top}.tar.gz"), &tarball)?,
        deb: write(&format!("tracer_{VERSION}_{}.deb", deb::ARCHITECTURE), &deb)?,
        image: write(&format!("tracer-{VERSION}-x86_64-oci.tar"), &image)?,
    })
}

fn write_with_sum(directory: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    let sum = command::output(
        Command::new("sha256sum")
            .arg("--")
            .arg(name)
            .current_dir(directory),
    )?;
    let sum_path = sum_path(&path);
    fs::write(&sum_path, sum).with_context(|| format!("cannot write {}", sum_path.display()))?;
    Ok(path)
}

/// Where the checksum of a file is.
fn sum_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// When the sources were committed, for the times in archives; `SOURCE_DATE_EPOCH` if it is set, as
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
pub(crate) fn static_agent(object: Place) -> Result<PathBuf> {
    sudo::refuse_to_build_for_another_user()?;
    if object == Place::Kept {
        bpf::ensure()?;
    }
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
            .envs(build::embedding(object))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// What stands for the agent.
    fn stand_in(directory: &Path) -> PathBuf {
        let path = directory.join("agent");
        let script = "#!/bin/sh\ncase $1 in\n\
            completions) echo \"record for $2\" ;;\n\
            man) printf '.TH %s\\n.SH EXAMPLES\\n' \"$3\" > \"$4/tracer-record.1\" ;;\nesac\n";
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The files that a command lists, below a prefix.
    fn listed(command: &mut Command, prefix: &str) -> Vec<String> {
        let listing = command::output(command).unwrap();
        let paths = listing.lines().filter_map(|line| line.strip_prefix(prefix));
        let files = paths.filter(|path| !path.ends_with('/') && !path.is_empty());
        files.map(str::to_owned).collect()
    }

    #[test]
    fn tarball_and_package_hold_what_a_person_installs() {
        let directory = tempfile::tempdir().unwrap();
        let made = make(&stand_in(directory.path()), directory.path()).unwrap();
        let expected = [
            "bin/tracer",
            "lib/systemd/system/tracer@.service",
            "share/bash-completion/completions/tracer",
            "share/doc/tracer/LICENSE-APACHE",
            "share/doc/tracer/LICENSE-MIT",
            "share/doc/tracer/README.md",
            "share/fish/vendor_completions.d/tracer.fish",
            "share/man/man1/tracer-record.1",
            "share/zsh/site-functions/_tracer",
        ];
        let mut tar = Command::new("tar");
        let top = format!("tracer-{VERSION}-x86_64-linux/");
        assert_eq!(listed(tar.arg("-tzf").arg(&made.tarball), &top), expected);
        let data = format!("ar p {} data.tar.gz | tar -tz", made.deb.display());
        assert_eq!(
            listed(Command::new("sh").args(["-c", &data]), "usr/"),
            expected
        );
    }

    #[test]
    fn a_program_that_needs_libraries_is_not_static() {
        let error = ensure_static(Path::new("/bin/sh")).unwrap_err().to_string();
        assert!(error.contains("/bin/sh is not static"), "{error}");
    }
}
