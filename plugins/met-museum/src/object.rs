//! One object of the collection and its pictures.

use pixcrawler_sdk::{Candidate, Error, Found, License, Result};
use serde::{Deserialize, Deserializer};

/// What the API says of an object. What is not known is an empty text; a field that is not
/// there at all means that the API has changed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    #[serde(rename = "objectID")]
    id: u64,
    is_public_domain: bool,
    primary_image: String,
    primary_image_small: String,
    additional_images: Vec<String>,
    title: String,
    artist_display_name: String,
    #[serde(rename = "artistWikidata_URL", default)]
    artist_wikidata: Option<String>,
    #[serde(rename = "artistULAN_URL", default)]
    artist_ulan: Option<String>,
    #[serde(rename = "objectURL")]
    page: String,
    #[serde(deserialize_with = "maybe_null")]
    tags: Option<Vec<Tag>>,
    credit_line: Option<String>,
    object_date: Option<String>,
    object_name: Option<String>,
    medium: Option<String>,
    classification: Option<String>,
    culture: Option<String>,
    period: Option<String>,
    department: Option<String>,
    accession_number: Option<String>,
}

#[derive(Deserialize)]
struct Tag {
    term: String,
}

fn maybe_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Tag>>, D::Error> {
    Option::deserialize(deserializer)
}

impl Object {
    /// Its pictures, the main one first; a warning says why there are none, or not all.
    ///
    /// # Errors
    ///
    /// `layout-changed` when there are some, and none has an address.
    pub(crate) fn pictures(self) -> Result<Found> {
        let without = |why: &str| Ok(Found { warnings: vec![why.to_owned()], ..Found::default() });
        if !self.is_public_domain {
            return without("not in the public domain");
        }
        let mut fault = None;
        let mut picture = |given: &str| match said(given).map(Candidate::at)? {
            Ok(found) => Some(found.url),
            Err(why) => {
                fault.get_or_insert(why);
                None
            }
        };
        let main = picture(&self.primary_image);
        let other: Vec<_> = self.additional_images.iter().filter_map(|given| picture(given)).collect();
        if main.is_none() && other.is_empty() {
            return fault.map_or_else(|| without("no picture"), |why| Err(Error::LayoutChanged(why)));
        }
        let thumbnail_url = main.as_ref().and_then(|_| text(&self.primary_image_small));
        let known = self.candidate();
        let other = other.into_iter().map(|url| Candidate { url, ..known.clone() });
        let main = main.map(|url| Candidate { url, thumbnail_url, ..known.clone() });
        let warnings = fault.map(|_| "a picture without an address".to_owned());
        Ok(Found {
            candidates: main.into_iter().chain(other).collect(),
            warnings: warnings.into_iter().collect(),
        })
    }

    /// What is true of each of the pictures; the address is still to come.
    fn candidate(self) -> Candidate {
        let license = License {
            url: Some("https://creativecommons.org/publicdomain/zero/1.0/".to_owned()),
            attribution: Some(self.attribution()),
            ..License::new("cc0-1.0")
        };
        let extra = [
            ("objectName", self.object_name),
            ("objectDate", self.object_date),
            ("medium", self.medium),
            ("classification", self.classification),
            ("culture", self.culture),
            ("period", self.period),
            ("department", self.department),
            ("accessionNumber", self.accession_number),
        ];
        let of_artist = [self.artist_wikidata, self.artist_ulan];
        Candidate {
            id: Some(self.id.to_string()),
            page_url: text(&self.page),
            title: text(&self.title),
            creator: text(&self.artist_display_name),
            creator_url: of_artist.iter().flatten().find_map(|url| text(url)),
            license: Some(license),
            tags: self.tags.into_iter().flatten().filter_map(|tag| text(&tag.term)).collect(),
            extra: extra
                .into_iter()
                .filter_map(|(name, value)| Some((format!("met-museum.{name}"), text(&value?)?)))
                .collect(),
            ..Candidate::new("")
        }
    }

    /// Title, artist and date, then whose it is: the line that the museum asks for.
    fn attribution(&self) -> String {
        let date = self.object_date.as_deref().unwrap_or_default();
        let work = [&self.title, &self.artist_display_name, date].into_iter().filter_map(said);
        let owner =
            ["The Metropolitan Museum of Art", "New York", self.credit_line.as_deref().unwrap_or_default()];
        let line = |parts: Vec<&str>| parts.join(", ");
        format!("{}. {}.", line(work.collect()), line(owner.into_iter().filter_map(said).collect()))
    }
}

/// The text, if it is not empty.
fn said(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn text(value: &str) -> Option<String> {
    said(value).map(str::to_owned)
}
