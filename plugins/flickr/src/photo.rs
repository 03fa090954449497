//! One photo of a search.

use std::collections::BTreeMap;

use pixcrawler_sdk::{Candidate, Dimensions, date, html, media_type};
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

/// The fields of a photo. Numbers are written as such or as texts, even within one answer.
struct Photo<'a>(BTreeMap<&'a str, &'a RawValue>);

impl Photo<'_> {
    /// The field as text, if it says anything; a field that is not there at all means that the
    /// API has changed.
    fn field(&self, name: &str) -> Result<Option<String>, String> {
        self.0.get(name).ok_or_else(|| format!("missing field `{name}`")).map(|raw| text(raw))
    }

    /// The same for a field that may be missing.
    fn maybe(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|raw| text(raw))
    }

    /// The address of a copy, if it is there and one.
    fn copy(&self, size: &str) -> Option<String> {
        self.maybe(&format!("url_{size}")).filter(|url| Candidate::at(url).is_ok())
    }

    fn side(&self, name: &str, size: &str) -> Option<u32> {
        self.maybe(&format!("{name}_{size}"))?.parse().ok()
    }

    fn description(&self) -> Result<Option<String>, String> {
        #[derive(Deserialize)]
        struct Description {
            #[serde(rename = "_content")]
            content: String,
        }
        let raw = self.0.get("description").ok_or("missing field `description`")?;
        let said: Description = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
        Ok(Some(html::text(&said.content)).filter(|text| !text.is_empty()))
    }
}

fn text(raw: &RawValue) -> Option<String> {
    let text = match raw.get() {
        "null" => None,
        written if written.starts_with('"') => serde_json::from_str::<String>(written).ok(),
        written => Some(written.to_owned()),
    };
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The photo and when it was uploaded, in seconds since 1970; or what of it was looked for and
/// not found.
pub(crate) fn candidate(json: &str) -> Result<(Candidate, u64), String> {
    let photo = Photo(serde_json::from_str(json).map_err(|error| error.to_string())?);
    let id = photo.field("id")?.ok_or("`id` is empty")?;
    let owner = photo.field("owner")?.ok_or("`owner` is empty")?;
    let uploaded = photo.field("dateupload")?.unwrap_or_default();
    let uploaded = uploaded.parse().map_err(|_| format!("`dateupload` is no number: {uploaded}"))?;
    let mut copies = COPIES.into_iter().filter_map(|size| Some((size, photo.copy(size)?)));
    let preview = PREVIEWS.into_iter().find_map(|size| Some((size, photo.copy(size)?)));
    let thumbnail_url = preview.as_ref().map(|(_, url)| url.clone());
    let (size, url) =
        copies.next().or(preview).ok_or("no address of a picture in field `url_o` or any other size")?;
    let (title, creator) = (photo.field("title")?, photo.field("ownername")?);
    let license_number = photo.field("license")?.unwrap_or_default();
    let taken = photo.maybe("datetaken").filter(|_| photo.maybe("datetakenunknown").as_deref() != Some("1"));
    let tags = photo.field("tags")?.unwrap_or_default();
    let candidate = Candidate {
        alternates: copies.map(|(_, url)| url).collect(),
        page_url: Some(format!("https://www.flickr.com/photos/{owner}/{id}/")),
        thumbnail_url,
        description: photo.description()?,
        creator_url: Some(format!("https://www.flickr.com/people/{owner}/")),
        license: Some(license(&license_number, title.as_deref(), creator.as_deref())),
        published: date::from_unix(uploaded),
        dimensions: Dimensions::known(photo.side("width", size), photo.side("height", size)),
        mime: extension(&url).and_then(media_type).map(str::to_owned),
        // Tags with `=` are for machines.
        tags: tags
            .split(' ')
            .filter(|tag| !tag.is_empty() && !tag.contains('='))
            .map(str::to_owned)
            .collect(),
        extra: taken.into_iter().map(|taken| ("flickr.taken".to_owned(), taken)).collect(),
        id: Some(id),
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
