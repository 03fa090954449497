//! Pictures found by Bing. Its page of pictures loads more of itself in pieces
//! of HTML, in which every picture carries what is known of it as JSON in an
//! attribute. This is no API, so it may change or be refused at any time.

use pixcrawler_sdk::{Answer, Chain, Chained, Error, Found, Info, Query, Request, Response, Result, Seen};
use serde::{Deserialize, Serialize};

mod options;
mod page;
mod picture;

pub use page::{Page, read};

/// The source.
#[derive(Debug)]
pub struct Bing;

pixcrawler_sdk::export_source!(Chain<Bing>);

const SITE: &str = "https://www.bing.com/images/async";
/// Pictures asked for at once; the site gives some more or less.
const PAGE: u32 = 35;

/// Where a search stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Number of the first picture asked for, counted from 0.
    from: u32,
    seen: Seen,
}

impl Chained for Bing {
    type Memo = Place;

    fn info() -> Info {
        Info {
            description: "Pictures from all over the web, found by Bing's search page, not by an API. \
                Nothing is said about licences."
                .to_owned(),
            homepage: Some("https://www.bing.com/images".to_owned()),
            terms_url: Some("https://www.microsoft.com/servicesagreement".to_owned()),
            ignores_robots: true,
            options: options::all(),
            requests_per_minute: Some(15),
            ..Info::keywords("bing", "Bing", env!("CARGO_PKG_VERSION")).web("www.bing.com")
        }
    }

    fn first(query: &Query) -> Request {
        piece(query, 0)
    }

    fn read(query: &Query, place: &mut Place, answer: Answer) -> Result<(Found, Option<Request>)> {
        let page = page::read(open(answer)?.text()?)?;
        // The same pictures as before: there is nothing past the end.
        if !place.seen.has_more_in(&page.found) {
            return Ok((page.found, None));
        }
        place.from = page.next.filter(|next| *next > place.from).unwrap_or(place.from.saturating_add(PAGE));
        Ok((page.found, Some(piece(query, place.from))))
    }
}

fn piece(query: &Query, from: u32) -> Request {
    let (first, count) = (from.saturating_add(1).to_string(), PAGE.to_string());
    let filters = options::filters(query);
    let mut parameters = vec![
        ("q", query.text.trim()),
        ("first", &first),
        ("count", &count),
        ("mmasync", "1"),
        ("adlt", if query.safe_search { "strict" } else { "off" }),
    ];
    if let Some(language) = query.language.as_deref() {
        parameters.push(("setlang", language));
        // A market is a language of a country.
        if language.contains('-') {
            parameters.push(("mkt", language));
        }
    }
    if !filters.is_empty() {
        parameters.push(("qft", &filters));
    }
    Request::get(SITE, &parameters)
}

/// The response, unless the site asked for proof that a person is asking.
fn open(answer: Answer) -> Result<Response> {
    let challenged = |response: &Response| response.url.contains("/turing/captcha");
    match &answer.outcome {
        Ok(response) if challenged(response) => Err(Error::RateLimited(None)),
        _ => answer.response(),
    }
}
