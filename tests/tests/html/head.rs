//! The top of the page says how good its figures are.

use crate::browser::{Browser, DESK};
use crate::captures::{Saved, generated};
use anyhow::Result;
use serde_json::{Value, json};

/// Figures of the first two cards, then the cells of the first site's bytes and allocations.
const FIGURES: &str = "return [...document.querySelectorAll('#summary .figure')].slice(0, 2)
  .map((figure) => figure.parentElement.textContent).join(' | ')";

#[tokio::test]
async fn figures_that_are_too_low_are_told_in_red() -> Result<()> {
    let mut capture = generated(3, 1);
    let saved = Saved::new(&capture)?;
    let browser = Browser::showing(&saved.path, DESK).await?;
    assert!(!browser.text(FIGURES).await?.contains('≥'));
    let none = browser.run("return document.getElementById('lower-bound')");
    assert_eq!(none.await?, Value::Null);

    capture["completeness"]["unseen"] = json!(true);
    capture["totals"]["estimate"] = json!({ "allocs_error": null, "alloc_bytes_error": null });
    let saved = Saved::new(&capture)?;
    browser.show(&saved.path).await?;
    let said = "return document.getElementById('lower-bound').textContent";
    let said = browser.text(said).await?;
    assert!(said.contains("figures are lower bounds"), "{said}");
    let figures = browser.text(FIGURES).await?;
    assert_eq!(figures.matches('≥').count(), 4, "{figures}");
    let tone = "const of = (selector) => getComputedStyle(document.querySelector(selector)).color;
      return of('#lower-bound') !== of('#summary .figure')
        && document.getElementById('lower-bound').classList.contains('bad')";
    assert_eq!(browser.run(tone).await?, Value::Bool(true));
    let first = "return document.getElementById('summary').firstElementChild.id";
    assert_eq!(browser.text(first).await?, "lower-bound");
    browser.assert_silent()
}
