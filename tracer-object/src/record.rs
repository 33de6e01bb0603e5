//! A compiled object and the text beside it, which says what it was made from and with. The only reader and writer of
//! both.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// An object on disk: `ARCHITECTURE.o` and `ARCHITECTURE.toml` in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The compiled eBPF programs, an ELF file.
    pub bytes: Vec<u8>,
    /// What they were made from.
    pub record: Record,
}

/// What an object was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// SHA-256 of the object, in hexadecimal.
    pub object: String,
    /// The hash of the sources, as [`crate::source_hash`] gives it.
    pub sources: String,
    /// The tools that compiled it.
    #[serde(flatten)]
    pub tools: Tools,
    /// The day, as in `2026-01-31`.
    pub date: String,
}

/// What compiles an object. The same tools make the same bytes of the same sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// What `rustc --version` says.
    pub compiler: String,
    /// The version of the compiler's LLVM.
    pub llvm: String,
    /// What `bpf-linker --version` says.
    pub linker: String,
}

impl Object {
    /// An object made of the sources of this hash.
    #[must_use]
    pub fn new(bytes: Vec<u8>, sources: String, tools: Tools, date: String) -> Self {
        let record = Record {
            object: object_hash(&bytes),
            sources,
            tools,
            date,
        };
        Self { bytes, record }
    }

    /// The files of an object in a directory: the object, and its record.
    #[must_use]
    pub fn paths(directory: &Path, architecture: &str) -> [PathBuf; 2] {
        ["o", "toml"].map(|extension| directory.join(architecture).with_extension(extension))
    }

    /// Reads an object; `None` if there is none.
    ///
    /// # Errors
    /// A file cannot be read, the record lacks something, or it belongs to other bytes (as after a merge that took
    /// one file from each side).
    pub fn read(directory: &Path, architecture: &str) -> Result<Option<Self>> {
        let [object, record] = Self::paths(directory, architecture);
        let (Some(bytes), Some(text)) = (read(&object)?, read(&record)?) else {
            return Ok(None);
        };
        let described: Record = toml::from_slice(&text)
            .with_context(|| format!("{} is not the record of an object", record.display()))?;
        ensure!(
            described.object == object_hash(&bytes),
            "{} describes other bytes than those of {}",
            record.display(),
            object.display()
        );
        Ok(Some(Self {
            bytes,
            record: described,
        }))
    }

    /// Writes both files. A reader that comes in between finds a record that does not fit, never a wrong object.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, directory: &Path, architecture: &str) -> Result<()> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let [object, record] = Self::paths(directory, architecture);
        fs::write(&object, &self.bytes)
            .with_context(|| format!("cannot write {}", object.display()))?;
        let text = toml::to_string(&self.record).context("cannot write a record as TOML")?;
        fs::write(
            &record,
            format!("# What the object beside this was made from. `cargo xtask bpf` writes both.\n{text}"),
        )
        .with_context(|| format!("cannot write {}", record.display()))
    }
}

/// SHA-256 of an object, in hexadecimal.
fn object_hash(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Object {
        let tools = Tools {
            compiler: "rustc 1.96.0 (\"quoted\")".to_owned(),
            llvm: "22.1.8".to_owned(),
            linker: "bpf-linker 0.13.0".to_owned(),
        };
        let bytes = b"\x7fELF".to_vec();
        Object::new(bytes, "5eed".to_owned(), tools, "2026-01-31".to_owned())
    }

    #[test]
    fn an_object_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        object().write(directory.path(), "x86_64").unwrap();
        assert_eq!(
            Object::read(directory.path(), "x86_64").unwrap(),
            Some(object())
        );
        assert_eq!(Object::read(directory.path(), "aarch64").unwrap(), None);
    }

    #[test]
    fn a_record_of_other_bytes_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        object().write(directory.path(), "x86_64").unwrap();
        let [path, _] = Object::paths(directory.path(), "x86_64");
        fs::write(&path, "another").unwrap();
        let error = Object::read(directory.path(), "x86_64").unwrap_err();
        assert!(
            error.to_string().contains("describes other bytes"),
            "{error}"
        );
    }

    #[test]
    fn a_record_that_lacks_something_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        object().write(directory.path(), "x86_64").unwrap();
        let [_, path] = Object::paths(directory.path(), "x86_64");
        let text = fs::read_to_string(&path).unwrap();
        for key in ["compiler", "date", "linker", "llvm", "object", "sources"] {
            fs::write(&path, text.replace(&format!("{key} ="), "other =")).unwrap();
            let error = Object::read(directory.path(), "x86_64").unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(&format!("missing field `{key}`")), "{error}");
        }
    }
}
