//! Photos from Unsplash's API. Its guidelines exclude much of what a crawl is for, so the source is
//! off until the operator allows it. They also want a request to `links.download_location` for
//! every photo that is used, which only who uses it can make: it is handed on with the candidate.

use pixcrawler_sdk::{
    Answer, CredentialHeader, CredentialKind, CredentialSpec, Error, Found, Info, OptionSpec, Paged, Pages,
    Query, Request, Response, Result, Whole,
};
use serde::Deserialize;
use serde_json::value::RawValue;

mod photo;

/// The source.
#[derive(Debug)]
pub struct Unsplash;

pixcrawler_sdk::export_source!(Pages<Unsplash>);

const HOST: &str = "api.unsplash.com";
const SEARCH: &str = "https://api.unsplash.com/search/photos";
const CREDENTIAL: &str = "api";
/// Results on a page; the API gives no more.
const PAGE: &str = "30";
/// Seconds; the API counts requests by the hour.
const HOUR: u32 = 3_600;
/// Options, which have the API's own names.
const FILTERS: [&str; 3] = ["orientation", "color", "order_by"];

impl Paged for Unsplash {
    fn info() -> Info {
        let credential = CredentialSpec {
            name: CREDENTIAL.to_owned(),
            help:
                "Access key of an application, from https://unsplash.com/oauth/applications. It may make 50 \
                requests an hour, of 30 photos each, until Unsplash has approved it."
                    .to_owned(),
            required: true,
            kind: CredentialKind::Header(CredentialHeader {
                name: "authorization".to_owned(),
                prefix: "Client-ID ".to_owned(),
            }),
            hosts: vec![HOST.to_owned()],
        };
        Info {
            description: "Photos from Unsplash, under its own licence. For every photo that is used, the guidelines \
                ask for a request to the address in `unsplash.download_location`."
                .to_owned(),
            homepage: Some("https://unsplash.com/".to_owned()),
            terms_url: Some("https://unsplash.com/api-terms".to_owned()),
            restriction: Some(
                "Unsplash's API guidelines exclude automated use, data mining and the training of AI models: \
                allow it only for what Unsplash has agreed to."
                    .to_owned(),
            ),
            options: options(),
            credentials: vec![credential],
            // Applications on trial have 50 an hour, approved ones many more.
            requests_per_minute: Some(1),
            ..Info::keywords("unsplash", "Unsplash", env!("CARGO_PKG_VERSION")).api(HOST)
        }
    }

    fn page(query: &Query, number: u32) -> Request {
        let number = number.to_string();
        let safety = if query.safe_search { "high" } else { "low" };
        let mut parameters = vec![
            ("query", query.text.trim()),
            ("page", &number),
            ("per_page", PAGE),
            ("content_filter", safety),
        ];
        parameters.extend(query.chosen(&FILTERS));
        Request {
            credential: Some(CREDENTIAL.to_owned()),
            headers: vec![("accept-version".to_owned(), "v1".to_owned())],
            ..Request::get(SEARCH, &parameters)
        }
    }

    fn read(_: &Query, number: u32, answer: Answer) -> Result<(Found, bool)> {
        if let Ok(response) = &answer.outcome {
            refusal(response)?;
        }
        let list: List = answer.response()?.json()?;
        if number == 1 && list.results.is_empty() {
            Found::expect_none(list.total.0.max(list.total_pages.0.into()), "results")?;
        }
        let more = number < list.total_pages.0 && !list.results.is_empty();
        Found::expect_fields(&list.results, &photo::FIELDS)?;
        let mut found = Found::each(&list.results, |photo| photo::candidate(photo.get()).map(Some))?;
        found.warn_missing(&list.results, &photo::PARTS);
        Ok((found, more))
    }
}

#[derive(Deserialize)]
struct List {
    total: Whole<u64>,
    total_pages: Whole<u32>,
    results: Vec<Box<RawValue>>,
}

/// What a status means here that means something else elsewhere.
fn refusal(response: &Response) -> Result<()> {
    let said = || response.text().unwrap_or_default().chars().take(200).collect::<String>();
    match response.status {
        403 if said().contains("Rate Limit Exceeded") => Err(Error::RateLimited(Some(HOUR))),
        400 | 422 => Err(Error::InvalidQuery(format!("Unsplash refuses the search: {}", said()))),
        _ => Ok(()),
    }
}

fn options() -> Vec<OptionSpec> {
    let choice = OptionSpec::choice;
    vec![
        choice(
            "orientation",
            "Shape",
            "Only photos of this shape; all by default.",
            &[("landscape", "Wide"), ("portrait", "Tall"), ("squarish", "Square")],
        ),
        choice(
            "color",
            "Colour",
            "Only photos in which this colour prevails; all by default.",
            &[
                ("black_and_white", "Black and white"),
                ("black", "Black"),
                ("white", "White"),
                ("yellow", "Yellow"),
                ("orange", "Orange"),
                ("red", "Red"),
                ("purple", "Purple"),
                ("magenta", "Magenta"),
                ("green", "Green"),
                ("teal", "Teal"),
                ("blue", "Blue"),
            ],
        ),
        choice(
            "order_by",
            "Order",
            "What comes first; the best match by default.",
            &[("relevant", "Best match"), ("latest", "Newest")],
        ),
    ]
}
