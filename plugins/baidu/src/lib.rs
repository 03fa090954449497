//! Pictures found by Baidu. Its page of pictures loads thirty at a time in JSON
//! of a loose kind, for those who have the cookie of its home page; the addresses
//! of the originals are obfuscated. This is no API, so it may change or be refused
//! at any time.

use pixcrawler_sdk::{
    Answer, Chain, Chained, Error, Found, Info, Lenient, Query, Request, Response, Result, Seen, Whole, json,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod cipher;
mod loose;
mod options;
mod picture;

/// The source.
#[derive(Debug)]
pub struct Baidu;

pixcrawler_sdk::export_source!(Chain<Baidu>);

const HOME: &str = "https://image.baidu.com/";
const SEARCH: &str = "https://image.baidu.com/search/acjson";
/// Pictures in an answer, at most.
const PAGE: u32 = 30;

/// Where a search stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Whether the home page, which gives the cookie, has been asked for.
    welcome: bool,
    /// Number of the first picture asked for, counted from 0.
    from: u32,
    seen: Seen,
}

impl Chained for Baidu {
    type Memo = Place;

    fn info() -> Info {
        Info {
            description: "Pictures from the Chinese web, found by Baidu's search page, not by an API. Nothing is \
                said about licences. There is no safe search to turn on or off: Baidu leaves out by itself what it \
                holds to be unfit."
                .to_owned(),
            homepage: Some(HOME.to_owned()),
            terms_url: Some("https://www.baidu.com/duty/".to_owned()),
            ignores_robots: true,
            options: options::all(),
            requests_per_minute: Some(10),
            // The second only to tell that it asks for proof that a person is searching.
            ..Info::keywords("baidu", "Baidu", env!("CARGO_PKG_VERSION"))
                .web("image.baidu.com")
                .web("wappass.baidu.com")
        }
    }

    fn first(_: &Query) -> Request {
        Request::get(HOME, &[])
    }

    fn read(query: &Query, place: &mut Place, answer: Answer) -> Result<(Found, Option<Request>)> {
        let response = open(answer)?;
        if !place.welcome {
            place.welcome = true;
            return Ok((Found::default(), Some(page(query, 0))));
        }
        let text = loose::mend(response.text()?);
        let text = json::mend(&text);
        let list = list(&text, &response)?;
        let results = list.data.iter().flatten().filter(|result| !is_empty(result));
        let results: Vec<&RawValue> = results.copied().collect();
        if place.from == 0 && results.is_empty() {
            return list.nothing();
        }
        Found::expect_fields(&results, &picture::FIELDS)?;
        let mut found = Found::each(&results, |result| picture::candidate(result.get()).map(Some))?;
        if place.from == 0 {
            found.warn_missing(&results, &picture::PARTS);
        }
        place.from = place.from.saturating_add(PAGE);
        let last = list.shown().filter(|&shown| shown > 0 && place.from >= shown);
        if let (Some(shown), Some(known)) = (last, list.known())
            && known > shown
        {
            found.warnings.push(format!("Baidu shows {shown} of about {known} pictures"));
        }
        let more = place.seen.has_more_in(&found) && last.is_none();
        Ok((found, more.then(|| page(query, place.from))))
    }
}

fn page(query: &Query, from: u32) -> Request {
    let (from, size) = (from.to_string(), PAGE.to_string());
    let mut parameters = vec![
        ("tn", "resultjson_com"),
        ("ipn", "rj"),
        ("ie", "utf-8"),
        ("oe", "utf-8"),
        ("word", query.text.trim()),
        ("pn", &from),
        ("rn", &size),
    ];
    parameters.extend(options::filters(query));
    let headers = vec![("referer".to_owned(), HOME.to_owned())];
    Request { headers, ..Request::get(SEARCH, &parameters) }
}

/// The response, unless the site asked for proof that a person is searching.
fn open(answer: Answer) -> Result<Response> {
    let response = answer.response()?;
    let text = response.text()?;
    // The title of that page; it may stand in results too.
    let checks = text.contains("百度安全验证") && !text.trim_start().starts_with('{');
    if checks || response.url.contains("://wappass.baidu.com/") {
        return Err(Error::RateLimited(None));
    }
    Ok(response)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    #[serde(borrow)]
    data: Option<Vec<&'a RawValue>>,
    /// Pictures that can be asked for.
    #[serde(default)]
    list_num: Lenient<Whole<u32>>,
    /// Pictures that there are, roughly.
    #[serde(default)]
    display_num: Lenient<Whole<u32>>,
    /// Not 0 where the site takes a search for that of a program.
    anti_flag: Option<&'a RawValue>,
}

impl List<'_> {
    fn shown(&self) -> Option<u32> {
        self.list_num.0.map(|Whole(shown)| shown)
    }

    fn known(&self) -> Option<u32> {
        self.display_num.0.map(|Whole(known)| known)
    }

    /// What it means when there is no picture at all.
    fn nothing(&self) -> Result<(Found, Option<Request>)> {
        match self.shown().max(self.known()) {
            Some(0) => Ok((Found::default(), None)),
            // It counts pictures and gives none to whom it takes for a program.
            Some(_) => Err(Error::RateLimited(None)),
            None => Err(Error::LayoutChanged("expected `listNum` or pictures in `data`".to_owned())),
        }
    }
}

fn list<'a>(text: &'a str, response: &Response) -> Result<List<'a>> {
    let place = response.url.split('?').next().unwrap_or_default();
    let list: List<'a> = serde_json::from_str(text)
        .map_err(|error| Error::LayoutChanged(format!("answer of {place}: {error}")))?;
    if list.anti_flag.is_some_and(|flag| !matches!(flag.get(), "0" | "\"0\"" | "null" | "false")) {
        return Err(Error::RateLimited(None));
    }
    if list.data.is_none() {
        return Err(Error::LayoutChanged(format!("answer of {place}: missing field `data`")));
    }
    Ok(list)
}

/// The last of the results is always empty.
fn is_empty(result: &RawValue) -> bool {
    result.get().trim_start_matches('{').trim_end_matches('}').trim().is_empty()
}
