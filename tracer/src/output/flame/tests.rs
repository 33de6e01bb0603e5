//! Flame graphs as a program reads them: well-formed, frames as wide as they should be, whatever names there are.

use super::{DiffTitle, write, write_diff};
use crate::output::OutputError;
use crate::report::fixture;
use crate::report::{Frame, Report, Value};
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};

/// The title of the picture, and for each frame what a pointer on it shows and its colour.
fn drawn(svg: &[u8]) -> (String, Vec<(String, String)>) {
    let mut reader = Reader::from_reader(svg);
    let (mut texts, mut frames) = (Vec::new(), Vec::new());
    let (mut within, mut titles) = (String::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                within = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
            }
            Event::Text(text) if within == "title" || within == "text" => {
                let text = text.decode().unwrap().into_owned();
                match within.as_str() {
                    "title" => titles.push(text),
                    _ => texts.push(text),
                }
            }
            Event::GeneralRef(escaped) if within == "title" => {
                let name = escaped.decode().unwrap().into_owned();
                titles.push(name);
            }
            Event::Empty(empty) if empty.name().as_ref() == b"rect" && !titles.is_empty() => {
                let fill = empty.try_get_attribute("fill").unwrap().unwrap();
                let fill = fill
                    .decoded_and_normalized_value(XmlVersion::Implicit1_0, reader.decoder())
                    .unwrap();
                frames.push((titles.concat(), fill.into_owned()));
                titles.clear();
            }
            Event::End(_) => within.clear(),
            Event::Eof => break,
            _ => {}
        }
    }
    (texts.first().cloned().unwrap_or_default(), frames)
}

/// The text of each element that has any.
fn texts(svg: &[u8]) -> Vec<String> {
    let mut reader = Reader::from_reader(svg);
    let (mut texts, mut text) = (Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Text(part) => text.push_str(&part.decode().unwrap()),
            Event::GeneralRef(name) => match &*name.decode().unwrap() {
                "lt" => text.push('<'),
                "amp" => text.push('&'),
                other => panic!("{other}"),
            },
            Event::End(_) => texts.push(std::mem::take(&mut text).trim().to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

fn graph(report: &Report, value: Value) -> (String, Vec<(String, String)>) {
    let mut svg = Vec::new();
    write(report, value, &mut svg).unwrap();
    drawn(&svg)
}

#[test]
fn frames_are_as_wide_as_their_value() {
    let (title, frames) = graph(&fixture::report(), Value::Bytes);
    assert_eq!(title, "shop-api: allocated bytes, 10.0 s in mode exact");
    let mut titles: Vec<&str> = frames.iter().map(|(title, _)| title.as_str()).collect();
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            "[too little to show] (640 bytes, 0.00%)",
            "all (1,187,416,448 bytes, 100%)",
            "main.(*Cache).Put (871,366,656 bytes, 73.38%)",
            "main.(*Server).order (1,127,366,656 bytes, 94.94%)",
            "main.render (256,000,000 bytes, 21.56%)",
            "main.render (60,049,152 bytes, 5.06%)",
            "net/http.(*conn).serve (1,187,415,808 bytes, 100.00%)",
            "net/http.HandlerFunc.ServeHTTP (1,127,366,656 bytes, 94.94%)",
            "strings.(*Builder).WriteString (256,000,000 bytes, 21.56%)",
            "strings.(*Builder).WriteString (60,049,152 bytes, 5.06%)",
            "strings.(*Builder).grow (256,000,000 bytes, 21.56%)",
            "strings.(*Builder).grow (60,049,152 bytes, 5.06%)",
        ]
    );
}

#[test]
fn the_same_capture_is_the_same_picture() {
    let picture = || {
        let mut svg = Vec::new();
        write(&fixture::report(), Value::Bytes, &mut svg).unwrap();
        svg
    };
    assert_eq!(picture(), picture());
}

#[test]
fn a_function_is_one_frame_beside_its_closures() {
    let mut report = fixture::report();
    // By characters `main.render` is before and after it.
    report.frames[4].function = "main.render.func1".into();
    let (_, frames) = graph(&report, Value::Allocs);
    let renders = frames
        .iter()
        .filter(|(title, _)| title.starts_with("main.render ("));
    assert_eq!(renders.count(), 2, "{frames:?}");
}

fn frames_of(names: &[&str]) -> Vec<Frame> {
    names
        .iter()
        .map(|name| fixture::frame(name, "/a.go", 1, false))
        .collect()
}

/// Compares stacks given as `outer;inner`.
fn compared(stacks: &[(&str, u64, u64)]) -> Vec<(String, String)> {
    let stacks: Vec<(Vec<Frame>, u64, u64)> = stacks
        .iter()
        .map(|(stack, base, candidate)| {
            let names: Vec<&str> = stack.rsplit(';').collect();
            (frames_of(&names), *base, *candidate)
        })
        .collect();
    let stacks = stacks.iter();
    let stacks =
        stacks.map(|(frames, base, candidate)| (frames.iter().collect(), *base, *candidate));
    let title = DiffTitle {
        text: "before and after".to_owned(),
        value: Value::Bytes,
    };
    let mut svg = Vec::new();
    write_diff(&title, stacks, &mut svg).unwrap();
    let (title, frames) = drawn(&svg);
    assert_eq!(title, "before and after");
    frames
}

#[test]
fn a_difference_shows_what_grew_shrank_came_and_went() {
    let mut frames = compared(&[
        ("main.main;main.same", 100, 100),
        ("main.main;main.load;main.more", 100, 300),
        ("main.main;main.load;main.less", 200, 100),
        ("main.main;main.gone", 100, 0),
        ("main.other;main.new", 0, 300),
    ]);
    frames.sort();
    let frames: Vec<(&str, &str)> = frames
        .iter()
        .map(|(title, fill)| (&**title, &**fill))
        .collect();
    let (grew, shrank, same) = ("rgb(255,200,200)", "rgb(200,200,255)", "rgb(250,250,250)");
    assert_eq!(
        frames,
        [
            ("all (1,000 bytes, 100%)", same),
            ("main.gone (100 bytes, 10.00%; -10.00%)", shrank),
            ("main.less (200 bytes, 20.00%; -10.00%)", shrank),
            ("main.load (500 bytes, 50.00%; +10.00%)", grew),
            ("main.main (700 bytes, 70.00%; 0.00%)", same),
            ("main.more (300 bytes, 30.00%; +20.00%)", "rgb(255,150,150)"),
            ("main.new (300 bytes, 30.00%; +30.00%)", "rgb(255,100,100)"),
            (
                "main.other (300 bytes, 30.00%; +30.00%)",
                "rgb(255,100,100)"
            ),
            ("main.same (100 bytes, 10.00%; 0.00%)", same),
        ]
    );
}

#[test]
fn a_change_beyond_the_width_of_a_frame_is_drawn() {
    let frames = compared(&[("a;b", u64::MAX, 0), ("a;c", 0, 1 << 60), ("a", 5, 9)]);
    let all = frames
        .iter()
        .find(|(title, _)| title.starts_with("a ("))
        .unwrap();
    assert!(all.0.contains("× 4096 bytes, 100.00%; -88.24%)"), "{all:?}");
    assert!(frames.iter().any(|(title, _)| title.starts_with("b (")));
}

#[test]
fn no_name_breaks_the_picture() {
    let mut report = fixture::report();
    let names = [
        "<script>alert(1)</script>",
        "a\u{0};b\n\u{ffff}",
        "]]>",
        "",
        "a 7",
        "--",
        "&amp;",
    ];
    for (frame, name) in report.frames.iter_mut().zip(names) {
        frame.function = name.to_owned();
    }
    report.target.exe = "/a/<b>&\u{1b}[31m".into();
    let (_, frames) = graph(&report, Value::Bytes);
    assert!(frames.len() > 8, "{frames:?}");
    for report in [
        fixture::nasty(),
        fixture::with_heap(),
        fixture::with_pages(),
    ] {
        for value in [Value::Bytes, Value::Allocs, Value::Live, Value::Faults] {
            let mut svg = Vec::new();
            match write(&report, value, &mut svg) {
                Ok(()) => assert!(drawn(&svg).1.len() > 1),
                Err(error) => assert!(matches!(error, OutputError::NoValue { .. }), "{error:?}"),
            }
        }
    }
}

#[test]
fn nothing_to_draw_is_told() {
    let error = write(&fixture::report(), Value::Live, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, OutputError::NoValue { .. }), "{error:?}");
    let mut idle = fixture::empty();
    idle.target.exe = "/a/<b>&\u{1b}[31m".into();
    let mut svg = Vec::new();
    write(&idle, Value::Bytes, &mut svg).unwrap();
    assert!(texts(&svg).contains(&"allocated bytes: none".to_owned()));
    let title = DiffTitle {
        text: "a < b".to_owned(),
        value: Value::Faults,
    };
    let mut svg = Vec::new();
    write_diff(&title, std::iter::empty(), &mut svg).unwrap();
    assert_eq!(texts(&svg), ["a < b", "page faults: none in both captures"]);
}

#[test]
fn many_and_deep_stacks_make_a_picture_of_bounded_size() {
    let mut report = fixture::report();
    report.frames = (0..8000)
        .map(|i| frames_of(&[&format!("main.f{i}{}", "x".repeat(300))]).remove(0))
        .collect();
    let stack = report.stacks[0].clone();
    report.stacks.clear();
    report.sites.truncate(1);
    let figures = report.sites[0].stacks[0].clone();
    report.sites[0].stacks.clear();
    for id in 0..2000_usize {
        let frames = (0..200).map(|depth| (id * 3 + depth * 97) % 8000);
        report.stacks.push(crate::report::Stack {
            id: id as u64,
            frames: frames.collect(),
            ..stack.clone()
        });
        report.sites[0].stacks.push(crate::report::StackFigures {
            id: id as u64,
            ..figures.clone()
        });
    }
    let mut svg = Vec::new();
    let stopwatch = crate::stopwatch::Stopwatch::start();
    write(&report, Value::Bytes, &mut svg).unwrap();
    assert!(svg.len() < 40 << 20, "{} bytes", svg.len());
    let took = stopwatch.worked();
    assert!(took.as_secs() < 30, "{took:?}");
    let frames = drawn(&svg).1.len();
    assert!((1000..=20_001).contains(&frames), "{frames}");
}
