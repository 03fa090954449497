//! One file and what its description page says of it.

use pixcrawler_sdk::{
    Candidate, Checksum, Digest, Dimensions,
    html::{self, Token},
    url,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::answer::{Many, scalar};
use crate::license::license;

/// What is asked for of the description page.
pub(crate) const METADATA: &str = "Artist|Attribution|Categories|DateTimeOriginal|ImageDescription|License|\
    LicenseShortName|LicenseUrl|ObjectName|Restrictions";

/// In `extra`: the licence as the description page writes it.
pub(crate) const LICENSE: &str = "wikimedia-commons.license";

/// Where links of the description page begin that do not name a host.
const SITE: &str = "https://commons.wikimedia.org/";

/// What the API says of the newest version of a file.
#[derive(Deserialize)]
struct ImageInfo {
    url: String,
    #[serde(rename = "descriptionurl")]
    page: String,
    #[serde(rename = "thumburl")]
    thumbnail: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    size: Option<u64>,
    mime: Option<String>,
    sha1: Option<String>,
    timestamp: Option<String>,
    user: Option<String>,
    extmetadata: Many<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// A text, and sometimes a number.
    value: Box<RawValue>,
}

impl ImageInfo {
    /// HTML from the description page.
    fn html(&self, name: &str) -> Option<String> {
        self.extmetadata.get(name).map(|entry| scalar(&entry.value))
    }

    /// What that HTML says.
    fn text(&self, name: &str) -> Option<String> {
        self.html(name).map(|html| html::text(&html)).filter(|text| !text.is_empty())
    }
}

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(id: u64, title: &str, json: &str) -> Result<Candidate, String> {
    let info: ImageInfo = serde_json::from_str(json).map_err(|error| error.to_string())?;
    // It may leave out the scheme.
    let address = url::resolve("https:", &info.url)
        .ok_or_else(|| format!("no address: {}", info.url.chars().take(100).collect::<String>()))?;
    let creator = info.text("Artist");
    let license = license(
        info.text("License").as_deref(),
        info.text("LicenseShortName").as_deref(),
        info.text("LicenseUrl").and_then(|address| url::resolve(SITE, &address)),
        info.text("Attribution"),
        creator.as_deref(),
    );
    let tags = info.text("Categories").unwrap_or_default();
    let extra = [
        (LICENSE, info.text("LicenseShortName")),
        ("wikimedia-commons.date", info.text("DateTimeOriginal")),
        ("wikimedia-commons.restrictions", info.text("Restrictions")),
        ("wikimedia-commons.uploader", info.user.clone()),
    ];
    Ok(Candidate {
        id: Some(id.to_string()),
        page_url: Some(info.page.clone()),
        thumbnail_url: info.thumbnail.clone(),
        title: info.text("ObjectName").or_else(|| Some(name(title).to_owned())),
        description: info.text("ImageDescription"),
        creator,
        creator_url: info.html("Artist").and_then(|html| first_link(&html)),
        license: Some(license),
        published: info.timestamp.clone(),
        dimensions: Dimensions::known(info.width, info.height),
        mime: info.mime.clone(),
        byte_size: info.size.filter(|&size| size > 0),
        checksum: info.sha1.clone().map(|hex| Checksum { digest: Digest::Sha1, hex }),
        tags: tags.split('|').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        extra: extra.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        ..Candidate::new(address)
    })
}

/// `Red fox.jpg` of `File:Red fox.jpg`, without the extension.
fn name(title: &str) -> &str {
    let name = title.split_once(':').map_or(title, |(_, name)| name);
    name.rsplit_once('.').map_or(name, |(name, _)| name)
}

/// The first address that is linked to, unless it is a page that nobody has written.
fn first_link(html: &str) -> Option<String> {
    html::tokens(html).find_map(|token| match token {
        Token::Open(tag) if tag.is("a") => tag
            .get("href")
            .and_then(|link| url::resolve(SITE, &link))
            .filter(|link| !link.contains("redlink=1")),
        _ => None,
    })
}
