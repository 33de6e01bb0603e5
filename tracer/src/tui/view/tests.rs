//! Frames as a person sees them: golden screens, and what holds for every report at every size.

use super::{Drawn, Palette, draw};
use crate::report::{Mode, ModeStep, Report, SortBy, Step, fixture};
use crate::tui::state::{Key, State};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use tracer_common::family::Extra;

/// Draws as the wiring does: what was drawn is told to the state.
fn buffer(state: &mut State, columns: u16, rows: u16, color: bool) -> (Buffer, Drawn) {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let palette = Palette::new(color);
    let mut drawn = Drawn::default();
    terminal
        .draw(|frame| drawn = draw(frame, state, &palette))
        .unwrap();
    state.drawn(drawn);
    (terminal.backend().buffer().clone(), drawn)
}

/// The text of a frame, without blanks at the ends of lines.
fn screen(state: &mut State, columns: u16, rows: u16) -> String {
    let (buffer, _) = buffer(state, columns, rows, true);
    let lines = buffer.content.chunks(usize::from(columns)).map(|cells| {
        let mut line = String::new();
        let mut skip = 0;
        for cell in cells {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            skip = crate::output::text::line::width(cell.symbol()).saturating_sub(1);
        }
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

/// Shows a report that comes after three others.
fn showing(report: &Report) -> State {
    let mut state = State::new(SortBy::Bytes);
    for quarter in 1..=4 {
        let mut part = report.clone();
        let of = |whole: u64| whole / 4 * quarter;
        part.window.duration_ns = quarter * 1_000_000_000;
        for site in &mut part.sites {
            site.figures.allocs = of(site.figures.allocs);
            site.figures.alloc_bytes = site.figures.alloc_bytes.map(of);
            for of_type in &mut site.types {
                of_type.allocs = of(of_type.allocs);
                of_type.alloc_bytes = of_type.alloc_bytes.map(of);
            }
        }
        part.totals.allocs = of(part.totals.allocs);
        part.totals.alloc_bytes = part.totals.alloc_bytes.map(of);
        let seen = usize::try_from(quarter).unwrap() * part.timeline.len() / 4;
        part.timeline.truncate(seen);
        state.take(part);
    }
    state
}

fn press(state: &mut State, keys: &[Key]) {
    for key in keys {
        state.press(*key);
    }
}

fn check(screens: &str, name: &str, golden: &str) {
    assert_eq!(screens, golden, "golden/{name}.txt");
}

#[test]
fn lists_and_details_look_as_they_should() {
    let mut state = showing(&fixture::with_heap());
    let sites = screen(&mut state, 80, 24) + &screen(&mut state, 132, 16);
    check(&sites, "sites", include_str!("golden/sites.txt"));
    press(&mut state, &[Key::Enter]);
    let site = screen(&mut state, 80, 45);
    check(&site, "site", include_str!("golden/site.txt"));
    press(&mut state, &[Key::Char('2')]);
    let types = screen(&mut state, 80, 14);
    press(&mut state, &[Key::Enter]);
    let types = types + &screen(&mut state, 80, 18);
    check(&types, "types", include_str!("golden/types.txt"));
}

#[test]
fn maps_and_findings_look_as_they_should() {
    let mut state = showing(&fixture::with_maps());
    press(&mut state, &[Key::Char('3')]);
    let list = screen(&mut state, 100, 16);
    press(&mut state, &[Key::Enter]);
    let detail = screen(&mut state, 100, 20);
    press(&mut state, &[Key::Char('4')]);
    let findings = screen(&mut state, 100, 24);
    let all = list + &detail + &findings;
    check(&all, "maps", include_str!("golden/maps.txt"));
}

#[test]
fn the_help_and_what_is_typed_look_as_they_should() {
    let mut state = showing(&fixture::report());
    press(&mut state, &[Key::Char('?')]);
    let help = screen(&mut state, 80, 24);
    press(&mut state, &[Key::Escape]);
    "/put".chars().for_each(|c| {
        state.press(Key::Char(c));
    });
    let typing = screen(&mut state, 80, 12);
    press(&mut state, &[Key::Enter, Key::Char('p')]);
    state.say(
        "wrote ./tracer-7-20261121T120000Z.json with the first 4.0 s".into(),
        false,
    );
    let frozen = screen(&mut state, 80, 12);
    let all = help + &typing + &frozen;
    check(&all, "help", include_str!("golden/help.txt"));
}

#[test]
fn the_header_says_what_is_not_exact() {
    let mut report = fixture::report();
    let check = |report: &Report, wanted: &str| {
        let mut state = showing(report);
        let screen = screen(&mut state, 100, 24);
        assert!(screen.contains(wanted), "{wanted}: {screen}");
    };
    check(&report, " · exact · ");
    check(&report, "lost 0");
    report.window.mode = Mode::Auto;
    check(&report, " · auto: exact · ");
    let step = |to: Step| ModeStep {
        at_ns: 1,
        to,
        reason: String::new(),
    };
    report.window.mode_steps = vec![
        step(Step::Without(Extra::Faults)),
        step(Step::Windows),
        step(Step::Without(Extra::Live)),
    ];
    check(&report, " · auto: windows · ");
    check(&report, "given up: faults, live");
    report.completeness.lost = vec![("ring_full".into(), 1234)];
    check(&report, "lost 1,234");
    for site in &mut report.sites {
        site.figures.alloc_bytes = None;
    }
    check(&report, "bytes as requested");
}

#[test]
fn what_is_not_known_of_an_interval_is_no_rate() {
    let mut report = fixture::report();
    report.completeness.unseen = true;
    let mut state = State::new(SortBy::Bytes);
    let mut take = |seconds: u64| {
        report.window.duration_ns = seconds * 1_000_000_000;
        state.take(report.clone());
        screen(&mut state, 100, 24)
    };
    let first = take(10);
    assert!(first.contains("figures so far are lower bounds"), "{first}");
    let line = |screen: &str| {
        let mut lines = screen.lines();
        let line = lines.find(|line| line.contains("main.(*Cache)"));
        let words = line.unwrap().split_whitespace().map(str::to_owned);
        words.collect::<Vec<String>>()
    };
    let of_ten = line(&first);
    assert!(of_ten[0] == "-" && of_ten[1].starts_with('~'), "{first}");
    // Nothing has come since: the rate is that over the time since the figures changed.
    let second = take(11);
    assert_eq!(line(&second)[..3], of_ten[..3], "{second}");
    assert!(!second.contains("0 B/s"), "{second}");
    let late = take(30);
    assert_ne!(line(&late)[1], of_ten[1], "{late}");
}

#[test]
fn narrow_headers_show_what_matters() {
    let mut report = fixture::with_maps();
    report.window.mode_steps = vec![ModeStep {
        at_ns: 1,
        to: Step::Without(Extra::Faults),
        reason: String::new(),
    }];
    report.overhead.target_share_pct = Some(112.0);
    report.target.go_version = "go1.27.3 X:nocoverageredesign,noregabi".into();
    let mut state = showing(&report);
    let wide = screen(&mut state, 80, 24);
    assert!(wide.contains("given up: faults"), "{wide}");
    assert!(wide.contains("probes 100 % CPU"), "{wide}");
    let found = state.shown().unwrap().findings.len();
    let narrow = screen(&mut state, 40, 10);
    assert!(narrow.contains(&format!("Findings ({found})")), "{narrow}");
}

#[test]
fn loss_is_red_and_there_is_no_colour_where_none_is_wanted() {
    let mut report = fixture::report();
    report.completeness.lost = vec![("ring_full".into(), 7)];
    let mut state = showing(&report);
    let reds = |buffer: &Buffer| {
        let cells = buffer.content.iter();
        let red: String = cells
            .filter(|cell| cell.fg == Color::Red)
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        red
    };
    let (colored, _) = buffer(&mut state, 80, 24, true);
    assert_eq!(reds(&colored), "lost 7");
    let (plain, _) = buffer(&mut state, 80, 24, false);
    assert!(
        plain
            .content
            .iter()
            .all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset)
    );
    // What is selected can be seen all the same.
    let reversed = plain.content.iter();
    let reversed = reversed.filter(|cell| cell.modifier.contains(Modifier::REVERSED));
    assert!(reversed.count() >= 80);
}

#[test]
fn no_report_and_no_size_does_harm() {
    let sizes = [
        (1, 1),
        (20, 5),
        (39, 10),
        (40, 10),
        (41, 13),
        (60, 15),
        (80, 24),
        (200, 50),
        (400, 100),
    ];
    for report in [
        fixture::nasty(),
        fixture::with_maps(),
        fixture::of_spans(),
        fixture::with_pages(),
    ] {
        for (columns, rows) in sizes {
            let mut state = showing(&report);
            for key in ['1', '2', '3', '4'] {
                press(&mut state, &[Key::Char(key)]);
                let (list, _) = buffer(&mut state, columns, rows, true);
                press(&mut state, &[Key::Enter, Key::PageDown]);
                let (detail, _) = buffer(&mut state, columns, rows, true);
                press(&mut state, &[Key::Char('r'), Key::Char('s')]);
                for cell in list.content.iter().chain(&detail.content) {
                    let symbol = cell.symbol();
                    assert!(!symbol.chars().any(char::is_control), "{symbol:?}");
                }
            }
        }
    }
}

#[test]
fn a_name_that_steers_a_terminal_is_shown_and_not_obeyed() {
    let mut report = fixture::report();
    report.sites[0].frames[0].function = "main.\u{1b}[2J\u{202e}evil\u{7}".into();
    report.target.exe = "/bin/\u{1b}]0;owned\u{7}".into();
    let mut state = showing(&report);
    let screen = screen(&mut state, 80, 24);
    assert!(
        screen.contains("main.\u{fffd}[2J\u{fffd}evil\u{fffd}"),
        "{screen}"
    );
    assert!(screen.contains("\u{fffd}]0;owned\u{fffd}"), "{screen}");
}

#[test]
fn a_small_screen_says_so_and_a_state_without_report_waits() {
    let mut state = showing(&fixture::report());
    let small = screen(&mut state, 39, 24);
    assert!(
        small.starts_with("too small: 39x24, 40x10 at least; q"),
        "{small}"
    );
    let flat = screen(&mut state, 80, 9);
    assert!(flat.starts_with("too small: 80x9"), "{flat}");
    assert!(screen(&mut state, 40, 10).contains("main.(*Cache)"));
    let waiting = screen(&mut State::new(SortBy::Bytes), 80, 24);
    assert!(
        waiting.contains("waiting for the first interval"),
        "{waiting}"
    );
}

#[test]
fn an_empty_list_says_why() {
    let check = |keys: &[Key], wanted: &str| {
        let mut state = showing(&fixture::report());
        press(&mut state, keys);
        let screen = screen(&mut state, 80, 24);
        assert!(screen.contains(wanted), "{wanted}: {screen}");
    };
    check(&[Key::Char('3')], "maps are not recorded");
    check(&[Key::Char('4')], "nothing is wrong");
    check(
        &[Key::Char('/'), Key::Char('~'), Key::Enter],
        "nothing matches “~”",
    );
}
