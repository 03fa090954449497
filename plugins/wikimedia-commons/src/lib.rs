//! Freely licensed pictures of Wikimedia Commons, from the search of its `MediaWiki` API.
//!
//! The API answers in batches of up to 50 files, and may say only in a later answer what belongs to
//! some files of a batch. A file is handed over as soon as it is described, so that what travels
//! from answer to answer is no more than the numbers of those that are not.

use pixcrawler_sdk::{
    Answer, Chain, Chained, Error, Found, Info, Lenient, Query, Request, Response, Result, Whole, text,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod answer;
mod file;
mod license;
mod option;

use answer::{Api, Page};

/// The source.
#[derive(Debug)]
pub struct WikimediaCommons;

pixcrawler_sdk::export_source!(Chain<WikimediaCommons>);

const API: &str = "https://commons.wikimedia.org/w/api.php";
/// Files in a batch; the API describes no more at a time.
const BATCH: &str = "50";
/// Answers that a batch may come in: some describe a single file.
const MOST_PARTS: u32 = 200;
/// Files in an answer; there should be a batch of them.
const MOST_FILES: usize = 500;
/// Results that the search gives, however many there are.
const DEPTH: u32 = 10_000;
/// Pixels; one of the widths that are kept ready.
const THUMBNAIL: &str = "330";

/// What is known of the batch that is being read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Whether it is not the first answer.
    later: bool,
    /// Answers that it came in so far.
    parts: u32,
    /// Numbers of its pages that are not described yet.
    waiting: Vec<u64>,
    /// Files that are described.
    given: usize,
    /// Pages that have no file any more.
    gone: usize,
}

impl Chained for WikimediaCommons {
    type Memo = Batch;

    fn info() -> Info {
        Info {
            description:
                "Photographs, paintings and drawings of Wikimedia Commons, under free licences or in \
                the public domain, with licence and creator. Of TIFF and XCF files, the largest copy that Commons \
                renders of them. Commons does not say what is safe for work, so safe search changes nothing."
                    .to_owned(),
            homepage: Some("https://commons.wikimedia.org/".to_owned()),
            terms_url: Some(
                "https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_API_Usage_Guidelines"
                    .to_owned(),
            ),
            options: option::specs(),
            requests_per_minute: Some(60),
            max_results: Some(DEPTH),
            ..Info::keywords("wikimedia-commons", "Wikimedia Commons", env!("CARGO_PKG_VERSION"))
                .api("commons.wikimedia.org")
        }
    }

    fn first(query: &Query) -> Request {
        request(query, &[])
    }

    fn read(query: &Query, batch: &mut Batch, answer: Answer) -> Result<(Found, Option<Request>)> {
        let response = answer.response()?;
        let api = Api::of(&response)?;
        if let Some(error) = &api.error {
            return Err(refusal(&response, error));
        }
        let mut found = batch.take(api.pages)?;
        if !batch.later {
            found.warnings.extend(api.warnings);
            batch.later = true;
        }
        batch.parts += 1;
        if api.complete {
            found.warnings.extend(batch.end()?);
        }
        if batch.parts >= MOST_PARTS {
            return Err(Error::LayoutChanged("a batch of results does not come to its end".to_owned()));
        }
        let offset = api.next.iter().find(|(name, _)| name == "gsroffset");
        let offset = offset.and_then(|(_, offset)| offset.parse().ok());
        if api.complete && offset.is_some_and(|Whole(offset): Whole<u32>| offset >= DEPTH) {
            found.warnings.push(format!("Wikimedia Commons gives no more than {DEPTH} results for a search"));
            return Ok((found, None));
        }
        for (_, value) in &api.next {
            text::token(value)?;
        }
        let next = (!api.next.is_empty()).then(|| request(query, &api.next));
        Ok((found, next))
    }
}

/// Files of which one at least says its licence; nearly all do.
const ENOUGH: usize = 5;

impl Batch {
    /// The files that this answer describes, best first.
    fn take(&mut self, pages: Vec<Box<RawValue>>) -> Result<Found> {
        if pages.len() > MOST_FILES {
            return Err(Error::LayoutChanged(format!("expected {BATCH} pages, found {}", pages.len())));
        }
        Found::expect_fields(&pages, &["pageid", "title"])?;
        let is_first = self.parts == 0;
        let mut pages: Vec<Page> =
            pages.iter().filter_map(|page| serde_json::from_str(page.get()).ok()).collect();
        // The API orders pages by their number.
        pages.sort_by_key(|page| page.index.0.unwrap_or_default().0);
        let mut described = Vec::new();
        for page in pages {
            if !page.has_file() {
                self.gone += usize::from(is_first);
                continue;
            }
            let id = page.id.0.map(|Whole(id)| id);
            let known = self.waiting.iter().position(|waiting| Some(*waiting) == id);
            match (page.first_info(), known) {
                (Some(_), None) if !is_first && id.is_some() => {}
                (Some(info), known) => {
                    known.map(|at| self.waiting.swap_remove(at));
                    described.push((id, page.title, info));
                }
                (None, None) if is_first => match id {
                    Some(id) => self.waiting.push(id),
                    // A later answer cannot say that it is about this one.
                    None => self.gone += 1,
                },
                (None, _) => {}
            }
        }
        self.given += described.len();
        let infos: Vec<_> = described.iter().map(|(_, _, info)| &**info).collect();
        Found::expect_fields(&infos, &file::FIELDS)?;
        let found = Found::each(described, |(id, Lenient(title), info)| {
            file::candidate(id, title.as_deref(), info.get()).map(Some)
        })?;
        let is_named = |(name, _): &(String, String)| name == file::LICENSE;
        let is_licensed = found.candidates.iter().any(|candidate| candidate.extra.iter().any(is_named));
        if found.candidates.len() >= ENOUGH && !is_licensed {
            return Err(Error::LayoutChanged("no file has `LicenseShortName` in `extmetadata`".to_owned()));
        }
        Ok(found)
    }

    /// Closes the batch; what of it was left out.
    fn end(&mut self) -> Result<Option<String>> {
        let Self { waiting, given, gone, .. } =
            std::mem::replace(self, Self { later: true, ..Self::default() });
        if given == 0 && !waiting.is_empty() {
            return Err(Error::LayoutChanged("no page of the batch has `imageinfo`".to_owned()));
        }
        let left_out = waiting.len() + gone;
        let all = left_out + given;
        Ok((left_out > 0).then(|| format!("{left_out} of {all} left out: no longer there")))
    }
}

/// The search, or where it goes on: what an answer says about that is added as it stands.
fn request(query: &Query, next: &[(String, String)]) -> Request {
    let search = option::search(query);
    let language = query.language.as_deref().unwrap_or("en").to_ascii_lowercase();
    let mut parameters = vec![
        ("action", "query"),
        ("format", "json"),
        ("formatversion", "2"),
        ("maxlag", "5"),
        ("generator", "search"),
        ("gsrnamespace", "6"),
        ("gsrsearch", search.as_str()),
        ("gsrlimit", BATCH),
        ("prop", "imageinfo"),
        ("iiprop", "url|size|mime|sha1|timestamp|user|extmetadata"),
        ("iiurlwidth", THUMBNAIL),
        ("iiextmetadatafilter", file::METADATA),
        ("iiextmetadatalanguage", language.as_str()),
    ];
    parameters.extend(option::order(query).map(|order| ("gsrsort", order)));
    parameters.extend(next.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Request::get(API, &parameters)
}

/// What an error means that comes with status 200.
fn refusal(response: &Response, error: &answer::Refusal) -> Error {
    let said = format!("Wikimedia Commons says {}: {}", error.code, error.info);
    let seconds = response.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
    match error.code.as_str() {
        "maxlag" | "ratelimited" | "cirrussearch-too-busy-error" => Error::RateLimited(seconds),
        "badvalue" | "toolong" | "cirrussearch-query-too-long" | "cirrussearch-parse-error" => {
            Error::InvalidQuery(said)
        }
        "invalidparammix" | "missingparam" => Error::LayoutChanged(said),
        code if code.starts_with("unknown_") => Error::LayoutChanged(said),
        _ => Error::Unavailable(said),
    }
}
