//! The page of a comparison.

use crate::browser::{Browser, DESK};
use crate::captures::{Saved, generated};
use anyhow::{Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use tempfile::TempDir;
use tracer_tests::tracer;

/// Ends elements and opens others, if any of it were read as HTML.
const NAME: &str = "</script><img src=x onerror=\"window.hacked = 1\">";

/// Compares two captures; the page is there as long as the directory.
fn page(base: &Saved, candidate: &Saved) -> Result<(TempDir, PathBuf)> {
    let directory = tempfile::tempdir()?;
    let page = directory.path().join("diff.html");
    let output = tracer()
        .arg("diff")
        .args([&base.path, &candidate.path])
        .arg("-o")
        .arg(&page)
        .args(["--normalize", "total", "--fail-on", "site:allocs>900%"])
        .output()?;
    // The rule is broken.
    ensure!(output.status.code() == Some(1), "{output:?}");
    Ok((directory, page))
}

/// Ten times as many allocations at a site, and in all that much more.
fn grow(capture: &mut Value, site: usize) {
    let before = capture["sites"][site]["allocs"].as_u64().unwrap_or(0);
    capture["sites"][site]["allocs"] = (before * 11).into();
    let all = capture["totals"]["allocs"].as_u64().unwrap_or(0);
    capture["totals"]["allocs"] = (all + before * 10).into();
}

#[tokio::test]
async fn a_change_stands_first_and_can_be_searched_and_opened() -> Result<()> {
    let base = generated(200, 2);
    let mut candidate = base.clone();
    grow(&mut candidate, 40);
    let frame = &mut candidate["sites"][40]["frames"][0];
    let name = frame["function"].as_str().unwrap_or_default().to_owned();
    frame["line"] = 7777.into();
    frame["function"] = name.clone().into();
    candidate["sites"][3]["types"][0]["name"] = NAME.into();
    let (base, candidate) = (Saved::new(&base)?, Saved::new(&candidate)?);
    let (_directory, page) = page(&base, &candidate)?;
    let browser = Browser::start(DESK).await?;
    browser.open(&page).await?;
    browser
        .run(
            "const figure = document.getElementById('figure');
            figure.value = [...figure.options].find((option) => option.text === 'Allocations').value;
            figure.dispatchEvent(new Event('change'));",
        )
        .await?;
    let first = browser
        .text("return document.querySelector('#rows tbody tr').innerText")
        .await?;
    for part in [name.as_str(), "(was :", "+1k %", "significant"] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let rules = browser
        .text("return document.getElementById('rules').innerText")
        .await?;
    assert!(rules.contains("site:allocs>900% is broken"), "{rules}");
    browser
        .run("document.querySelector('#rows .opener').click()")
        .await?;
    let detail = browser
        .text("return document.querySelector('#rows tr.detail').innerText")
        .await?;
    assert!(detail.contains("the line moved"), "{detail}");

    browser
        .run(
            "document.getElementById('beyond').click();
            const search = document.getElementById('search');
            search.value = 'no such function';
            search.dispatchEvent(new Event('input'));",
        )
        .await?;
    let none = browser
        .text("return document.querySelector('#rows .status').textContent")
        .await?;
    assert!(none.starts_with("0 shown"), "{none}");
    assert_eq!(
        browser.run("return window.hacked === undefined").await?,
        true
    );
    browser.assert_silent()
}

#[tokio::test]
async fn the_flame_graph_zooms_by_keyboard() -> Result<()> {
    let base = generated(50, 2);
    let mut candidate = base.clone();
    grow(&mut candidate, 0);
    let (base, candidate) = (Saved::new(&base)?, Saved::new(&candidate)?);
    let (_directory, page) = page(&base, &candidate)?;
    let browser = Browser::start(DESK).await?;
    browser.open(&page).await?;
    browser
        .run("document.getElementById('flame-canvas').focus()")
        .await?;
    let zoom = "return document.getElementById('flame-canvas').dataset.zoom";
    assert_eq!(browser.text(zoom).await?, "all stacks");
    // Arrow down, Enter.
    browser.press("\u{e015}\u{e007}").await?;
    assert_ne!(browser.text(zoom).await?, "all stacks");
    // Escape.
    browser.press("\u{e00c}").await?;
    assert_eq!(browser.text(zoom).await?, "all stacks");
    let status = browser
        .text("return document.getElementById('flame-status').textContent")
        .await?;
    assert!(status.contains('→'), "{status}");
    browser.assert_silent()
}
