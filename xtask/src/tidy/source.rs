//! A Rust source file with comments and the content of literals blanked out, so that a rule sees code only.
//! A scanner, not a parser: it knows strings, comments, words and braces.

use std::ops::Range;

/// The code of one file, the same bytes per line as the file where they are code, spaces elsewhere.
#[derive(Debug)]
pub(super) struct Source {
    code: String,
    literals: Vec<Literal>,
}

/// A string of the code: with its quotes, and where it ends in the code.
#[derive(Debug, Clone)]
struct Literal {
    text: String,
    end: usize,
}

/// A word of the code, and the line it is on, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
    end: usize,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    /// Lines with code, from its `fn` to its closing brace.
    pub(super) code_lines: usize,
}

impl Source {
    pub(super) fn new(text: &str) -> Self {
        let mut literals = Vec::new();
        let code = blank(text, &mut literals);
        Self { code, literals }
    }

    /// The same without its test modules.
    pub(super) fn without_tests(&self) -> Self {
        let mut code = self.code.clone();
        let mut literals = self.literals.clone();
        while let Some(module) = test_module(&code) {
            literals.retain(|literal| !module.contains(&literal.end));
            let spaces: String = code
                .get(module.clone())
                .unwrap_or_default()
                .chars()
                .map(|c| if c == '\n' { '\n' } else { ' ' })
                .collect();
            code.replace_range(module, &spaces);
        }
        Self { code, literals }
    }

    /// The names of its test modules that are files of their own.
    pub(super) fn test_files(&self) -> Vec<&str> {
        test_items(&self.code)
            .filter(|(_, name)| self.after(*name).trim_start().starts_with(';'))
            .map(|(_, name)| name.text)
            .collect()
    }

    /// Every identifier, keyword and number.
    pub(super) fn words(&self) -> impl Iterator<Item = Word<'_>> {
        words(&self.code)
    }

    /// Every string between plain quotes, with these, as a word.
    pub(super) fn strings(&self) -> impl Iterator<Item = Word<'_>> {
        self.literals.iter().map(|literal| Word {
            text: &literal.text,
            line: 1 + newlines(self.code.get(..literal.end).unwrap_or_default()),
            end: literal.end,
        })
    }

    /// What follows a word, up to the end of the file.
    pub(super) fn after(&self, word: Word<'_>) -> &str {
        self.code.get(word.end..).unwrap_or_default()
    }

    /// What stands before a word.
    pub(super) fn before(&self, word: Word<'_>) -> &str {
        let start = word.end.checked_sub(word.text.len());
        start
            .and_then(|start| self.code.get(..start))
            .unwrap_or_default()
    }

    /// Lines that have code on them.
    pub(super) fn code_lines(&self) -> usize {
        code_lines(&self.code)
    }

    /// Functions with a body, nested ones included.
    pub(super) fn functions(&self) -> Vec<Function<'_>> {
        let mut functions = Vec::new();
        let mut words = self.words();
        while let Some(word) = words.next() {
            // `fn(` is a type; only a function with a name has a word next.
            let rest = self.after(word);
            if word.text != "fn" || rest.trim_start().starts_with('(') {
                continue;
            }
            let Some(name) = words.next() else { break };
            if let Some(body) = body(self.after(name)) {
                let end = name.end + body.end;
                functions.push(Function {
                    name: name.text,
                    line: word.line,
                    code_lines: code_lines(self.code.get(word.end - 2..end).unwrap_or_default()),
                });
            }
        }
        functions
    }
}

fn words(code: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    let mut line = 1;
    std::iter::from_fn(move || {
        let rest = code.get(at..)?;
        let start = at + rest.find(is_word)?;
        line += newlines(code.get(at..start)?);
        let tail = code.get(start..)?;
        let end = start + tail.find(|c| !is_word(c)).unwrap_or(tail.len());
        at = end;
        Some(Word {
            text: code.get(start..end)?,
            line,
            end,
        })
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn code_lines(code: &str) -> usize {
    code.lines().filter(|line| !line.trim().is_empty()).count()
}

/// The braces of a function body, or none for a declaration that ends with `;`.
fn body(after_name: &str) -> Option<Range<usize>> {
    let mut nesting = 0_usize;
    let opening = after_name.char_indices().find(|&(_, c)| {
        match c {
            '(' | '[' => nesting += 1,
            ')' | ']' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        nesting == 0 && (c == '{' || c == ';')
    });
    let (opening, c) = opening?;
    if c == ';' {
        return None;
    }
    braces(after_name, opening)
}

/// From the brace at `opening` to the end of its partner.
fn braces(code: &str, opening: usize) -> Option<Range<usize>> {
    let mut nesting = 0_usize;
    for (offset, c) in code.get(opening..)?.char_indices() {
        match c {
            '{' => nesting += 1,
            '}' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        if nesting == 0 {
            return Some(opening..opening + offset + 1);
        }
    }
    None
}

/// The first `#[cfg(test)] mod name { … }`.
fn test_module(code: &str) -> Option<Range<usize>> {
    test_items(code).find_map(|(start, name)| {
        let opening = name.end + code.get(name.end..)?.find(['{', ';'])?;
        let is_inline = code.get(opening..)?.starts_with('{');
        is_inline
            .then(|| braces(code, opening))?
            .map(|module| start..module.end)
    })
}

/// Each module below a `#[cfg(test)]`: where the attribute starts, and its name.
fn test_items(code: &str) -> impl Iterator<Item = (usize, Word<'_>)> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    code.match_indices(ATTRIBUTE).filter_map(|(start, _)| {
        let item = start + ATTRIBUTE.len();
        let mut words = words(code.get(item..)?)
            .skip_while(|word| matches!(word.text, "pub" | "crate" | "super"));
        let is_module = words.next()?.text == "mod";
        let name = words.next()?;
        is_module.then(|| {
            (
                start,
                Word {
                    end: item + name.end,
                    ..name
                },
            )
        })
    })
}

/// Replaces comments and the content of literals by spaces, and keeps line ends. What was between plain quotes goes to
/// `literals`.
fn blank(text: &str, literals: &mut Vec<Literal>) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = skipped_length(rest, code.chars().next_back());
        let taken = if skipped == 0 { c.len_utf8() } else { skipped };
        let (piece, tail) = rest.split_at(taken);
        if skipped == 0 {
            code.push(c);
        } else {
            code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            if piece.starts_with('"') {
                literals.push(Literal {
                    text: piece.to_owned(),
                    end: code.len(),
                });
            }
        }
        rest = tail;
    }
    code
}

/// The length of the comment or literal that starts here, or 0.
fn skipped_length(rest: &str, previous: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"');
    }
    if rest.starts_with('\'') {
        return character_length(rest);
    }
    let may_be_prefixed = previous.is_none_or(|c| !is_word(c));
    if may_be_prefixed {
        raw_string_length(rest)
    } else {
        0
    }
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut nesting = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            nesting += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            nesting -= 1;
            at += 2;
            if nesting == 0 {
                return at;
            }
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// A literal between two quotes, with escapes.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; 0 for a lifetime.
fn character_length(rest: &str) -> usize {
    let mut next = rest.chars().skip(1);
    match (next.next(), next.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_length(rest, '\''),
        _ => 0,
    }
}

/// `r"…"`, `r#"…"#`, and the same for bytes and C strings.
fn raw_string_length(rest: &str) -> usize {
    let Some(hashes) = ["r", "br", "cr"]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix))
    else {
        return 0;
    };
    let content = hashes.trim_start_matches('#');
    if !content.starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes.len() - content.len()));
    let start = rest.len() - content.len() + 1;
    rest.get(start..)
        .and_then(|tail| tail.find(&closing))
        .map_or(rest.len(), |at| start + at + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(code: &str) -> Vec<String> {
        Source::new(code)
            .words()
            .map(|word| word.text.to_owned())
            .collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(texts("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(
            texts(r##"a("b \" c", 'd', '\'', b"e", r#"f " g"#, h)"##),
            ["a", "b", "h"]
        );
        assert_eq!(
            texts("fn f<'a>(x: &'a str, r#type: u8)"),
            ["fn", "f", "a", "x", "a", "str", "r", "type", "u8"]
        );
    }

    #[test]
    fn an_unclosed_literal_or_comment_ends_with_the_file() {
        for text in ["\"a", "/* a", "r#\"a", "'\\", "b'\\"] {
            assert_eq!(
                Source::new(text).code.trim_start_matches('b').trim(),
                "",
                "{text}"
            );
        }
    }

    #[test]
    fn words_know_their_line() {
        let source = Source::new("a\n\"x\ny\"\nb");
        let lines: Vec<usize> = source.words().map(|word| word.line).collect();
        assert_eq!(lines, [1, 4]);
    }

    #[test]
    fn functions_are_measured_without_comments_and_blank_lines() {
        let source = Source::new(
            "trait T { fn declared(x: [u8; 4]); }\n\nfn f(\n  g: fn(u8),\n) {\n  // why\n\n  x{}\n}\n",
        );
        assert_eq!(
            source.functions(),
            [Function {
                name: "f",
                line: 3,
                code_lines: 5
            }]
        );
    }

    #[test]
    fn nested_functions_are_found() {
        let source = Source::new("fn a() {\nfn b() {\n}\n}");
        let names: Vec<_> = source
            .functions()
            .iter()
            .map(|f| (f.name, f.code_lines))
            .collect();
        assert_eq!(names, [("a", 4), ("b", 2)]);
    }

    #[test]
    fn test_modules_are_taken_out_and_other_test_items_stay() {
        let source =
            Source::new("a\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\n#[cfg(test)]\nmod c;\n");
        let words: Vec<_> = source
            .without_tests()
            .words()
            .map(|word| word.text.to_owned())
            .collect();
        assert_eq!(words, ["a", "cfg", "test", "mod", "c"]);
        assert_eq!(source.without_tests().code_lines(), 3);
        assert_eq!(source.test_files(), ["c"]);
    }
}
