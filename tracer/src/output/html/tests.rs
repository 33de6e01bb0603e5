//! The page's bytes, without a browser: what is in it, and what no name can put there.

use super::*;
use crate::report::fixture;
use crate::units;
use serde_json::Value as Json;

fn page(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, Value::Bytes, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn data(page: &str) -> Json {
    let (_, from) = page.split_once("id=\"data\">").unwrap();
    let (json, _) = from.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn hostile_names_add_no_element() {
    let mut report = fixture::nasty();
    let name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}";
    for frame in &mut report.frames {
        frame.function = name.into();
    }
    report.target.exe = format!("/bin/{name}");
    let usual = page(&fixture::report());
    let page = page(&report);
    let elements = |page: &str| page.matches("<script").count();
    assert_eq!(elements(&page), elements(&usual));
    assert!(!page.contains("<img"));
    assert!(!page.contains('\u{202e}'));
    let strings = data(&page)["strings"].to_string();
    assert!(strings.contains("</script><script>alert(1)"), "{strings}");
}

#[test]
fn the_page_loads_nothing_and_makes_no_html_of_text() {
    let page = page(&fixture::report());
    assert!(page.contains("default-src 'none'"));
    for word in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "fetch(",
        "XMLHttpRequest",
        "import(",
        "src=",
        "@import",
        "url(",
    ] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn stacks_lead_to_their_frames() {
    let data = data(&page(&fixture::report()));
    let site = &data["sites"][0];
    let mut node = site["stacks"][0][0].as_u64().unwrap();
    let mut names = Vec::new();
    while node != 0 {
        let frame = data["tree"]["frame"][usize::try_from(node).unwrap()].as_u64();
        let row = &data["frames"][usize::try_from(frame.unwrap()).unwrap()];
        let function = usize::try_from(row[0].as_u64().unwrap()).unwrap();
        names.push(data["strings"][function].as_str().unwrap().to_owned());
        node = data["tree"]["parent"][usize::try_from(node).unwrap()]
            .as_u64()
            .unwrap();
    }
    let expect = [
        "main.(*Cache).Put",
        "main.(*Server).order",
        "net/http.HandlerFunc.ServeHTTP",
        "net/http.(*conn).serve",
    ];
    assert_eq!(names, expect);
}

#[test]
fn every_sample_becomes_a_page() {
    let reports = [
        fixture::report(),
        fixture::empty(),
        fixture::estimated(),
        fixture::nasty(),
        fixture::with_heap(),
        fixture::only_history(),
        fixture::of_spans(),
        fixture::with_maps(),
        fixture::with_pages(),
    ];
    for report in reports {
        let data = data(&page(&report));
        assert_eq!(
            data["sites"].as_array().unwrap().len(),
            report.sites.len(),
            "{}",
            report.window.mode
        );
    }
}

#[test]
fn lower_bounds_are_not_told_to_be_complete() {
    let tone = |report: &Report| {
        let data = data(&page(report));
        let words = data["words"].as_array().unwrap();
        let complete = words.iter().find(|line| line[0] == "complete").unwrap();
        (data["lower_bound"].clone(), complete[1][0][1].clone())
    };
    let mut report = fixture::empty();
    assert_eq!(tone(&report), (Json::Null, "good".into()));
    report.completeness.unseen = true;
    let (text, tone) = tone(&report);
    assert!(text.as_str().unwrap().contains("lower bounds"), "{text}");
    assert_eq!(tone, "");
}

#[test]
fn what_was_not_measured_is_null() {
    let data = data(&page(&fixture::empty()));
    assert_eq!(data["overhead"]["ns_per_hit"], Json::Null);
    assert_eq!(data["live_bytes"], Json::Null);
    assert_eq!(data["memory"], Json::Null);
}

/// What the page's script is held to in a browser, so that both round alike.
#[test]
fn the_examples_of_numbers_are_ours() {
    let examples: Vec<(String, f64, String)> =
        serde_json::from_str(include_str!("units.json")).unwrap();
    for (name, value, text) in examples {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "examples of whole numbers are small enough for a double"
        )]
        let whole = value as u64;
        let ours = match name.as_str() {
            "bytes" => units::bytes(whole),
            "size" => units::size(whole),
            "count" => units::count(whole),
            "exact" => units::exact(whole),
            "duration" => units::duration(whole),
            "nanoseconds" => units::nanoseconds(value),
            "percent" => units::percent(Some(value)),
            "rate" => units::rate(Some(value)),
            "byteRate" => units::byte_rate(Some(value)),
            other => panic!("{other}"),
        };
        assert_eq!(ours, text, "{name}({value})");
    }
}
