//! One picture in a page's script.

use std::collections::BTreeMap;

use pixcrawler_sdk::{Candidate, Dimensions, Side, url};
use serde_json::value::RawValue;

/// How the address of every thumbnail begins.
pub(crate) const THUMBNAIL: &str = "https://encrypted-tbn";

/// What is known of a picture: a list in which each place has its meaning,
/// `[_, id, [thumbnail, height, width], [original, height, width], …, {details}]`.
type Fields<'a> = Vec<&'a RawValue>;

/// All lists of the page that hold a thumbnail and an original, in order.
pub(crate) fn all(html: &str) -> impl Iterator<Item = Picture<'_>> {
    // In its list, the thumbnail's own list is not the first thing.
    let starts = html.match_indices(THUMBNAIL).filter_map(|(at, _)| html[..at].strip_suffix("[\""));
    starts.take(MOST).filter_map(|before| Picture::at(html, before.rfind('[')?))
}

/// Thumbnails of a page that are looked at, and bytes of what is said of a picture: a page has a
/// hundred of some 2 KiB.
const MOST: usize = 1_000;
const LONGEST: usize = 16 << 10;

/// A thumbnail and an original, and what else is said of them.
pub(crate) struct Picture<'a> {
    thumbnail: Image,
    original: Image,
    fields: Fields<'a>,
}

/// Address, height, width, and perhaps more.
struct Image {
    url: String,
    height: Side,
    width: Side,
}

impl Image {
    /// The image in that list, if it is one.
    fn of(list: &RawValue) -> Option<Self> {
        let fields: Fields<'_> = serde_json::from_str(list.get()).ok()?;
        let [url, height, width, ..] = &fields[..] else { return None };
        let side = |side: &RawValue| serde_json::from_str(side.get()).unwrap_or_default();
        Some(Self { url: serde_json::from_str(url.get()).ok()?, height: side(height), width: side(width) })
    }
}

impl<'a> Picture<'a> {
    /// The picture whose list begins at that place of the page, if it is one.
    fn at(html: &'a str, start: usize) -> Option<Self> {
        let end = html.floor_char_boundary(start + LONGEST);
        let mut lists = serde_json::Deserializer::from_str(&html[start..end]).into_iter::<Fields<'a>>();
        let fields = lists.next()?.ok()?;
        let image = |place: usize| Image::of(fields.get(place)?);
        Some(Self { thumbnail: image(2)?, original: image(3)?, fields })
    }
}

/// The picture; none for one that has no address of its own (in a document, for example).
pub(crate) fn candidate(picture: Picture<'_>) -> Option<Candidate> {
    let Picture { thumbnail, original, fields } = picture;
    let address = url::resolve("", &original.url)?;
    let details = fields.iter().find(|field| field.get().starts_with('{'));
    let details: BTreeMap<String, &RawValue> =
        details.and_then(|details| serde_json::from_str(details.get()).ok()).unwrap_or_default();
    // The page that shows it: `[_, id, address, title, …, name of the site, …]`.
    let page = details.get("2003").and_then(|page| serde_json::from_str(page.get()).ok());
    let page: Fields<'_> = page.unwrap_or_default();
    let text = |place: usize| -> Option<String> {
        let text: String = serde_json::from_str(page.get(place)?.get()).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Some(Candidate {
        id: fields.get(1).and_then(|id| serde_json::from_str(id.get()).ok()),
        page_url: text(2).and_then(|page| url::resolve("", &page)),
        thumbnail_url: Some(thumbnail.url),
        title: text(3),
        dimensions: Dimensions::of(Some(original.width), Some(original.height)),
        extra: text(12).into_iter().map(|site| ("google.site".to_owned(), site)).collect(),
        ..Candidate::new(address)
    })
}
