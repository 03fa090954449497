//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, Lenient, License, Side, Whole, media_type};
use serde::Deserialize;

/// What the API says of a picture; anything but the address may be missing, null or something else.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Image {
    url: Option<String>,
    license: Lenient<String>,
    license_version: Lenient<String>,
    license_url: Lenient<String>,
    attribution: Lenient<String>,
    id: Lenient<String>,
    title: Lenient<String>,
    creator: Lenient<String>,
    creator_url: Lenient<String>,
    foreign_landing_url: Lenient<String>,
    thumbnail: Lenient<String>,
    width: Side,
    height: Side,
    filesize: Lenient<Whole<u64>>,
    filetype: Lenient<String>,
    tags: Lenient<Vec<Lenient<Tag>>>,
    provider: Lenient<String>,
    source: Lenient<String>,
    category: Lenient<String>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let image: Image = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let found = Candidate::at(image.url.as_deref().ok_or("missing field `url`")?)?;
    let license = license(&image);
    let extra = [("provider", image.provider), ("source", image.source), ("category", image.category)];
    Ok(Candidate {
        id: image.id.0,
        page_url: image.foreign_landing_url.0,
        thumbnail_url: image.thumbnail.0,
        title: image.title.0,
        creator: image.creator.0,
        creator_url: image.creator_url.0,
        license: Some(license),
        dimensions: Dimensions::of(Some(image.width), Some(image.height)),
        mime: image.filetype.0.as_deref().and_then(media_type).map(str::to_owned),
        byte_size: image.filesize.0.map(|Whole(size)| size).filter(|&size| size > 0),
        tags: image.tags.known().map(|tag| tag.name.clone()).collect(),
        extra: extra
            .into_iter()
            .filter_map(|(name, value)| Some((format!("openverse.{name}"), value.0?)))
            .collect(),
        ..found
    })
}

/// The licence with its address and a line to print, which older answers leave out.
fn license(image: &Image) -> License {
    let Lenient(Some(code)) = &image.license else { return License::new("unknown") };
    let code = code.to_ascii_lowercase();
    let version = image.license_version.0.as_deref().filter(|version| !version.is_empty());
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
    let attribution = image.attribution.0.clone().unwrap_or_else(|| {
        let title =
            image.title.0.as_deref().map_or_else(|| "This work".to_owned(), |title| format!("\"{title}\""));
        let by = image.creator.0.as_deref().map_or_else(String::new, |creator| format!(" by {creator}"));
        let verb =
            if matches!(code.as_str(), "cc0" | "pdm") { "is marked with" } else { "is licensed under" };
        format!("{title}{by} {verb} {name}.")
    });
    let id = License::creative_commons_id(&code, version);
    License {
        url: image.license_url.0.clone().or(known_url.filter(|_| id != "unknown")),
        id,
        attribution: Some(attribution),
    }
}
