//! Which compiled eBPF object belongs to which sources. The agent's build script asks it what to embed, and
//! `cargo xtask` whether to compile: both by the same hash. Hides what the hash covers, how a record is written, and
//! where objects are kept.

mod record;
mod sources;

pub use record::{Object, Record, Tools};
pub use sources::{BPF_TARGET, FLAGS, inputs, source_hash};

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The environment variable that has the agent embed the object compiled on this machine, not the one kept with the
/// sources.
pub const PREFER_BUILT: &str = "TRACER_PREFER_BUILT_OBJECT";

/// Where an object can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// With the sources, for everybody.
    Kept,
    /// Compiled on this machine, below `target/`.
    Built,
}

impl Place {
    /// The directory, for the agent's package in `package`.
    #[must_use]
    pub fn directory(self, package: &Path) -> PathBuf {
        match self {
            Self::Kept => package.join("bpf"),
            Self::Built => package.join("../target/bpf/object"),
        }
    }

    /// The object that is here, if it was made from the sources in the checkout. A package without the sources of the
    /// object has the object that it came with.
    ///
    /// # Errors
    /// A file cannot be read, or a record does not belong to its object.
    pub fn current(self, package: &Path, architecture: &str) -> Result<Option<Object>> {
        let hash = source_hash(&package.join(".."), architecture)?;
        let object = Object::read(&self.directory(package), architecture);
        let object = match self {
            Self::Kept => object.context("run `cargo xtask bpf` to make the eBPF object anew")?,
            // What an interrupted build left is made anew.
            Self::Built => object.unwrap_or_default(),
        };
        Ok(object.filter(|object| hash.is_none_or(|hash| hash == object.record.sources)))
    }
}

/// The object for the agent to embed: the kept one, or, where the sources were changed since, the one built from them.
///
/// # Errors
/// A file cannot be read, a record does not belong to its object, or the built object is preferred and there is none
/// of these sources.
pub fn choose(package: &Path, architecture: &str, prefer_built: bool) -> Result<Option<Object>> {
    if prefer_built {
        let built = Place::Built.current(package, architecture)?;
        ensure!(
            built.is_some(),
            "{PREFER_BUILT} is set, and no object was built from these sources: unset it, or run `cargo xtask build`"
        );
        return Ok(built);
    }
    match Place::Kept.current(package, architecture)? {
        Some(object) => Ok(Some(object)),
        None => Place::Built.current(package, architecture),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A package of the agent alone, in a directory without the sources of the object.
    fn package(directory: &Path) -> PathBuf {
        let package = directory.join("tracer");
        let tools = Tools {
            compiler: "rustc".to_owned(),
            llvm: "22".to_owned(),
            linker: "bpf-linker".to_owned(),
        };
        let object = Object::new(b"kept".to_vec(), "5eed".to_owned(), tools, String::new());
        object
            .write(&Place::Kept.directory(&package), "x86_64")
            .unwrap();
        package
    }

    fn add_sources(directory: &Path) {
        for name in ["tracer-common", "tracer-ebpf"] {
            fs::create_dir(directory.join(name)).unwrap();
            fs::write(directory.join(name).join("Cargo.toml"), "").unwrap();
        }
        fs::write(directory.join("Cargo.toml"), "").unwrap();
        let lock = ["tracer-common", "tracer-ebpf"]
            .map(|name| format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n"));
        fs::write(directory.join("Cargo.lock"), lock.concat()).unwrap();
    }

    #[test]
    fn a_package_without_the_sources_has_the_object_that_it_came_with() {
        let directory = tempfile::tempdir().unwrap();
        let object = choose(&package(directory.path()), "x86_64", false).unwrap();
        assert_eq!(object.unwrap().bytes, b"kept");
    }

    #[test]
    fn an_object_of_other_sources_is_never_chosen() {
        let directory = tempfile::tempdir().unwrap();
        let package = package(directory.path());
        add_sources(directory.path());
        assert_eq!(choose(&package, "x86_64", false).unwrap(), None);
        let error = choose(&package, "x86_64", true).unwrap_err();
        assert!(error.to_string().contains("no object was built"), "{error}");
    }

    #[test]
    fn of_changed_sources_the_object_built_from_them_is_chosen() {
        let directory = tempfile::tempdir().unwrap();
        let package = package(directory.path());
        add_sources(directory.path());
        let kept = Object::read(&Place::Kept.directory(&package), "x86_64")
            .unwrap()
            .unwrap();
        let hash = source_hash(directory.path(), "x86_64").unwrap().unwrap();
        let built = Object::new(b"built".to_vec(), hash, kept.record.tools, String::new());
        let place = Place::Built.directory(&package);
        built.write(&place, "x86_64").unwrap();
        assert_eq!(choose(&package, "x86_64", false).unwrap(), Some(built));
        let [bytes, _] = Object::paths(&place, "x86_64");
        fs::write(bytes, "half").unwrap();
        assert_eq!(choose(&package, "x86_64", false).unwrap(), None);
    }
}
