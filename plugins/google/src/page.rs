//! A page of pictures, or what Google shows in its place.

use pixcrawler_sdk::{
    Error, Found, Result,
    html::{Token, tokens},
};

use crate::picture;

/// What a search without results says, in English.
const NOTHING: &str = "did not match any";

/// Reads a page; `first` for the first of a search.
///
/// # Errors
///
/// - `rate-limited` when it asks for proof that a person is searching;
/// - `unavailable` when it asks for consent;
/// - `layout-changed` when it wants a browser that runs scripts, and when there are no pictures in it
///   though it does not say so.
pub fn read(html: &str, first: bool) -> Result<Found> {
    let found: Found = picture::all(html).filter_map(picture::candidate).collect();
    if found.candidates.is_empty() {
        without_pictures(html, first)?;
    } else if found.candidates.iter().all(|picture| picture.page_url.is_none()) {
        return Err(Error::LayoutChanged("no picture has its page in field `2003`".to_owned()));
    }
    Ok(found)
}

/// Why there are no pictures. It is well where the page says so; past the end
/// it only has what pages of results have, and nothing that belongs to a picture.
fn without_pictures(html: &str, first: bool) -> Result<()> {
    let (mut searches, mut pictures) = (false, html.contains(picture::THUMBNAIL));
    for token in tokens(html) {
        let Token::Open(tag) = token else { continue };
        if tag.get("id").is_some_and(|id| id == "captcha-form") || tag.get("data-sitekey").is_some() {
            return Err(Error::RateLimited(None));
        }
        let form = tag.get("action").filter(|_| tag.is("form")).unwrap_or_default();
        if form.contains("://consent.") {
            return Err(Error::Unavailable("Google asks for consent to its cookies first".to_owned()));
        }
        searches |= form.ends_with("/search");
        pictures |= tag.get("data-docid").is_some();
    }
    if searches && !pictures && (!first || html.contains(NOTHING)) {
        return Ok(());
    }
    if !searches && !pictures && html.contains("/httpservice/retry/enablejs") {
        // Since January 2025 everybody is given this page, so waiting does not help.
        return Err(Error::LayoutChanged(
            "Google shows its pictures only to browsers that run scripts, so this source finds none"
                .to_owned(),
        ));
    }
    Err(Error::LayoutChanged("looked for pairs of thumbnail and original in a script of the page".to_owned()))
}
