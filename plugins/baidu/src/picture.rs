//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, url};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cipher;

/// A result has all of these but for those with a default; a missing one means
/// that results look different now.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Picture<'a> {
    /// Where it was found, obfuscated.
    #[serde(rename = "objURL", deserialize_with = "Option::deserialize")]
    original: Option<String>,
    /// The page that it was found in, obfuscated.
    #[serde(rename = "fromURL", deserialize_with = "Option::deserialize")]
    page: Option<String>,
    #[serde(rename = "thumbURL", deserialize_with = "Option::deserialize")]
    thumbnail: Option<String>,
    /// Without marks around words that were searched for, unlike `fromPageTitle`.
    #[serde(rename = "fromPageTitleEnc", deserialize_with = "Option::deserialize")]
    title: Option<String>,
    // Numbers, or an empty text.
    #[serde(borrow)]
    width: &'a RawValue,
    #[serde(borrow)]
    height: &'a RawValue,
    /// Identifies the picture among all.
    cs: Option<String>,
    /// Day and minute, by which the page was found.
    #[serde(rename = "bdImgnewsDate")]
    date: Option<String>,
    /// Where else it was found, among copies of the site's own.
    #[serde(default)]
    replace_url: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    #[serde(rename = "ObjURL")]
    picture: Option<String>,
    #[serde(rename = "FromURL")]
    page: Option<String>,
}

/// Places elsewhere that are handed over.
const MOST_PLACES: usize = 100;

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let picture: Picture<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let original = picture.original.as_deref().map(cipher::decode);
    let elsewhere = picture.replace_url.iter().filter_map(|place| place.picture.clone());
    let mut addresses: Vec<String> = Vec::new();
    for address in original.into_iter().chain(elsewhere.filter(|address| !is_thumbnail(address))) {
        if addresses.len() > MOST_PLACES {
            break;
        }
        addresses.extend(url::resolve("", &address).filter(|address| !addresses.contains(address)));
    }
    if addresses.is_empty() {
        let given = picture.original.unwrap_or_default();
        let given: String = given.chars().take(100).collect();
        return Err(format!("field `objURL` is no address: {given}"));
    }
    let url = addresses.remove(0);
    let page = picture.page.as_deref().map(cipher::decode).and_then(|page| url::resolve("", &page));
    let other_page = || picture.replace_url.iter().find_map(|place| url::resolve("", place.page.as_deref()?));
    Ok(Candidate {
        alternates: addresses,
        id: picture.cs.filter(|id| !id.is_empty()),
        page_url: page.or_else(other_page),
        thumbnail_url: picture.thumbnail.and_then(|thumbnail| url::resolve("", &thumbnail)),
        title: picture.title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty()),
        published: picture.date.as_deref().and_then(day),
        dimensions: Dimensions::known(number(picture.width), number(picture.height)),
        ..Candidate::new(url)
    })
}

/// Small copies that Baidu makes lie under such paths.
fn is_thumbnail(address: &str) -> bool {
    address.contains("/it/u=")
}

fn number(value: &RawValue) -> Option<u32> {
    value.get().trim_matches('"').parse().ok()
}

/// The day of `2019-09-10 00:00`; an unknown one is given as the first of 1970.
fn day(date: &str) -> Option<String> {
    let day = date.split(' ').next()?;
    let sound = day.len() == 10
        && day
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    (sound && !day.starts_with("1970-01-0")).then(|| day.to_owned())
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days() {
        for (date, expect) in [
            ("2019-09-10 08:30", Some("2019-09-10")),
            ("2019-09-10", Some("2019-09-10")),
            ("1970-01-01 08:00", None),
            ("2019/09/10", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(day(date).as_deref(), expect, "{date}");
        }
    }
}
