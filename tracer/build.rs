//! Builds the eBPF object that the agent embeds, `$OUT_DIR/tracer.bpf.o`, with the toolchain that
//! `cargo xtask build` found. Without one the object is an empty stub, so that check, clippy and the
//! unprivileged tests need no BPF toolchain; the agent refuses a stub when it would load it.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::SystemTime,
};

/// Relative to this package, which is the directory build scripts run in.
const BPF_TARGET_DIR: &str = "../target/bpf";
const TOOLCHAIN: &str = "../target/bpf/toolchain";
const NO_TOOLCHAIN: &str = "none\n";
const BPF_TARGET: &str = "bpfel-unknown-none";

/// Everything the object is made from: its sources, what pins its dependencies and its profile, its toolchain.
const INPUTS: [&str; 6] = [
    "../tracer-ebpf",
    "../tracer-common/src",
    "../tracer-common/Cargo.toml",
    "../Cargo.toml",
    "../Cargo.lock",
    TOOLCHAIN,
];

#[expect(
    clippy::print_stderr,
    reason = "cargo shows it when a build script fails"
)]
fn main() -> ExitCode {
    match embed_object() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn embed_object() -> Result<(), String> {
    for input in INPUTS {
        println!("cargo::rerun-if-changed={input}");
    }
    let object = PathBuf::from(variable("OUT_DIR")?).join("tracer.bpf.o");
    if let Some(toolchain) = Toolchain::read()? {
        let built = toolchain.build()?;
        fs::copy(&built, &object)
            .map_err(|error| failed("copy", &built, &error))
            .map(drop)
    } else {
        println!(
            "cargo::warning=the eBPF programs are left out of this build (run `cargo xtask build` to have them)"
        );
        fs::write(&object, []).map_err(|error| failed("write", &object, &error))
    }
}

/// What `cargo xtask build` wrote to `target/bpf/toolchain`.
struct Toolchain {
    rustc: String,
    /// A cargo of the same channel, for `-Z build-std`; else the one that runs this script.
    cargo: Option<String>,
    linker: String,
    /// Whether `core` is compiled along, because the toolchain has none for BPF.
    build_std: bool,
}

impl Toolchain {
    fn read() -> Result<Option<Self>, String> {
        let path = Path::new(TOOLCHAIN);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_placeholder(path)?;
                return Ok(None);
            }
            Err(error) => return Err(failed("read", path, &error)),
        };
        if text == NO_TOOLCHAIN {
            return Ok(None);
        }
        let values: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        let tool = |key: &str| {
            let Some(&tool) = values.get(key) else {
                return Err(format!(
                    "{TOOLCHAIN} names no {key}: run `cargo xtask build`"
                ));
            };
            if !Path::new(tool).exists() {
                return Err(format!(
                    "the BPF toolchain's {key}, {tool}, is gone: run `cargo xtask build`"
                ));
            }
            Ok(tool.to_owned())
        };
        Ok(Some(Self {
            rustc: tool("rustc")?,
            cargo: values
                .contains_key("cargo")
                .then(|| tool("cargo"))
                .transpose()?,
            linker: tool("linker")?,
            build_std: values.get("build_std") == Some(&"1"),
        }))
    }

    /// Runs the build and gives the path of the object. Cargo does nothing when it is up to date.
    fn build(&self) -> Result<PathBuf, String> {
        let cargo = match &self.cargo {
            Some(cargo) => OsString::from(cargo),
            None => variable("CARGO")?,
        };
        let mut build = Command::new(cargo);
        remove_outer_cargo(&mut build);
        build
            .args(["build", "--locked", "--release", "--package", "tracer-ebpf"])
            .args(["--target", BPF_TARGET, "--target-dir", BPF_TARGET_DIR])
            .env("RUSTC", &self.rustc)
            // aya-ebpf needs the unstable BPF inline assembly.
            .env("RUSTC_BOOTSTRAP", "1")
            .env(
                "CARGO_ENCODED_RUSTFLAGS",
                format!(
                    "-Cdebuginfo=2\x1f-Clink-arg=--btf\x1f-Clinker={}{}",
                    self.linker,
                    without_local_paths()?
                ),
            )
            .env("AYA_BPF_TARGET_ARCH", variable("CARGO_CFG_TARGET_ARCH")?);
        if self.build_std {
            build.args(["-Z", "build-std=core"]);
        }
        let output = build
            .output()
            .map_err(|error| format!("cannot run {build:?}: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "the eBPF programs do not build ({}): {build:?}\n{}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            ));
        }
        Ok(Path::new(BPF_TARGET_DIR)
            .join(BPF_TARGET)
            .join("release/tracer"))
    }
}

/// Cargo reruns a build script each time while a path it watches is missing. The placeholder is dated
/// back, because a file newer than the start of this run counts as changed.
fn write_placeholder(path: &Path) -> Result<(), String> {
    let write = || {
        fs::create_dir_all(BPF_TARGET_DIR)?;
        fs::write(path, NO_TOOLCHAIN)?;
        fs::File::options()
            .write(true)
            .open(path)?
            .set_modified(SystemTime::UNIX_EPOCH)
    };
    write().map_err(|error: io::Error| failed("write", path, &error))
}

/// Takes away what the outer cargo, clippy or a compiler cache set for the agent's own compilation, and
/// leaves what the user set to reach a registry.
fn remove_outer_cargo(build: &mut Command) {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_cargo =
            text.starts_with("CARGO_") && !KEPT.iter().any(|kept| text.starts_with(kept));
        let of_compiler = text.starts_with("RUSTC") || text.starts_with("CLIPPY_");
        if of_cargo || of_compiler || text == "RUSTFLAGS" {
            build.env_remove(&name);
        }
    }
}

/// Flags that keep the directories of this machine out of the object's debug information, which the agent carries with
/// it: the sources and what they depend on.
fn without_local_paths() -> Result<String, String> {
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = package.parent().map(Path::to_path_buf);
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let flags = [(root, "/tracer"), (cargo, "/cargo")].map(|(from, to)| {
        let from = from.unwrap_or_default();
        if from.as_os_str().is_empty() {
            return String::new();
        }
        format!("\x1f--remap-path-prefix={}={to}", from.display())
    });
    Ok(flags.concat())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: cargo runs this script"))
}

fn failed(act: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {act} {}: {error}", path.display())
}
