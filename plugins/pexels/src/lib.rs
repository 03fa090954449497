//! Photos from Pexels' API.

use pixcrawler_sdk::{
    Answer, CredentialHeader, CredentialKind, CredentialSpec, Error, Found, Info, OptionSpec, Paged, Pages,
    Query, Request, Response, Result, Whole,
};
use serde::Deserialize;
use serde_json::value::RawValue;

mod photo;

/// The source.
#[derive(Debug)]
pub struct Pexels;

pixcrawler_sdk::export_source!(Pages<Pexels>);

const HOST: &str = "api.pexels.com";
const SEARCH: &str = "https://api.pexels.com/v1/search";
const CREDENTIAL: &str = "api";
/// Results on a page; the API gives no more.
const PAGE: u32 = 80;
/// Options, which have the API's own names.
const FILTERS: [&str; 3] = ["orientation", "size", "color"];
/// Languages and places that the API can search for.
const LOCALES: [&str; 28] = [
    "en-US", "pt-BR", "es-ES", "ca-ES", "de-DE", "it-IT", "fr-FR", "sv-SE", "id-ID", "pl-PL", "ja-JP",
    "zh-TW", "zh-CN", "ko-KR", "th-TH", "nl-NL", "hu-HU", "vi-VN", "cs-CZ", "da-DK", "fi-FI", "uk-UA",
    "el-GR", "ro-RO", "nb-NO", "sk-SK", "tr-TR", "ru-RU",
];

impl Paged for Pexels {
    fn info() -> Info {
        let credential = CredentialSpec {
            name: CREDENTIAL.to_owned(),
            help: "API key, from https://www.pexels.com/api/key/. It allows 200 requests an hour and 20000 a month, of 80 \
                photos each; Pexels lifts that for free on request."
                .to_owned(),
            required: true,
            kind: CredentialKind::Header(CredentialHeader {
                name: "authorization".to_owned(),
                prefix: String::new(),
            }),
            hosts: vec![HOST.to_owned()],
        };
        Info {
            description:
                "Photos from Pexels in their own size, under its own licence. Its guidelines ask for a \
                link to Pexels and for the photographer's name where a photo is shown."
                    .to_owned(),
            homepage: Some("https://www.pexels.com/".to_owned()),
            terms_url: Some("https://www.pexels.com/terms-of-service/".to_owned()),
            options: options(),
            credentials: vec![credential],
            requests_per_minute: Some(3),
            ..Info::keywords("pexels", "Pexels", env!("CARGO_PKG_VERSION")).api(HOST)
        }
    }

    fn page(query: &Query, number: u32) -> Request {
        let (number, size) = (number.to_string(), size(query).to_string());
        let mut parameters = vec![("query", query.text.trim()), ("page", &number), ("per_page", &size)];
        if let Some(locale) = query.language.as_deref().and_then(locale) {
            parameters.push(("locale", locale));
        }
        parameters.extend(query.chosen(&FILTERS));
        Request { credential: Some(CREDENTIAL.to_owned()), ..Request::get(SEARCH, &parameters) }
    }

    fn read(query: &Query, number: u32, answer: Answer) -> Result<(Found, bool)> {
        if let Ok(response) = &answer.outcome {
            refusal(response)?;
        }
        let list: List = answer.response()?.json()?;
        if number == 1 && list.photos.is_empty() {
            Found::expect_none(list.total_results.0, "photos")?;
        }
        // Counted, because an address of the next page that is missing may also have another name.
        let more =
            u64::from(number) * u64::from(size(query)) < list.total_results.0 && !list.photos.is_empty();
        Found::expect_fields(&list.photos, &photo::FIELDS)?;
        let mut found = Found::each(&list.photos, |photo| photo::candidate(photo.get()).map(Some))?;
        found.warn_missing(&list.photos, &photo::PARTS);
        Ok((found, more))
    }
}

#[derive(Deserialize)]
struct List {
    total_results: Whole<u64>,
    photos: Vec<Box<RawValue>>,
}

/// Results on a page: the same for all pages of a crawl.
fn size(query: &Query) -> u32 {
    query.limit.clamp(15, PAGE)
}

/// What the API calls a language such as `de` or `pt-PT`: the same place if it has it,
/// else the first of that language.
fn locale(tag: &str) -> Option<&'static str> {
    let primary = tag.split('-').next()?;
    let primary = if matches!(primary, "no" | "nn") { "nb" } else { primary };
    let exact = LOCALES.into_iter().find(|locale| locale.eq_ignore_ascii_case(tag));
    let same =
        |locale: &&str| locale.split('-').next().is_some_and(|known| known.eq_ignore_ascii_case(primary));
    exact.or_else(|| LOCALES.into_iter().find(same))
}

/// What a status means here that means something else elsewhere.
fn refusal(response: &Response) -> Result<()> {
    let said = || response.text().unwrap_or_default().chars().take(200).collect::<String>();
    match response.status {
        // A guard in front of the API says it in HTML.
        403 if said().starts_with('{') => {
            Err(Error::Unauthorized(format!("Pexels refuses the key: {}", said())))
        }
        400 | 422 => Err(Error::InvalidQuery(format!("Pexels refuses the search: {}", said()))),
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
            &[("landscape", "Wide"), ("portrait", "Tall"), ("square", "Square")],
        ),
        choice(
            "size",
            "Size",
            "Only photos of at least this size; all by default.",
            &[("large", "24 megapixels"), ("medium", "12 megapixels"), ("small", "4 megapixels")],
        ),
        choice(
            "color",
            "Colour",
            "Only photos in which this colour prevails; all by default.",
            &[
                ("red", "Red"),
                ("orange", "Orange"),
                ("yellow", "Yellow"),
                ("green", "Green"),
                ("turquoise", "Turquoise"),
                ("blue", "Blue"),
                ("violet", "Violet"),
                ("pink", "Pink"),
                ("brown", "Brown"),
                ("black", "Black"),
                ("gray", "Grey"),
                ("white", "White"),
            ],
        ),
    ]
}
