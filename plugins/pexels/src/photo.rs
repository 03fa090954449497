//! One photo of a search.

use pixcrawler_sdk::{Candidate, Dimensions, License};
use serde::Deserialize;

/// What the API says of a photo. What is not an `Option` is always there.
#[derive(Deserialize)]
struct Photo {
    id: u64,
    /// Of the original.
    width: u32,
    height: u32,
    /// Its page.
    url: String,
    photographer: String,
    photographer_url: String,
    src: Files,
    /// Answers have had it for some years only.
    alt: Option<String>,
}

/// Addresses of the photo in its own size and in smaller ones. The others are cut to a shape.
#[derive(Deserialize)]
struct Files {
    original: String,
    /// At most 1880 by 1300 pixels.
    large2x: String,
    /// At most 350 pixels high.
    medium: String,
}

/// The photo, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let photo: Photo = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let original = photo.src.original.clone();
    let found = Candidate::of_copies([photo.src.original, photo.src.large2x])?;
    Ok(Candidate {
        id: Some(photo.id.to_string()),
        page_url: Some(photo.url),
        thumbnail_url: Some(photo.src.medium),
        description: photo.alt.filter(|alt| !alt.trim().is_empty()),
        license: Some(License {
            url: Some("https://www.pexels.com/license/".to_owned()),
            attribution: Some(format!("Photo by {} on Pexels", photo.photographer)),
            // It has no SPDX id.
            ..License::new("unknown")
        }),
        creator: Some(photo.photographer),
        creator_url: Some(photo.photographer_url),
        dimensions: Dimensions::known(Some(photo.width), Some(photo.height))
            .filter(|_| found.url == original),
        ..found
    })
}
