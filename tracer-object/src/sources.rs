//! The hash of everything that shapes the eBPF object, apart from the tools that compile it: the sources of the two
//! crates, the settings of the workspace that reach them, and the exact crates that they use.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

/// The crates that the object is compiled from.
const CRATES: [&str; 2] = ["tracer-common", "tracer-ebpf"];

/// What of a crate's directory is compiled.
const COMPILED: [&str; 3] = ["Cargo.toml", "build.rs", "src"];

/// What the object is compiled for.
pub const BPF_TARGET: &str = "bpfel-unknown-none";

/// The flags of the compiler that are the same on each machine. Types are described (BTF) from the debug information.
pub const FLAGS: [&str; 2] = ["-Cdebuginfo=2", "-Clink-arg=--btf"];

/// The hash of the sources in the checkout `root`, in hexadecimal; `None` where there are none, as in a package of
/// the agent alone.
///
/// # Errors
/// A source, the workspace's manifest or its lock file cannot be read.
pub fn source_hash(root: &Path, architecture: &str) -> Result<Option<String>> {
    if !CRATES.iter().all(|name| root.join(name).is_dir()) {
        return Ok(None);
    }
    let mut hash = Hash(Sha256::new());
    hash.text(BPF_TARGET);
    hash.text(architecture);
    for flag in FLAGS {
        hash.text(flag);
    }
    for path in source_files(root)? {
        let bytes = fs::read(root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        hash.text(&path.to_string_lossy());
        hash.bytes(&bytes);
    }
    hash.text(&settings(root)?.to_string());
    for package in locked_packages(&table(&root.join("Cargo.lock"))?)? {
        hash.text(&package);
    }
    Ok(Some(hash.finish()))
}

/// The files and directories that the hash reads, from the root of the checkout.
#[must_use]
pub fn inputs() -> Vec<PathBuf> {
    let compiled = CRATES
        .iter()
        .flat_map(|name| COMPILED.map(|part| Path::new(name).join(part)));
    compiled
        .chain(["Cargo.toml", "Cargo.lock"].map(PathBuf::from))
        .collect()
}

/// SHA-256 of parts, each with its length before it, so that no two lists of parts are the same bytes.
struct Hash(Sha256);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn finish(self) -> String {
        crate::record::hexadecimal(&self.0.finalize())
    }
}

/// The files that are compiled, from the root, in order.
fn source_files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let mut pending: Vec<PathBuf> = CRATES
        .iter()
        .flat_map(|name| COMPILED.map(|part| Path::new(name).join(part)))
        .collect();
    while let Some(path) = pending.pop() {
        let full = root.join(&path);
        if full.is_file() {
            files.insert(path);
        } else if full.is_dir() {
            let entries = fs::read_dir(&full)
                .with_context(|| format!("cannot read the directory {}", full.display()))?;
            for entry in entries {
                let name = entry
                    .with_context(|| format!("cannot read the directory {}", full.display()))?
                    .file_name();
                // Editors keep their own files beside the sources, hidden ones.
                if !name.to_string_lossy().starts_with('.') {
                    pending.push(path.join(name));
                }
            }
        }
    }
    Ok(files)
}

/// What of the workspace's manifest reaches the object, whatever its layout and comments: the profile, the package
/// settings that the crates inherit (the version is part of symbol names), the features of their dependencies.
fn settings(root: &Path) -> Result<Table> {
    let manifest = table(&root.join("Cargo.toml"))?;
    let mut names = vec![
        vec!["profile".to_owned(), "release".to_owned()],
        vec!["workspace".to_owned(), "package".to_owned()],
    ];
    for name in CRATES {
        let member = table(&root.join(name).join("Cargo.toml"))?;
        let dependencies = member.get("dependencies").and_then(Value::as_table);
        for dependency in dependencies.into_iter().flat_map(Table::keys) {
            names.push(
                ["workspace", "dependencies", dependency]
                    .map(str::to_owned)
                    .to_vec(),
            );
        }
    }
    let setting = |name: &Vec<String>| {
        let (first, rest) = name.split_first()?;
        let value = rest
            .iter()
            .try_fold(manifest.get(first)?, |value, key| value.get(key))?;
        Some((name.join("."), value.clone()))
    };
    Ok(names.iter().filter_map(setting).collect())
}

/// Name, version and checksum of every package that the crates reach in the lock file.
fn locked_packages(lock: &Table) -> Result<BTreeSet<String>> {
    let packages: Vec<Locked<'_>> = lock
        .get("package")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Locked::read)
        .collect();
    let mut reached = BTreeSet::new();
    let mut pending: Vec<&str> = CRATES.to_vec();
    while let Some(reference) = pending.pop() {
        let mut found = packages
            .iter()
            .filter(|package| package.is_meant_by(reference))
            .peekable();
        ensure!(
            found.peek().is_some(),
            "Cargo.lock names {reference:?} and does not describe it"
        );
        for package in found {
            if reached.insert(package.identity()) {
                pending.extend(&package.dependencies);
            }
        }
    }
    Ok(reached)
}

/// A package in the lock file.
struct Locked<'a> {
    name: &'a str,
    version: &'a str,
    checksum: Option<&'a str>,
    dependencies: Vec<&'a str>,
}

impl<'a> Locked<'a> {
    fn read(value: &'a Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let dependencies = value.get("dependencies").and_then(Value::as_array);
        Some(Self {
            name: text("name")?,
            version: text("version")?,
            checksum: text("checksum"),
            dependencies: dependencies
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect(),
        })
    }

    /// A dependency is written `name`, or `name version` where there are several, or with its source as well.
    fn is_meant_by(&self, reference: &str) -> bool {
        let mut words = reference.split(' ');
        words.next() == Some(self.name)
            && words.next().is_none_or(|version| version == self.version)
    }

    fn identity(&self) -> String {
        format!(
            "{} {} {}",
            self.name,
            self.version,
            self.checksum.unwrap_or("of the workspace")
        )
    }
}

fn table(path: &Path) -> Result<Table> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse()
        .with_context(|| format!("{} is not TOML", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "# a comment
[workspace.package]
version = \"0.1.0\"
[workspace.dependencies]
aya-ebpf = \"0.2\"
other = \"1\"
[profile.release]
debug = \"line-tables-only\"
[profile.release.package.tracer-ebpf]
codegen-units = 1
";

    const LOCK: &str = "version = 4
[[package]]
name = \"aya-ebpf\"
version = \"0.2.1\"
checksum = \"aa\"
dependencies = [\"syn 2.0.0\"]
[[package]]
name = \"syn\"
version = \"2.0.0\"
checksum = \"bb\"
[[package]]
name = \"syn\"
version = \"3.0.0\"
checksum = \"cc\"
[[package]]
name = \"other\"
version = \"1.0.0\"
checksum = \"dd\"
dependencies = [\"syn 3.0.0\"]
[[package]]
name = \"tracer-common\"
version = \"0.1.0\"
[[package]]
name = \"tracer-ebpf\"
version = \"0.1.0\"
dependencies = [\"aya-ebpf\", \"tracer-common\"]
";

    const FILES: [(&str, &str); 7] = [
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", LOCK),
        ("tracer-common/Cargo.toml", ""),
        ("tracer-common/src/lib.rs", "//! Contract."),
        (
            "tracer-ebpf/Cargo.toml",
            "[dependencies]\naya-ebpf = { workspace = true }\n",
        ),
        ("tracer-ebpf/build.rs", "fn main() {}"),
        ("tracer-ebpf/src/probes/alloc.rs", "//! Probe."),
    ];

    /// The hash of a small checkout where, in one file, `from` reads `to`.
    fn hash_with(file: &str, from: &str, to: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in FILES {
            let full = directory.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            let changed = text.replace(from, to);
            fs::write(full, if path == file { &changed } else { text }).unwrap();
        }
        source_hash(directory.path(), "x86_64").unwrap().unwrap()
    }

    #[test]
    fn what_shapes_the_object_changes_the_hash() {
        let untouched = hash_with("", "", "");
        assert_eq!(untouched.len(), 64);
        assert_eq!(untouched, hash_with("", "", ""));
        for (file, from, to) in [
            ("tracer-ebpf/src/probes/alloc.rs", "Probe", "Other"),
            ("tracer-common/src/lib.rs", "Contract", "Other"),
            ("tracer-ebpf/build.rs", "main", "other"),
            ("tracer-ebpf/Cargo.toml", "true", "true, features = []"),
            ("Cargo.toml", "codegen-units = 1", "codegen-units = 2"),
            ("Cargo.toml", "line-tables-only", "none"),
            ("Cargo.toml", "\"0.1.0\"", "\"0.1.1\""),
            ("Cargo.toml", "\"0.2\"", "\"0.3\""),
            ("Cargo.lock", "\"aa\"", "\"ab\""),
            ("Cargo.lock", "\"bb\"", "\"bc\""),
        ] {
            assert_ne!(untouched, hash_with(file, from, to), "{file}: {from}");
        }
    }

    #[test]
    fn what_does_not_reach_the_object_leaves_the_hash() {
        let untouched = hash_with("", "", "");
        for (file, from, to) in [
            ("Cargo.toml", "# a comment", "# another"),
            ("Cargo.toml", "other = \"1\"", "other = \"2\""),
            ("Cargo.lock", "\"cc\"", "\"ce\""),
            ("Cargo.lock", "\"dd\"", "\"de\""),
        ] {
            assert_eq!(untouched, hash_with(file, from, to), "{file}: {from}");
        }
    }

    #[test]
    fn each_architecture_has_a_hash_of_its_own() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert_ne!(
            source_hash(root, "x86_64").unwrap().unwrap(),
            source_hash(root, "aarch64").unwrap().unwrap()
        );
    }

    #[test]
    fn the_lock_file_of_the_checkout_leads_to_the_crates_of_the_object() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let reached = locked_packages(&table(&root.join("Cargo.lock")).unwrap()).unwrap();
        let has = |name: &str| reached.iter().any(|package| package.starts_with(name));
        assert!(has("aya-ebpf ") && has("aya-log-ebpf ") && has("aya-ebpf-macros "));
        assert!(!has("ratatui ") && !has("clap "), "{reached:?}");
    }

    #[test]
    fn without_the_crates_there_is_no_hash() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(source_hash(directory.path(), "x86_64").unwrap(), None);
    }
}
