//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, Lenient, Side, date, url};
use serde::Deserialize;

use crate::cipher;

/// Fields that one result of an answer has at least.
pub(crate) const FIELDS: [&str; 4] = ["thumbURL", "fromPageTitleEnc", "width", "height"];
/// Those that `replaceUrl` stands in for.
pub(crate) const PARTS: [&str; 2] = ["objURL", "fromURL"];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Picture {
    /// Where it was found, obfuscated.
    #[serde(rename = "objURL")]
    original: Lenient<String>,
    /// The page that it was found in, obfuscated.
    #[serde(rename = "fromURL")]
    page: Lenient<String>,
    #[serde(rename = "thumbURL")]
    thumbnail: Lenient<String>,
    /// Without marks around words that were searched for, unlike `fromPageTitle`.
    #[serde(rename = "fromPageTitleEnc")]
    title: Lenient<String>,
    // Numbers, or an empty text.
    width: Side,
    height: Side,
    /// Identifies the picture among all.
    cs: Lenient<String>,
    /// Day and minute, by which the page was found.
    #[serde(rename = "bdImgnewsDate")]
    date: Lenient<String>,
    /// Where it was found, here and elsewhere, not obfuscated; copies of the site's own among it.
    replace_url: Lenient<Vec<Lenient<Place>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    #[serde(rename = "ObjURL")]
    picture: Lenient<String>,
    #[serde(rename = "FromURL")]
    page: Lenient<String>,
}

/// Places elsewhere that are handed over.
const MOST_PLACES: usize = 100;

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(json: &str) -> Result<Candidate, String> {
    let picture: Picture = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let original = picture.original.0.as_deref().map(cipher::decode);
    let places = || picture.replace_url.known();
    let elsewhere = places().filter_map(|place| place.picture.0.as_deref()).map(cipher::decode);
    let mut addresses: Vec<String> = Vec::new();
    for address in original.into_iter().chain(elsewhere.filter(|address| !is_thumbnail(address))) {
        if addresses.len() > MOST_PLACES {
            break;
        }
        addresses.extend(url::resolve("", &address).filter(|address| !addresses.contains(address)));
    }
    if addresses.is_empty() {
        let given = picture.original.0.unwrap_or_default();
        let given: String = given.chars().take(100).collect();
        return Err(format!("neither `objURL` nor `ObjURL` in `replaceUrl` is an address: {given}"));
    }
    let url = addresses.remove(0);
    let page = |written: &Lenient<String>| url::resolve("", &cipher::decode(written.0.as_deref()?));
    Ok(Candidate {
        alternates: addresses,
        id: picture.cs.said(),
        page_url: page(&picture.page).or_else(|| places().find_map(|place| page(&place.page))),
        thumbnail_url: picture.thumbnail.0.as_deref().and_then(|thumbnail| url::resolve("", thumbnail)),
        title: picture.title.said(),
        published: picture.date.0.as_deref().and_then(day),
        dimensions: Dimensions::of(Some(picture.width), Some(picture.height)),
        ..Candidate::new(url)
    })
}

/// Small copies that Baidu makes lie under such paths.
fn is_thumbnail(address: &str) -> bool {
    address.contains("/it/u=")
}

/// The day of `2019-09-10 00:00`; an unknown one is given as the first of 1970.
fn day(date: &str) -> Option<String> {
    let day = date::from_iso(date.split(' ').next()?)?;
    (!day.starts_with("1970-01-0")).then_some(day)
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
            ("2019-13-10", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(day(date).as_deref(), expect, "{date}");
        }
    }
}
