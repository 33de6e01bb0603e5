//! `cargo xtask fresh`: runs a command in a copy of this checkout on a machine that nobody prepared, so that a set-up step
//! that was forgotten is missed. The machine is a directory with a minimal Debian, Rust and a C linker, in a mount
//! namespace of its own; the kernel and the network are this one's. Hides how such a machine comes about.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    apt, command, progress,
    sudo::{self, Privilege},
    workspace,
};

/// Run a command in a copy of this checkout on a minimal Debian of its own, with Rust, a C linker, and nothing else
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What the machine has beside Debian's smallest set and Rust: a C linker, and what it takes to trust a server.
const PACKAGES: &str = "gcc,libc6-dev,ca-certificates";

/// What runs the command, see there.
const SCRIPT: &str = include_str!("fresh/machine.sh");

/// Where programs are on the machine.
const PATH: &str = "/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How this machine reaches the network, without which no machine here could: variables by their beginning, in any case.
const NETWORK_VARIABLES: [&str; 13] = [
    "ALL_PROXY",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PIP_",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_",
];

/// Files of the system with the same purpose.
const NETWORK_FILES: [&str; 4] = [
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt",
];

/// Files of the user with the same purpose, below the home directory.
const HOME_FILES: [&str; 3] = [
    ".cargo/config.toml",
    ".config/pip/pip.conf",
    ".pip/pip.conf",
];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let words: Vec<&str> = arguments.command.iter().map(String::as_str).collect();
    run_there(&words)
}

/// Settings that halve the time to compile, and change no step of the set-up.
const FAST: [&str; 4] = [
    "env",
    "CARGO_PROFILE_DEV_DEBUG=0",
    "CARGO_PROFILE_RELEASE_DEBUG=0",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL=0",
];

/// The first of the README's commands, compiled faster and recording for a shorter time than for a person.
pub(crate) fn demo() -> Result<()> {
    let demo = ["cargo", "xtask", "demo", "--duration", "2s"];
    run_there(&[&FAST[..], &demo[..]].concat())
}

fn run_there(words: &[&str]) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a machine of its own takes root, for its devices and mounts: run this as root"
    );
    let base = base()?;
    let machine = Machine::copy(&base)?;
    let rust = command::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let started = Instant::now();
    let mut there = Command::new("unshare");
    there
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(&machine.0)
        .arg(rust.trim())
        .args(words)
        .env_clear()
        .envs(env::vars_os().filter(|(name, _)| is_of_network(&name.to_string_lossy())))
        .envs([("HOME", "/root"), ("PATH", PATH), ("LANG", "C.UTF-8")])
        .stdin(Stdio::null());
    let status = there.status().context("cannot run `unshare`")?;
    let command = words.join(" ");
    ensure!(
        status.success(),
        "on a machine with nothing but Rust and a C linker, `{command}` failed ({status})"
    );
    progress::say(&format!(
        "on a machine with nothing but Rust and a C linker, `{command}` took {}",
        progress::seconds(started)
    ));
    Ok(())
}

/// The machine as it is before each run; made once.
fn base() -> Result<PathBuf> {
    let directory = workspace::target().join("fresh");
    let base = directory.join("base");
    if base.exists() {
        return Ok(base);
    }
    ensure!(
        apt::is_here(),
        "a minimal Debian is made with debootstrap, which only Debian and its kin install here"
    );
    if !sudo::in_path("debootstrap") {
        let reason = "to make a machine that nobody prepared";
        apt::install(&Privilege::Root, &["debootstrap"], reason)?;
    }
    let (mirror, release) = mirror()?;
    // Renamed once complete, so that what an interrupted run made is not taken for a machine.
    let partial = directory.join("base.partial");
    remove(&partial)?;
    fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    let mut make = Command::new("debootstrap");
    make.args(["--variant=minbase", &format!("--include={PACKAGES}")])
        .arg(&release)
        .arg(&partial)
        .arg(&mirror);
    progress::during(&format!("making a minimal Debian {release}"), || {
        command::output(&mut make)
    })?;
    fs::rename(&partial, &base).with_context(|| format!("cannot rename {}", partial.display()))?;
    Ok(base)
}

/// Where this machine's own packages come from, and the release they are of.
fn mirror() -> Result<(String, String)> {
    let about = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let release = about
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("/etc/os-release names no release")?;
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(SITE) $(RELEASE)"]);
    let targets = command::output(&mut targets)?;
    let mirror =
        mirror_of(&targets, release).with_context(|| format!("apt has no source for {release}"))?;
    Ok((mirror.to_owned(), release.to_owned()))
}

/// The first site that has this very release, from lines `SITE RELEASE`.
fn mirror_of<'a>(targets: &'a str, release: &str) -> Option<&'a str> {
    targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find_map(|(site, of)| (of == release).then_some(site))
}

/// A directory that is a machine, for one run; it is removed with this value.
#[derive(Debug)]
struct Machine(PathBuf);

impl Machine {
    /// A machine like `base`, with this checkout in `/root/project`, and no list of packages.
    fn copy(base: &Path) -> Result<Self> {
        let root = base.with_file_name("machine");
        remove(&root)?;
        let machine = Self(root);
        let root = &machine.0;
        copy(base, root)?;
        remove(&root.join("var/lib/apt/lists"))?;
        fs::create_dir_all(root.join("var/lib/apt/lists/partial"))?;
        remove(&root.join("etc/apt"))?;
        copy(Path::new("/etc/apt"), &root.join("etc/apt"))?;
        for file in NETWORK_FILES {
            place(Path::new(file), &root.join(file.trim_start_matches('/')))?;
        }
        let home = PathBuf::from(env::var_os("HOME").unwrap_or_else(|| OsString::from("/root")));
        for file in HOME_FILES {
            place(&home.join(file), &root.join("root").join(file))?;
        }
        copy_checkout(&root.join("root/project"))?;
        Ok(machine)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The next run tries again, and says why if it cannot.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Copies what git knows of this checkout, or would add to it, as it is now.
fn copy_checkout(to: &Path) -> Result<()> {
    let mut list = Command::new("git");
    list.current_dir(workspace::root());
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    list.args(["--deduplicate", "-z"]);
    let files = command::output(&mut list).context("cannot list the files of the checkout")?;
    for file in files.split_terminator('\0') {
        place(&workspace::root().join(file), &to.join(file))?;
    }
    Ok(())
}

/// Copies one file with its mode; nothing if it is not there.
fn place(from: &Path, to: &Path) -> Result<()> {
    if !from.is_file() {
        return Ok(());
    }
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Copies a directory with all modes, owners and links.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut copy = Command::new("cp");
    copy.args(["--archive", "--reflink=auto"]).arg(from).arg(to);
    command::output(&mut copy).map(drop)
}

fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    Ok(())
}

fn is_of_network(variable: &str) -> bool {
    let variable = variable.to_uppercase();
    let mut known = NETWORK_VARIABLES.iter();
    known.any(|beginning| variable.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_one_that_has_the_release_itself() {
        let targets = "http://mirror/security bookworm-security\nhttp://mirror/debian bookworm\n\
                       http://other/debian bookworm\n";
        assert_eq!(mirror_of(targets, "bookworm"), Some("http://mirror/debian"));
        assert_eq!(mirror_of(targets, "trixie"), None);
    }

    #[test]
    fn only_what_reaches_the_network_goes_along() {
        for name in [
            "https_proxy",
            "PIP_INDEX_URL",
            "CARGO_HTTP_PROXY",
            "SSL_CERT_FILE",
        ] {
            assert!(is_of_network(name), "{name}");
        }
        for name in ["PATH", "HOME", "GOFLAGS", "CARGO_TARGET_DIR", "RUSTFLAGS"] {
            assert!(!is_of_network(name), "{name}");
        }
    }
}
