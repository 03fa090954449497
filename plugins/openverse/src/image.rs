//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, License, Side, Whole, media_type};
use serde::Deserialize;

/// What the API says of a picture; anything may be missing or null.
#[derive(Deserialize)]
struct Image {
    url: Option<String>,
    license: Option<String>,
    license_version: Option<String>,
    license_url: Option<String>,
    attribution: Option<String>,
    id: Option<String>,
    title: Option<String>,
    creator: Option<String>,
    creator_url: Option<String>,
    foreign_landing_url: Option<String>,
    thumbnail: Option<String>,
    width: Option<Side>,
    height: Option<Side>,
    filesize: Option<Whole<u64>>,
    filetype: Option<String>,
    tags: Option<Vec<Tag>>,
    provider: Option<String>,
    source: Option<String>,
    category: Option<String>,
}

#[derive(Deserialize)]
struct Tag {
    name: Option<String>,
}

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let image: Image = serde_json::from_str(json).map_err(|error| error.to_string())?;
    // Without address and licence a picture is of no use.
    let url = image.url.as_deref().ok_or("missing field `url`")?;
    let code = image.license.as_deref().ok_or("missing field `license`")?;
    let found = Candidate::at(url)?;
    let license = license(code, &image);
    let extra = [("provider", image.provider), ("source", image.source), ("category", image.category)];
    Ok(Candidate {
        id: image.id,
        page_url: image.foreign_landing_url,
        thumbnail_url: image.thumbnail,
        title: image.title,
        creator: image.creator,
        creator_url: image.creator_url,
        license: Some(license),
        dimensions: Dimensions::of(image.width, image.height),
        mime: image.filetype.as_deref().and_then(media_type).map(str::to_owned),
        byte_size: image.filesize.map(|Whole(size)| size).filter(|&size| size > 0),
        tags: image.tags.into_iter().flatten().filter_map(|tag| tag.name).collect(),
        extra: extra
            .into_iter()
            .filter_map(|(name, value)| Some((format!("openverse.{name}"), value?)))
            .collect(),
        ..found
    })
}

/// The licence with its address and a line to print, which older answers leave out.
fn license(code: &str, image: &Image) -> License {
    let code = code.to_ascii_lowercase();
    let version = image.license_version.as_deref().filter(|version| !version.is_empty());
    let number = version.unwrap_or("1.0");
    let (name, known_url) = match code.as_str() {
        "cc0" => (
            format!("CC0 {number}"),
            Some(format!("https://creativecommons.org/publicdomain/zero/{number}/")),
        ),
        "pdm" => (
            format!("Public Domain Mark {number}"),
            Some(format!("https://creativecommons.org/publicdomain/mark/{number}/")),
        ),
        _ => (
            format!("CC {} {}", code.to_ascii_uppercase(), version.unwrap_or_default()).trim_end().to_owned(),
            version.map(|version| format!("https://creativecommons.org/licenses/{code}/{version}/")),
        ),
    };
    let attribution = image.attribution.clone().unwrap_or_else(|| {
        let title =
            image.title.as_deref().map_or_else(|| "This work".to_owned(), |title| format!("\"{title}\""));
        let by = image.creator.as_deref().map_or_else(String::new, |creator| format!(" by {creator}"));
        let verb =
            if matches!(code.as_str(), "cc0" | "pdm") { "is marked with" } else { "is licensed under" };
        format!("{title}{by} {verb} {name}.")
    });
    let id = License::creative_commons_id(&code, version);
    License {
        url: image.license_url.clone().or(known_url.filter(|_| id != "unknown")),
        id,
        attribution: Some(attribution),
    }
}
