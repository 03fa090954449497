//! Photos from Flickr's search.
//!
//! A search gives 4 000 results at most; after that, its pages repeat. To get at the rest, the search
//! is made again in the order of upload, newest first, in windows of 4 000: each window ends where
//! the one before it ended, at the second of its oldest photo. So the order of a long crawl is that of
//! the search for the first 4 000 photos and that of upload for all others; what comes twice is known
//! to the host by its address.

use pixcrawler_sdk::{
    Answer, Chain, Chained, CredentialKind, CredentialSpec, Error, Found, Info, Query, Request, Result, Whole,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod license;
mod option;
mod photo;

/// The source.
#[derive(Debug)]
pub struct Flickr;

pixcrawler_sdk::export_source!(Chain<Flickr>);

const HOST: &str = "api.flickr.com";
const API: &str = "https://api.flickr.com/services/rest/";
const CREDENTIAL: &str = "api";
/// Results that one search gives.
const DEPTH: u64 = 4_000;
/// Results on a page, for small and for large crawls; both go into the depth without a rest.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 500;
/// The order of upload, newest first.
const BY_UPLOAD: &str = "date-posted-desc";

/// The place in the search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Pages read in this window.
    pages: u64,
    /// Whether the windows go by upload, because the search gave all that it gives in its own order.
    by_upload: bool,
    /// The window holds nothing uploaded later; seconds since 1970.
    until: Option<u64>,
    /// When the oldest photo of the window so far was uploaded.
    oldest: Option<u64>,
}

impl Chained for Flickr {
    type Memo = Place;

    fn info() -> Info {
        let credential = CredentialSpec {
            name: CREDENTIAL.to_owned(),
            help:
                "API key, from https://www.flickr.com/services/apps/create/. Commercial use of the API needs \
                Flickr's permission."
                    .to_owned(),
            required: true,
            kind: CredentialKind::QueryParameter("api_key".to_owned()),
            hosts: vec![HOST.to_owned()],
        };
        Info {
            description:
                "Public photos from Flickr, by default those under Creative Commons licences or without \
                copyright. Beyond 4 000 results the newest uploads come first. Originals are given where the owner \
                allows it; since May 2025 those of free accounts are withheld unless they are under a Creative Commons \
                licence, and a smaller copy is taken."
                    .to_owned(),
            homepage: Some("https://www.flickr.com/".to_owned()),
            terms_url: Some("https://www.flickr.com/help/terms/api".to_owned()),
            options: option::specs(),
            credentials: vec![credential],
            requests_per_minute: Some(60),
            ..Info::keywords("flickr", "Flickr", env!("CARGO_PKG_VERSION")).api(HOST)
        }
    }

    fn first(query: &Query) -> Request {
        request(query, &Place::default())
    }

    fn read(query: &Query, place: &mut Place, answer: Answer) -> Result<(Found, Option<Request>)> {
        let body: Body = answer.response()?.json()?;
        let photos = body.photos()?;
        let (pages, total) = (number(&photos.pages, "pages")?, number(&photos.total, "total")?);
        if place.pages == 0 && photos.photo.is_empty() {
            return place.end(total.max(pages));
        }
        Found::expect_fields(&photos.photo, &photo::FIELDS)?;
        let mut oldest = place.oldest;
        let mut found = Found::each(&photos.photo, |photo| {
            let (candidate, uploaded) = photo::candidate(photo.get())?;
            oldest = oldest.into_iter().chain(uploaded).min();
            Ok(Some(candidate))
        })?;
        found.warn_missing(&photos.photo, &photo::PARTS);
        place.oldest = oldest;
        place.pages += 1;
        let depth = DEPTH / u64::from(page_size(query));
        if place.pages < pages.min(depth) && !photos.photo.is_empty() {
            return Ok((found, Some(request(query, place))));
        }
        if pages <= depth {
            return Ok((found, None));
        }
        if place.until < place.oldest && place.until.is_some() {
            found
                .warnings
                .push("Flickr gives photos uploaded later than asked for; the search ends here".to_owned());
            return Ok((found, None));
        }
        let Some((next, warning)) = place.next_window(sort(query, place) == BY_UPLOAD) else {
            found
                .warnings
                .push("Flickr does not say when photos were uploaded; the search ends here".to_owned());
            return Ok((found, None));
        };
        found.warnings.extend(warning);
        *place = next;
        Ok((found, Some(request(query, place))))
    }
}

impl Place {
    /// The end of a search whose window begins with no photos though it may count some.
    fn end(&self, counted: u64) -> Result<(Found, Option<Request>)> {
        let mut found = Found::default();
        if self.by_upload && counted > 0 {
            found.warnings.push(format!(
                "Flickr counts {counted} more photos and gives none of them; the search ends here"
            ));
        } else {
            Found::expect_none(counted, "photo")?;
        }
        Ok((found, None))
    }

    /// Where to go on behind a full window, if there is anything, and what the user should know of it.
    fn next_window(&self, by_upload: bool) -> Option<(Self, Option<String>)> {
        let (until, warning) = if !by_upload {
            let then =
                format!("Flickr gives {DEPTH} results for a search; the others follow, newest upload first");
            (None, Some(then))
        } else if self.oldest == self.until {
            // As many photos of one second as a search gives: only going past it leads on.
            let left_out =
                format!("Flickr gives {DEPTH} of the photos of one second; the others are left out");
            (Some(self.oldest?.checked_sub(1)?), Some(left_out))
        } else {
            (Some(self.oldest?), None)
        };
        Some((Self { by_upload: true, until, ..Self::default() }, warning))
    }
}

/// The page that follows what was read.
fn request(query: &Query, place: &Place) -> Request {
    let (page, size) = ((place.pages + 1).to_string(), page_size(query).to_string());
    let until = place.until.map(|until| until.to_string());
    let mut parameters = vec![
        ("method", "flickr.photos.search"),
        ("format", "json"),
        ("nojsoncallback", "1"),
        ("media", "photos"),
        ("safe_search", if query.safe_search { "1" } else { "3" }),
        ("sort", sort(query, place)),
        ("extras", photo::EXTRAS),
        ("per_page", &size),
        ("page", &page),
    ];
    let options = option::parameters(query);
    parameters.extend(options.iter().map(|(name, value)| (*name, value.as_str())));
    parameters.extend(until.as_deref().map(|until| ("max_upload_date", until)));
    Request { credential: Some(CREDENTIAL.to_owned()), ..Request::get(API, &parameters) }
}

fn sort(query: &Query, place: &Place) -> &'static str {
    if place.by_upload { BY_UPLOAD } else { option::order(query) }
}

const fn page_size(query: &Query) -> u32 {
    if query.limit > PAGE { LARGEST_PAGE } else { PAGE }
}

/// An answer: `stat` says whether it is one.
#[derive(Deserialize)]
struct Body {
    stat: String,
    photos: Option<Photos>,
    code: Option<Whole<u32>>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Photos {
    /// A number, at times written as a text.
    pages: Box<RawValue>,
    /// Photos that there are; likewise.
    total: Box<RawValue>,
    photo: Vec<Box<RawValue>>,
}

impl Body {
    fn photos(self) -> Result<Photos> {
        if self.stat == "fail" {
            return Err(refusal(self.code.unwrap_or_default().0, &self.message.unwrap_or_default()));
        }
        self.photos
            .ok_or_else(|| Error::LayoutChanged(format!("expected `photos`, found stat `{}`", self.stat)))
    }
}

/// What a failure means, which Flickr says with status 200.
fn refusal(code: u32, message: &str) -> Error {
    let said = format!("Flickr says {code}: {message}");
    match code {
        // Signature, login, permission, key.
        96..=100 => Error::Unauthorized(said),
        // Format, method, envelope.
        111..=115 => Error::LayoutChanged(said),
        // Tags, user, missing or contradictory words, pool, contacts, address.
        1..=9 | 11..=18 | 116 => Error::InvalidQuery(said),
        // The search or the service is away: 10, 105, 106, 201; and what is not known.
        _ => Error::Unavailable(said),
    }
}

fn number(raw: &RawValue, name: &str) -> Result<u64> {
    let number = raw.get().trim_matches('"').parse();
    number.map(|Whole(number)| number).map_err(|fault| Error::LayoutChanged(format!("`{name}`: {fault}")))
}
