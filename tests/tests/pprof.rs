//! Profiles are what Go's own tools make of them: the figures of `go tool pprof` are those of the runtime, of the program,
//! and of the capture written beside.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;
use tracer_tests::{
    Program, assert_accounted, list, newest_go, number, pprof_path, sites_in, sum, trace_measured,
};

/// What `known` allocated, in all forms that one capture was written in at once.
struct Traced {
    directory: TempDir,
    capture: Value,
    expected: Value,
    stream: Vec<Value>,
}

impl Traced {
    fn of(calls: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (profile, stream) = (path("known.pb.gz"), path("known.ndjson"));
        let program = Program::start(&newest_go(), "known", &["-calls", calls]);
        let (capture, expected) = trace_measured(program, &["-o", &profile, "-o", &stream]);
        assert_accounted(&capture);
        let stream = std::fs::read_to_string(stream).expect("a stream");
        let lines = stream
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        Traced {
            stream: lines.collect(),
            directory,
            capture,
            expected,
        }
    }

    fn profile(&self) -> PathBuf {
        self.directory.path().join("known.pb.gz")
    }

    /// What pprof prints of it.
    fn pprof(&self, args: &[&str]) -> String {
        pprof(args, &self.profile())
    }

    /// Flat figures by function, and the total.
    fn top(&self, sample_type: &str, args: &[&str]) -> (BTreeMap<String, i64>, i64) {
        let index = format!("-sample_index={sample_type}");
        top(&self.pprof(&[&["-top", &index][..], &EVERYTHING, args].concat()))
    }
}

/// Every function, in digits.
const EVERYTHING: [&str; 5] = [
    "-nodefraction=0",
    "-edgefraction=0",
    "-nodecount=100000",
    "-unit=B",
    "-symbolize=none",
];

static MANY: LazyLock<Traced> = LazyLock::new(|| Traced::of("300"));
static FEW: LazyLock<Traced> = LazyLock::new(|| Traced::of("100"));

fn pprof(args: &[&str], profile: &Path) -> String {
    let output = Command::new(pprof_path()).args(args).arg(profile).output();
    let output = output.expect("pprof runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Reads the table of `-top`.
fn top(text: &str) -> (BTreeMap<String, i64>, i64) {
    let mut lines = text.lines();
    let total = lines.find_map(|line| line.rsplit_once(" of ")?.1.strip_suffix(" total"));
    let total = total.unwrap_or_else(|| panic!("no total in {text}"));
    let mut lines = lines
        .skip_while(|line| !line.contains("flat%"))
        .skip(1)
        .peekable();
    assert!(lines.peek().is_some(), "no rows in {text}");
    let mut flat: BTreeMap<String, i64> = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (figures, name) = words.split_at(5);
        let name = name
            .join(" ")
            .replace(" (inline)", "")
            .replace(" (partial-inline)", "");
        *flat.entry(name).or_default() += digits(figures[0]);
    }
    flat.retain(|_, value| *value != 0);
    (flat, digits(total))
}

fn digits(figure: &str) -> i64 {
    let digits = figure.trim_end_matches('B');
    digits
        .parse()
        .unwrap_or_else(|_| panic!("not exact: {figure:?}"))
}

/// The figure of a sample type in the rows of a capture.
fn field(sample_type: &str) -> &'static str {
    match sample_type {
        "alloc_objects" => "allocs",
        "alloc_space" => "alloc_bytes",
        "requested_space" => "requested_bytes",
        "faults" => "faults",
        _ => panic!("{sample_type}"),
    }
}

/// What the stacks of a capture have, by the innermost function of their site.
fn by_function(capture: &Value, field: &str) -> BTreeMap<String, i64> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for site in list(capture, "sites") {
        let name = site["frames"][0]["function"]
            .as_str()
            .unwrap_or("[stack not known]");
        let stacks = list(site, "stacks").iter();
        let of_stacks = stacks.map(|stack| stack[field].as_i64().expect("a figure"));
        *sums.entry(name.to_owned()).or_default() += of_stacks.sum::<i64>();
    }
    sums.retain(|_, value| *value != 0);
    sums
}

#[test]
fn every_figure_of_pprof_is_that_of_the_capture() {
    let traced = &*MANY;
    let totals = &traced.capture["totals"];
    for sample_type in ["alloc_objects", "alloc_space", "requested_space", "faults"] {
        let (flat, total) = traced.top(sample_type, &[]);
        let field = field(sample_type);
        assert_eq!(flat, by_function(&traced.capture, field), "{sample_type}");
        let expected = match field {
            "faults" => number(totals, "/faults_minor") + number(totals, "/faults_major"),
            field => number(totals, &format!("/{field}")),
        };
        assert_eq!(u64::try_from(total), Ok(expected), "{sample_type}");
    }
    let end = traced.stream.last().expect("a last line");
    assert_eq!(&end["totals"], totals, "the stream has the same totals");
}

#[test]
fn every_figure_of_pprof_is_that_of_the_runtime() {
    let traced = &*MANY;
    let (objects, all_objects) = traced.top("alloc_objects", &[]);
    let (space, all_space) = traced.top("alloc_space", &[]);
    let signed = |path| i64::try_from(number(&traced.expected, path)).expect("a figure");
    assert_eq!(all_objects, signed("/total/mallocs"));
    assert_eq!(all_space, signed("/total/total_alloc"));
    let sites = list(&traced.expected, "sites");
    let mut checked = 0;
    for site in sites {
        let name = site["function"].as_str().expect("a name");
        // Else the statement is in a library, or allocates nothing.
        if sites_in(&traced.capture, name).is_empty() || name.starts_with("main.through") {
            continue;
        }
        let of_function: Vec<&Value> = sites
            .iter()
            .filter(|other| other["function"] == name)
            .collect();
        let own = |path| i64::try_from(sum(&of_function, path)).expect("a figure");
        assert_eq!(objects.get(name), Some(&own("/mallocs")), "{name}");
        assert_eq!(space.get(name), Some(&own("/total_alloc")), "{name}");
        checked += 1;
    }
    assert!(checked > 15, "{checked} functions");
}

#[test]
fn the_default_is_allocated_bytes_and_the_header_says_what_it_is() {
    let traced = &*MANY;
    let text = traced.pprof(&["-top"]);
    for line in [
        "File: known",
        "Type: alloc_space",
        "lost 0",
        "mode exact",
        "Build ID: ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let comments = traced.pprof(&["-comments"]);
    let hits = traced.capture["completeness"]["hits"]
        .as_u64()
        .expect("hits");
    let coverage = "coverage 100 %";
    assert!(
        comments.contains(coverage) && comments.contains(" hits"),
        "{hits}: {comments}"
    );
}

#[test]
fn source_lines_callers_and_inlined_functions_are_there() {
    let traced = &*MANY;
    let site = |name: &str| {
        let mut sites = list(&traced.expected, "sites").iter();
        sites.find(|site| site["function"] == name).expect("a site")
    };
    let node = site("main.pointerStruct");
    let source = traced.pprof(
        &[
            &["-list=main.pointerStruct$", "-sample_index=alloc_objects"][..],
            &EVERYTHING,
        ]
        .concat(),
    );
    let marked = format!("{}:", number(node, "/line"));
    let line = source
        .lines()
        .find(|line| line.contains(&marked) && line.contains("// alloc site"));
    let line = line.unwrap_or_else(|| panic!("no line {marked} in {source}"));
    let flat = digits(line.split_whitespace().next().expect("a figure"));
    assert_eq!(
        u64::try_from(flat),
        Ok(number(node, "/mallocs")),
        "{source}"
    );

    let callers = traced.pprof(&[&["-peek=main.newWideNode$"][..], &EVERYTHING].concat());
    assert!(callers.contains("main.newWideNode"), "{callers}");
    assert!(callers.contains("main.inlinedCall (inline)"), "{callers}");
}

#[test]
fn labels_tell_types_and_sizes() {
    let traced = &*MANY;
    let tags = traced.pprof(&[&["-tags", "-sample_index=alloc_objects"][..], &EVERYTHING].concat());
    let mut by_type: BTreeMap<&str, u64> = BTreeMap::new();
    for site in list(&traced.capture, "sites") {
        for row in list(site, "types").iter().filter(|row| row["name"] != "-") {
            *by_type
                .entry(row["name"].as_str().expect("a name"))
                .or_default() += number(row, "/allocs");
        }
    }
    assert!(by_type.len() > 10, "{by_type:?}");
    let types = tags
        .split("\n\n")
        .find(|part| part.trim_start().starts_with("type:"));
    let types = types.unwrap_or_else(|| panic!("no types in {tags}"));
    for (name, allocs) in by_type {
        let row = types
            .lines()
            .find(|line| line.ends_with(&format!("): {name}")));
        let row = row.unwrap_or_else(|| panic!("no {name} in {types}"));
        let figure = digits(row.split_whitespace().next().expect("a figure"));
        assert_eq!(u64::try_from(figure), Ok(allocs), "{name}");
    }
    let focused = traced
        .top("alloc_objects", &["-tagfocus=type=^main.node$"])
        .0;
    assert!(focused.contains_key("main.pointerStruct"), "{focused:?}");
    assert!(!focused.contains_key("main.byteSlice"), "{focused:?}");
    let traces = traced.pprof(&["-traces", "-focus=main.byteSlice"]);
    assert!(
        traces.contains("bytes:  1kB") && traces.contains("type:  []uint8"),
        "{traces}"
    );
}

#[test]
fn two_profiles_are_compared() {
    let (few, many) = (&*FEW, &*MANY);
    let base = format!("-diff_base={}", few.profile().display());
    let (flat, _) = many.top("alloc_objects", &[&base]);
    assert_eq!(flat.get("main.pointerStruct"), Some(&200), "{flat:?}");
    let base = format!("-base={}", many.profile().display());
    let same = many.pprof(&[&["-top", &base][..], &EVERYTHING].concat());
    assert!(same.contains("Showing nodes accounting for 0"), "{same}");
}

#[test]
fn what_pprof_writes_again_is_the_same() {
    let traced = &*MANY;
    let raw = traced.pprof(&["-raw"]);
    assert!(
        raw.contains("Period: 1\n") && raw.contains("PeriodType: space bytes"),
        "{raw}"
    );
    let again = traced.directory.path().join("again.pb.gz");
    let output = format!("-output={}", again.display());
    traced.pprof(&["-proto", &output]);
    let rewritten = pprof(&["-raw"], &again);
    let samples = |text: &str| -> Vec<String> {
        let mut lines: Vec<String> = text
            .lines()
            .filter(|line| {
                line.contains(": ") && line.trim_start().starts_with(|c: char| c.is_ascii_digit())
            })
            .map(|line| line.split(':').next().unwrap_or_default().trim().to_owned())
            .collect();
        lines.sort();
        lines
    };
    assert!(samples(&raw).len() > 20, "{raw}");
    assert_eq!(samples(&raw), samples(&rewritten));
}

/// The web interface, stopped on drop.
struct Web {
    server: Child,
    address: String,
}

impl Web {
    fn serve(profile: &Path) -> Self {
        let mut server = Command::new(pprof_path())
            .args(["-http=localhost:", "-no_browser", "-symbolize=none"])
            .arg(profile)
            .stderr(Stdio::piped())
            .spawn()
            .expect("pprof runs");
        let said = BufReader::new(server.stderr.take().expect("a pipe"));
        let mut lines = said.lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("http://")?.1.trim().to_owned()));
        let Some(address) = address else {
            drop(server.kill());
            panic!("pprof serves nothing")
        };
        Web { server, address }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.0 200"), "{path}: {answer}");
        answer
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

#[test]
fn the_web_interface_has_the_same_figures() {
    let traced = &*MANY;
    let web = Web::serve(&traced.profile());
    let (flat, total) = traced.top("alloc_objects", &[]);
    let page = web.get("/ui/top?si=alloc_objects");
    let table = page
        .lines()
        .find_map(|line| line.split_once("[{\"Name\"").map(|(_, rows)| rows));
    let table = table.unwrap_or_else(|| panic!("no table in {page}"));
    let end = table.find("}]").expect("an end");
    let rows: Value =
        serde_json::from_str(&format!("[{{\"Name\"{}}}]", &table[..end])).expect("rows");
    let row = rows
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["Name"] == "main.pointerStruct");
    let row = row.unwrap_or_else(|| panic!("no row in {rows}"));
    assert_eq!(
        row["Flat"].as_i64(),
        flat.get("main.pointerStruct").copied()
    );

    let page = web.get("/ui/flamegraph?si=alloc_objects");
    assert!(
        page.contains(&format!("\"Total\":{total},")),
        "no total {total}"
    );
    assert!(page.contains("main.newWideNode"));
    let source = web.get("/ui/source?f=main.pointerStruct&si=alloc_objects");
    assert!(source.contains("// alloc site"), "{source}");
}
