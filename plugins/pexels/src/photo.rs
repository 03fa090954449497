//! One photo of a search.

use pixcrawler_sdk::{Candidate, Dimensions, Lenient, License, Side, Whole};
use serde::Deserialize;

/// Fields that one photo of an answer has at least.
pub(crate) const FIELDS: [&str; 6] = ["id", "width", "height", "url", "photographer", "photographer_url"];
/// Copies, any of which will do.
pub(crate) const PARTS: [&str; 3] = ["src.original", "src.large2x", "src.medium"];

/// What the API says of a photo.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Photo {
    id: Lenient<Whole<u64>>,
    /// Of the original.
    width: Side,
    height: Side,
    /// Its page.
    url: Lenient<String>,
    photographer: Lenient<String>,
    photographer_url: Lenient<String>,
    src: Option<Files>,
    /// Answers have had it for some years only.
    alt: Lenient<String>,
}

/// Addresses of the photo in its own size and in smaller ones. The others are cut to a shape.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Files {
    original: Lenient<String>,
    /// At most 1880 by 1300 pixels.
    large2x: Lenient<String>,
    /// At most 350 pixels high.
    medium: Lenient<String>,
}

/// The photo, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let photo: Photo = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let files = photo.src.ok_or("missing field `src`")?;
    let original = files.original.0.clone();
    let found = Candidate::of_copies([files.original.0, files.large2x.0].into_iter().flatten())?;
    let photographer = photo.photographer.said();
    let by = photographer.as_ref().map_or_else(String::new, |name| format!(" by {name}"));
    Ok(Candidate {
        id: photo.id.0.map(|Whole(id)| id.to_string()),
        page_url: photo.url.0,
        thumbnail_url: files.medium.0,
        description: photo.alt.0.filter(|alt| !alt.trim().is_empty()),
        license: Some(License {
            url: Some("https://www.pexels.com/license/".to_owned()),
            attribution: Some(format!("Photo{by} on Pexels")),
            // It has no SPDX id.
            ..License::new("unknown")
        }),
        creator: photographer,
        creator_url: photo.photographer_url.0,
        dimensions: Dimensions::of(Some(photo.width), Some(photo.height))
            .filter(|_| original.as_ref() == Some(&found.url)),
        ..found
    })
}
