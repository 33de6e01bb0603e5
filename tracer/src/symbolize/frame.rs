//! A named frame, and what the sources of names hand over before it is one.

use std::{borrow::Cow, sync::Arc};

/// A function call on a stack: several at one program counter where calls were inlined.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The function as Go's tracebacks print it, such as `net/http.(*conn).serve`.
    pub function: Arc<str>,
    /// The import path of its package; empty for C and for what the compiler generates.
    pub package: Arc<str>,
    /// The source file as the compiler recorded it; `None` if only the function is known.
    pub file: Option<Arc<str>>,
    /// The line in that file, counted from 1.
    pub line: Option<u32>,
    /// Whether the call was inlined into the next frame.
    pub inlined: bool,
    /// See [`Frame::is_runtime`].
    pub(super) runtime: bool,
}

impl Frame {
    /// Whether the function is the Go runtime's own: by its package, or because the runtime's source
    /// holds its body under another package's name (`reflect.unsafe_New`, `maps.clone`).
    #[must_use]
    pub fn is_runtime(&self) -> bool {
        self.runtime
    }

    /// A frame of given names, for tests of what is made of them.
    #[cfg(test)]
    pub(crate) fn of(function: &str, package: &str, line: u32) -> Self {
        Self {
            function: function.into(),
            package: package.into(),
            file: Some("/src/file.go".into()),
            line: Some(line),
            inlined: false,
            runtime: super::is_runtime(package),
        }
    }
}

/// A frame as DWARF, pclntab or the symbol table spell it, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) function: Cow<'a, str>,
    pub(super) file: Option<Cow<'a, str>>,
    pub(super) line: Option<u32>,
}
