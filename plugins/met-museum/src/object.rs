//! One object of the collection and its pictures.

use pixcrawler_sdk::{Candidate, Error, Flag, Found, Lenient, License, Result, Whole};
use serde::Deserialize;

/// What the API says of an object. What is not known is an empty text; a field without a default that
/// is not there at all means that the API has changed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    #[serde(rename = "objectID")]
    id: Lenient<Whole<u64>>,
    is_public_domain: Flag,
    primary_image: Lenient<Option<String>>,
    primary_image_small: Lenient<String>,
    additional_images: Lenient<Option<Vec<Lenient<Option<String>>>>>,
    title: Lenient<String>,
    artist_display_name: Lenient<String>,
    #[serde(rename = "artistWikidata_URL", default)]
    artist_wikidata: Lenient<String>,
    #[serde(rename = "artistULAN_URL", default)]
    artist_ulan: Lenient<String>,
    #[serde(rename = "objectURL")]
    page: Lenient<String>,
    tags: Lenient<Vec<Lenient<Tag>>>,
    #[serde(default)]
    credit_line: Lenient<String>,
    #[serde(default)]
    object_date: Lenient<String>,
    #[serde(default)]
    object_name: Lenient<String>,
    #[serde(default)]
    medium: Lenient<String>,
    #[serde(default)]
    classification: Lenient<String>,
    #[serde(default)]
    culture: Lenient<String>,
    #[serde(default)]
    period: Lenient<String>,
    #[serde(default)]
    department: Lenient<String>,
    #[serde(default)]
    accession_number: Lenient<String>,
}

#[derive(Deserialize)]
struct Tag {
    term: Lenient<String>,
}

impl Object {
    /// Its pictures, the main one first; a warning says why there are none, or not all.
    ///
    /// # Errors
    ///
    /// `layout-changed` when there are some, and none has an address.
    pub(crate) fn pictures(self) -> Result<Found> {
        let without = |why: &str| Ok(Found { warnings: vec![why.to_owned()], ..Found::default() });
        if !self.is_public_domain.0 {
            return without("not in the public domain");
        }
        let mut fault = None;
        // Null is a picture that there is not, as an empty text is; anything else should be one.
        let mut picture = |given: &Lenient<Option<String>>| {
            let address = match &given.0 {
                Some(given) => Candidate::at(said(given.as_deref().unwrap_or_default())?),
                None => Err("the address of a picture is no text".to_owned()),
            };
            address.map(|found| found.url).map_err(|why| fault.get_or_insert(why)).ok()
        };
        let main = picture(&self.primary_image);
        let other = match &self.additional_images.0 {
            Some(other) => other.iter().flatten().filter_map(&mut picture).collect(),
            None => Vec::from_iter(picture(&Lenient(None))),
        };
        if main.is_none() && other.is_empty() {
            return fault.map_or_else(|| without("no picture"), |why| Err(Error::LayoutChanged(why)));
        }
        let thumbnail_url = main.as_ref().and_then(|_| self.primary_image_small.said());
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
        let (title, creator, date) =
            (self.title.said(), self.artist_display_name.said(), self.object_date.said());
        // Title, artist and date, then whose it is: the line that the museum asks for.
        let work = [&title, &creator, &date].into_iter().flatten().map(String::as_str);
        let owner = self.credit_line.said();
        let owner = ["The Metropolitan Museum of Art", "New York"].into_iter().chain(owner.as_deref());
        let [work, owner] = [work.collect::<Vec<_>>(), owner.collect()].map(|parts| parts.join(", "));
        let license = License {
            url: Some("https://creativecommons.org/publicdomain/zero/1.0/".to_owned()),
            attribution: Some(if work.is_empty() {
                format!("{owner}.")
            } else {
                format!("{work}. {owner}.")
            }),
            ..License::new("cc0-1.0")
        };
        let extra = [
            ("objectName", self.object_name.said()),
            ("objectDate", date),
            ("medium", self.medium.said()),
            ("classification", self.classification.said()),
            ("culture", self.culture.said()),
            ("period", self.period.said()),
            ("department", self.department.said()),
            ("accessionNumber", self.accession_number.said()),
        ];
        Candidate {
            id: self.id.0.map(|Whole(id)| id.to_string()),
            page_url: self.page.said(),
            title,
            creator,
            creator_url: self.artist_wikidata.said().or_else(|| self.artist_ulan.said()),
            license: Some(license),
            tags: self.tags.known().filter_map(|tag| tag.term.said()).collect(),
            extra: extra
                .into_iter()
                .filter_map(|(name, value)| Some((format!("met-museum.{name}"), value?)))
                .collect(),
            ..Candidate::new("")
        }
    }
}

/// The text, if it is not empty.
fn said(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
