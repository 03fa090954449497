//! One photo of a search.

use pixcrawler_sdk::{Candidate, Dimensions, Lenient, License, Side, date};
use serde::Deserialize;

/// Fields that one photo of an answer has at least.
pub(crate) const FIELDS: [&str; 6] = ["id", "width", "height", "created_at", "links", "user"];
/// What these hold, and copies, any of which will do.
pub(crate) const PARTS: [&str; 7] =
    ["urls.raw", "urls.full", "urls.regular", "urls.thumb", "links.html", "user.name", "user.links.html"];

/// What the API says of a photo.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Photo {
    id: Lenient<String>,
    width: Side,
    height: Side,
    urls: Option<Urls>,
    links: Lenient<Links>,
    user: Lenient<User>,
    created_at: Lenient<String>,
    description: Lenient<String>,
    alt_description: Lenient<String>,
    tags: Lenient<Vec<Lenient<Tag>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Urls {
    /// The file as it was uploaded.
    raw: Lenient<String>,
    /// A JPEG of the same size.
    full: Lenient<String>,
    /// 1 080 pixels wide.
    regular: Lenient<String>,
    /// 200 pixels wide.
    thumb: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Links {
    html: Lenient<String>,
    download_location: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    name: Lenient<String>,
    links: Lenient<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    html: String,
}

#[derive(Deserialize)]
struct Tag {
    title: String,
}

/// The photo, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let photo: Photo = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let urls = photo.urls.ok_or("missing field `urls`")?;
    let (links, user) = (photo.links.0.unwrap_or_default(), photo.user.0.unwrap_or_default());
    let said = |text: &String| !text.trim().is_empty();
    let (raw, full, regular) = (urls.raw.0, urls.full.0, urls.regular.0);
    let found = Candidate::of_copies([&raw, &full, &regular].into_iter().flatten())?;
    let is_full = [&raw, &full].into_iter().flatten().any(|url| *url == found.url);
    let photographer = user.name.said();
    let by = photographer.as_ref().map_or_else(String::new, |name| format!(" by {name}"));
    let download = links.download_location.0.map(|url| ("unsplash.download_location".to_owned(), url));
    Ok(Candidate {
        id: photo.id.0,
        page_url: links.html.0,
        thumbnail_url: urls.thumb.0,
        // The photographer's caption.
        title: photo.description.0.filter(said),
        description: photo.alt_description.0.filter(said),
        license: Some(License {
            url: Some("https://unsplash.com/license".to_owned()),
            attribution: Some(format!("Photo{by} on Unsplash")),
            // It has no SPDX id.
            ..License::new("unknown")
        }),
        creator: photographer,
        creator_url: user.links.0.map(|links| links.html),
        published: photo.created_at.0.as_deref().and_then(date::from_iso),
        dimensions: Dimensions::of(Some(photo.width), Some(photo.height)).filter(|_| is_full),
        tags: photo.tags.known().map(|tag| tag.title.clone()).filter(said).collect(),
        extra: download.into_iter().collect(),
        ..found
    })
}
