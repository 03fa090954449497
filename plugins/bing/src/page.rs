//! One piece of the page of pictures.

use std::collections::BTreeMap;

use pixcrawler_sdk::{
    Candidate, Error, Found, Result,
    html::{Tag, Token, tokens},
};

use crate::picture;

/// What a piece holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Each picture once, in the order of the page.
    pub found: Found,
    /// Number of the first picture of the next piece, counted from 0, if the page says so.
    pub next: Option<u32>,
}

/// What stands in challenges and in nothing else.
const CHALLENGES: [&str; 4] = ["turing/captcha", "b_captcha", "challenges.cloudflare.com", "captcha_header"];

/// Reads a piece.
///
/// # Errors
///
/// - `rate-limited` for a challenge;
/// - `layout-changed` when there are no pictures in it, though it is not empty.
pub fn read(html: &str) -> Result<Page> {
    let mut page = Page::default();
    let (mut links, mut places, mut frame) = (Vec::new(), false, html.trim().is_empty());
    for token in tokens(html) {
        let Token::Open(tag) = token else { continue };
        if has_class(&tag, "iusc") {
            links.push(tag);
        }
        frame |= has_class(&tag, "dg_b");
        if has_class(&tag, "dgControl") {
            frame = true;
            page.next = page.next.or_else(|| next(&tag));
        }
        places |= tag.is("li") && tag.get("data-idx").is_some();
    }
    if links.is_empty() && html.contains("captcha") && CHALLENGES.iter().any(|mark| html.contains(mark)) {
        return Err(Error::RateLimited(None));
    }
    // Past the end there is a frame without places for pictures, or nothing at all.
    if links.is_empty() && (places || !frame) {
        return Err(Error::LayoutChanged("looked for pictures (`a.iusc`) in the page".to_owned()));
    }
    page.found = Found::each(links, |link| picture::candidate(&link).map(Some))?;
    page.found.candidates = once_each(page.found.candidates);
    complete(&page.found.candidates)?;
    Ok(page)
}

fn has_class(tag: &Tag<'_>, class: &str) -> bool {
    tag.get("class").is_some_and(|classes| classes.split_ascii_whitespace().any(|known| known == class))
}

/// From the address of the next piece, where pictures are counted from 1.
fn next(tag: &Tag<'_>) -> Option<u32> {
    let first = picture::parameter(&tag.get("data-nexturl")?, "first")?;
    first.parse::<u32>().ok()?.checked_sub(1)
}

/// Rows of related pictures say less of those that are in the page by themselves too.
fn once_each(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::with_capacity(candidates.len());
    let mut places = BTreeMap::new();
    for candidate in candidates {
        let place = *places.entry(candidate.url.clone()).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(known) if known.title.is_none() => *known = candidate,
            Some(_) => {}
            None => kept.push(candidate),
        }
    }
    kept
}

/// What single pictures may lack, all of them lack only when the page has changed.
fn complete(candidates: &[Candidate]) -> Result<()> {
    let has = |what: &str, have: fn(&Candidate) -> bool| {
        if candidates.is_empty() || candidates.iter().any(have) {
            return Ok(());
        }
        Err(Error::LayoutChanged(format!("looked for the {what} of pictures, and none has one")))
    };
    has("title (`t`)", |candidate| candidate.title.is_some())?;
    has("size (`expw`, `exph`)", |candidate| candidate.dimensions.is_some())
}
