//! Whose code a function is: the program's own, a module's that it depends on, the standard library's, the runtime's.
//!
//! Hides how that is told from import paths and file names, as a capture knows nothing else of it.

use super::Frame;
use crate::symbolize::is_runtime;

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The program's own.
    Own,
    /// That of a module that it depends on.
    Dependency,
    /// The standard library's.
    Standard,
    /// The runtime's.
    Runtime,
    /// It has no package: C, or not known.
    Unknown,
}

/// First elements of the import paths of the standard library: the directories in `src` of Go 1.19 to 1.27. `vendor` is
/// where it keeps the modules that it depends on.
const STANDARD: &[&str] = &[
    "archive",
    "arena",
    "bufio",
    "builtin",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "simd",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "uuid",
    "vendor",
    "weak",
];

impl Frame {
    /// Whose code its function is.
    pub fn origin(&self) -> Origin {
        if self.package.is_empty() {
            return Origin::Unknown;
        }
        if is_runtime(&self.package) {
            return Origin::Runtime;
        }
        let first = self.package.split('/').next().unwrap_or_default();
        if STANDARD.contains(&first) {
            return Origin::Standard;
        }
        // Where `go build` has dependencies: the module cache, whose directories name a version, as do the names that
        // `-trimpath` leaves; or a copy of theirs in the program's own tree.
        let copied = self.file.contains("/vendor/") || self.file.starts_with("vendor/");
        if copied || self.file.contains("@v") {
            Origin::Dependency
        } else {
            Origin::Own
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(package: &str, file: &str, expect: Origin) {
        let frame = Frame {
            function: format!("{package}.F"),
            package: package.to_owned(),
            file: file.to_owned(),
            line: None,
            inlined: false,
        };
        assert_eq!(frame.origin(), expect, "{package} {file}");
    }

    #[test]
    fn code_is_told_by_its_package_and_file() {
        check("main", "/src/shop/main.go", Origin::Own);
        check(
            "shop/internal/cache",
            "/src/shop/internal/cache/cache.go",
            Origin::Own,
        );
        check(
            "example.org/shop/cache",
            "example.org/shop/cache/cache.go",
            Origin::Own,
        );
        check(
            "net/http",
            "/usr/local/go/src/net/http/server.go",
            Origin::Standard,
        );
        check(
            "vendor/golang.org/x/net/idna",
            "/usr/local/go/src/vendor/a.go",
            Origin::Standard,
        );
        check("runtime/pprof", "runtime/pprof/pprof.go", Origin::Standard);
        check(
            "runtime",
            "/usr/local/go/src/runtime/malloc.go",
            Origin::Runtime,
        );
        check(
            "internal/runtime/maps",
            "internal/runtime/maps/map.go",
            Origin::Runtime,
        );
        check(
            "go.uber.org/zap",
            "/home/dev/go/pkg/mod/go.uber.org/zap@v1.27.0/a.go",
            Origin::Dependency,
        );
        check(
            "go.uber.org/zap",
            "go.uber.org/zap@v1.27.0/a.go",
            Origin::Dependency,
        );
        check(
            "go.uber.org/zap",
            "/src/shop/vendor/go.uber.org/zap/a.go",
            Origin::Dependency,
        );
        check("", "", Origin::Unknown);
    }
}
