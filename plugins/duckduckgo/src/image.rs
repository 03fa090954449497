//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, Side, html, url};
use serde::Deserialize;

use crate::SITE;

/// A result has all of these, though some may be null: a missing one means that
/// results look different now.
#[derive(Deserialize)]
struct Image {
    image: String,
    #[serde(deserialize_with = "Option::deserialize")]
    thumbnail: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    title: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    url: Option<String>,
    width: Side,
    height: Side,
    /// Who found it, for example `Bing`.
    source: Option<String>,
}

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let image: Image = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let address = url::resolve("", &image.image).ok_or_else(|| {
        format!("field `image` is no address: {}", image.image.chars().take(100).collect::<String>())
    })?;
    Ok(Candidate {
        page_url: image.url.and_then(|page| url::resolve("", &page)),
        thumbnail_url: image.thumbnail.and_then(|thumbnail| url::resolve(SITE, &thumbnail)),
        title: image
            .title
            .map(|title| html::decode(&title).trim().to_owned())
            .filter(|title| !title.is_empty()),
        dimensions: Dimensions::of(Some(image.width), Some(image.height)),
        extra: image.source.into_iter().map(|source| ("duckduckgo.source".to_owned(), source)).collect(),
        ..Candidate::new(address)
    })
}
