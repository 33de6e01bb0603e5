//! The build information that Go's linker writes into every executable: the Go version, the module,
//! the build settings. It survives stripping.
//!
//! Format: Go's `debug/buildinfo`, `src/debug/buildinfo/buildinfo.go`.

use std::fmt;

use super::{bytes, elf::Elf, error::BinaryError, text};

const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
/// The linker aligns the block so; nothing else in the data has these bytes at such an address.
const ALIGN: usize = 16;
/// Magic, pointer size, flags, padding; the strings follow.
const HEADER: usize = 32;
/// The strings stand in the block itself (Go 1.18 and newer) rather than behind pointers.
const FLAG_INLINE: u8 = 2;
/// The module information stands between two markers of this length (`cmd/go/internal/modload`).
const MARKER: usize = 16;

/// What the executable says about its build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    version: GoVersion,
    module_info: String,
}

/// A Go version: `go1.27.3-X:nosizespecializedmalloc` and its kin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoVersion {
    /// The first number; 1 so far.
    pub major: u16,
    /// The second number: the runtime's layouts go by it.
    pub minor: u16,
    /// The third number; 0 for a release candidate or a development version.
    pub patch: u16,
    /// The experiments that differ from the release's own, as in `GOEXPERIMENT`.
    pub experiments: Vec<String>,
    /// The version as the executable spells it.
    pub raw: String,
}

impl GoVersion {
    /// Reads a version as the runtime reports it: a release (`go1.25.5`), a candidate (`go1.27rc1`), a
    /// development version (`devel go1.28-0123abcd …`), with experiments (`-X:a,b` or ` X:a,b`) or a
    /// vendor's suffix (`go1.25.5 (Red Hat …)`). `None` if it names no `goM.N`.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        let numbers = raw
            .strip_prefix("devel ")
            .unwrap_or(raw)
            .strip_prefix("go")?;
        let (major, rest) = number(numbers)?;
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        let patch = rest
            .strip_prefix('.')
            .and_then(number)
            .map_or(0, |(patch, _)| patch);
        Some(Self {
            major,
            minor,
            patch,
            experiments: experiments(rest),
            raw: raw.to_owned(),
        })
    }

    /// Whether this is Go `major.minor` or newer.
    #[must_use]
    pub fn at_least(&self, major: u16, minor: u16) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    /// Whether the toolchain was told to use (or, as `noNAME`, not to use) this experiment.
    #[must_use]
    pub fn has_experiment(&self, name: &str) -> bool {
        self.experiments.iter().any(|experiment| experiment == name)
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

fn number(text: &str) -> Option<(u16, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

fn experiments(text: &str) -> Vec<String> {
    let list = [" X:", "-X:"].iter().find_map(|mark| text.split_once(mark));
    let list = list.map_or("", |(_, list)| list);
    let list = list.split([' ', '(']).next().unwrap_or_default();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

impl BuildInfo {
    /// Reads the build information of `elf`.
    pub(crate) fn read(elf: &Elf) -> Result<Self, BinaryError> {
        Self::parse(find(elf).ok_or(BinaryError::NotGo)?)
    }

    /// Reads the block that starts `block`.
    fn parse(block: &[u8]) -> Result<Self, BinaryError> {
        const MALFORMED: BinaryError = BinaryError::Malformed {
            what: "Go build information",
        };
        let flags = bytes::u8_at(block, MAGIC.len() + 1).ok_or(MALFORMED)?;
        if flags & FLAG_INLINE == 0 {
            return Err(BinaryError::TooOld {
                version: "a Go older than 1.18".to_owned(),
            });
        }
        let strings = block.get(HEADER..).ok_or(MALFORMED)?;
        let (version, rest) = bytes::prefixed(strings).ok_or(MALFORMED)?;
        let version = text::lossy(version);
        // A program built without modules has no second string.
        let (module_info, _) = bytes::prefixed(rest).unwrap_or_default();
        let module_info = module_info
            .get(MARKER..module_info.len().saturating_sub(MARKER))
            .unwrap_or_default();
        Ok(Self {
            version: GoVersion::parse(&version).ok_or(BinaryError::UnknownVersion { version })?,
            module_info: String::from_utf8_lossy(module_info).into_owned(),
        })
    }

    /// The Go toolchain that built it.
    #[must_use]
    pub fn version(&self) -> &GoVersion {
        &self.version
    }

    /// The import path of package main, such as `example.org/shop/cmd/server`.
    #[must_use]
    pub fn main_package(&self) -> Option<&str> {
        self.lines("path").next()
    }

    /// The path of the module that holds package main.
    #[must_use]
    pub fn main_module(&self) -> Option<&str> {
        self.lines("mod").next()?.split('\t').next()
    }

    /// A build setting, such as `CGO_ENABLED` or `-race`.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.lines("build")
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }

    fn lines<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        // What follows the key may end up on a terminal.
        let printable = |line: &&str| !line.contains(|c: char| c.is_control() && c != '\t');
        let lines = self.module_info.lines().filter(printable);
        lines.filter_map(move |line| line.strip_prefix(key)?.strip_prefix('\t'))
    }
}

/// The block, by the name of its section, else by its magic in the data segments.
fn find(elf: &Elf) -> Option<&[u8]> {
    let section = elf
        .section_address(".go.buildinfo")
        .and_then(|address| elf.bytes_from(address))
        .filter(|block| block.starts_with(MAGIC));
    section.or_else(|| {
        let data = elf.segments().iter().filter(|segment| segment.writable);
        data.into_iter()
            .filter_map(|segment| {
                elf.file()
                    .get(segment.file.clone())
                    .zip(Some(segment.address))
            })
            .find_map(|(data, address)| scan(data, address))
    })
}

/// The block somewhere in `data`, which is mapped at `address`.
fn scan(data: &[u8], address: u64) -> Option<&[u8]> {
    let to_aligned = address.wrapping_neg() % ALIGN as u64;
    let aligned = data.get(usize::try_from(to_aligned).ok()?..)?;
    let at = aligned
        .chunks(ALIGN)
        .position(|chunk| chunk.starts_with(MAGIC))?;
    aligned.get(at * ALIGN..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, numbers: (u16, u16, u16), experiments: &[&str]) {
        let version = GoVersion::parse(raw).unwrap_or_else(|| panic!("{raw} is a version"));
        assert_eq!(
            (version.major, version.minor, version.patch),
            numbers,
            "{raw}"
        );
        assert_eq!(version.experiments, experiments, "{raw}");
        assert_eq!(version.to_string(), raw);
    }

    #[test]
    fn versions_in_every_spelling() {
        check("go1.19", (1, 19, 0), &[]);
        check("go1.27.3", (1, 27, 3), &[]);
        check("go1.27rc1", (1, 27, 0), &[]);
        check("go1.21beta2", (1, 21, 0), &[]);
        check(
            "go1.27.3-X:nosizespecializedmalloc",
            (1, 27, 3),
            &["nosizespecializedmalloc"],
        );
        check(
            "go1.22.10 X:arenas,rangefunc",
            (1, 22, 10),
            &["arenas", "rangefunc"],
        );
        check("go1.25.5 (Red Hat 1.25.5-1.el9)", (1, 25, 5), &[]);
        check(
            "go1.24.4 X:strictfipsruntime (Red Hat 1.24.4-2)",
            (1, 24, 4),
            &["strictfipsruntime"],
        );
        check("go1.22.7-fips", (1, 22, 7), &[]);
        check(
            "devel go1.28-0123abcd Thu Jan 1 00:00:00 1970 +0000",
            (1, 28, 0),
            &[],
        );
        check(
            "devel go1.28-0123abcd Thu Jan 1 1970 X:jsonv2",
            (1, 28, 0),
            &["jsonv2"],
        );
        check("go1.28-devel_0123abcd Thu Jan 1 1970", (1, 28, 0), &[]);
    }

    #[test]
    fn what_names_no_release_is_no_version() {
        for raw in [
            "",
            "go",
            "go1",
            "go1.",
            "gox.y",
            "devel +0123abcd Thu",
            "go1.99999",
            "1.27",
        ] {
            assert_eq!(GoVersion::parse(raw), None, "{raw}");
        }
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let version = GoVersion::parse("go1.24.1").unwrap();
        assert!(version.at_least(1, 24) && version.at_least(1, 19) && !version.at_least(1, 25));
        assert!(GoVersion::parse("go2.0").unwrap().at_least(1, 27));
    }

    fn block(flags: u8, strings: &[&[u8]]) -> Vec<u8> {
        let mut block = MAGIC.to_vec();
        block.extend([8, flags]);
        block.resize(HEADER, 0);
        for string in strings {
            block.push(u8::try_from(string.len() & 0x7f).unwrap() | 0x80);
            block.push(u8::try_from(string.len() >> 7).unwrap());
            block.extend(*string);
        }
        block
    }

    #[test]
    fn module_and_settings_are_read() {
        let mut info = vec![b'<'; MARKER];
        info.extend(
            b"path\texample.org/shop/cmd/server\nmod\texample.org/shop\tv1.2.3\th1:x=\n\
              dep\texample.org/lib\tv0.1.0\nbuild\t-race=true\nbuild\tCGO_ENABLED=1\n\
              build\t-tags=\x1b[2J\n",
        );
        info.extend([b'>'; MARKER]);
        let info = BuildInfo::parse(&block(2, &[b"go1.26.6", &info])).unwrap();
        assert_eq!(info.version().minor, 26);
        assert_eq!(info.main_package(), Some("example.org/shop/cmd/server"));
        assert_eq!(info.main_module(), Some("example.org/shop"));
        assert_eq!(info.setting("CGO_ENABLED"), Some("1"));
        assert_eq!(info.setting("-race"), Some("true"));
        assert_eq!(info.setting("CGO"), None);
        assert_eq!(info.setting("-tags"), None, "a terminal escape");
    }

    #[test]
    fn a_program_without_modules_has_a_version_only() {
        let info = BuildInfo::parse(&block(2, &[b"go1.19.8"])).unwrap();
        assert_eq!(info.main_module(), None);
        assert_eq!(info.main_package(), None);
    }

    #[test]
    fn lying_blocks_are_malformed_or_too_old() {
        let malformed = |block: &[u8]| {
            assert!(matches!(
                BuildInfo::parse(block),
                Err(BinaryError::Malformed { .. })
            ));
        };
        let whole = block(2, &[b"go1.26.6", b"short"]);
        assert!(BuildInfo::parse(&whole).is_ok());
        malformed(MAGIC);
        malformed(&whole[..HEADER]);
        malformed(&whole[..HEADER + 4]);
        malformed(&block(2, &[]));
        let too_old = BuildInfo::parse(&block(0, &[])).unwrap_err();
        assert!(matches!(too_old, BinaryError::TooOld { .. }));
        let unknown = BuildInfo::parse(&block(2, &[b"devel +abc"])).unwrap_err();
        assert!(matches!(unknown, BinaryError::UnknownVersion { .. }));
    }

    #[test]
    fn the_magic_is_found_where_the_linker_aligns_it() {
        let mut data = vec![0; 5 * ALIGN];
        data.extend(block(2, &[b"go1.21.13"]));
        assert_eq!(scan(&data, 0x40_0000), data.get(5 * ALIGN..));
        assert_eq!(scan(&data[8..], 0x40_0008), data.get(5 * ALIGN..));
        assert_eq!(scan(&data, 0x40_0008), None);
        assert_eq!(scan(b"", 0x40_0008), None);
    }
}
