//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, Flag, Lenient, License, Side, Whole, url};
use serde::Deserialize;

/// Fields that one result of an answer has at least.
pub(crate) const FIELDS: [&str; 9] =
    ["id", "pageURL", "type", "tags", "previewURL", "imageWidth", "imageHeight", "user", "user_id"];
/// Copies that every key gives, any of which will do.
pub(crate) const PARTS: [&str; 2] = ["largeImageURL", "webformatURL"];

/// What the API says of a picture.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Hit {
    id: Lenient<Whole<u64>>,
    #[serde(rename = "pageURL")]
    page_url: Lenient<String>,
    #[serde(rename = "type")]
    kind: Lenient<String>,
    tags: Lenient<String>,
    /// 150 pixels wide or high; the address stays.
    #[serde(rename = "previewURL")]
    preview_url: Lenient<String>,
    /// 640 pixels wide or high; the address holds for a day, as those that follow.
    #[serde(rename = "webformatURL")]
    web_url: Lenient<String>,
    /// 1280 pixels wide or high.
    #[serde(rename = "largeImageURL")]
    large_url: Lenient<String>,
    /// 1920 pixels wide or high; with full access only.
    #[serde(rename = "fullHDURL")]
    full_hd_url: Lenient<String>,
    /// The picture itself; with full access only.
    #[serde(rename = "imageURL")]
    image_url: Lenient<String>,
    /// Of the picture itself, not of the file that one gets.
    image_width: Side,
    image_height: Side,
    image_size: Lenient<Whole<u64>>,
    user: Lenient<String>,
    #[serde(rename = "user_id")]
    user_id: Lenient<Whole<u64>>,
    /// The page of its maker, in answers of some years only.
    #[serde(rename = "userURL")]
    user_url: Lenient<String>,
    // Likewise. The API writes flags as truths and as 0 and 1, even within one answer.
    pub(crate) no_ai_training: Flag,
    pub(crate) is_ai_generated: Flag,
}

impl Hit {
    /// The picture, or what of it was looked for and not found.
    pub(crate) fn read(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// What is known of the picture, or that it has no address.
    pub(crate) fn candidate(self) -> Result<Candidate, String> {
        let creator_url = self.creator_url();
        let copies = [&self.image_url, &self.full_hd_url, &self.large_url, &self.web_url];
        let found = Candidate::of_copies(copies.into_iter().filter_map(|Lenient(copy)| copy.as_deref()))?;
        let is_itself = self.image_url.0.is_some_and(|itself| itself == found.url);
        let mut extra: Vec<_> =
            self.kind.0.into_iter().map(|kind| ("pixabay.type".to_owned(), kind)).collect();
        if self.is_ai_generated.0 {
            extra.push(("pixabay.ai-generated".to_owned(), "true".to_owned()));
        }
        let user = self.user.said();
        let by = user.as_ref().map_or_else(String::new, |user| format!(" by {user}"));
        let tags = self.tags.0.unwrap_or_default();
        Ok(Candidate {
            id: self.id.0.map(|Whole(id)| id.to_string()),
            page_url: self.page_url.0,
            thumbnail_url: self.preview_url.0,
            license: Some(License {
                url: Some("https://pixabay.com/service/license-summary/".to_owned()),
                attribution: Some(format!("Image{by} on Pixabay")),
                // It has no SPDX id.
                ..License::new("unknown")
            }),
            creator_url,
            creator: user,
            dimensions: Dimensions::of(Some(self.image_width), Some(self.image_height)).filter(|_| is_itself),
            byte_size: self.image_size.0.map(|Whole(size)| size).filter(|_| is_itself),
            tags: tags.split(", ").map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            extra,
            ..found
        })
    }

    /// As the API gives it, or as the site makes it of name and number.
    fn creator_url(&self) -> Option<String> {
        let given = self.user_url.0.as_deref().and_then(|url| url::resolve("", url));
        let made = || {
            let (user, Whole(id)) = (self.user.0.as_deref()?, self.user_id.0?);
            Some(format!("https://pixabay.com/users/{}-{id}/", url::escape(user)))
        };
        given.or_else(made)
    }
}
