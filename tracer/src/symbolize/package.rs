//! What the name of a Go function tells: its package, and how Go prints it.
//!
//! Symbol names are built by `cmd/internal/objabi.PathToPrefix` and taken apart as
//! `debug/gosym.(*Sym).PackageName` does.

use std::borrow::Cow;

/// The import path of the package that the function belongs to: `net/http` for
/// `net/http.(*conn).serve`. Empty for C functions and what the compiler generates for no package.
#[must_use]
pub fn package(function: &str) -> Cow<'_, str> {
    // Equality and hash functions of types, `type..eq.T` until Go 1.19.
    if ["type:", "type..", "go:"]
        .iter()
        .any(|prefix| function.starts_with(prefix))
    {
        return Cow::Borrowed("");
    }
    // Type arguments and receivers come after the package, and hold dots and slashes of their own.
    let path_and_name = function.split(['[', '(']).next().unwrap_or_default();
    let last_element = path_and_name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, name) = path_and_name.split_at(last_element);
    match name.find('.') {
        Some(dot) => unescape(&function[..path.len() + dot]),
        None => Cow::Borrowed(""),
    }
}

/// Whether the package is the Go runtime's own, so that an allocation there is charged to its caller.
///
/// `runtime/debug`, `runtime/pprof`, `runtime/trace` and `runtime/metrics` are libraries like any other.
#[must_use]
pub fn is_runtime(package: &str) -> bool {
    // The second was the first's name until Go 1.23.
    let internal = ["internal/runtime/", "runtime/internal/"];
    package == "runtime" || internal.iter().any(|prefix| package.starts_with(prefix))
}

/// The name as Go's tracebacks print it: without type arguments (`main.Map[...]`) and calling
/// convention (`runtime.memmove`).
///
/// DWARF and the symbol table spell them out (`main.Map[go.shape.int]`, `runtime.memmove.abi0`),
/// pclntab does not (`cmd/link/internal/ld/pcln.go`, `nameParts`).
#[must_use]
pub fn printed(function: &str) -> Cow<'_, str> {
    let function = function.strip_suffix(".abi0").unwrap_or(function);
    let bracketed = function.find('[').zip(function.rfind(']'));
    let Some((open, close)) = bracketed.filter(|(open, close)| open < close) else {
        return Cow::Borrowed(function);
    };
    if &function[open..=close] == "[...]" {
        return Cow::Borrowed(function);
    }
    Cow::Owned(format!(
        "{}[...]{}",
        &function[..open],
        &function[close + 1..]
    ))
}

/// Undoes `PathToPrefix`, which writes the dots of the last path element, and all that is not
/// printable ASCII, as `%xx`.
fn unescape(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut pieces = path.split('%');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let escaped = piece
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (escaped, piece.get(2..)) {
            (Some(byte), Some(rest)) => {
                bytes.push(byte);
                bytes.extend_from_slice(rest.as_bytes());
            }
            _ => {
                bytes.push(b'%');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_ends_at_the_first_dot_after_the_last_slash() {
        let check = |function: &str, expected: &str| {
            assert_eq!(package(function), expected, "{function}");
        };
        check("main.main", "main");
        check("main.work.func1", "main");
        check("main.glob..func1", "main");
        check("main.(*server).ServeHTTP-fm", "main");
        check("net/http.(*conn).serve", "net/http");
        check("runtime.mallocgc", "runtime");
        check("github.com/a/b%2ec.F", "github.com/a/b.c");
        check("gopkg.in/yaml%2ev3.(*parser).peek", "gopkg.in/yaml.v3");
        check("example.org/caf%c3%a9.Open", "example.org/café");
        check("go.uber.org/zap.New", "go.uber.org/zap");
        check(
            "vendor/golang.org/x/net/idna.init",
            "vendor/golang.org/x/net/idna",
        );
    }

    #[test]
    fn type_arguments_and_receivers_do_not_confuse_it() {
        let check = |function: &str, expected: &str| {
            assert_eq!(package(function), expected, "{function}");
        };
        check("main.Map[go.shape.int,go.shape.string]", "main");
        check(
            "main.Map[go.shape.struct { example.org/a/b.X int }]",
            "main",
        );
        check(
            "example.org/x/set.(*Set[go.shape.*uint8_0]).Add",
            "example.org/x/set",
        );
        check("slices.SortFunc[...]", "slices");
        check("main.main.func1[...].2", "main");
    }

    #[test]
    fn what_belongs_to_no_package_has_none() {
        for function in [
            "type:.eq.net/http.Header",
            "type..hash.main.T",
            "go:buildid",
            "crosscall2",
            "_rt0_amd64_linux",
            "malloc",
            "",
        ] {
            assert_eq!(package(function), "", "{function}");
        }
    }

    #[test]
    fn odd_escapes_stay_as_they_are() {
        assert_eq!(unescape("a%2eb"), "a.b");
        assert_eq!(unescape("a%"), "a%");
        assert_eq!(unescape("a%2"), "a%2");
        assert_eq!(unescape("a%zz%2e"), "a%zz.");
        assert_eq!(unescape("a%é"), "a%é");
        assert_eq!(unescape("%ff"), "\u{fffd}");
    }

    #[test]
    fn only_the_runtime_is_the_runtime() {
        for own in [
            "runtime",
            "internal/runtime/maps",
            "internal/runtime/gc/scan",
            "runtime/internal/atomic",
        ] {
            assert!(is_runtime(own), "{own}");
        }
        for other in [
            "",
            "main",
            "runtime/debug",
            "runtime/pprof",
            "runtime/trace",
            "runtimes",
            "internal/abi",
        ] {
            assert!(!is_runtime(other), "{other}");
        }
    }

    #[test]
    fn functions_print_as_in_tracebacks() {
        assert_eq!(printed("runtime.memmove.abi0"), "runtime.memmove");
        assert_eq!(printed("main.work"), "main.work");
        assert_eq!(printed("main.Map[go.shape.int]"), "main.Map[...]");
        assert_eq!(printed("main.Map[...]"), "main.Map[...]");
        assert_eq!(
            printed("main.(*Set[go.shape.[]uint8]).Add.func1"),
            "main.(*Set[...]).Add.func1"
        );
        assert_eq!(printed("main.Odd]["), "main.Odd][");
    }
}
