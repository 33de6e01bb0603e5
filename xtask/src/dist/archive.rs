//! Archives whose bytes depend on their content only: entries in order, one time, no owner, no name of this machine.

use std::{collections::BTreeMap, io::Write, path::Path};

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use tar::{EntryType, Header};

/// A file.
#[derive(Debug)]
pub(super) struct Entry {
    path: String,
    mode: u32,
    bytes: Vec<u8>,
}

impl Entry {
    pub(super) fn program(path: &str, bytes: Vec<u8>) -> Self {
        Entry::new(path, 0o755, bytes)
    }

    pub(super) fn text(path: &str, bytes: Vec<u8>) -> Self {
        Entry::new(path, 0o644, bytes)
    }

    /// The same below a directory.
    pub(super) fn below(mut self, directory: &str) -> Self {
        self.path = format!("{directory}/{}", self.path);
        self
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn new(path: &str, mode: u32, bytes: Vec<u8>) -> Self {
        Entry {
            path: path.to_owned(),
            mode,
            bytes,
        }
    }
}

/// A tar archive with these files and their directories; `time` is that of every entry, in seconds of Unix time.
pub(super) fn tar(entries: &[Entry], time: u64) -> Result<Vec<u8>> {
    let mut tar = ::tar::Builder::new(Vec::new());
    // The order of paths puts each directory before what is in it.
    let mut all: BTreeMap<String, Option<&Entry>> = BTreeMap::new();
    for entry in entries {
        for directory in Path::new(&entry.path).ancestors().skip(1) {
            let directory = directory.display().to_string();
            if !directory.is_empty() {
                all.insert(format!("{directory}/"), None);
            }
        }
        all.insert(entry.path.clone(), Some(entry));
    }
    for (path, entry) in all {
        let (kind, mode, bytes) = match entry {
            Some(entry) => (EntryType::Regular, entry.mode, &*entry.bytes),
            None => (EntryType::Directory, 0o755, &[][..]),
        };
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, &path, bytes)
            .with_context(|| format!("cannot add {path}"))?;
    }
    tar.into_inner().context("cannot end the archive")
}

/// The same bytes, compressed.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    // The header of gzip has a time and a name, too: neither is written.
    let mut compressed = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    compressed.write_all(bytes).context("cannot compress")?;
    compressed.finish().context("cannot compress")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read as _;

    fn written(entries: Vec<Entry>) -> Vec<u8> {
        let entries: Vec<Entry> = entries.into_iter().map(|it| it.below("top")).collect();
        gzip(&tar(&entries, 1_700_000_000).unwrap()).unwrap()
    }

    fn two() -> Vec<Entry> {
        vec![
            Entry::text("share/b.txt", b"text".to_vec()),
            Entry::program("bin/a", b"program".to_vec()),
        ]
    }

    #[test]
    fn the_order_of_entries_does_not_change_the_bytes() {
        let mut other = two();
        other.reverse();
        assert_eq!(written(two()), written(other));
    }

    #[test]
    fn entries_are_in_order_and_have_no_owner_and_one_time() {
        let bytes = written(two());
        let mut archive = ::tar::Archive::new(GzDecoder::new(&*bytes));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), 1_700_000_000);
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            assert_eq!(header.username().unwrap(), Some(""));
            let mode = header.mode().unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            found.push((path, mode, content));
        }
        let found: Vec<(&str, u32, &str)> = found
            .iter()
            .map(|(path, mode, content)| (path.as_str(), *mode, content.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("top/", 0o755, ""),
                ("top/bin/", 0o755, ""),
                ("top/bin/a", 0o755, "program"),
                ("top/share/", 0o755, ""),
                ("top/share/b.txt", 0o644, "text"),
            ]
        );
    }
}
