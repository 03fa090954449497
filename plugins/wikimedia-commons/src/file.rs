//! One file and what its description page says of it.

use pixcrawler_sdk::{
    Candidate, Checksum, Digest, Dimensions, Lenient, Side, Whole, date,
    html::{self, Token},
    url,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::THUMBNAIL;
use crate::answer::{Many, scalar};
use crate::license::license;

/// What is asked for of the description page.
pub(crate) const METADATA: &str = "Artist|Attribution|Categories|DateTimeOriginal|ImageDescription|License|\
    LicenseShortName|LicenseUrl|ObjectName|Restrictions";

/// In `extra`: the licence as the description page writes it.
pub(crate) const LICENSE: &str = "wikimedia-commons.license";

/// Where links of the description page begin that do not name a host.
const SITE: &str = "https://commons.wikimedia.org/";

/// In `extra`: the address of a file of which the picture is a rendered copy.
const ORIGINAL: &str = "wikimedia-commons.original";

/// Fields that one file of an answer has at least.
pub(crate) const FIELDS: [&str; 2] = ["descriptionurl", "extmetadata"];

/// What the API says of the newest version of a file.
#[derive(Deserialize)]
struct ImageInfo {
    url: String,
    #[serde(rename = "descriptionurl", default)]
    page: Lenient<String>,
    #[serde(rename = "thumburl", default)]
    thumbnail: Lenient<String>,
    #[serde(default)]
    width: Side,
    #[serde(default)]
    height: Side,
    #[serde(default)]
    size: Lenient<Whole<u64>>,
    #[serde(default)]
    mime: Lenient<String>,
    #[serde(default)]
    sha1: Lenient<String>,
    #[serde(default)]
    timestamp: Lenient<String>,
    #[serde(default)]
    user: Lenient<String>,
    #[serde(default)]
    extmetadata: Lenient<Many<Lenient<Entry>>>,
}

#[derive(Deserialize)]
struct Entry {
    /// A text, and sometimes a number.
    value: Box<RawValue>,
}

/// Widths in which Commons keeps copies; it makes no others. Smaller ones are of no use but as previews.
const WIDTHS: [u32; 7] = [3840, 1920, 1280, 960, 500, 330, 250];

/// Media types of files that are pictures as they are. Of others (TIFF, XCF) Commons renders copies
/// that browsers show.
const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

impl ImageInfo {
    /// HTML from the description page.
    fn html(&self, name: &str) -> Option<String> {
        let Lenient(entry) = self.extmetadata.0.as_ref()?.get(name)?;
        Some(scalar(&entry.as_ref()?.value))
    }

    /// What that HTML says.
    fn text(&self, name: &str) -> Option<String> {
        self.html(name).map(|html| html::text(&html)).filter(|text| !text.is_empty())
    }

    /// Whether the file is no picture that browsers show.
    fn is_rendered(&self) -> bool {
        self.mime.0.as_deref().is_some_and(|mime| mime.starts_with("image/") && !PICTURES.contains(&mime))
    }

    /// Smaller copies, largest first. The address of one says those of the others.
    fn copies(&self) -> Vec<String> {
        let Some(thumbnail) = self.thumbnail.0.as_deref().and_then(|url| url::resolve("https:", url)) else {
            return Vec::new();
        };
        let mark = format!("{THUMBNAIL}px-");
        let name = thumbnail.rfind('/').map_or(0, |slash| slash + 1);
        let at = thumbnail[name..].find(&mark).map(|at| name + at);
        // It stands at the start of the name, or behind what is said of pages and losses.
        let at = at.filter(|at| *at == name || thumbnail[..*at].ends_with('-'));
        let (Some(at), Side(Some(width))) = (at, self.width) else { return vec![thumbnail] };
        let (before, after) = (&thumbnail[..at], &thumbnail[at + mark.len()..]);
        let narrower = WIDTHS.into_iter().filter(|known| *known < width);
        narrower.map(|known| format!("{before}{known}px-{after}")).collect()
    }
}

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(id: Option<u64>, title: Option<&str>, json: &str) -> Result<Candidate, String> {
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
    let mut copies = info.copies();
    let is_rendered = info.is_rendered() && !copies.is_empty();
    let original = is_rendered.then(|| address.clone());
    let url = if is_rendered { copies.remove(0) } else { address };
    copies.retain(|copy| *copy != url);
    let extra = [
        (LICENSE, info.text("LicenseShortName")),
        ("wikimedia-commons.date", info.text("DateTimeOriginal")),
        ("wikimedia-commons.restrictions", info.text("Restrictions")),
        ("wikimedia-commons.uploader", info.user.0.clone()),
        (ORIGINAL, original),
    ];
    let described = Candidate {
        alternates: copies,
        id: id.map(|id| id.to_string()),
        page_url: info.page.0.clone(),
        thumbnail_url: info.thumbnail.0.clone(),
        title: info.text("ObjectName").or_else(|| title.map(|title| name(title).to_owned())),
        description: info.text("ImageDescription"),
        creator,
        creator_url: info.html("Artist").and_then(|html| first_link(&html)),
        license: Some(license),
        published: info.timestamp.0.as_deref().and_then(date::from_iso),
        tags: tags.split('|').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        extra: extra.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        ..Candidate::new(url)
    };
    if is_rendered {
        // What is said of the file is not true of its copy.
        return Ok(described);
    }
    Ok(Candidate {
        dimensions: Dimensions::of(Some(info.width), Some(info.height)),
        mime: info.mime.0,
        byte_size: info.size.0.map(|Whole(size)| size).filter(|&size| size > 0),
        checksum: info.sha1.0.map(|hex| Checksum { digest: Digest::Sha1, hex }),
        ..described
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
