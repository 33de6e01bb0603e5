//! Shortens names of functions, types and places to the columns there are, keeping the part that tells most.

use std::borrow::Cow;

use super::line::{cut_end, cut_start, width};
use crate::report::Frame;

/// What stands for a place without a name.
pub(crate) const UNNAMED: &str = "(unnamed)";

/// A function name in at most `columns` columns: first its import path gives way, then its type arguments, then its end.
pub(crate) fn function(name: &str, columns: usize) -> Cow<'_, str> {
    if width(name) <= columns {
        return name.into();
    }
    let without_path = format!("…/{}", local(name));
    let short = if local(name).len() < name.len() {
        without_path
    } else {
        name.to_owned()
    };
    if width(&short) <= columns {
        return keep_more_path(name, &short, columns).into();
    }
    cut_end(&without_type_arguments(&short), columns)
        .into_owned()
        .into()
}

/// The name after the last `/` of its import path: `cache.(*Cache[…]).Put`.
fn local(name: &str) -> &str {
    // Type arguments may hold paths of their own.
    let path_end = name.find(['[', '(']).unwrap_or(name.len());
    let path = name.get(..path_end).unwrap_or_default();
    path.rfind('/')
        .and_then(|slash| name.get(slash + 1..))
        .unwrap_or(name)
}

/// The longest form of `name` that starts at an element of its path and fits; `shortest` if none does.
fn keep_more_path(name: &str, shortest: &str, columns: usize) -> String {
    let path = name.len() - local(name).len();
    name.match_indices('/')
        .take_while(|(at, _)| *at < path)
        .filter_map(|(at, _)| name.get(at..))
        .map(|rest| format!("…{rest}"))
        .find(|form| width(form) <= columns)
        .unwrap_or_else(|| shortest.to_owned())
}

/// `Put[int]` as `Put[…]`.
fn without_type_arguments(name: &str) -> String {
    let mut short = String::new();
    let mut depth = 0_usize;
    for c in name.chars() {
        match c {
            '[' => {
                if depth == 0 {
                    short.push_str("[…");
                }
                depth += 1;
            }
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            short.push(c);
        }
    }
    short
}

/// `file:line` in at most `columns` columns: the path gives way from the left, by whole elements if possible.
pub(crate) fn place(frame: &Frame, columns: usize) -> String {
    if frame.file.is_empty() {
        return cut_end("(source unknown)", columns).into_owned();
    }
    let full = match frame.line {
        Some(line) => format!("{}:{line}", frame.file),
        None => frame.file.clone(),
    };
    if width(&full) <= columns {
        return full;
    }
    full.match_indices('/')
        .filter_map(|(at, _)| full.get(at..))
        .map(|rest| format!("…{rest}"))
        .find(|form| width(form) <= columns)
        .unwrap_or_else(|| cut_start(&full, columns).into_owned())
}

/// `function:line` in at most `columns` columns: where one function calls another.
pub(crate) fn call(frame: &Frame, columns: usize) -> String {
    let line = frame
        .line
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    let function = function(&frame.function, columns.saturating_sub(width(&line)));
    format!("{function}{line}")
}

/// The function of the innermost frame and, if the compiler inlined it, what it was inlined into: outwards up to the
/// function that really is in the binary, or that one alone if the columns do not hold more.
pub(crate) fn function_of(frames: &[Frame], columns: usize) -> (String, String) {
    let Some((innermost, outer)) = frames.split_first() else {
        return (UNNAMED.into(), String::new());
    };
    let name = innermost.function.as_str();
    let hosts = hosts(innermost, outer);
    let Some(last) = hosts.last() else {
        return (function(name, columns).into_owned(), String::new());
    };
    let all: Vec<String> = hosts.iter().map(|host| call(host, usize::MAX)).collect();
    let all = inlined_into(&all.join(", "));
    if width(name) + width(&all) <= columns {
        return (name.into(), all);
    }
    let for_host = columns.saturating_sub(width(name)).max(columns / 2);
    let host = inlined_into(&call(
        last,
        for_host.saturating_sub(width(&inlined_into(""))),
    ));
    (
        function(name, columns.saturating_sub(width(&host))).into_owned(),
        host,
    )
}

/// The frames that `innermost` was inlined into, the real one last.
fn hosts<'a>(innermost: &Frame, outer: &'a [Frame]) -> Vec<&'a Frame> {
    let mut inlined = innermost.inlined;
    outer
        .iter()
        .take_while(|frame| std::mem::replace(&mut inlined, frame.inlined))
        .collect()
}

fn inlined_into(hosts: &str) -> String {
    format!(" (inlined into {hosts})")
}

/// A type name; memory without a type says so in words.
pub(crate) fn type_name(name: &str) -> &str {
    if name == "-" { "(no type)" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_lose_path_before_type_arguments_before_their_end() {
        let check = |name: &str, columns: usize, expect: &str| {
            assert_eq!(function(name, columns), expect);
            assert!(width(expect) <= columns);
        };
        let name = "github.com/acme/shop/internal/cache.(*Cache[go.shape.string,int]).Put";
        check(name, 80, name);
        let short = "…/internal/cache.(*Cache[go.shape.string,int]).Put";
        check(name, 52, short);
        check(name, 45, "…/cache.(*Cache[go.shape.string,int]).Put");
        check(name, 40, "…/cache.(*Cache[…]).Put");
        check(name, 12, "…/cache.(*C…");
        check("main.Map[example.com/a/b.T].Get", 22, "main.Map[…].Get");
        check("main.handleEverythingAtOnce", 10, "main.hand…");
        check("a/b.F", 4, "…/b…");
    }

    #[test]
    fn places_lose_whole_directories_from_the_left() {
        let check = |columns: usize, expect: &str| {
            let frame = Frame {
                function: String::new(),
                package: String::new(),
                file: "/home/me/go/pkg/mod/example.com/x@v1.2.3/decode.go".into(),
                line: Some(88),
                inlined: false,
            };
            assert_eq!(place(&frame, columns), expect);
        };
        check(60, "/home/me/go/pkg/mod/example.com/x@v1.2.3/decode.go:88");
        check(38, "…/example.com/x@v1.2.3/decode.go:88");
        check(15, "…/decode.go:88");
        check(10, "…ode.go:88");
    }

    #[test]
    fn an_inlined_function_says_where_it_ended_up() {
        let frame = |function: &str, inlined: bool| Frame {
            function: function.into(),
            package: String::new(),
            file: String::new(),
            line: Some(7),
            inlined,
        };
        let frames = [
            frame("strings.grow", true),
            frame("strings.Write", true),
            frame("main.render", false),
            frame("main.main", false),
        ];
        let check = |frames: &[Frame], columns: usize, expect: &str| {
            let (name, host) = function_of(frames, columns);
            assert_eq!(name + &host, expect);
            assert!(width(expect) <= columns);
        };
        let whole = "strings.grow (inlined into strings.Write:7, main.render:7)";
        check(&frames, 60, whole);
        check(&frames, 45, "strings.grow (inlined into main.render:7)");
        check(&frames, 40, "strings.grow (inlined into main.rend…:7)");
        check(&frames, 36, "strings.grow (inlined into main.…:7)");
        check(&frames, 30, "strings.gr… (inlined into …:7)");
        check(&frames[2..], 60, "main.render");
        check(&frames[..1], 60, "strings.grow");
        check(&[], 60, UNNAMED);
    }
}
