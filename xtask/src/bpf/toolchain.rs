//! Finds a compiler and a linker for eBPF, or installs them, and remembers them in `target/bpf/toolchain.toml`. Hides
//! the two kinds of compiler there are: a rustc that has `core` for BPF, as Debian packages it, and a rustup nightly
//! that compiles `core` along from `rust-src`.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tracer_object::{BPF_TARGET, Tools};

use super::linker;
use crate::{apt, command, progress, sudo::Privilege, workspace};

/// Debian's rustc and its prebuilt `core` for the BPF targets.
const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];

/// What a person can do when nothing can be installed for them.
const REMEDY: &str =
    "no Rust toolchain for eBPF was found. One of these makes one available, then run this again:
  Debian:     sudo apt-get install rustc-web libstd-rust-web-dev-bpf
  elsewhere:  rustup toolchain install nightly --component rust-src
              cargo install cargo-binstall && cargo binstall bpf-linker";

/// Tools that work together, as they are remembered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Toolchain {
    /// The compiler itself, not rustup's proxy for it.
    pub(super) rustc: PathBuf,
    /// The cargo to use with it, if not any will do.
    pub(super) cargo: Option<PathBuf>,
    /// Whether `core` has to be compiled along.
    pub(super) build_std: bool,
    pub(super) linker: PathBuf,
    /// What the tools say of themselves, to notice an upgrade.
    pub(super) tools: Tools,
}

/// A compiler that can build the eBPF programs.
#[derive(Debug)]
pub(super) struct Compiler {
    pub(super) rustc: PathBuf,
    cargo: Option<PathBuf>,
    build_std: bool,
    version: String,
    llvm: String,
}

impl Compiler {
    /// The major version of its LLVM.
    pub(super) fn llvm_major(&self) -> Option<u32> {
        self.llvm.split('.').next()?.parse().ok()
    }
}

/// Tools that work: those of the last time, others that are here, or new ones.
pub(super) fn ensure() -> Result<Toolchain> {
    if let Some(toolchain) = remembered() {
        return Ok(toolchain);
    }
    let compiler = match find_compiler() {
        Some(compiler) => compiler,
        None => install_compiler()?,
    };
    progress::say(&format!(
        "eBPF compiler: {} ({}, LLVM {})",
        compiler.rustc.display(),
        compiler.version,
        compiler.llvm
    ));
    let linker = linker::ensure(&compiler)?;
    progress::say(&format!("eBPF linker: {}", linker.display()));
    let toolchain = Toolchain {
        tools: Tools {
            compiler: compiler.version,
            llvm: compiler.llvm,
            linker: said(&linker)?,
        },
        rustc: compiler.rustc,
        cargo: compiler.cargo,
        build_std: compiler.build_std,
        linker,
    };
    toolchain.remember()?;
    Ok(toolchain)
}

impl Toolchain {
    fn remember(&self) -> Result<()> {
        let path = memory();
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        fs::write(&path, toml::to_string(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn still_works(&self) -> bool {
        let is_same = |tool: &Path, version: &str| said(tool).is_ok_and(|said| said == version);
        is_same(&self.rustc, &self.tools.compiler)
            && is_same(&self.linker, &self.tools.linker)
            && self.cargo.as_ref().is_none_or(|cargo| cargo.exists())
    }
}

fn memory() -> PathBuf {
    workspace::target().join("bpf/toolchain.toml")
}

fn remembered() -> Option<Toolchain> {
    let text = fs::read_to_string(memory()).ok()?;
    let toolchain: Toolchain = toml::from_str(&text).ok()?;
    toolchain.still_works().then_some(toolchain)
}

/// What a tool says of its version.
fn said(tool: &Path) -> Result<String> {
    Ok(command::output(Command::new(tool).arg("--version"))?
        .trim()
        .to_owned())
}

fn find_compiler() -> Option<Compiler> {
    compiler_with_core().or_else(nightly_with_sources)
}

/// A rustc in PATH, or Debian's behind rustup's, with a prebuilt `core` for BPF.
fn compiler_with_core() -> Option<Compiler> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    let candidates: BTreeSet<PathBuf> = directories
        .map(|directory| directory.join("rustc"))
        .collect();
    candidates
        .into_iter()
        .filter(|rustc| rustc.is_file() && has_core(rustc))
        .find_map(|rustc| describe(&sysroot(&rustc)?.join("bin/rustc"), None, false))
}

fn has_core(rustc: &Path) -> bool {
    let arguments = ["--print", "target-libdir", "--target", BPF_TARGET];
    let Ok(directory) = command::output(Command::new(rustc).args(arguments)) else {
        return false;
    };
    let Ok(libraries) = fs::read_dir(directory.trim()) else {
        return false;
    };
    libraries.flatten().any(|library| {
        let name = library.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let sysroot = command::output(Command::new(rustc).args(["--print", "sysroot"])).ok()?;
    Some(PathBuf::from(sysroot.trim()))
}

/// A rustup nightly that has the sources of the standard library.
fn nightly_with_sources() -> Option<Compiler> {
    let toolchains = command::output(Command::new("rustup").args(["toolchain", "list"])).ok()?;
    toolchains
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with("nightly"))
        .find_map(|name| {
            let rustc = command::output(Command::new("rustup").args([
                "which",
                "--toolchain",
                name,
                "rustc",
            ]))
            .ok()?;
            let rustc = Path::new(rustc.trim());
            let sysroot = sysroot(rustc)?;
            let sources = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs");
            let cargo = sysroot.join("bin/cargo");
            (sources.exists() && cargo.exists()).then(|| describe(rustc, Some(cargo), true))?
        })
}

fn describe(rustc: &Path, cargo: Option<PathBuf>, build_std: bool) -> Option<Compiler> {
    let said = command::output(Command::new(rustc).arg("-vV")).ok()?;
    Some(Compiler {
        rustc: rustc.to_owned(),
        cargo,
        build_std,
        version: said.lines().next()?.trim().to_owned(),
        llvm: llvm_version(&said)?,
    })
}

/// The LLVM of a compiler, from what `rustc -vV` says.
fn llvm_version(verbose_version: &str) -> Option<String> {
    let version = verbose_version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    Some(version.trim().to_owned())
}

/// Installs Debian's compiler where there is one.
fn install_compiler() -> Result<Compiler> {
    if !apt::is_here() {
        bail!(REMEDY);
    }
    let privilege = Privilege::obtain(&format!(
        "to install the Debian packages {}, and then the LLVM of that compiler",
        DEBIAN_PACKAGES.join(" ")
    ))
    .context(REMEDY)?;
    let reason = "because no Rust compiler here can compile for eBPF (yours stays the default)";
    apt::install(&privilege, &DEBIAN_PACKAGES, reason).context(REMEDY)?;
    find_compiler().with_context(|| {
        format!(
            "{} has no `core` for {BPF_TARGET}",
            DEBIAN_PACKAGES.join(" ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBOSE: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
                           host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    #[test]
    fn the_llvm_version_is_read_from_the_verbose_version() {
        assert_eq!(llvm_version(VERBOSE).as_deref(), Some("22.1.8"));
        assert_eq!(llvm_version("rustc 1.96.0\n"), None);
    }

    #[test]
    fn tools_are_remembered_until_they_change() {
        let toolchain = Toolchain {
            rustc: PathBuf::from("/bin/echo"),
            cargo: None,
            build_std: false,
            linker: PathBuf::from("/bin/echo"),
            tools: Tools {
                compiler: said(Path::new("/bin/echo")).unwrap(),
                llvm: "22.1.8".to_owned(),
                linker: said(Path::new("/bin/echo")).unwrap(),
            },
        };
        let text = toml::to_string(&toolchain).unwrap();
        let mut read: Toolchain = toml::from_str(&text).unwrap();
        assert_eq!(read, toolchain);
        assert!(read.still_works());
        read.cargo = Some(PathBuf::from("/nonexistent/cargo"));
        assert!(!read.still_works());
        read.cargo = None;
        read.tools.compiler = "rustc 1.0.0".to_owned();
        assert!(!read.still_works());
    }
}
