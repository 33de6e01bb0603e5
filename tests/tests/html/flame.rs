//! The flame graph: zoomed, searched and switched, by mouse and by keyboard.

use crate::browser::{Browser, DESK};
use crate::captures::{Saved, generated};
use anyhow::Result;
use fantoccini::Locator;
use fantoccini::actions::{InputSource as _, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::key::Key;
use serde_json::Value;

const STATUS: &str = "return document.getElementById('flame-status').textContent";
const MATCHED: &str = "return document.getElementById('flame-matched').textContent";
const ZOOM: &str = "return document.getElementById('flame-canvas').dataset.zoom";
/// Other text when the picture is another.
const PICTURE: &str = "return document.getElementById('flame-canvas').toDataURL()";

/// A flame graph of which all boxes are known: `main.main` calls `main.left` (300 bytes), which allocates itself and by
/// `lib.helper`, and `main.right` (100 bytes), which does by `lib.helper` only.
fn small() -> Value {
    let mut capture = generated(3, 1);
    let frame = |function: &str, package: &str| serde_json::json!({ "function": function, "package": package, "file": "/srv/a.go", "line": 1, "inlined": false });
    capture["frames"] = serde_json::json!([
        frame("main.main", "main"),
        frame("main.left", "main"),
        frame("main.right", "main"),
        frame("example.com/lib.helper", "example.com/lib"),
    ]);
    let stacks = [
        ("0000000000000001", vec![1, 0], 200, 1),
        ("0000000000000002", vec![3, 1, 0], 100, 1),
        ("0000000000000003", vec![3, 2, 0], 100, 98),
    ];
    capture["stacks"] = stacks
        .iter()
        .map(|(id, path, ..)| ((*id).to_owned(), serde_json::json!(path)))
        .collect();
    for (i, (id, path, bytes, allocs)) in stacks.iter().enumerate() {
        let site = &mut capture["sites"][i];
        let stack = &mut site["stacks"][0];
        stack["id"] = (*id).into();
        stack["alloc_bytes"] = (*bytes).into();
        stack["requested_bytes"] = (*bytes).into();
        stack["allocs"] = (*allocs).into();
        stack["live"] = Value::Null;
        let site_frame = capture["frames"][path[0]].clone();
        capture["sites"][i]["frames"] = serde_json::json!([site_frame]);
    }
    capture
}

async fn browser() -> Result<(Browser, Saved)> {
    let saved = Saved::new(&small())?;
    let browser = Browser::showing(&saved.path, DESK).await?;
    browser
        .run("document.getElementById('flame').scrollIntoView()")
        .await?;
    Ok((browser, saved))
}

#[tokio::test]
async fn keys_move_zoom_and_reset() -> Result<()> {
    let (browser, _saved) = browser().await?;
    assert_eq!(
        browser.text(STATUS).await?,
        "all stacks · 400 B allocated · 100 % of all"
    );
    let whole = browser.run(PICTURE).await?;
    browser
        .run("document.getElementById('flame-canvas').focus()")
        .await?;
    for _ in 0..2 {
        browser.press(&Key::Down.to_string()).await?;
    }
    assert_eq!(
        browser.text(STATUS).await?,
        "main.left · 300 B allocated · 75.0 % of all · 200 B in the function itself"
    );
    browser.press(&Key::Right.to_string()).await?;
    assert!(
        browser
            .text(STATUS)
            .await?
            .starts_with("main.right · 100 B allocated · 25.0 % of all")
    );
    browser.press(&Key::Down.to_string()).await?;
    assert!(
        browser
            .text(STATUS)
            .await?
            .starts_with("example.com/lib.helper · 100 B")
    );
    browser.press(&Key::Up.to_string()).await?;
    browser.press(&Key::Enter.to_string()).await?;
    assert_eq!(browser.text(ZOOM).await?, "main.right");
    assert_ne!(browser.run(PICTURE).await?, whole, "zoomed");
    assert!(browser.text(STATUS).await?.contains("100 % of this view"));
    let label = "return document.getElementById('flame-canvas').getAttribute('aria-label')";
    assert!(browser.text(label).await?.contains("main.right"));
    browser.press(&Key::Escape.to_string()).await?;
    assert_eq!(browser.text(ZOOM).await?, "all stacks");
    browser
        .run("document.getElementById('flame-canvas').blur()")
        .await?;
    assert_eq!(browser.run(PICTURE).await?, whole, "as at first");
    browser.assert_silent()
}

#[tokio::test]
async fn a_click_zooms_and_the_pointer_tells() -> Result<()> {
    let (browser, _saved) = browser().await?;
    // In the middle of the third row's box of `main.left`.
    let at = browser
        .run("const at = document.getElementById('flame-canvas').getBoundingClientRect(); return [Math.round(at.left + at.width * 0.4), Math.round(at.top + 2.5 * 18)]")
        .await?;
    let (x, y) = (at[0].as_i64().unwrap_or(0), at[1].as_i64().unwrap_or(0));
    let mouse = MouseActions::new("mouse".into()).then(PointerAction::MoveTo {
        duration: None,
        x: x as f64,
        y: y as f64,
    });
    browser.client.perform_actions(mouse).await?;
    let tip = browser
        .text("return document.querySelector('.tip').textContent")
        .await?;
    assert!(
        tip.starts_with("main.left300 B allocated · 75.0 % of all"),
        "{tip}"
    );
    let click = MouseActions::new("mouse".into())
        .then(PointerAction::Down {
            button: MOUSE_BUTTON_LEFT,
        })
        .then(PointerAction::Up {
            button: MOUSE_BUTTON_LEFT,
        });
    browser.client.perform_actions(click).await?;
    assert_eq!(browser.text(ZOOM).await?, "main.left");
    browser.assert_silent()
}

#[tokio::test]
async fn a_search_counts_each_stack_once_and_figures_switch() -> Result<()> {
    let (browser, _saved) = browser().await?;
    let plain = browser.run(PICTURE).await?;
    let search = browser.client.find(Locator::Css("#flame-search")).await?;
    search.send_keys("Helper").await?;
    assert_eq!(
        browser.text(MATCHED).await?,
        "2 places found · 50.0 % · 200 B"
    );
    assert_ne!(browser.run(PICTURE).await?, plain, "highlighted");
    search.clear().await?;
    search.send_keys("main.").await?;
    assert_eq!(
        browser.text(MATCHED).await?,
        "3 places found · 100 % · 400 B"
    );
    search.clear().await?;
    search.send_keys("helper").await?;

    browser
        .client
        .find(Locator::Css("[data-value=allocs]"))
        .await?
        .click()
        .await?;
    assert_eq!(browser.text(MATCHED).await?, "2 places found · 99.0 % · 99");
    assert_eq!(
        browser.text(STATUS).await?,
        "all stacks · 100 allocations · 100 % of all"
    );
    let pressed = "return [...document.querySelectorAll('[data-value]')].filter((button) => button.getAttribute('aria-pressed') === 'true').map((button) => button.dataset.value).join()";
    assert_eq!(browser.text(pressed).await?, "allocs");
    let known = "return [...document.querySelectorAll('[data-value]')].map((button) => button.dataset.value).join()";
    assert_eq!(
        browser.text(known).await?,
        "bytes,allocs",
        "faults and live bytes are at no stack here"
    );
    browser.assert_silent()
}
