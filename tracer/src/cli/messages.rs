//! What is told on standard error. Hides that nobody may be able to read it: a terminal that was closed, or a full disk,
//! must not cost a capture.

use std::fmt::Display;
use std::io::Write;

/// Tells `message`, a line, on standard error, if that takes it. `eprintln!` would panic if not.
pub fn say(message: impl Display) {
    line(&message, &mut anstream::stderr());
}

/// In one piece, so that it does not mix with lines of others that share standard error.
fn line(message: &dyn Display, out: &mut dyn Write) {
    // There is no other place to tell that this one takes nothing.
    out.write_all(format!("{message}\n").as_bytes())
        .unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_message_is_a_line_and_may_be_lost() {
        let mut lines = Vec::new();
        line(&"wrote a.json", &mut lines);
        assert_eq!(lines, b"wrote a.json\n");
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        line(&"wrote a.json", &mut full);
    }
}
