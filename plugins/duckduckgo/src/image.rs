//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, Lenient, Side, html, url};
use serde::Deserialize;

use crate::SITE;

/// Fields that one result of an answer has at least.
pub(crate) const FIELDS: [&str; 5] = ["thumbnail", "title", "url", "width", "height"];

/// What is said of a picture; anything but the address may be missing, null or something else.
#[derive(Deserialize)]
struct Image {
    image: String,
    #[serde(default)]
    thumbnail: Lenient<String>,
    #[serde(default)]
    title: Lenient<String>,
    #[serde(default)]
    url: Lenient<String>,
    #[serde(default)]
    width: Side,
    #[serde(default)]
    height: Side,
    /// Who found it, for example `Bing`.
    #[serde(default)]
    source: Lenient<String>,
}

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let image: Image = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let address = url::resolve("", &image.image).ok_or_else(|| {
        format!("field `image` is no address: {}", image.image.chars().take(100).collect::<String>())
    })?;
    Ok(Candidate {
        page_url: image.url.0.and_then(|page| url::resolve("", &page)),
        thumbnail_url: image.thumbnail.0.and_then(|thumbnail| url::resolve(SITE, &thumbnail)),
        title: image
            .title
            .0
            .map(|title| html::decode(&title).trim().to_owned())
            .filter(|title| !title.is_empty()),
        dimensions: Dimensions::of(Some(image.width), Some(image.height)),
        extra: image.source.0.into_iter().map(|source| ("duckduckgo.source".to_owned(), source)).collect(),
        ..Candidate::new(address)
    })
}
