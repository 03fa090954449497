//! Pictures from My source.

use pixcrawler_sdk::{
    Answer, Candidate, Dimensions, Error, Found, Info, License, Paged, Pages, Query, Request, Result,
};
use serde::Deserialize;

/// The source.
#[derive(Debug)]
pub struct Source;

pixcrawler_sdk::export_source!(Pages<Source>);

/// What the API says of one page of a search. Fields that are no `Option` must be there:
/// without them the answer is `layout-changed`.
#[derive(Deserialize)]
struct Page {
    photos: Vec<Photo>,
    pages: u32,
}

#[derive(Deserialize)]
struct Photo {
    file: String,
    id: Option<String>,
    page: Option<String>,
    title: Option<String>,
    author: Option<String>,
    license: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
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
        let found = page.photos.into_iter().map(candidate).collect::<Result<_>>()?;
        Ok((found, number < page.pages))
    }
}

fn candidate(photo: Photo) -> Result<Candidate> {
    if !photo.file.starts_with("https://") {
        return Err(Error::LayoutChanged(format!("not the address of a picture: {}", photo.file)));
    }
    Ok(Candidate {
        id: photo.id,
        page_url: photo.page,
        title: photo.title,
        creator: photo.author,
        license: photo.license.as_deref().map(License::from_url),
        dimensions: Dimensions::known(photo.width, photo.height),
        ..Candidate::new(photo.file)
    })
}
