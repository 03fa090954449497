//! One photo of a search.

use std::collections::BTreeMap;

use pixcrawler_sdk::{Candidate, Dimensions, Whole, date, html, media_type};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::license::license;

/// What is asked for beside the photo's number.
pub(crate) const EXTRAS: &str = "description,license,date_upload,date_taken,owner_name,tags,url_o,url_6k,url_5k,\
    url_f,url_4k,url_3k,url_k,url_h,url_l,url_c,url_z,url_m,url_w,url_n,url_s,url_q,url_t,url_sq";

/// Copies by the letter of their size, largest first. The original is there only if its owner
/// lets others have it.
const COPIES: [&str; 12] = ["o", "6k", "5k", "f", "4k", "3k", "k", "h", "l", "c", "z", "m"];
/// Those that are too small for more than a preview, the best one first.
const PREVIEWS: [&str; 6] = ["n", "w", "s", "q", "t", "sq"];

/// Fields that one photo of an answer has at least.
pub(crate) const FIELDS: [&str; 8] =
    ["id", "owner", "title", "license", "description", "dateupload", "ownername", "tags"];
/// What these hold.
pub(crate) const PARTS: [&str; 1] = ["description._content"];

/// The fields of a photo. Numbers are written as such or as texts, even within one answer.
struct Photo<'a>(BTreeMap<String, &'a RawValue>);

impl Photo<'_> {
    /// The field as text, if it says anything.
    fn field(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|raw| text(raw))
    }

    /// The address of a copy, if it is there and one.
    fn copy(&self, size: &str) -> Option<String> {
        self.field(&format!("url_{size}")).filter(|url| Candidate::at(url).is_ok())
    }

    fn side(&self, name: &str, size: &str) -> Option<u32> {
        self.field(&format!("{name}_{size}"))?.parse().ok().map(|Whole(side)| side)
    }
}

/// What a text or a number says, also as the one field of an object, in which Flickr puts what may
/// hold markup.
fn text(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "_content")]
        content: String,
    }
    let text = match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok()?,
        b'0'..=b'9' | b'-' => raw.get().strip_suffix(".0").unwrap_or(raw.get()).to_owned(),
        b'{' => serde_json::from_str::<Content>(raw.get()).ok()?.content,
        _ => return None,
    };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The photo and when it was uploaded, in seconds since 1970, if it says so; or what of it was
/// looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<(Candidate, Option<u64>), String> {
    let photo = Photo(serde_json::from_str(json).map_err(|error| error.to_string())?);
    let mut copies = COPIES.into_iter().filter_map(|size| Some((size, photo.copy(size)?)));
    let preview = PREVIEWS.into_iter().find_map(|size| Some((size, photo.copy(size)?)));
    let thumbnail_url = preview.as_ref().map(|(_, url)| url.clone());
    let (size, url) =
        copies.next().or(preview).ok_or("no address of a picture in field `url_o` or any other size")?;
    let (id, owner) = (photo.field("id"), photo.field("owner"));
    let uploaded = photo.field("dateupload").and_then(|seconds| seconds.parse().ok());
    let uploaded = uploaded.map(|Whole(seconds)| seconds);
    let (title, creator) = (photo.field("title"), photo.field("ownername"));
    let license_number = photo.field("license").unwrap_or_default();
    let taken = photo.field("datetaken").filter(|_| photo.field("datetakenunknown").as_deref() != Some("1"));
    let tags = photo.field("tags").unwrap_or_default();
    let description = photo.field("description").map(|said| html::text(&said));
    let page = |id: &String| Some(format!("https://www.flickr.com/photos/{}/{id}/", owner.as_ref()?));
    let candidate = Candidate {
        alternates: copies.map(|(_, url)| url).collect(),
        page_url: id.as_ref().and_then(page),
        thumbnail_url,
        description: description.filter(|text| !text.is_empty()),
        creator_url: owner.as_ref().map(|owner| format!("https://www.flickr.com/people/{owner}/")),
        license: Some(license(&license_number, title.as_deref(), creator.as_deref())),
        published: uploaded.and_then(date::from_unix),
        dimensions: Dimensions::known(photo.side("width", size), photo.side("height", size)),
        mime: extension(&url).and_then(media_type).map(str::to_owned),
        // Tags with `=` are for machines.
        tags: tags
            .split(' ')
            .filter(|tag| !tag.is_empty() && !tag.contains('='))
            .map(str::to_owned)
            .collect(),
        extra: taken.into_iter().map(|taken| ("flickr.taken".to_owned(), taken)).collect(),
        id,
        title,
        creator,
        ..Candidate::new(url)
    };
    Ok((candidate, uploaded))
}

/// What stands behind the last dot of a file's name.
fn extension(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next()?;
    path.rsplit('/').next()?.rsplit_once('.').map(|(_, extension)| extension)
}
