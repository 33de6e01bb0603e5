//! Names out of an executable, made fit to print: a hostile one may carry terminal escape sequences.

use std::borrow::Cow;

/// The text, with each control character replaced.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.replace(char::is_control, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The bytes as printable text; what is not UTF-8 is replaced.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    printable(&String::from_utf8_lossy(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(printable("main.(*T).Größe·1"), "main.(*T).Größe·1");
        assert_eq!(lossy(b"a\x1b[2Jb\n\xff"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
    }
}
