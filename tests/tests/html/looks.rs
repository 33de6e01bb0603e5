//! What people see and what assistive technology is told: light and dark, narrow screens, names, roles, headings, contrast.

use crate::browser::{Browser, DESK, Screen};
use crate::captures::{Saved, generated, hello};
use anyhow::Result;
use fantoccini::Locator;
use serde_json::Value;

const BACKGROUND: &str = "return getComputedStyle(document.body).backgroundColor";

/// Texts whose contrast with what is behind them is less than 4.5, each with its figure (WCAG 2.2, 1.4.3).
const FAINT_TEXTS: &str = r"
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
      for (; element; element = element.parentElement) {
        const color = rgba(getComputedStyle(element).backgroundColor);
        if (color[3] === 255) return color;
      }
      return [255, 255, 255, 255];
    };
    const faint = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let count = 0;
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (!texts.currentNode.data.trim() || element.closest('script, noscript, option, .unseen, .skip, .tip') || !element.checkVisibility()) continue;
      const style = getComputedStyle(element);
      if (element.disabled) continue;
      const color = rgba(element.closest('svg') ? style.fill : style.color);
      const [a, b] = [light(color), light(behind(element))];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      count++;
      if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.tagName} ${element.className} ${texts.currentNode.data.trim().slice(0, 40)}`);
    }
    return count < 100 ? [`only ${count} texts`] : faint";

/// What breaks the rules for those who do not see the page or use no mouse.
const BARRIERS: &str = r"
    const wrong = [];
    const named = (element) => element.getAttribute('aria-label') || element.textContent.trim() || (element.labels && element.labels.length > 0)
      || element.getAttribute('aria-labelledby');
    for (const element of document.querySelectorAll('button, a, input, select, canvas, [role]')) {
      if (!named(element) && element.getAttribute('role') !== 'status') wrong.push(`no name: ${element.outerHTML.slice(0, 90)}`);
    }
    for (const element of document.querySelectorAll('[onclick], div[tabindex]:not([role]), span[tabindex]')) wrong.push(`no role: ${element.outerHTML.slice(0, 90)}`);
    for (const link of document.querySelectorAll('a')) if (!link.hasAttribute('href')) wrong.push(`no target: ${link.textContent}`);
    for (const link of document.querySelectorAll('a[href^=\'#\']')) {
      const target = link.getAttribute('href').slice(1);
      if (!document.getElementById(target) && !target.startsWith('site-')) wrong.push(`dangling: ${target}`);
    }
    for (const picture of document.querySelectorAll('svg:not([aria-hidden])')) if (picture.getAttribute('role') !== 'img' || !picture.getAttribute('aria-label')) wrong.push('a picture without words');
    for (const table of document.querySelectorAll('table')) {
      if (!table.caption) wrong.push('a table without caption');
      for (const head of table.querySelectorAll('thead th')) if (head.scope !== 'col') wrong.push('a head without scope');
    }
    const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
    if (new Set(ids).size !== ids.length) wrong.push('ids twice');
    let level = 0;
    for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
      if (!heading.checkVisibility()) continue;
      const next = Number(heading.tagName[1]);
      if (next > level + 1) wrong.push(`heading ${heading.textContent} skips a level`);
      level = next;
    }
    for (const [what, number] of [['h1', 1], ['main', 1], ['header', 1], ['nav[aria-label]', 1], ['footer', 1]]) {
      if (document.querySelectorAll(what).length !== number) wrong.push(`${what} is not there once`);
    }
    if (document.documentElement.lang !== 'en' || document.title === '') wrong.push('no language or title');
    return wrong";

async fn assert_none(browser: &Browser, script: &str, what: &str) -> Result<()> {
    assert_eq!(browser.run(script).await?, Value::Array(vec![]), "{what}");
    Ok(())
}

async fn open_everything(browser: &Browser) -> Result<()> {
    browser
        .run("for (const opener of [...document.querySelectorAll('.opener')].slice(0, 3)) opener.click(); for (const details of document.querySelectorAll('details')) details.open = true")
        .await?;
    Ok(())
}

#[tokio::test]
async fn the_system_says_light_or_dark_and_the_button_says_otherwise() -> Result<()> {
    let light = Browser::showing(&hello(), DESK).await?;
    let dark = Browser::showing(&hello(), Screen { dark: true, ..DESK }).await?;
    assert_eq!(light.text(BACKGROUND).await?, "rgb(255, 255, 255)");
    assert_eq!(dark.text(BACKGROUND).await?, "rgb(20, 23, 27)");
    for (browser, to) in [(&light, "rgb(20, 23, 27)"), (&dark, "rgb(255, 255, 255)")] {
        let picture = "return document.getElementById('flame-canvas').toDataURL()";
        let before = browser.text(picture).await?;
        let button = browser.client.find(Locator::Css("#theme")).await?;
        button.click().await?;
        assert_eq!(browser.text(BACKGROUND).await?, to);
        assert_ne!(browser.text(picture).await?, before, "the flame graph too");
        browser.assert_silent()?;
    }
    Ok(())
}

#[tokio::test]
async fn text_is_readable_and_everything_has_a_name() -> Result<()> {
    let saved = Saved::new(&generated(40, 3))?;
    for dark in [false, true] {
        let browser = Browser::showing(&saved.path, Screen { dark, ..DESK }).await?;
        open_everything(&browser).await?;
        assert_none(&browser, FAINT_TEXTS, "contrast").await?;
        assert_none(&browser, BARRIERS, "barriers").await?;
    }
    Ok(())
}

/// A capture in which little was measured has fewer sections, and no figure that is not known.
#[tokio::test]
async fn what_was_not_measured_is_left_out_or_a_dash() -> Result<()> {
    let browser = Browser::showing(&hello(), DESK).await?;
    let sections =
        "return [...document.querySelectorAll('nav a')].map((link) => link.textContent).join(', ')";
    assert_eq!(
        browser.text(sections).await?,
        "Findings, Sites, Flame graph, Types, Timeline, Completeness, Overhead"
    );
    let heads = "return [...document.querySelectorAll('#sites th')].map((head) => head.dataset.key).join(' ')";
    assert_eq!(
        browser.text(heads).await?,
        "name share bytes byte_rate allocs alloc_rate p50 p99"
    );
    assert_none(&browser, BARRIERS, "barriers").await?;
    browser.assert_silent()
}

#[tokio::test]
async fn a_narrow_screen_shows_the_page_without_scrolling_sideways() -> Result<()> {
    let saved = Saved::new(&generated(40, 3))?;
    let browser = Browser::showing(&saved.path, DESK).await?;
    // Headless Chromium opens no window narrower than 500 pixels, but makes one so.
    browser.client.set_window_size(360, 1200).await?;
    browser.until("return innerWidth === 360").await?;
    open_everything(&browser).await?;
    // Less by the width of a scroll bar.
    let room =
        "return document.documentElement.scrollWidth === document.documentElement.clientWidth";
    assert_eq!(browser.run(room).await?, Value::from(true));
    let columns = "return [...document.querySelectorAll('#sites th[data-key]')].filter((head) => head.checkVisibility()).map((head) => head.dataset.key).join(' ')";
    assert_eq!(browser.text(columns).await?, "name share bytes allocs");
    browser.assert_silent()
}

#[tokio::test]
async fn the_timeline_is_read_with_a_slider() -> Result<()> {
    let saved = Saved::new(&generated(10, 2))?;
    let browser = Browser::showing(&saved.path, DESK).await?;
    let values = "return document.getElementById('timeline-values').textContent";
    let last = "at 10.0 s · RSS 38.1 MiB · heap 10.5 MiB · next collection at 21.0 MiB · allocated 20.6 MiB/s · page faults - · GC cycles 1";
    assert_eq!(browser.text(values).await?, last);
    browser
        .run("document.querySelector('#timeline input').focus()")
        .await?;
    browser
        .press(&fantoccini::key::Key::Home.to_string())
        .await?;
    let first = "at 250 ms · RSS 28.8 MiB · heap 12.4 MiB · next collection at 21.0 MiB · allocated 19.1 MiB/s · page faults 200/s · GC cycles 1";
    assert_eq!(browser.text(values).await?, first);
    let steps = browser
        .text("return document.querySelector('#timeline ol').textContent")
        .await?;
    assert_eq!(
        steps,
        "at 4.0 s no faults: page faults are not recorded from here on"
    );
    browser.assert_silent()
}
