//! Galleries: posts with several pictures that were uploaded to Reddit.

use std::collections::BTreeMap;

use pixcrawler_sdk::{Candidate, Dimensions, Lenient, Side};
use serde::Deserialize;

use crate::post::{address, thumbnail};

/// The order of the pictures.
#[derive(Deserialize)]
pub(crate) struct Gallery {
    items: Vec<Lenient<Item>>,
}

#[derive(Deserialize)]
struct Item {
    media_id: String,
    #[serde(default)]
    caption: Lenient<String>,
}

/// One picture or film of a gallery.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Media {
    /// `valid`, or why there is none.
    status: Lenient<String>,
    /// What it is: `Image`, `AnimatedImage`, `RedditVideo`.
    e: Lenient<String>,
    /// The media type.
    m: Lenient<String>,
    /// Small copies, narrow ones first.
    p: Lenient<Vec<Lenient<Size>>>,
    /// The largest copy; films have none.
    s: Lenient<Size>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Size {
    x: Side,
    y: Side,
    /// The address, for pictures that do not move.
    u: Lenient<String>,
    /// The address, for those that do.
    gif: Lenient<String>,
}

/// Why there is no file behind a picture that was announced.
const GONE: [&str; 3] = ["failed", "unprocessed", "deleted"];

/// The pictures in the order of the gallery, or what was looked for and not found. Into `faults` goes
/// why some of them are left out; where there are no others, that is the error.
pub(crate) fn candidates(
    gallery: &Gallery,
    media: &BTreeMap<String, Lenient<Media>>,
    faults: &mut Vec<String>,
) -> Result<Vec<Candidate>, String> {
    let mut found = Vec::with_capacity(gallery.items.len());
    let mut left_out = Vec::new();
    for item in &gallery.items {
        match candidate(item, media) {
            Ok(picture) => found.extend(picture),
            Err(fault) => left_out.push(fault),
        }
    }
    if found.is_empty() && !left_out.is_empty() {
        return Err(left_out.swap_remove(0));
    }
    faults.append(&mut left_out);
    Ok(found)
}

/// `None` for a film, and for what failed or is not ready.
fn candidate(
    Lenient(item): &Lenient<Item>,
    media: &BTreeMap<String, Lenient<Media>>,
) -> Result<Option<Candidate>, String> {
    let item = item.as_ref().ok_or("missing field `media_id` of a picture in a gallery")?;
    let media = media.get(&item.media_id).and_then(|Lenient(media)| media.as_ref());
    let media = media.ok_or("a picture of a gallery is not in `media_metadata`")?;
    let status = media.status.0.as_deref().unwrap_or_default();
    if GONE.contains(&status) {
        return Ok(None);
    }
    let largest = media.s.0.as_ref();
    let given = largest.and_then(|size| address(size.u.0.as_ref().or(size.gif.0.as_ref())?));
    let Some((given, largest)) = given.zip(largest) else {
        return match media.e.0.as_deref() {
            Some(what) if !what.ends_with("Image") => Ok(None),
            _ if status != "valid" => {
                let status: String = status.chars().take(40).collect();
                Err(format!("a picture of a gallery has the unknown status `{status}`"))
            }
            _ => Err("missing field `u` of a picture in a gallery".to_owned()),
        };
    };
    let original = original(&given, Some(&item.media_id)).unwrap_or_else(|| given.clone());
    // What the API calls `image/jpg` is registered under another name.
    let kind = media.m.0.as_deref().map(|kind| if kind == "image/jpg" { "image/jpeg" } else { kind });
    Ok(Some(Candidate {
        thumbnail_url: thumbnail(media.p.known().filter_map(|size| Some((size.x, size.u.0.as_deref()?)))),
        description: item.caption.said(),
        dimensions: Dimensions::of(Some(largest.x), Some(largest.y)),
        mime: kind.filter(|kind| kind.starts_with("image/")).map(str::to_owned),
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
