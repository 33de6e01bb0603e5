//! Reports and keys in, what is shown out.

use super::history::INTERVALS;
use super::{Act, Column, Drawn, Key, Opened, State, Tab};
use crate::report::{Frame, ModeStep, Report, Site, SortBy, Step, fixture};
use tracer_common::family::Extra;

/// A state that shows a report on a screen with room for so many lines.
fn showing(report: Report, page: usize) -> State {
    let mut state = State::new(SortBy::Bytes);
    state.take(report);
    state.drawn(Drawn { page, lines: 0 });
    state
}

fn press(state: &mut State, keys: &[Key]) {
    for key in keys {
        state.press(*key);
    }
}

fn type_text(state: &mut State, text: &str) {
    text.chars().for_each(|c| {
        state.press(Key::Char(c));
    });
}

/// The functions of the sites that are shown, in their order.
fn functions(state: &State) -> Vec<String> {
    let sites = &state.shown().unwrap().report.sites;
    let rows = state.rows().iter();
    rows.map(|item| {
        let frame = sites[*item].frames.first();
        frame.map_or_else(String::new, |frame| frame.function.clone())
    })
    .collect()
}

fn selected(state: &State) -> String {
    functions(state)[state.cursor().line].clone()
}

/// As many sites as asked for, the first ones with most bytes, as they are after so many seconds.
fn many(sites: u64, second: u64) -> Report {
    let mut report = fixture::report();
    let template = report.sites[0].clone();
    report.sites = (0..sites)
        .map(|number| {
            let mut site: Site = template.clone();
            site.id = u32::try_from(number + 1).unwrap();
            site.frames[0] = Frame {
                function: format!("main.f{number}"),
                ..site.frames[0].clone()
            };
            site.figures.allocs = second;
            site.figures.alloc_bytes = Some(second * (sites - number) * 10);
            site
        })
        .collect();
    report.window.duration_ns = second * 1_000_000_000;
    report
}

/// Later: every site has allocated as much again as in its whole life.
fn later(report: &Report) -> Report {
    let mut report = report.clone();
    for figures in report
        .sites
        .iter_mut()
        .map(|site| &mut site.figures)
        .chain([&mut report.totals])
    {
        figures.allocs *= 2;
        figures.alloc_bytes = figures.alloc_bytes.map(|bytes| bytes * 2);
    }
    report.window.duration_ns *= 2;
    report
}

#[test]
fn the_sorted_column_changes_the_order_and_the_first_line_is_selected() {
    let mut report = fixture::with_heap();
    report.sites[1].figures.allocs = 9_000_000;
    let mut state = showing(report, 10);
    let by_bytes = functions(&state);
    press(&mut state, &[Key::Down, Key::Char('s')]);
    assert_eq!(state.sorted(), Column::Allocs);
    assert_eq!(state.cursor().line, 0);
    let by_allocs = functions(&state);
    assert_ne!(by_allocs, by_bytes);
    assert_eq!(selected(&state), "strings.(*Builder).grow");
    press(&mut state, &[Key::Char('S')]);
    assert_eq!(functions(&state), by_bytes);
    // Before the first is the last, and after the last the first.
    press(&mut state, &[Key::Char('S')]);
    assert_eq!(state.sorted(), Column::Faults);
    press(&mut state, &[Key::Char('s')]);
    assert_eq!(state.sorted(), Column::Bytes);
}

#[test]
fn what_is_selected_stays_selected_when_its_rank_changes() {
    let report = fixture::report();
    let mut state = showing(report.clone(), 10);
    press(&mut state, &[Key::Down]);
    let before = selected(&state);
    let mut next = later(&report);
    next.sites[1].figures.alloc_bytes = Some(90_000_000_000);
    next.sites.swap(0, 1);
    state.take(next);
    assert_eq!(state.cursor().line, 0);
    assert_eq!(selected(&state), before);
}

#[test]
fn the_filter_narrows_the_list_while_it_is_typed() {
    let mut state = showing(fixture::report(), 10);
    let all = functions(&state);
    type_text(&mut state, "/BUILDER");
    assert_eq!(state.filter(), ("BUILDER", true));
    assert_eq!(functions(&state), ["strings.(*Builder).grow"]);
    assert_eq!(state.rows_without_filter(), all.len());
    press(&mut state, &[Key::Enter]);
    assert_eq!(state.filter(), ("BUILDER", false));
    assert_eq!(functions(&state).len(), 1);
    press(&mut state, &[Key::Escape]);
    assert_eq!(functions(&state), all);
    // A type, a file with its line, and a frame that the place was inlined into.
    for part in ["main.user", "cache.go:88", "main.render"] {
        type_text(&mut state, "/");
        type_text(&mut state, part);
        assert_eq!(functions(&state).len(), 1, "{part}");
        press(&mut state, &[Key::Escape]);
        assert_eq!(functions(&state), all);
    }
}

#[test]
fn letters_are_text_while_a_filter_is_typed_and_ctrl_c_still_ends() {
    let mut state = showing(fixture::report(), 10);
    type_text(&mut state, "/qwrs?");
    assert_eq!(state.filter(), ("qwrs?", true));
    assert!(state.rows().is_empty());
    assert!(!state.is_help());
    assert_eq!(state.press(Key::Interrupt), Act::Quit);
    // Keys on an empty list do no harm.
    press(&mut state, &[Key::Enter, Key::Down, Key::End, Key::Enter]);
    assert_eq!(state.opened(), None);
    let mut state = showing(fixture::report(), 10);
    type_text(&mut state, &format!("/{}", "x".repeat(5000)));
    assert_eq!(state.filter().0.len(), 200);
    press(&mut state, &[Key::Escape]);
    assert_eq!(state.press(Key::Char('q')), Act::Quit);
    assert_eq!(state.press(Key::Char('w')), Act::Save);
}

#[test]
fn a_frozen_screen_stays_and_nothing_of_the_course_is_missed() {
    let report = fixture::report();
    let mut state = showing(report.clone(), 10);
    press(&mut state, &[Key::Char(' ')]);
    assert!(state.is_frozen());
    state.take(later(&report));
    state.take(later(&later(&report)));
    assert_eq!(state.shown().unwrap().report, report);
    assert_eq!(state.history().totals(INTERVALS).len(), 1);
    assert_eq!(state.last_report(), Some(&later(&later(&report))));
    press(&mut state, &[Key::Char('p')]);
    assert!(!state.is_frozen());
    assert_eq!(state.shown().unwrap().report, later(&later(&report)));
    assert_eq!(state.history().totals(INTERVALS).len(), 3);
    // Thawed before anything came.
    press(&mut state, &[Key::Char('p'), Key::Char('p')]);
    assert_eq!(state.shown().unwrap().report, later(&later(&report)));
    assert!(!state.rows().is_empty());
}

#[test]
fn rates_are_those_of_the_last_interval_and_sums_those_since_the_start() {
    let report = fixture::report();
    let mut state = showing(report.clone(), 10);
    let mut next = report.clone();
    next.window.duration_ns += 1_000_000_000;
    next.sites[1].figures.alloc_bytes = Some(316_049_152 + 4096);
    next.sites[1].figures.allocs += 2;
    state.take(next);
    let figure = |state: &State, column| {
        let snapshot = state.shown().unwrap();
        snapshot.figure(Tab::Sites, 1, column, state.is_since_start())
    };
    assert_eq!(selected(&state), "strings.(*Builder).grow");
    assert_eq!(figure(&state, Column::Bytes), Some(4096));
    assert_eq!(figure(&state, Column::Allocs), Some(2));
    assert_eq!(figure(&state, Column::Total), Some(316_053_248));
    assert_eq!(figure(&state, Column::Faults), None);
    press(&mut state, &[Key::Char('r')]);
    assert_eq!(functions(&state)[0], "main.(*Cache).Put");
    assert_eq!(figure(&state, Column::Bytes), Some(316_053_248));
}

#[test]
fn what_was_given_up_is_unknown_and_not_nothing() {
    let mut report = fixture::with_pages();
    let mut state = showing(report.clone(), 10);
    let faults = |state: &State| {
        let snapshot = state.shown().unwrap();
        snapshot.figure(Tab::Sites, 0, Column::Faults, false)
    };
    assert!(faults(&state).is_some());
    report.window.mode_steps = vec![ModeStep {
        at_ns: 1,
        to: Step::Without(Extra::Faults),
        reason: String::new(),
    }];
    state.take(later(&report));
    assert_eq!(faults(&state), None);
}

#[test]
fn a_detail_follows_its_site_and_escape_leads_back() {
    let report = fixture::report();
    let mut state = showing(report.clone(), 10);
    press(&mut state, &[Key::Down, Key::Enter]);
    let opened = state.opened().cloned();
    let Some(Opened::Site(id)) = opened else {
        panic!("{opened:?}");
    };
    let function_of = |state: &State| {
        let snapshot = state.shown().unwrap();
        let position = snapshot.sites.iter().position(|step| step.id == id);
        snapshot.report.sites[position.unwrap()].frames[0]
            .function
            .clone()
    };
    assert_eq!(function_of(&state), "strings.(*Builder).grow");
    let mut next = later(&report);
    next.sites.reverse();
    state.take(next);
    assert_eq!(function_of(&state), "strings.(*Builder).grow");
    press(&mut state, &[Key::Escape]);
    assert_eq!(state.opened(), None);
    press(&mut state, &[Key::Char('2'), Key::Enter]);
    let first = &state.shown().unwrap().types.groups[state.rows()[0]].name;
    assert_eq!(state.opened(), Some(&Opened::Type(first.clone())));
    // A tab leads out of every detail.
    press(&mut state, &[Key::Char('1')]);
    assert_eq!((state.opened(), state.tab()), (None, Tab::Sites));
}

#[test]
fn a_finding_leads_to_the_map_it_is_about() {
    let mut state = showing(fixture::with_maps(), 10);
    press(&mut state, &[Key::Char('4')]);
    let findings = state.shown().unwrap().findings.clone();
    let about_map = findings.iter().position(|finding| finding.map.is_some());
    let line = about_map.expect("a finding about a map");
    press(&mut state, &vec![Key::Down; line]);
    press(&mut state, &[Key::Enter]);
    let Some(Opened::Map(key)) = state.opened().cloned() else {
        panic!("{:?}", state.opened());
    };
    let snapshot = state.shown().unwrap();
    let map = snapshot
        .maps()
        .iter()
        .find(|map| snapshot.key_of(map) == key);
    let maps = snapshot.report.maps.as_ref().unwrap();
    let site = maps
        .sites
        .iter()
        .find(|site| Some(site.id) == findings[line].map);
    assert_eq!(map.unwrap().site, site.unwrap().id);
}

#[test]
fn the_selected_line_is_always_in_sight() {
    let mut state = showing(many(100, 1), 10);
    let check = |state: &State, line: usize, first: usize| {
        let cursor = state.cursor();
        assert_eq!((cursor.line, cursor.first), (line, first));
    };
    press(&mut state, &[Key::PageDown]);
    check(&state, 10, 1);
    press(&mut state, &[Key::End]);
    check(&state, 99, 90);
    press(&mut state, &[Key::Down, Key::PageDown]);
    check(&state, 99, 90);
    press(&mut state, &[Key::PageUp, Key::Char('k')]);
    check(&state, 88, 88);
    state.drawn(Drawn { page: 40, lines: 0 });
    check(&state, 88, 60);
    state.drawn(Drawn { page: 1, lines: 0 });
    check(&state, 88, 88);
    press(&mut state, &[Key::Home]);
    check(&state, 0, 0);
    // Fewer lines than before.
    press(&mut state, &[Key::End]);
    type_text(&mut state, "/f7");
    assert_eq!(state.rows().len(), 11);
    assert!(state.cursor().line < 11);
}

#[test]
fn text_scrolls_to_its_end_and_no_further() {
    let mut state = showing(fixture::report(), 10);
    press(&mut state, &[Key::Enter, Key::Down]);
    state.drawn(Drawn {
        page: 10,
        lines: 25,
    });
    press(&mut state, &[Key::End]);
    assert_eq!(state.scroll(), 15);
    press(&mut state, &[Key::Down, Key::Up]);
    assert_eq!(state.scroll(), 14);
    state.drawn(Drawn {
        page: 24,
        lines: 25,
    });
    assert_eq!(state.scroll(), 1);
    press(&mut state, &[Key::Char('?')]);
    assert_eq!((state.is_help(), state.scroll()), (true, 0));
    press(&mut state, &[Key::Char('?')]);
    assert!(!state.is_help());
}

#[test]
fn the_history_is_bounded_and_keeps_what_is_looked_at() {
    let mut state = showing(many(1000, 1), 10);
    press(&mut state, &[Key::End, Key::Enter]);
    let Some(Opened::Site(least)) = state.opened().cloned() else {
        panic!("{:?}", state.opened());
    };
    for second in 2..150 {
        let mut report = many(1000, second);
        // Others are the first ones each time, but what is looked at never is.
        let others = 900 * usize::try_from(second).unwrap() / 150;
        report.sites[others].figures.alloc_bytes = Some(u64::MAX / 2);
        state.take(report);
    }
    assert_eq!(state.history().totals(usize::MAX).len(), INTERVALS);
    assert!(state.history().sites_followed() <= 256);
    let course = state.history().site(least, usize::MAX);
    assert_eq!(course.len(), INTERVALS);
    assert!(course.iter().all(|rate| *rate == 10.0), "{course:?}");
    assert_eq!(state.history().intervals_in(60_000_000_000), 60);
    assert_eq!(state.history().length_ns(60), 60_000_000_000);
}

#[test]
fn the_end_of_the_target_leaves_everything_to_be_looked_at() {
    let report = fixture::report();
    let mut state = showing(report.clone(), 10);
    state.end(later(&report), "the target has exited");
    assert_eq!(state.ended(), Some("the target has exited"));
    assert_eq!(state.shown().unwrap().report, later(&report));
    press(&mut state, &[Key::Char('s'), Key::Enter]);
    assert!(state.opened().is_some());
}

#[test]
fn every_key_can_come_at_any_time() {
    let keys = [
        Key::Enter,
        Key::Escape,
        Key::Backspace,
        Key::Tab,
        Key::BackTab,
        Key::Left,
        Key::Right,
        Key::Up,
        Key::Down,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Char('/'),
        Key::Char('x'),
        Key::Char('s'),
        Key::Char('S'),
        Key::Char('r'),
        Key::Char('p'),
        Key::Char('?'),
        Key::Char('3'),
    ];
    let mut random = fastrand::Rng::with_seed(8);
    let mut state = State::new(SortBy::Growth);
    let reports = [fixture::nasty(), fixture::with_maps(), fixture::report()];
    for step in 0..3000 {
        if random.u8(..20) == 0 {
            state.take(reports[random.usize(..reports.len())].clone());
        }
        let key = keys[random.usize(..keys.len())];
        assert_eq!(state.press(key), Act::Nothing, "step {step}: {key:?}");
        let lines = state.rows().len().max(1);
        assert!(state.cursor().line < lines && state.cursor().first < lines);
        state.drawn(Drawn {
            page: random.usize(..50),
            lines: random.usize(..50),
        });
    }
}
