//! One result of a search.

use pixcrawler_sdk::{Candidate, Dimensions, License, url};
use serde::Deserialize;

/// What the API says of a picture. What is not an `Option` is always there, but for
/// what has a default: answers have had that for some years only.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hit {
    id: u64,
    #[serde(rename = "pageURL")]
    page_url: String,
    #[serde(rename = "type")]
    kind: String,
    tags: String,
    /// 150 pixels wide or high; the address stays.
    #[serde(rename = "previewURL")]
    preview_url: String,
    /// 640 pixels wide or high; the address holds for a day, as those that follow.
    #[serde(rename = "webformatURL")]
    web_url: String,
    /// 1280 pixels wide or high.
    #[serde(rename = "largeImageURL")]
    large_url: String,
    /// 1920 pixels wide or high; with full access only.
    #[serde(rename = "fullHDURL")]
    full_hd_url: Option<String>,
    /// The picture itself; with full access only.
    #[serde(rename = "imageURL")]
    image_url: Option<String>,
    /// Of the picture itself, not of the file that one gets.
    image_width: u32,
    image_height: u32,
    image_size: Option<u64>,
    user: String,
    #[serde(rename = "user_id")]
    user_id: u64,
    #[serde(default)]
    pub(crate) no_ai_training: bool,
    #[serde(default)]
    pub(crate) is_ai_generated: bool,
}

impl Hit {
    /// The picture, or what of it was looked for and not found.
    pub(crate) fn read(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// What is known of the picture, or that it has no address.
    pub(crate) fn candidate(self) -> Result<Candidate, String> {
        let copies = [&self.image_url, &self.full_hd_url].into_iter().flatten();
        let found = Candidate::of_copies(copies.chain([&self.large_url, &self.web_url]))?;
        let is_itself = self.image_url.is_some_and(|itself| itself == found.url);
        let mut extra = vec![("pixabay.type".to_owned(), self.kind)];
        if self.is_ai_generated {
            extra.push(("pixabay.ai-generated".to_owned(), "true".to_owned()));
        }
        Ok(Candidate {
            id: Some(self.id.to_string()),
            page_url: Some(self.page_url),
            thumbnail_url: Some(self.preview_url),
            license: Some(License {
                url: Some("https://pixabay.com/service/license-summary/".to_owned()),
                attribution: Some(format!("Image by {} on Pixabay", self.user)),
                // It has no SPDX id.
                ..License::new("unknown")
            }),
            creator_url: Some(format!(
                "https://pixabay.com/users/{}-{}/",
                url::escape(&self.user),
                self.user_id
            )),
            creator: Some(self.user),
            dimensions: Dimensions::known(Some(self.image_width), Some(self.image_height))
                .filter(|_| is_itself),
            byte_size: self.image_size.filter(|_| is_itself),
            tags: self
                .tags
                .split(", ")
                .map(str::trim)
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
            extra,
            ..found
        })
    }
}
