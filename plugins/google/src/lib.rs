//! Pictures found by Google. Its page of pictures holds, inside a script, the
//! addresses of a hundred thumbnails with those of their originals. This is no
//! API, so it may change or be refused at any time; since January 2025 it is
//! given only to browsers that run scripts, and this source finds nothing.

use pixcrawler_sdk::{
    Answer, Chain, Chained, Error, Found, Info, Query, Request, Response, Result, Seen, json,
};
use serde::{Deserialize, Serialize};

mod options;
mod page;
mod picture;

pub use page::read;

/// The source.
#[derive(Debug)]
pub struct Google;

pixcrawler_sdk::export_source!(Chain<Google>);

const SEARCH: &str = "https://www.google.com/search";

/// Where a search stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Pictures given by the pages before.
    start: usize,
    seen: Seen,
}

impl Chained for Google {
    type Memo = Place;

    fn info() -> Info {
        Info {
            description: "Not working: since January 2025 Google shows its results only to browsers that run \
                scripts, and says so to all others. The source reads the page of pictures as it was before and is \
                kept for the day that Google gives it again; no API is asked, and nothing is said about licences."
                .to_owned(),
            homepage: Some("https://images.google.com/".to_owned()),
            terms_url: Some("https://policies.google.com/terms".to_owned()),
            ignores_robots: true,
            restriction: Some(
                "Google's terms forbid programs what its robots.txt forbids, and that is to search"
                    .to_owned(),
            ),
            options: options::all(),
            requests_per_minute: Some(4),
            // The second only to tell that it asks for consent.
            ..Info::keywords("google", "Google", env!("CARGO_PKG_VERSION"))
                .web("www.google.com")
                .web("consent.google.com")
        }
    }

    fn first(query: &Query) -> Request {
        search(query, 0)
    }

    fn read(query: &Query, place: &mut Place, answer: Answer) -> Result<(Found, Option<Request>)> {
        let found = page::read(&json::mend(open(answer)?.text()?), place.start == 0)?;
        // The same pictures as before: there is nothing past the end.
        if !place.seen.has_more_in(&found) {
            return Ok((found, None));
        }
        place.start += found.candidates.len();
        Ok((found, Some(search(query, place.start))))
    }
}

fn search(query: &Query, start: usize) -> Request {
    let start = start.to_string();
    let filters = options::filters(query);
    let language = query.language.as_deref().map(language);
    let mut parameters = vec![
        ("q", query.text.trim()),
        // Pictures, in the page as it is since 2024.
        ("udm", "2"),
        ("safe", if query.safe_search { "active" } else { "off" }),
        // The language of the page itself, in which it says that there is nothing.
        ("hl", "en"),
    ];
    if let Some((language, country)) = &language {
        parameters.push(("lr", language));
        if let Some(country) = country {
            parameters.push(("gl", country));
        }
    }
    if !filters.is_empty() {
        parameters.push(("tbs", &filters));
    }
    if start != "0" {
        parameters.push(("start", &start));
    }
    Request::get(SEARCH, &parameters)
}

/// What a language tag (BCP 47) means here: the language of the pages that are
/// searched, and the country that is searched from.
fn language(tag: &str) -> (String, Option<String>) {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parts: Vec<&str> = parts.collect();
    let country = parts.iter().find(|part| part.len() == 2).map(|country| country.to_ascii_lowercase());
    let traditional = parts.contains(&"Hant") || matches!(country.as_deref(), Some("tw" | "hk"));
    let script = match language.as_str() {
        "zh" if traditional => "-TW",
        "zh" => "-CN",
        _ => "",
    };
    (format!("lang_{language}{script}"), country)
}

/// The response, unless the site led to a page that asks for proof that a person is searching.
fn open(answer: Answer) -> Result<Response> {
    let led_away = |response: &Response| response.url.contains("google.com/sorry/");
    match &answer.outcome {
        Ok(response) if led_away(response) => Err(Error::RateLimited(None)),
        _ => answer.response(),
    }
}
