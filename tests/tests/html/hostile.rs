//! Names and figures of a capture that tries to break the page.

use crate::browser::{Browser, DESK, Screen};
use crate::captures::{Saved, generated};
use anyhow::Result;
use serde_json::Value;
use std::io::Read as _;
use std::net::TcpListener;
use std::time::Duration;

/// Would set a mark if any of it ran, end elements if any of it were HTML, and turn text round if a browser got it raw.
const NAME: &str = "</script><script>window.hacked = 1</script><img src=x onerror=\"window.hacked = 2\">{{}}${window.hacked = 3}';\"`\u{202e}\u{0}\n<!--";

/// Puts the name wherever a capture has text that is not ours.
fn poison(value: &mut Value, key: &str) {
    const OURS: [&str; 6] = ["schema", "id", "ended_by", "trigger", "source", "mode"];
    match value {
        Value::String(text) if !OURS.contains(&key) => *text = format!("{text}{NAME}"),
        Value::Array(list) => list.iter_mut().for_each(|item| poison(item, key)),
        Value::Object(fields) if key == "stacks" && fields.values().all(Value::is_array) => {}
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(key, value)| poison(value, key)),
        _ => {}
    }
}

#[tokio::test]
async fn names_are_text_whatever_they_hold() -> Result<()> {
    let mut capture = generated(8, 2);
    poison(&mut capture, "");
    capture["window"]["mode"] = NAME.into();
    capture["completeness"]["lost"][NAME] = 1.into();
    let saved = Saved::new(&capture)?;
    let browser = Browser::showing(&saved.path, DESK).await?;
    browser
        .run("for (const opener of document.querySelectorAll('.opener')) opener.click()")
        .await?;
    browser.run("tracer.flameView.find('site0')").await?;
    assert_eq!(
        browser.run("return window.hacked === undefined").await?,
        true
    );
    assert_eq!(
        browser
            .run("return document.querySelectorAll('img').length")
            .await?,
        0
    );
    let shown = browser
        .text("return document.querySelector('.row-name').textContent")
        .await?;
    assert!(
        shown.contains("</script><script>window.hacked = 1</script>"),
        "{shown}"
    );
    assert!(
        shown.contains("\\u{202e}") && !shown.contains('\u{202e}'),
        "{shown}"
    );
    browser.assert_silent()
}

#[tokio::test]
async fn figures_beyond_all_bounds_do_not_stop_the_page() -> Result<()> {
    let mut capture = generated(5, 2);
    blow_up(&mut capture);
    let saved = Saved::new(&capture)?;
    let browser = Browser::showing(
        &saved.path,
        Screen {
            width: 500,
            dark: true,
        },
    )
    .await?;
    browser
        .run("for (const opener of document.querySelectorAll('.opener')) opener.click()")
        .await?;
    let text = browser.text("return document.body.textContent").await?;
    for word in ["NaN", "Infinity", "undefined", "[object"] {
        let page = browser
            .text("return document.querySelector('main').innerText")
            .await?;
        assert!(!page.contains(word), "{word}: {page}");
    }
    assert!(text.contains("shop-api"));
    browser.assert_silent()
}

/// The largest number in place of each, but for ids, places and times.
fn blow_up(capture: &mut Value) {
    for part in ["totals", "completeness", "memory", "faults"] {
        largest(&mut capture[part]);
    }
    capture["memory"]["gc_percent"] = (-1).into();
    // More of these together than 64 bits hold is refused.
    capture["completeness"]["lost"] = serde_json::json!({ "ring_full": u64::MAX });
    capture["completeness"]["families"]["faults"]["lost"] = serde_json::json!({});
    for site in capture["sites"].as_array_mut().into_iter().flatten() {
        for field in [
            "allocs",
            "alloc_bytes",
            "requested_bytes",
            "size",
            "faults",
            "live",
        ] {
            largest(&mut site[field]);
        }
    }
    for point in capture["timeline"].as_array_mut().into_iter().flatten() {
        point["rss_bytes"] = u64::MAX.into();
        point["t_ns"] = 0.into();
    }
}

fn largest(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_u64() => *value = u64::MAX.into(),
        Value::Array(list) => list.iter_mut().for_each(largest),
        Value::Object(fields) => fields.values_mut().for_each(largest),
        _ => {}
    }
}

#[tokio::test]
async fn nothing_leaves_the_page() -> Result<()> {
    let saved = Saved::new(&generated(5, 2))?;
    let browser = Browser::showing(&saved.path, DESK).await?;
    assert_eq!(
        browser
            .run("return performance.getEntriesByType('resource').length")
            .await?,
        0
    );
    browser.assert_silent()?;

    // If a script did get in, it could send nothing: not by a request, not by a picture, not by a form.
    let server = TcpListener::bind("127.0.0.1:0")?;
    server.set_nonblocking(true)?;
    let url = format!("http://{}/", server.local_addr()?);
    browser
        .run(&format!(
            "window.blocked = 0;
            document.addEventListener('securitypolicyviolation', () => window.blocked++);
            fetch('{url}').catch(() => {{}});
            new Image().src = '{url}';
            const form = document.createElement('form');
            form.action = '{url}';
            document.body.append(form);
            form.submit();"
        ))
        .await?;
    browser.until("return window.blocked >= 3").await?;
    // A browser may open a connection beforehand, in case a request is made: what counts is that nothing is sent.
    let mut sent = Vec::new();
    while let Ok((mut stream, _)) = server.accept() {
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        let mut bytes = [0; 1024];
        if let Ok(length @ 1..) = stream.read(&mut bytes) {
            sent.extend_from_slice(&bytes[..length]);
        }
    }
    assert_eq!(String::from_utf8_lossy(&sent), "", "a request came");
    // The browser says so: what the other tests find silent is heard here.
    assert!(!browser.log()?.is_empty());
    Ok(())
}
