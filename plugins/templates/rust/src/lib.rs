//! Pictures from My source.

use pixcrawler_sdk::{
    Answer, Candidate, Dimensions, Found, Info, License, Paged, Pages, Query, Request, Result, Side, Whole,
};
use serde::Deserialize;
use serde_json::Value;

/// The source.
#[derive(Debug)]
pub struct Source;

pixcrawler_sdk::export_source!(Pages<Source>);

/// What the API says of one page of a search. Fields that are no `Option` must be there:
/// without them the answer is `layout-changed`.
#[derive(Deserialize)]
struct Page {
    photos: Vec<Value>,
    pages: Whole<u32>,
}

#[derive(Deserialize)]
struct Photo {
    file: String,
    id: Option<String>,
    page: Option<String>,
    title: Option<String>,
    author: Option<String>,
    license: Option<String>,
    width: Option<Side>,
    height: Option<Side>,
}

impl Paged for Source {
    fn info() -> Info {
        Info {
            description: "Photographs by My source.".to_owned(),
            requests_per_minute: Some(60),
            ..Info::keywords("my-source", "My source", env!("CARGO_PKG_VERSION")).api("api.example.org")
        }
    }

    fn page(query: &Query, number: u32) -> Request {
        let number = number.to_string();
        Request::get("https://api.example.org/photos", &[("q", &query.text), ("page", &number)])
    }

    fn read(_: &Query, number: u32, answer: Answer) -> Result<(Found, bool)> {
        let page: Page = answer.response()?.json()?;
        Ok((Found::each(page.photos, candidate)?, number < page.pages.0))
    }
}

/// A photo that cannot be read costs only itself; when none can, the answer is `layout-changed`.
fn candidate(photo: Value) -> Result<Option<Candidate>, String> {
    let photo: Photo = serde_json::from_value(photo).map_err(|error| error.to_string())?;
    Ok(Some(Candidate {
        id: photo.id,
        page_url: photo.page,
        title: photo.title,
        creator: photo.author,
        license: photo.license.as_deref().map(License::from_url),
        dimensions: Dimensions::of(photo.width, photo.height),
        ..Candidate::at(photo.file)?
    }))
}
