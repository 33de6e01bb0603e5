//! Modes and steps are types: nothing compares the words that stand for them. Hides where these words are taken from, and
//! what a comparison looks like, in Rust and in the scripts of a page.

use super::{Violation, is_within, source::Source};
use anyhow::{Result, ensure};

/// Where the words stand, once.
const HOME: &str = "tracer/src/report/window.rs";

/// Where else they may: the reading and writing of captures.
const READER: &str = "tracer/src/output/json";

/// Where the rule holds: the words of options and of tests are something else.
const AGENT: &str = "tracer/src/";

/// What stands before a string that something is compared with, and behind it.
const BEFORE: [&str; 5] = ["==", "!=", "===", "|", "case"];
const AFTER: [&str; 4] = ["==", "!=", "=>", "|"];

/// Begins the words for what was given up; they mean nothing else.
const GIVEN_UP: &str = "no_";

const RULE: &str = "is a word for a mode or a step: compare `report::Mode` and `report::Step`";

/// The words for modes and steps.
#[derive(Debug)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Those of the repository, whose files these are.
    pub(super) fn among(files: &[(String, String)]) -> Result<Self> {
        let home = files.iter().find(|(path, _)| path == HOME);
        let words = home.map(|(_, text)| words_in(text)).unwrap_or_default();
        ensure!(
            words.len() > 1,
            "{HOME} has no words for modes and steps: tidy/modes.rs looks for them there"
        );
        Ok(Words(words))
    }

    /// Comparisons with these words in a file of the agent. `code` has no tests.
    pub(super) fn check(&self, path: &str, code: &Source) -> Vec<Violation> {
        if !path.starts_with(AGENT) || path == HOME || is_within(path, READER) {
            return Vec::new();
        }
        let compared = code.strings().filter(|string| {
            self.has(string.text)
                && (string.text[1..].starts_with(GIVEN_UP)
                    || is_compared(code.before(*string), code.after(*string)))
        });
        let names = code.words().filter(|word| {
            let before = code.before(*word).trim_end();
            let after = code.after(*word).trim_start();
            word.text == "name"
                && ["mode.", "to.", "step."]
                    .iter()
                    .any(|of| before.ends_with(of))
                && after.strip_prefix("()").is_some_and(is_compared_after)
        });
        compared
            .map(|string| (string.line, format!("{} {RULE}", string.text)))
            .chain(names.map(|word| (word.line, format!("this {RULE}"))))
            .collect()
    }

    /// The same in a script of a page.
    pub(super) fn check_script(&self, path: &str, text: &str) -> Vec<String> {
        let mut violations = Vec::new();
        for (line, code) in (1..).zip(text.lines()) {
            for quote in ['"', '\'', '`'] {
                let parts: Vec<&str> = code.split(quote).collect();
                for part in parts.windows(3) {
                    let [before, word, after] = part else {
                        continue;
                    };
                    let is_word = self.0.iter().any(|known| known == word);
                    if is_word && (word.starts_with(GIVEN_UP) || is_compared(before, after)) {
                        violations.push(format!("{path}:{line}: {word:?} {RULE}"));
                    }
                }
            }
        }
        violations
    }

    fn has(&self, literal: &str) -> bool {
        self.0
            .iter()
            .any(|word| literal.trim_matches('"') == word.as_str())
    }
}

/// What the types have for names: `Mode::Exact => "exact"`.
fn words_in(home: &str) -> Vec<String> {
    let code = Source::new(home).without_tests();
    let names = code
        .strings()
        .filter(|string| code.before(*string).trim_end().ends_with("=>"));
    let names = names.map(|string| string.text.trim_matches('"').to_owned());
    // The rest is prose.
    let is_name = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    names.filter(is_name).collect()
}

fn is_compared(before: &str, after: &str) -> bool {
    let before = before.trim_end();
    let is_or = before.ends_with("||");
    (!is_or && BEFORE.iter().any(|sign| before.ends_with(sign))) || is_compared_after(after)
}

fn is_compared_after(after: &str) -> bool {
    // `Some("exact") =>`
    let after = after.trim_start_matches([')', ' ', '\n', ',']);
    !after.starts_with("||") && AFTER.iter().any(|sign| after.starts_with(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let home = "impl Mode { fn name(&self) -> &str { match self {\n\
                    Mode::Exact => \"exact\",\n Mode::Heap => \"heap\",\n\
                    Step::Without(Extra::Faults) => \"no_faults\",\n\
                    State::Running => \"still running\",\n} } }";
        Words::among(&[(HOME.to_owned(), home.to_owned())]).unwrap()
    }

    /// How many comparisons are found.
    fn found(path: &str, code: &str) -> usize {
        words()
            .check(path, &Source::new(code).without_tests())
            .len()
    }

    #[test]
    fn the_words_are_those_of_the_types() {
        assert_eq!(words().0, ["exact", "heap", "no_faults"]);
        let none = Words::among(&[("tracer/src/a.rs".to_owned(), String::new())]);
        assert!(none.is_err(), "a rule without words finds nothing");
    }

    #[test]
    fn a_mode_is_not_compared_as_text() {
        for code in [
            "fn f() { if window.mode.name() == \"heap\" {} }",
            "fn f() { if \"heap\" != mode {} }",
            "fn f() { matches!(mode.name(), \"exact\" | \"heap\"); }",
            "fn f() { match mode { \"exact\" => 1, _ => 2 } }",
            "fn f() { match mode { Some(\"exact\") => 1, _ => 2 } }",
            "fn f() { window.given_up(\"no_faults\"); }",
            "fn f() { a.mode.name() == b.mode.name(); }",
        ] {
            assert!(found("tracer/src/tui/a.rs", code) > 0, "{code}");
            assert_eq!(found("tracer/src/output/json/words.rs", code), 0, "{code}");
            assert_eq!(found("tests/tests/a.rs", code), 0, "{code}");
            let test = format!("#[cfg(test)]\nmod tests {{ {code} }}");
            assert_eq!(found("tracer/src/tui/a.rs", &test), 0, "{code}");
        }
    }

    #[test]
    fn a_word_that_is_shown_is_not_compared() {
        for code in [
            "fn f() { add(\"heap\", missing); }",
            "fn f() { column(\"exact\", 0); }",
            "// if mode == \"exact\" {}\nfn f() { rate || \"heap\"; }",
            "fn f() { matches!(mode, Mode::Exact | Mode::Heap); let name = mode.name(); }",
        ] {
            assert_eq!(found("tracer/src/output/text/a.rs", code), 0, "{code}");
        }
    }

    #[test]
    fn scripts_of_pages_compare_no_words_either() {
        let found = |code: &str| {
            words()
                .check_script("tracer/src/output/html/a.js", code)
                .len()
        };
        assert_eq!(found("const isHeap = data.window.mode === \"heap\";"), 1);
        assert_eq!(found("steps.find((step) => step.mode === 'no_faults')"), 1);
        assert_eq!(found("names.sayWords(\"heap\"); data.heap === null"), 0);
    }
}
