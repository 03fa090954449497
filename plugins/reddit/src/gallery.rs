//! Galleries: posts with several pictures that were uploaded to Reddit.

use std::collections::BTreeMap;

use pixcrawler_sdk::{Candidate, Dimensions, Side};
use serde::Deserialize;

use crate::post::{address, thumbnail};

/// The order of the pictures.
#[derive(Deserialize)]
pub(crate) struct Gallery {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    media_id: String,
    caption: Option<String>,
}

/// One picture or film of a gallery. Valid pictures have all of these.
#[derive(Deserialize)]
pub(crate) struct Media {
    /// `valid`, or why there is none.
    status: String,
    /// What it is: `Image`, `AnimatedImage`, `RedditVideo`.
    e: Option<String>,
    /// The media type.
    m: Option<String>,
    /// Small copies, narrow ones first.
    p: Option<Vec<Size>>,
    /// The largest copy.
    s: Option<Size>,
}

#[derive(Deserialize)]
struct Size {
    x: Side,
    y: Side,
    /// The address, for pictures that do not move.
    u: Option<String>,
    /// The address, for those that do.
    gif: Option<String>,
}

/// Why there is no file behind a picture that was announced.
const GONE: [&str; 3] = ["failed", "unprocessed", "deleted"];

/// The pictures in the order of the gallery, or what was looked for and not found. Into `faults` goes
/// why some of them are not described; where there are no others, that is the error.
pub(crate) fn candidates(
    gallery: &Gallery,
    media: &BTreeMap<String, Media>,
    faults: &mut Vec<String>,
) -> Result<Vec<Candidate>, String> {
    let mut found = Vec::with_capacity(gallery.items.len());
    let mut undescribed = Vec::new();
    for item in &gallery.items {
        match described(item, media) {
            Ok(Some(media)) => found.extend(candidate(item, media)?),
            Ok(None) => {}
            Err(fault) => undescribed.push(fault),
        }
    }
    if found.is_empty() && !undescribed.is_empty() {
        return Err(undescribed.swap_remove(0));
    }
    faults.append(&mut undescribed);
    Ok(found)
}

/// What is said of a picture; `None` for what failed or is not ready.
fn described<'a>(item: &Item, media: &'a BTreeMap<String, Media>) -> Result<Option<&'a Media>, String> {
    let media = media.get(&item.media_id).ok_or("a picture of a gallery is not in `media_metadata`")?;
    match media.status.as_str() {
        "valid" => Ok(Some(media)),
        status if GONE.contains(&status) => Ok(None),
        status => {
            let status: String = status.chars().take(40).collect();
            Err(format!("a picture of a gallery has the unknown status `{status}`"))
        }
    }
}

/// `None` for a film.
fn candidate(item: &Item, media: &Media) -> Result<Option<Candidate>, String> {
    let missing = |name: &str| format!("missing field `{name}` of a picture in a gallery");
    let what = media.e.as_deref().ok_or_else(|| missing("e"))?;
    if !what.ends_with("Image") {
        return Ok(None);
    }
    let kind = media.m.as_deref().ok_or_else(|| missing("m"))?;
    let sizes = media.p.as_ref().ok_or_else(|| missing("p"))?;
    let largest = media.s.as_ref().ok_or_else(|| missing("s"))?;
    let given = largest.u.as_deref().or(largest.gif.as_deref()).and_then(address);
    let given = given.ok_or_else(|| missing("u"))?;
    let original = original(&given, Some(&item.media_id)).unwrap_or_else(|| given.clone());
    Ok(Some(Candidate {
        thumbnail_url: thumbnail(sizes.iter().filter_map(|size| Some((size.x, size.u.as_deref()?)))),
        description: item
            .caption
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        dimensions: Dimensions::of(Some(largest.x), Some(largest.y)),
        // What the API calls `image/jpg` is registered under another name.
        mime: Some(if kind == "image/jpg" { "image/jpeg" } else { kind }.to_owned()),
        alternates: if given == original { Vec::new() } else { vec![given] },
        ..Candidate::new(original)
    }))
}

/// Where the file as it was uploaded lies, for the address of a copy that
/// Reddit made: under its id (by default the copy's name), without parameters.
/// Names may have words before the id, as in `red-fox-v0-abc123.jpg`.
pub(crate) fn original(copy: &str, id: Option<&str>) -> Option<String> {
    let (_, rest) = copy.split_once("://")?;
    let file = rest.strip_prefix("preview.redd.it/")?.split('?').next()?;
    let (name, kind) = file.rsplit_once('.')?;
    let name = id.unwrap_or_else(|| name.rsplit_once("-v0-").map_or(name, |(_, id)| id));
    Some(format!("https://i.redd.it/{name}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::original;

    #[test]
    fn originals_of_copies() {
        for (copy, id, expect) in [
            ("https://preview.redd.it/abc.jpg?width=640&s=1", None, Some("https://i.redd.it/abc.jpg")),
            ("https://preview.redd.it/red-fox-v0-abc.png?s=1", None, Some("https://i.redd.it/abc.png")),
            ("https://preview.redd.it/red-fox.png", Some("abc"), Some("https://i.redd.it/abc.png")),
            ("https://preview.redd.it/abc", None, None),
            ("https://external-preview.redd.it/abc.jpg?s=1", None, None),
            ("https://i.redd.it/abc.jpg", None, None),
            ("https://example.org/preview.redd.it/abc.jpg", None, None),
        ] {
            assert_eq!(original(copy, id).as_deref(), expect, "{copy}");
        }
    }
}
