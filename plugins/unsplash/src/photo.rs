//! One photo of a search.

use pixcrawler_sdk::{Candidate, Dimensions, License};
use serde::Deserialize;

/// What the API says of a photo. What is not an `Option` is always there.
#[derive(Deserialize)]
struct Photo {
    id: String,
    width: u32,
    height: u32,
    urls: Urls,
    links: Links,
    user: User,
    created_at: String,
    description: Option<String>,
    alt_description: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
struct Urls {
    /// The file as it was uploaded.
    raw: String,
    /// A JPEG of the same size.
    full: String,
    /// 1 080 pixels wide.
    regular: String,
    /// 200 pixels wide.
    thumb: String,
}

#[derive(Deserialize)]
struct Links {
    html: String,
    download_location: Option<String>,
}

#[derive(Deserialize)]
struct User {
    name: String,
    links: Profile,
}

#[derive(Deserialize)]
struct Profile {
    html: String,
}

#[derive(Deserialize)]
struct Tag {
    title: Option<String>,
}

/// The photo, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let Photo { id, width, height, urls, links, user, created_at, description, alt_description, tags } =
        serde_json::from_str(json).map_err(|error| error.to_string())?;
    let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let license = License {
        url: Some("https://unsplash.com/license".to_owned()),
        attribution: Some(format!("Photo by {} on Unsplash", user.name)),
        // It has no SPDX id.
        ..License::new("unknown")
    };
    let download = links.download_location.map(|url| ("unsplash.download_location".to_owned(), url));
    let found = Candidate::of_copies([&urls.raw, &urls.full, &urls.regular])?;
    let is_full = found.url == urls.raw || found.url == urls.full;
    Ok(Candidate {
        id: Some(id),
        page_url: Some(links.html),
        thumbnail_url: Some(urls.thumb),
        // The photographer's caption.
        title: said(description),
        description: said(alt_description),
        creator: Some(user.name),
        creator_url: Some(user.links.html),
        license: Some(license),
        published: Some(created_at),
        dimensions: Dimensions::known(Some(width), Some(height)).filter(|_| is_full),
        tags: tags.into_iter().flatten().filter_map(|tag| said(tag.title)).collect(),
        extra: download.into_iter().collect(),
        ..found
    })
}
