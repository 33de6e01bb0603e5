//! Where the runtime's source was when the program was built, to tell the functions whose body it
//! holds under the name of another package.

use super::package::is_runtime;

/// The directory that holds the standard library's packages; empty for a `-trimpath` build, which
/// records `runtime/malloc.go`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoRootSource(String);

impl GoRootSource {
    /// Learns it from the file that holds `runtime.mallocgc`.
    pub(super) fn from_malloc(file: &str) -> Option<Self> {
        let root = file.strip_suffix("runtime/malloc.go")?;
        Some(Self(root.to_owned()))
    }

    /// Whether the file is part of the runtime.
    pub(super) fn is_runtime(&self, file: &str) -> bool {
        let relative = file.strip_prefix(self.0.as_str());
        let directory = relative.and_then(|relative| relative.rsplit_once('/'));
        directory.is_some_and(|(directory, _)| is_runtime(directory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(malloc: &str, file: &str, expected: bool) {
        let root = GoRootSource::from_malloc(malloc).unwrap();
        assert_eq!(root.is_runtime(file), expected, "{file}");
    }

    #[test]
    fn files_of_the_runtime_are_told_by_their_directory() {
        let malloc = "/usr/local/go/src/runtime/malloc.go";
        check(malloc, "/usr/local/go/src/runtime/slice.go", true);
        check(
            malloc,
            "/usr/local/go/src/internal/runtime/maps/map.go",
            true,
        );
        check(
            malloc,
            "/usr/local/go/src/runtime/internal/atomic/types.go",
            true,
        );
        check(malloc, "/usr/local/go/src/runtime/debug/stack.go", false);
        check(malloc, "/usr/local/go/src/reflect/value.go", false);
        check(malloc, "/home/me/go/src/runtime/fake.go", false);
        check(malloc, "runtime/malloc.go", false);
    }

    #[test]
    fn trimmed_paths_are_relative_to_nothing() {
        check("runtime/malloc.go", "runtime/slice.go", true);
        check("runtime/malloc.go", "example.org/x/runtime/slice.go", false);
        check("runtime/malloc.go", "malloc.go", false);
        assert_eq!(GoRootSource::from_malloc("/a/malloc.go"), None);
    }
}
