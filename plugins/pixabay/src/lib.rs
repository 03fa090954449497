//! Pictures from Pixabay's API.

use pixcrawler_sdk::{
    Answer, CredentialKind, CredentialSpec, Error, Found, Info, Paged, Pages, Query, Request, Response,
    Result, Whole,
};
use serde::Deserialize;
use serde_json::value::RawValue;

mod hit;
mod option;

/// The source.
#[derive(Debug)]
pub struct Pixabay;

pixcrawler_sdk::export_source!(Pages<Pixabay>);

const HOST: &str = "pixabay.com";
const SEARCH: &str = "https://pixabay.com/api/";
const CREDENTIAL: &str = "api";
/// Results on a page; the API gives no more.
const PAGE: u32 = 200;
/// Results of one search that the API gives.
const DEPTH: u32 = 500;
/// In characters; the API refuses what is longer.
const LONGEST_QUERY: usize = 100;

impl Paged for Pixabay {
    fn info() -> Info {
        let credential = CredentialSpec {
            name: CREDENTIAL.to_owned(),
            help:
                "API key, shown on https://pixabay.com/api/docs/ when logged in. Keys with full access also \
                give the pictures in their own size."
                    .to_owned(),
            required: true,
            kind: CredentialKind::QueryParameter("key".to_owned()),
            hosts: vec![HOST.to_owned()],
        };
        Info {
            description: "Photos, illustrations and vector graphics from Pixabay under its own licence, 1280 \
                pixels wide or high unless the key has full access. The terms ask to keep answers for a day, to \
                show where the pictures are from, and not to download systematically in bulk."
                .to_owned(),
            homepage: Some("https://pixabay.com/".to_owned()),
            terms_url: Some("https://pixabay.com/service/terms/".to_owned()),
            restriction: Some(
                "Pixabay's terms forbid systematic mass downloads: allow it only for what they and its licence permit."
                    .to_owned(),
            ),
            options: option::all(),
            credentials: vec![credential],
            requests_per_minute: Some(100),
            max_results: Some(DEPTH),
            ..Info::keywords("pixabay", "Pixabay", env!("CARGO_PKG_VERSION")).api(HOST)
        }
    }

    fn page(query: &Query, number: u32) -> Request {
        let text: String = query.text.trim().chars().take(LONGEST_QUERY).collect();
        let (number, size) = (number.to_string(), size(query).to_string());
        let mut parameters = vec![("q", text.as_str()), ("page", &number), ("per_page", &size)];
        if query.safe_search {
            parameters.push(("safesearch", "true"));
        }
        if let Some(language) = query.language.as_deref().and_then(option::language) {
            parameters.push(("lang", language));
        }
        parameters.extend(query.chosen(&option::FILTERS));
        Request { credential: Some(CREDENTIAL.to_owned()), ..Request::get(SEARCH, &parameters) }
    }

    fn read(query: &Query, number: u32, answer: Answer) -> Result<(Found, bool)> {
        if let Ok(response) = &answer.outcome
            && is_over(number, response)?
        {
            return Ok((Found::default(), false));
        }
        let list: List = answer.response()?.json()?;
        if number == 1 && list.hits.is_empty() {
            Found::expect_none(list.total_hits.0.into(), "hits")?;
        }
        let more = number.saturating_mul(size(query)) < list.total_hits.0 && !list.hits.is_empty();
        let without_generated = query.option("without-generated") == Some("true");
        let mut opted_out = 0;
        Found::expect_fields(&list.hits, &hit::FIELDS)?;
        let mut found = Found::each(&list.hits, |hit| {
            let hit = hit::Hit::read(hit.get())?;
            opted_out += u32::from(hit.no_ai_training.0);
            let unwanted = hit.no_ai_training.0 || (without_generated && hit.is_ai_generated.0);
            (!unwanted).then(|| hit.candidate()).transpose()
        })?;
        found.warn_missing(&list.hits, &hit::PARTS);
        if opted_out > 0 {
            found
                .warnings
                .push(format!("left out because their makers want no training with them: {opted_out}"));
        }
        if number == 1 && query.text.trim().chars().count() > LONGEST_QUERY {
            found.warnings.push(format!("Pixabay searches for the first {LONGEST_QUERY} characters only"));
        }
        Ok((found, more))
    }
}

#[derive(Deserialize)]
struct List {
    /// Those that the API gives, which are fewer than there are.
    #[serde(rename = "totalHits")]
    total_hits: Whole<u32>,
    hits: Vec<Box<RawValue>>,
}

/// Results on a page: the same for all pages of a crawl.
fn size(query: &Query) -> u32 {
    query.limit.clamp(20, PAGE)
}

/// Whether that is how the API says that there is no such page; its other refusals are errors.
/// They are texts, with the same status for all of them.
fn is_over(number: u32, response: &Response) -> Result<bool> {
    if response.status == 429 {
        let seconds = ["retry-after", "x-ratelimit-reset"].into_iter().find_map(|name| response.header(name));
        return Err(Error::RateLimited(seconds.and_then(|seconds| seconds.trim().parse().ok())));
    }
    if response.status != 400 {
        return Ok(false);
    }
    let said = response.text().unwrap_or_default();
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if said.contains("API key") {
        Err(Error::Unauthorized(format!("Pixabay refuses the key: {said}")))
    } else if said.contains("out of valid range") && number > 1 {
        Ok(true)
    } else {
        Err(Error::InvalidQuery(format!("Pixabay refuses the search: {said}")))
    }
}
