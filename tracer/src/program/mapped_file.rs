//! The one memory map of the agent: a file as bytes, without reading what nobody asks for.
//!
//! It hides the only unsafe operation of `program`, and says for whom it is sound.

use std::{fs::File, io, ops::Deref, os::unix::fs::MetadataExt, path::Path};

/// A file, mapped read-only and private.
#[derive(Debug)]
pub(crate) struct MappedFile {
    map: memmap2::Mmap,
    identity: FileIdentity,
}

/// Which file it is, whatever name leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    /// The device as `stat` gives it (`st_dev`).
    pub device: u64,
    /// The inode on that device.
    pub inode: u64,
}

impl FileIdentity {
    /// The identity of the file that `path` leads to.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        path.metadata().map(|metadata| Self::from(&metadata))
    }
}

impl From<&std::fs::Metadata> for FileIdentity {
    fn from(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

impl MappedFile {
    /// Maps the regular file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped, or is not a regular file.
    #[expect(
        unsafe_code,
        reason = "a memory map is the only way not to read 100 MB for a few pages of it"
    )]
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // Before `open`, which would wait for a writer if this were a FIFO.
        if !path.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        let file = File::open(path)?;
        let identity = FileIdentity::from(&file.metadata()?);
        // SAFETY: `map` is sound as long as the bytes neither change nor vanish while they are borrowed.
        // - The file is opened through `/proc/PID/exe`, so that it is the running executable itself and
        //   not what replaced it under its name; an upgrade by rename or unlink leaves it alone.
        // - While it runs, the kernel refuses to write to or truncate it (ETXTBSY), and nothing here
        //   writes to it: the map is private.
        // What remains: after the process has ended, or behind the kernel's back (a network or FUSE
        // server, a loop device, kernels that do not enforce ETXTBSY), someone may overwrite the file
        // in place. Changed bytes are then read as what they are, untrusted input of plain integers
        // that every reader checks for bounds; of a truncated file the pages beyond the end raise
        // SIGBUS, which ends the agent and, as probes belong to its file descriptors, the tracing.
        let map = unsafe { memmap2::MmapOptions::new().map_copy_read_only(&file)? };
        Ok(Self { map, identity })
    }

    /// The same with some words changed, as far as they fit: the pages they are on become the agent's own.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub(crate) fn with_words(self, words: &[(usize, u64)]) -> io::Result<Self> {
        if words.is_empty() {
            return Ok(self);
        }
        let mut map = self.map.make_mut()?;
        for (at, word) in words {
            let place = map.get_mut(*at..).and_then(<[u8]>::first_chunk_mut);
            if let Some(place) = place {
                *place = word.to_le_bytes();
            }
        }
        Ok(Self {
            map: map.make_read_only()?,
            identity: self.identity,
        })
    }

    /// Which file this is.
    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_is_mapped_whole() {
        let path = Path::new("/proc/self/exe");
        let file = MappedFile::open(path).unwrap();
        assert_eq!(file.len() as u64, path.metadata().unwrap().len());
        assert!(file.starts_with(b"\x7fELF"));
        assert_eq!(file.identity(), FileIdentity::of(path).unwrap());
    }

    #[test]
    fn what_is_not_a_regular_file_is_refused() {
        let error = MappedFile::open(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = MappedFile::open(Path::new("/nowhere/at/all")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
