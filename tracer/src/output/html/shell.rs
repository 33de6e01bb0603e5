//! What each page is made of: one file with style, data and scripts inside, that loads nothing.
//!
//! Hides how data from the target is kept from being read as HTML, as script, or as characters that reorder text.

use super::super::{OutputError, text::steers_terminal};
use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use std::io::{self, Write};

/// Name of a script, and the script.
pub(in crate::output) type Script = (&'static str, &'static str);

/// What pages have in common.
const STYLE: &str = include_str!("style.css");

/// Scripts that pages have in common, in their order. They know nothing of a report.
pub(in crate::output) const BASE: [Script; 4] = [
    ("units.js", include_str!("units.js")),
    ("dom.js", include_str!("dom.js")),
    ("theme.js", include_str!("theme.js")),
    ("table.js", include_str!("table.js")),
];

/// The beginning of every page. The policy lets nothing in but what stands in the page itself: no request can leave it,
/// and no attribute can hold a script that runs. The theme is asked for by the style, so that no page flashes.
const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="tracer">
<title>tracer</title>
<style>
"#;

/// A page without its data.
pub(in crate::output) struct Page {
    /// What stands in its body before any script.
    pub(in crate::output) body: &'static str,
    /// Scripts that run after [`BASE`]. They find the data as `tracer.data`.
    pub(in crate::output) scripts: &'static [Script],
}

impl Page {
    /// Writes the page around `data`.
    pub(in crate::output) fn write(
        &self,
        data: &impl Serialize,
        mut out: &mut dyn Write,
    ) -> Result<(), OutputError> {
        let start = [
            HEAD,
            STYLE,
            "</style>\n</head>\n<body>\n",
            self.body,
            "<script type=\"application/json\" id=\"data\">",
        ];
        for part in start {
            out.write_all(part.as_bytes()).map_err(OutputError::Write)?;
        }
        let mut serializer = Serializer::with_formatter(&mut out, InScript::default());
        data.serialize(&mut serializer)
            .map_err(|error| OutputError::Write(error.into()))?;
        out.write_all(b"</script>\n").map_err(OutputError::Write)?;
        for (name, script) in BASE.iter().chain(self.scripts) {
            write!(out, "<script>\n// {name}\n{script}</script>\n").map_err(OutputError::Write)?;
        }
        out.write_all(b"</body>\n</html>\n")
            .map_err(OutputError::Write)
    }
}

/// JSON that can stand in a `script` element: without `<`, nothing in it ends the element or begins a comment, and without
/// `&` it would be the same in an XML document. Characters that steer a terminal or reorder text become visible.
#[derive(Default)]
struct InScript {
    /// Bytes of the string that is being written.
    written: usize,
}

/// Bytes of a string that a page shows: what is longer is no name that anybody reads.
const MOST_BYTES: usize = 4096;

impl InScript {
    /// The part of the string that is shown, and whether it is cut here.
    fn shown<'a>(&mut self, fragment: &'a str) -> (&'a str, bool) {
        let before = self.written;
        self.written = before.saturating_add(fragment.len());
        if self.written <= MOST_BYTES {
            return (fragment, false);
        }
        let end = fragment.floor_char_boundary(MOST_BYTES.saturating_sub(before));
        (&fragment[..end], before <= MOST_BYTES)
    }
}

impl Formatter for InScript {
    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.written = 0;
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let harmless = |c: char| !matches!(c, '<' | '>' | '&') && !steers_terminal(c);
        let (mut rest, is_cut) = self.shown(fragment);
        while let Some(at) = rest.find(|c: char| !harmless(c)) {
            let (before, from) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            let mut chars = from.chars();
            match chars.next() {
                Some(c @ ('<' | '>' | '&')) => write!(writer, "\\u{:04x}", u32::from(c))?,
                Some(c) => write!(writer, "\\\\u{{{:x}}}", u32::from(c))?,
                None => {}
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())?;
        if is_cut {
            writer.write_all("…".as_bytes())?;
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        // It stands for a byte of the string.
        let (shown, is_cut) = self.shown(" ");
        if is_cut {
            writer.write_all("…".as_bytes())?;
        }
        if shown.is_empty() {
            return Ok(());
        }
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\\\r"),
            CharEscape::Tab => writer.write_all(b"\\\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\\\u{{{byte:x}}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        text.serialize(&mut Serializer::with_formatter(
            &mut out,
            InScript::default(),
        ))
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_in_a_name_ends_the_element() {
        let name = "main.F[</script><script>alert(1)</script><!-- & \"quoted\\\"]";
        let json = written(name);
        assert!(!json.contains(['<', '>', '&']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name);
    }

    #[test]
    fn long_strings_are_cut() {
        let read = |text: &str| serde_json::from_str::<String>(&written(text)).unwrap();
        let just = "a".repeat(MOST_BYTES);
        assert_eq!(read(&just), just);
        assert_eq!(read(&format!("{just}bc\"\ndé")), format!("{just}…"));
        let quotes = "é\"".repeat(MOST_BYTES);
        let cut = read(&quotes);
        assert!(cut.len() <= MOST_BYTES + "…".len(), "{}", cut.len());
        assert_eq!(cut.matches('…').count(), 1);
        // The next one has all of its room.
        let two = serde_json::to_value([&just, &just]).unwrap();
        let mut out = Vec::new();
        two.serialize(&mut Serializer::with_formatter(
            &mut out,
            InScript::default(),
        ))
        .unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&out).unwrap(),
            two
        );
    }

    #[test]
    fn characters_that_steer_become_visible() {
        let json = written("a\u{1b}[31m\u{202e}b\u{200b}\n\u{7f}\u{2028}数据");
        let read: String = serde_json::from_str(&json).unwrap();
        assert_eq!(read, r"a\u{1b}[31m\u{202e}b\u{200b}\n\u{7f}\u{2028}数据");
    }
}
