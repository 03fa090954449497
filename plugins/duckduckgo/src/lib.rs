//! Pictures found by `DuckDuckGo`. Its search page gives a token that belongs to
//! the search words; with it the page's own script asks for results in JSON, a
//! hundred at a time, and each answer says where the next is. This is no API, so
//! it may change or be refused at any time.

use pixcrawler_sdk::{
    Answer, Chain, Chained, Error, Found, Info, Query, Request, Response, Result, Seen, url,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod image;
mod options;
mod region;
mod token;

/// The source.
#[derive(Debug)]
pub struct DuckDuckGo;

pixcrawler_sdk::export_source!(Chain<DuckDuckGo>);

const SITE: &str = "https://duckduckgo.com/";
const RESULTS: &str = "https://duckduckgo.com/i.js";
/// In characters; the site refuses what is longer.
const LONGEST_QUERY: usize = 499;

/// Where a search stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    /// Empty while the token page is asked for.
    token: String,
    /// Address of the results asked for, without the token; empty before the first.
    page: String,
    /// Whether the token has not given a page yet. A refused one that has may have grown old.
    fresh: bool,
    seen: Seen,
}

impl Chained for DuckDuckGo {
    type Memo = Memo;

    fn info() -> Info {
        Info {
            description: "Pictures from all over the web, found by DuckDuckGo's search page, not by an API. \
                Nothing is said about licences."
                .to_owned(),
            homepage: Some(SITE.to_owned()),
            terms_url: Some("https://duckduckgo.com/terms".to_owned()),
            ignores_robots: true,
            options: options::all(),
            requests_per_minute: Some(10),
            ..Info::keywords("duckduckgo", "DuckDuckGo", env!("CARGO_PKG_VERSION")).web("duckduckgo.com")
        }
    }

    fn first(query: &Query) -> Request {
        Request::get(SITE, &[("q", words(query).as_str()), ("iar", "images")])
    }

    fn read(query: &Query, memo: &mut Memo, answer: Answer) -> Result<(Found, Option<Request>)> {
        if memo.token.is_empty() {
            memo.token = token::read(open(answer)?.text()?)?;
            memo.fresh = true;
            let mut found = Found::default();
            if memo.page.is_empty() {
                memo.page = first_page(query);
                if query.text.trim().chars().count() > LONGEST_QUERY {
                    found
                        .warnings
                        .push(format!("DuckDuckGo is asked for the first {LONGEST_QUERY} characters only"));
                }
            }
            return Ok((found, Some(results(memo))));
        }
        if !memo.fresh && matches!(&answer.outcome, Ok(Response { status: 403, .. })) {
            memo.token.clear();
            return Ok((Found::default(), Some(Self::first(query))));
        }
        let list = list(&open(answer)?)?;
        memo.fresh = false;
        Found::expect_fields(&list.results, &image::FIELDS)?;
        let found = Found::each(list.results, |result| image::candidate(result.get()).map(Some))?;
        // An answer without results, or with those that were there, still names the next one.
        let more = memo.seen.has_more_in(&found);
        let next = list.next.filter(|_| more).map(|next| follow(&next)).transpose()?;
        let next = next.filter(|next| *next != memo.page).map(|next| {
            memo.page = next;
            results(memo)
        });
        Ok((found, next))
    }
}

fn words(query: &Query) -> String {
    query.text.trim().chars().take(LONGEST_QUERY).collect()
}

fn first_page(query: &Query) -> String {
    let parameters = [
        ("o", "json"),
        ("q", &words(query)),
        ("l", region::of(query.language.as_deref())),
        ("p", if query.safe_search { "1" } else { "-1" }),
        ("f", &options::filters(query)),
    ];
    Request::get(RESULTS, &parameters).url
}

fn results(memo: &Memo) -> Request {
    let headers = vec![("referer".to_owned(), SITE.to_owned())];
    Request { headers, ..Request::get(&memo.page, &[("vqd", &memo.token)]) }
}

/// The address of the next results, which the site gives relative to the last.
fn follow(next: &str) -> Result<String> {
    url::resolve(RESULTS, next)
        .filter(|next| next.strip_prefix(RESULTS).is_some_and(|rest| rest.starts_with('?')))
        .ok_or_else(|| Error::LayoutChanged("field `next` is no address of results".to_owned()))
}

/// The response, if there is one. The site says "too fast" with 202 and a page,
/// and with 403 where it says so for longer.
fn open(answer: Answer) -> Result<Response> {
    match &answer.outcome {
        Ok(Response { status: 202 | 403 | 418, .. }) => Err(Error::RateLimited(None)),
        _ => answer.response(),
    }
}

#[derive(Deserialize)]
struct List {
    results: Vec<Box<RawValue>>,
    next: Option<String>,
}

fn list(response: &Response) -> Result<List> {
    response.json().map_err(|error| refusal(response.text().unwrap_or_default()).unwrap_or(error))
}

/// What a page or script means that holds no results and no token.
fn refusal(text: &str) -> Option<Error> {
    // `DDG.deep.anomalyDetectionBlock(…)` in a script, `anomaly-modal` in a page.
    if text.contains("anomalyDetectionBlock") || text.contains("anomaly-modal") || text.contains("anomaly.js")
    {
        return Some(Error::RateLimited(None));
    }
    let failed = text.contains("DDG.deep.is506");
    failed.then(|| Error::Unavailable("DuckDuckGo could not search (its error 506)".to_owned()))
}
