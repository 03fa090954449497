//! One post and the pictures in it.

use std::collections::BTreeMap;

use pixcrawler_sdk::{Candidate, Dimensions, Flag, Lenient, License, Side, date, html, url};
use serde::Deserialize;

use crate::gallery::{self, Gallery, Media};

const SITE: &str = "https://www.reddit.com/";
/// File types that browsers show; `gifv` is a page with a film.
const TYPES: [&str; 5] = ["jpg", "jpeg", "png", "gif", "webp"];
/// In pixels; the narrowest preview of at least that width is the thumbnail.
const THUMBNAIL: u32 = 300;

/// Fields that one post of an answer has at least.
pub(crate) const FIELDS: [&str; 8] =
    ["id", "title", "author", "subreddit", "permalink", "created_utc", "over_18", "url"];

/// What the API says of a post.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Post {
    id: Lenient<String>,
    title: Lenient<String>,
    author: Lenient<String>,
    subreddit: Lenient<String>,
    permalink: Lenient<String>,
    created_utc: Lenient<f64>,
    over_18: Flag,
    /// What the post shows or links to.
    url: Lenient<String>,
    /// What the API takes it for: `image`, `link`, `hosted:video`, …
    post_hint: Lenient<String>,
    preview: Option<Lenient<Preview>>,
    gallery_data: Option<Lenient<Gallery>>,
    media_metadata: Option<Lenient<BTreeMap<String, Lenient<Media>>>>,
    /// Of what was posted elsewhere before: the first post.
    crosspost_parent_list: Option<Lenient<Vec<Lenient<Self>>>>,
    /// Who took it away, if it is gone.
    removed_by_category: Lenient<String>,
}

#[derive(Deserialize)]
struct Preview {
    images: Vec<Previewed>,
}

/// Copies that Reddit keeps of a picture: one as large as it, and small ones.
#[derive(Deserialize)]
struct Previewed {
    source: Copy,
    resolutions: Lenient<Vec<Lenient<Copy>>>,
}

#[derive(Deserialize)]
struct Copy {
    url: String,
    width: Side,
    height: Side,
}

/// The pictures of a post, or what of it was looked for and not found; into `faults` what
/// was not found of some pictures of a gallery, or of a preview. There are none in posts without
/// pictures, in those that were removed, and, with `safe_search`, in those for adults.
pub(crate) fn candidates(
    json: &str,
    safe_search: bool,
    faults: &mut Vec<String>,
) -> Result<Vec<Candidate>, String> {
    let post: Post = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let posted_before = post.crosspost_parent_list.as_ref();
    if posted_before.is_some_and(|Lenient(posts)| posts.is_none()) {
        faults.push("`crosspost_parent_list` looks different".to_owned());
    }
    let original = posted_before.and_then(|posts| posts.known().next());
    let shown = original.unwrap_or(&post);
    let barred = |post: &Post| post.removed_by_category.0.is_some() || (safe_search && post.over_18.0);
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
    let is_gallery = post.url.0.as_ref().is_some_and(|url| url.contains("reddit.com/gallery/"));
    match (&post.gallery_data, &post.media_metadata) {
        (Some(Lenient(Some(gallery))), Some(Lenient(Some(media)))) => {
            gallery::candidates(gallery, media, faults)
        }
        // One that was emptied, or is not ready yet.
        (None, None) if is_gallery => Ok(Vec::new()),
        (Some(Lenient(Some(_))), _) => Err("missing field `media_metadata` of a gallery".to_owned()),
        _ if is_gallery => Err("missing field `gallery_data` of a gallery".to_owned()),
        _ => Ok(picture(post, faults)?.into_iter().collect()),
    }
}

/// The picture that a post shows by itself.
fn picture(post: &Post, faults: &mut Vec<String>) -> Result<Option<Candidate>, String> {
    let Some(posted) = address(post.url.0.as_ref().ok_or("missing field `url`")?) else { return Ok(None) };
    let is_picture = match post.post_hint.0.as_deref() {
        Some("image") => true,
        Some("link" | "self") => false,
        Some(hint) if hint.ends_with("video") => false,
        // It does not say, or something new.
        _ => has_type(&posted),
    };
    if !is_picture {
        return Ok(None);
    }
    let preview = match &post.preview {
        Some(Lenient(Some(preview))) => preview.images.first(),
        Some(Lenient(None)) => {
            faults.push("`preview` looks different".to_owned());
            None
        }
        None => None,
    };
    let sizes = preview.map(|preview| preview.resolutions.known()).into_iter().flatten();
    // What moves has a preview that does not: no copy of it.
    let copy = preview.filter(|_| !kind(&posted).eq_ignore_ascii_case("gif"));
    let copies = [Some(posted.clone()), copy.and_then(|preview| address(&preview.source.url))];
    let original = gallery::original(&posted, None).unwrap_or(posted);
    Ok(Some(Candidate {
        alternates: copies.into_iter().flatten().filter(|copy| *copy != original).collect(),
        thumbnail_url: thumbnail(sizes.map(|copy| (copy.width, copy.url.as_str()))),
        dimensions: preview
            .and_then(|Previewed { source, .. }| Dimensions::of(Some(source.width), Some(source.height))),
        ..Candidate::new(original)
    }))
}

/// What holds for every picture of a post.
fn describe(candidate: &mut Candidate, post: &Post) {
    candidate.id = post.id.0.clone();
    candidate.page_url = page(post);
    candidate.title = post.title.said();
    let author = post.author.0.as_ref().filter(|author| !author.is_empty() && *author != "[deleted]");
    if let Some(author) = author {
        candidate.creator = Some(author.clone());
        candidate.creator_url = url::resolve(SITE, &format!("/user/{}", url::escape(author)));
    }
    // A float, always of whole seconds.
    candidate.published = post
        .created_utc
        .0
        .filter(|&seconds| seconds >= 0.0)
        .and_then(|seconds| date::from_unix(seconds as u64));
    candidate.license = Some(License::new("unknown"));
    let subreddit = post.subreddit.0.iter().map(|name| ("reddit.subreddit".to_owned(), name.clone()));
    candidate.extra.extend(subreddit);
}

fn page(post: &Post) -> Option<String> {
    url::resolve(SITE, post.permalink.0.as_ref()?)
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
