//! Lines of `/proc/PID/maps`.
//!
//! Hides their form. (`procfs` panics on a mapped file named `/SYSV`, and keeps all lines.)

/// What is needed of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping<'a> {
    /// The first address.
    pub(super) start: u64,
    /// The first one behind it.
    pub(super) end: u64,
    /// Which byte of the file is at the first address.
    pub(super) offset: u64,
    /// The file; 0 for none.
    pub(super) inode: u64,
    /// The file's name, or what the kernel says in its place.
    pub(super) name: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// Reads a line; `None` if it is none.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        // Five fields of ASCII, then the name, padded with spaces: it may hold anything.
        let mut fields = line.splitn(6, |&byte| byte == b' ');
        let mut field = || str::from_utf8(fields.next()?).ok();
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let (addresses, _permissions, offset, _device, inode) =
            (field()?, field()?, field()?, field()?, field()?);
        let (start, end) = addresses.split_once('-')?;
        Some(Self {
            start: hex(start)?,
            end: hex(end)?,
            offset: hex(offset)?,
            inode: inode.parse().ok()?,
            name: fields.next().unwrap_or_default().trim_ascii_start(),
        })
    }

    /// Whether it shows the file with that inode, or of that name: on an overlay, older kernels show the inode of the
    /// file beneath.
    pub(super) fn shows(&self, inode: u64, name: &[u8]) -> bool {
        self.inode == inode || self.name == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_memory_map_are_read() {
        let line = b"55d0c0c00000-55d0c0e00000 r-xp 00001000 fe:01 1234    /opt/a b \xff (deleted)";
        assert_eq!(
            Mapping::parse(line),
            Some(Mapping {
                start: 0x55d0_c0c0_0000,
                end: 0x55d0_c0e0_0000,
                offset: 0x1000,
                inode: 1234,
                name: b"/opt/a b \xff (deleted)",
            })
        );
        let anonymous = Mapping::parse(b"7f00-7f01 rw-p 00000000 00:00 0 ").unwrap();
        assert_eq!((anonymous.start, anonymous.name), (0x7f00, &b""[..]));
        assert_eq!(Mapping::parse(b""), None);
        assert_eq!(Mapping::parse(b"1-2 r-xp 0 fe:01 x"), None);
    }
}
