//! What the screen shows is what the target does, and keys do what they say.

use crate::scene::{
    OwnRates, Scene, assert_no_probe, counting, hello, later, leaking, names, rows, seconds,
};
use std::time::Duration;
use tracer_tests::{breakpoints, marked_line, probe_addresses};

#[test]
fn the_figures_are_those_of_the_target_and_q_leaves_nothing_behind() {
    let program = counting();
    let addresses = probe_addresses(program.pid());
    let scene = Scene::new("figures", 80, 24);
    scene.top(program.pid(), "--mode exact");
    assert_eq!(scene.terminal.fact("alternate_on"), "1");
    assert_eq!(scene.terminal.fact("cursor_flag"), "0");
    assert_eq!(breakpoints(program.pid(), &addresses), addresses.len());
    let source = include_str!("../../programs/hello/main.go");
    let line = marked_line(source, "main.newGreeting", "// allocates here");
    let place = format!("main.newGreeting:{line}");
    // One object of 32 bytes every 10 ms, and what sleeping takes longer than that: the program says how many.
    let mut own = OwnRates::default();
    let mut figures = Vec::new();
    let text = scene.wait_for("the program's own rate", |text| {
        own.look(&program);
        let rows = rows(text);
        let row = rows.iter().find(|row| row.contains(&place));
        let words = row.unwrap_or(&"").split_whitespace();
        figures = words.map(str::to_owned).collect();
        let rate = figures
            .get(4)
            .and_then(|rate| rate.trim_end_matches("/s").parse::<f64>().ok());
        let own = own.range();
        rate.zip(own).is_some_and(|(rate, (least, most))| {
            assert!(rate <= 100.5, "{text}");
            // While it has no processor for a moment, any rate would do.
            let steady = most <= 1.3 * least;
            steady && least * 0.97 <= rate && rate <= most * 1.03
        })
    });
    let number = |at: usize| -> f64 {
        let figure = figures[at].trim_end_matches("/s");
        figure
            .parse()
            .unwrap_or_else(|e| panic!("{figure}: {e}: {text}"))
    };
    assert_eq!(figures[3], "KiB/s", "{text}");
    let of_objects = number(4) * 32.0 / 1024.0;
    assert!(
        (number(2) - of_objects).abs() < 0.02,
        "{of_objects} KiB/s: {text}"
    );
    for part in [
        "hello · pid ",
        " · exact · go1.",
        "RSS ",
        "GC ",
        "lost 0",
        "probes ",
    ] {
        assert!(text.contains(part), "no {part:?}: {text}");
    }
    scene.keys(&["q"]);
    let text = scene.wait_for_exit(0);
    // The shell's lines are as long as the terminal.
    let told = text.replace('\n', "");
    let start = format!("of pid {}: ", program.pid());
    assert!(
        told.contains("recorded ") && told.contains(&start),
        "{text}"
    );
    assert!(told.contains("nothing was kept: press w"), "{text}");
    assert_no_probe(program.pid(), &addresses);
}

#[test]
fn keys_do_what_the_help_says() {
    let program = leaking();
    let scene = Scene::new("keys", 100, 30);
    scene.top(program.pid(), "--mode exact");
    let text = scene.wait_for("sites", |text| names(text).len() >= 3);
    assert!(text.contains("bytes/s▼"), "{text}");

    scene.keys(&["s"]);
    let text = scene.wait_for("another order", |text| text.contains("allocs/s▼"));
    let allocs: Vec<&str> = rows(&text)
        .iter()
        .map(|row| row.split_whitespace().nth(4).expect("allocs"))
        .collect();
    let in_order = |rates: &[&str]| {
        let value = |rate: &&str| {
            let rate = rate.trim_end_matches("/s");
            let number: f64 = rate.trim_end_matches('k').parse().expect("a rate");
            if rate.ends_with('k') {
                number * 1000.0
            } else {
                number
            }
        };
        rates
            .windows(2)
            .all(|pair| value(&pair[0]) >= value(&pair[1]))
    };
    assert!(in_order(&allocs), "{text}");
    scene.keys(&["S"]);
    scene.wait_for("the first order", |text| text.contains("bytes/s▼"));

    scene.keys(&["/"]);
    scene.terminal.text_keys("LEAKONE");
    let text = scene.wait_for("the filter", |text| text.contains("/LEAKONE "));
    scene.wait_for("what it leaves", |text| {
        let rows = rows(text);
        !rows.is_empty() && rows.iter().all(|row| row.contains("main.leakOne"))
    });
    assert!(text.contains("/LEAKONE"), "{text}");
    scene.keys(&["Enter"]);
    scene.wait_for("the filter in the head", |text| {
        text.contains("/LEAKONE") && !text.contains("Enter keeps")
    });

    scene.keys(&["Enter"]);
    let detail = scene.wait_for("the detail", |text| text.contains("callers"));
    for part in [
        "main.leakOne",
        "growth.go:189",
        "now ",
        "in all",
        "live ",
        "types",
        "sizes",
        "main.leak  ",
    ] {
        assert!(detail.contains(part), "no {part:?}: {detail}");
    }
    scene.wait_for("its course", |text| {
        text.contains("peak ") && text.contains("course ")
    });
    scene.keys(&["Escape"]);
    scene.wait_for("the list", |text| !names(text).is_empty());
    scene.keys(&["Escape"]);
    scene.wait_for("everything", |text| names(text).len() >= 3);

    scene.keys(&["r"]);
    scene.wait_for("sums", |text| {
        text.contains("since the start") && text.contains(" bytes▼")
    });
    scene.keys(&["r", "2"]);
    scene.wait_for("types", |text| {
        rows(text).iter().any(|row| row.ends_with("main.user"))
    });
    scene.keys(&["Enter"]);
    scene.wait_for("places of a type", |text| {
        text.contains("sites  ") && text.contains("to scan")
    });
    scene.keys(&["Escape", "?"]);
    scene.wait_for("the help", |text| {
        text.contains("freeze the screen; recording goes on")
    });
    scene.keys(&["C-c"]);
    scene.wait_for_exit(0);
}

#[test]
fn a_growing_map_is_seen_growing_and_found() {
    let program = leaking();
    let scene = Scene::new("maps", 120, 30);
    scene.top(program.pid(), "--mode exact");
    scene.keys(&["3"]);
    let entries = |text: &str| -> Option<u64> {
        let row = rows(text)
            .into_iter()
            .find(|row| row.contains("main.leakOne"))?;
        row.split_whitespace().next()?.replace(',', "").parse().ok()
    };
    let text = scene.wait_for("the map", |text| entries(text).is_some());
    assert!(text.contains("map[string]*main.user"), "{text}");
    let first = entries(&text).expect("entries");
    scene.wait_for("more entries", |text| {
        entries(text).is_some_and(|entries| entries > first + 10_000)
    });
    // At most 20,000 a second, and as many as there are more of from one interval to the next.
    let rate = |text: &str| -> Option<f64> {
        let rows = rows(text);
        let row = rows.iter().find(|row| row.contains("main.leakOne"))?;
        let rate = row.split_whitespace().nth(1)?.strip_prefix('+')?;
        let thousands = rate.strip_suffix("k/s");
        let unit = if thousands.is_some() { 1000.0 } else { 1.0 };
        let number = thousands.or_else(|| rate.strip_suffix("/s"))?;
        Some(unit * number.parse::<f64>().ok()?)
    };
    let mut before: Option<(f64, u64)> = None;
    scene.wait_for("the rate of two intervals", |text| {
        let (at, Some(now), Some(rate)) = (seconds(text), entries(text), rate(text)) else {
            return false;
        };
        assert!(rate <= 20_500.0, "{text}");
        let Some((start, then)) = before.filter(|(start, _)| *start < at) else {
            before = before.or(Some((at, now)));
            return false;
        };
        before = Some((at, now));
        let own = (now - then) as f64 / (at - start);
        rate > 0.0 && (rate / own - 1.0).abs() < 0.05
    });
    scene.keys(&["4"]);
    let text = scene.wait_for("the finding", |text| text.contains("only grows"));
    assert!(text.contains("4 Findings ("), "{text}");
    scene.keys(&["Enter"]);
    scene.wait_for("the map of it", |text| {
        text.contains("entries in") && text.contains("at most")
    });
    scene.keys(&["q"]);
    scene.wait_for_exit(0);
}

#[test]
fn a_frozen_screen_stays_while_recording_goes_on() {
    let program = leaking();
    let scene = Scene::new("freeze", 80, 24);
    scene.top(program.pid(), "--mode exact --interval 200ms");
    scene.keys(&["p"]);
    let frozen = scene.wait_for("the word", |text| text.contains("FROZEN"));
    // That nothing changes takes time to see: ten intervals.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scene.terminal.text(), frozen);
    scene.keys(&["p"]);
    scene.wait_for("what came meanwhile", |text| {
        !text.contains("FROZEN") && seconds(text) > seconds(&frozen) + 1.5
    });
    scene.keys(&["q"]);
    scene.wait_for_exit(0);
}

#[test]
fn the_screen_follows_the_size_of_the_terminal() {
    let program = leaking();
    let scene = Scene::new("size", 80, 24);
    scene.top(program.pid(), "--mode exact --interval 200ms");
    for (columns, lines) in [(60, 15), (200, 50), (40, 10)] {
        scene.terminal.resize(columns, lines);
        let text = scene.wait_for("a frame of this size", |text| {
            // The last line has the keys, and every line fits.
            let all: Vec<&str> = text.lines().collect();
            all.len() == usize::from(lines)
                && all.last().is_some_and(|line| line.starts_with(" ? help"))
                && all.iter().any(|line| line.contains("main."))
        });
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(usize::from(columns)), "{text}");
        assert_eq!(text.contains("course"), columns == 200, "{text}");
    }
    scene.terminal.resize(30, 8);
    scene.wait_for("that it is too small", |text| {
        text.contains("too small: 30x8")
    });
    scene.terminal.resize(80, 24);
    let text = scene.wait_for("the list again", |text| names(text).len() >= 3);
    later(&scene, &text);
    scene.keys(&["q"]);
    scene.wait_for_exit(0);
}

#[test]
fn without_colour_there_is_none_and_with_it_there_is() {
    let program = hello();
    let scene = Scene::new("colour", 80, 24);
    // Colours are 30 to 38 and 90 to 97; 1, 2, 4 and 7 are emphasis.
    let has_colour = |styled: &str| {
        let escapes = styled.split('\u{1b}').skip(1);
        let mut parts = escapes.flat_map(|escape| {
            let codes = escape.trim_start_matches('[').split('m').next();
            codes.unwrap_or_default().split(';').map(str::to_owned)
        });
        parts.any(|code| matches!(code.parse(), Ok(30..=38 | 90..=97)))
    };
    for (arguments, expect) in [("", true), ("--no-color", false)] {
        scene.terminal.run("clear");
        scene.top(program.pid(), &format!("--interval 200ms {arguments}"));
        scene.wait_for("a site", |text| text.contains("main.newGreeting"));
        let styled = scene.terminal.styled();
        assert_eq!(has_colour(&styled), expect, "{styled:?}");
        scene.keys(&["q"]);
        scene.wait_for_exit(0);
    }
}
