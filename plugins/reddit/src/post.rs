//! One post and the pictures in it.

use std::collections::BTreeMap;

use pixcrawler_sdk::{Candidate, Dimensions, License, Side, date, html, url};
use serde::Deserialize;

use crate::gallery::{self, Gallery, Media};

const SITE: &str = "https://www.reddit.com/";
/// File types that browsers show; `gifv` is a page with a film.
const TYPES: [&str; 5] = ["jpg", "jpeg", "png", "gif", "webp"];
/// In pixels; the narrowest preview of at least that width is the thumbnail.
const THUMBNAIL: u32 = 300;

/// What the API says of a post. What has no default it says of every one.
#[derive(Deserialize)]
struct Post {
    id: String,
    title: String,
    author: String,
    subreddit: String,
    permalink: String,
    created_utc: f64,
    over_18: bool,
    /// What the post shows or links to.
    url: String,
    /// What the API takes it for: `image`, `link`, `hosted:video`, …
    post_hint: Option<String>,
    preview: Option<Preview>,
    gallery_data: Option<Gallery>,
    media_metadata: Option<BTreeMap<String, Media>>,
    /// Of what was posted elsewhere before: the first post.
    crosspost_parent_list: Option<Vec<Self>>,
    /// Who took it away, if it is gone.
    removed_by_category: Option<String>,
}

#[derive(Deserialize)]
struct Preview {
    images: Vec<Previewed>,
}

/// Copies that Reddit keeps of a picture: one as large as it, and small ones.
#[derive(Deserialize)]
struct Previewed {
    source: Copy,
    resolutions: Vec<Copy>,
}

#[derive(Deserialize)]
struct Copy {
    url: String,
    width: Side,
    height: Side,
}

/// The pictures of a post, or what of it was looked for and not found; into `faults` what
/// was not found of some pictures of a gallery. There are none in posts without pictures,
/// in those that were removed, and, with `safe_search`, in those for adults.
pub(crate) fn candidates(
    json: &str,
    safe_search: bool,
    faults: &mut Vec<String>,
) -> Result<Vec<Candidate>, String> {
    let mut post: Post = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let original = post.crosspost_parent_list.take().and_then(|posts| posts.into_iter().next());
    let shown = original.as_ref().unwrap_or(&post);
    let barred = |post: &Post| post.removed_by_category.is_some() || (safe_search && post.over_18);
    if barred(&post) || barred(shown) {
        return Ok(Vec::new());
    }
    let mut pictures = pictures(shown, faults)?;
    for candidate in &mut pictures {
        describe(candidate, shown);
        if original.is_some() {
            candidate.extra.extend(page(&post).map(|page| ("reddit.crosspost".to_owned(), page)));
        }
    }
    Ok(pictures)
}

fn pictures(post: &Post, faults: &mut Vec<String>) -> Result<Vec<Candidate>, String> {
    let is_gallery = post.url.contains("reddit.com/gallery/");
    match (&post.gallery_data, &post.media_metadata) {
        (Some(gallery), Some(media)) => gallery::candidates(gallery, media, faults),
        (Some(_), None) => Err("missing field `media_metadata` of a gallery".to_owned()),
        (None, Some(_)) if is_gallery => Err("missing field `gallery_data` of a gallery".to_owned()),
        // One that was emptied, or is not ready yet.
        (None, None) if is_gallery => Ok(Vec::new()),
        _ => Ok(picture(post).into_iter().collect()),
    }
}

/// The picture that a post shows by itself.
fn picture(post: &Post) -> Option<Candidate> {
    let posted = address(&post.url)?;
    let is_picture = match post.post_hint.as_deref() {
        Some(hint) => hint == "image",
        None => has_type(&posted),
    };
    if !is_picture {
        return None;
    }
    let preview = post.preview.as_ref().and_then(|preview| preview.images.first());
    let sizes = preview.map(|preview| preview.resolutions.as_slice()).unwrap_or_default();
    // What moves has a preview that does not: no copy of it.
    let copy = preview.filter(|_| !kind(&posted).eq_ignore_ascii_case("gif"));
    let copies = [Some(posted.clone()), copy.and_then(|preview| address(&preview.source.url))];
    let original = gallery::original(&posted, None).unwrap_or(posted);
    Some(Candidate {
        alternates: copies.into_iter().flatten().filter(|copy| *copy != original).collect(),
        thumbnail_url: thumbnail(sizes.iter().map(|copy| (copy.width, copy.url.as_str()))),
        dimensions: preview
            .and_then(|Previewed { source, .. }| Dimensions::of(Some(source.width), Some(source.height))),
        ..Candidate::new(original)
    })
}

/// What holds for every picture of a post.
fn describe(candidate: &mut Candidate, post: &Post) {
    let known = !post.author.is_empty() && post.author != "[deleted]";
    candidate.id = Some(post.id.clone());
    candidate.page_url = page(post);
    candidate.title = Some(post.title.trim().to_owned()).filter(|title| !title.is_empty());
    if known {
        candidate.creator = Some(post.author.clone());
        candidate.creator_url = url::resolve(SITE, &format!("/user/{}", url::escape(&post.author)));
    }
    // A float, always of whole seconds.
    candidate.published = Some(post.created_utc)
        .filter(|&seconds| seconds >= 0.0)
        .and_then(|seconds| date::from_unix(seconds as u64));
    candidate.license = Some(License::new("unknown"));
    candidate.extra.push(("reddit.subreddit".to_owned(), post.subreddit.clone()));
}

fn page(post: &Post) -> Option<String> {
    url::resolve(SITE, &post.permalink)
}

/// An absolute address; answers to requests without `raw_json` escape `&`.
pub(crate) fn address(text: &str) -> Option<String> {
    url::resolve("", &html::decode(text))
}

/// The one of the copies (width, address; narrow ones first) that suits a preview.
pub(crate) fn thumbnail<'a>(copies: impl Iterator<Item = (Side, &'a str)>) -> Option<String> {
    let mut best = None;
    for (Side(width), url) in copies {
        best = Some(url);
        if width >= Some(THUMBNAIL) {
            break;
        }
    }
    best.and_then(address)
}

/// Whether an address ends in the name of a picture file. Wikis have pages with such names.
fn has_type(address: &str) -> bool {
    let kind = kind(address);
    TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) && !path(address).contains("/wiki/")
}

/// What stands behind the dot in the name of a file.
fn kind(address: &str) -> &str {
    let file = path(address).rsplit('/').next().unwrap_or_default();
    file.rsplit_once('.').map_or("", |(_, kind)| kind)
}

fn path(address: &str) -> &str {
    address.split('?').next().unwrap_or(address)
}
