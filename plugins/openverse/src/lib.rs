//! Openly licensed pictures from Openverse, which searches some fifty
//! collections and says the licence of every picture.

use pixcrawler_sdk::{
    Answer, CredentialKind, CredentialSpec, Error, Found, Info, Lenient, OptionKind, OptionSpec, Paged,
    Pages, Query, Request, Response, Result, Whole,
};
use serde::Deserialize;
use serde_json::value::RawValue;

mod image;

/// The source.
#[derive(Debug)]
pub struct Openverse;

pixcrawler_sdk::export_source!(Pages<Openverse>);

const SEARCH: &str = "https://api.openverse.org/v1/images/";
const CREDENTIAL: &str = "api";
/// In characters; the API cuts silently what is longer.
const LONGEST_QUERY: usize = 200;
/// Results on a page. Without a credential the API refuses more than 20.
const PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 50;
/// Results that the API gives for one search without a credential.
const ANONYMOUS_DEPTH: u64 = 240;
/// Options, which have the API's own names.
const FILTERS: [&str; 7] =
    ["license", "license_type", "source", "extension", "aspect_ratio", "size", "category"];

impl Paged for Openverse {
    fn info() -> Info {
        let credential = CredentialSpec {
            name: CREDENTIAL.to_owned(),
            help: "Client id and secret as `id:secret`, from https://api.openverse.org/v1/#tag/auth. \
                Lifts the limits of 240 results for a search and 200 requests a day."
                .to_owned(),
            required: false,
            kind: CredentialKind::Oauth2ClientCredentials(
                "https://api.openverse.org/v1/auth_tokens/token/".to_owned(),
            ),
            hosts: vec!["api.openverse.org".to_owned()],
        };
        Info {
            description:
                "Openly licensed and public domain pictures from Flickr, Wikimedia Commons, museums and \
                others, with licence and creator."
                    .to_owned(),
            homepage: Some("https://openverse.org/".to_owned()),
            terms_url: Some("https://docs.openverse.org/terms_of_service.html".to_owned()),
            options: options(),
            credentials: vec![credential],
            requests_per_minute: Some(20),
            // `max_results` stays open: 240 holds only while no credential is configured,
            // and what a source says of itself is constant.
            ..Info::keywords("openverse", "Openverse", env!("CARGO_PKG_VERSION")).api("api.openverse.org")
        }
    }

    fn page(query: &Query, number: u32) -> Request {
        let text: String = query.text.trim().chars().take(LONGEST_QUERY).collect();
        let largest = if query.has_credential(CREDENTIAL) { LARGEST_PAGE } else { PAGE };
        let (number, size) = (number.to_string(), query.limit.clamp(PAGE, largest).to_string());
        let mut parameters = vec![("q", text.as_str()), ("page", &number), ("page_size", &size)];
        if !query.safe_search {
            parameters.push(("mature", "true"));
        }
        parameters.extend(query.chosen(&FILTERS));
        Request { credential: Some(CREDENTIAL.to_owned()), ..Request::get(SEARCH, &parameters) }
    }

    fn read(query: &Query, number: u32, answer: Answer) -> Result<(Found, bool)> {
        if let Ok(response) = &answer.outcome
            && let Some(found) = refusal(query, number, response)?
        {
            return Ok((found, false));
        }
        let list: List = answer.response()?.json()?;
        let Whole(results) = list.result_count.0.unwrap_or_default();
        if number == 1 && list.results.is_empty() {
            Found::expect_none(results.max(list.page_count.0.into()), "results")?;
        }
        let more = number < list.page_count.0 && !list.results.is_empty();
        Found::expect_fields(&list.results, &["license"])?;
        let mut found = Found::each(list.results, |result| image::candidate(result.get()).map(Some))?;
        if number == 1 && query.text.trim().chars().count() > LONGEST_QUERY {
            found.warnings.push(format!("Openverse searches for the first {LONGEST_QUERY} characters only"));
        }
        let depth = u64::from(number) * u64::from(PAGE);
        if !more && !query.has_credential(CREDENTIAL) && depth.min(results) >= ANONYMOUS_DEPTH {
            found.warnings.push(depth_reached(""));
        }
        Ok((found, more))
    }
}

/// The part of an answer that is needed to go on.
#[derive(Deserialize)]
struct List {
    results: Vec<Box<RawValue>>,
    page_count: Whole<u32>,
    /// Only to tell why there is nothing more.
    #[serde(default)]
    result_count: Lenient<Whole<u64>>,
}

/// What a status that is no success means here, where it means something
/// special: the end of what an anonymous search may see, a filter that the API
/// does not know, or a time to wait that is said only in words.
fn refusal(query: &Query, number: u32, response: &Response) -> Result<Option<Found>> {
    let end_of_depth = match response.status {
        400 | 403 | 404 => number > 1,
        401 => number > 1 && !query.has_credential(CREDENTIAL),
        _ => false,
    };
    match response.status {
        _ if end_of_depth => {
            Ok(Some(Found { warnings: vec![depth_reached(&detail(response))], ..Found::default() }))
        }
        400 => Err(Error::InvalidQuery(format!("Openverse refuses the search: {}", detail(response)))),
        429 if response.header("retry-after").is_none() => {
            Err(Error::RateLimited(seconds(&detail(response))))
        }
        _ => Ok(None),
    }
}

fn depth_reached(detail: &str) -> String {
    let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    format!(
        "Openverse gives no more results for this search{detail}; \
        without a credential it gives {ANONYMOUS_DEPTH}"
    )
}

/// What an error says: the text under `detail`, or all of it.
fn detail(response: &Response) -> String {
    #[derive(Deserialize)]
    struct Detail {
        detail: String,
    }
    let whole = || response.text().unwrap_or_default().to_owned();
    let detail = response.json::<Detail>().map_or_else(|_| whole(), |body| body.detail);
    detail.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// The number in "… available in 86 seconds".
fn seconds(detail: &str) -> Option<u32> {
    let before = detail.split_once(" second")?.0;
    before.rsplit(' ').next()?.parse().ok()
}

fn options() -> Vec<OptionSpec> {
    let choices = OptionSpec::choices;
    vec![
        choices(
            "license",
            "Licences",
            "Only pictures under one of these; all of them by default.",
            &[
                ("by", "CC BY"),
                ("by-sa", "CC BY-SA"),
                ("by-nd", "CC BY-ND"),
                ("by-nc", "CC BY-NC"),
                ("by-nc-sa", "CC BY-NC-SA"),
                ("by-nc-nd", "CC BY-NC-ND"),
                ("cc0", "CC0"),
                ("pdm", "Public Domain Mark"),
            ],
        ),
        choices(
            "license_type",
            "Use",
            "Only pictures whose licence allows all of these.",
            &[("commercial", "Commercial use"), ("modification", "Modification")],
        ),
        OptionSpec::new(
            "source",
            "Collections",
            "Only from these, separated by commas, for example `flickr,wikimedia`.",
            OptionKind::Text,
        ),
        choices(
            "extension",
            "File types",
            "Only files of these types.",
            &[
                ("jpg", "JPEG (.jpg)"),
                ("jpeg", "JPEG (.jpeg)"),
                ("png", "PNG"),
                ("gif", "GIF"),
                ("webp", "WebP"),
            ],
        ),
        choices(
            "aspect_ratio",
            "Shape",
            "Only pictures of these shapes.",
            &[("tall", "Tall"), ("wide", "Wide"), ("square", "Square")],
        ),
        choices(
            "size",
            "Size",
            "Only pictures of these sizes.",
            &[("small", "Small"), ("medium", "Medium"), ("large", "Large")],
        ),
        choices(
            "category",
            "Kind",
            "Only pictures of these kinds; many pictures have none.",
            &[
                ("photograph", "Photograph"),
                ("illustration", "Illustration"),
                ("digitized_artwork", "Digitized artwork"),
            ],
        ),
    ]
}
