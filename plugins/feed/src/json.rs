//! Reads a JSON Feed (jsonfeed.org), 1.0 and 1.1.

use pixcrawler_sdk::html::picture;
use pixcrawler_sdk::{Error, Result, date, json, text, url};
use serde_json::Value;

use crate::entry::Entry;
use crate::media::{LINE, MOST_TAGS, Media, Said, shows};
use crate::reader::{MOST_IN_ENTRY, Page, Reader, Wishes};

/// Reads the feed that came from `address`. What is of another type than it should be is not there.
///
/// # Errors
///
/// `invalid-query` for other JSON, or such as is cut off.
pub(crate) fn read(text: &str, address: &str, wishes: Wishes) -> Result<Page> {
    let document: Value =
        serde_json::from_str(&json::mend(text.trim_start_matches('\u{feff}'))).unwrap_or_default();
    let is_feed = document["version"].as_str().is_some_and(|version| version.contains("jsonfeed.org"));
    let Some(items) = document["items"].as_array().filter(|_| is_feed) else {
        return Err(Error::InvalidQuery(format!("{address} is JSON, but no whole JSON Feed")));
    };
    let mut reader = Reader::new("", address, wishes);
    reader.page.next = document["next_url"].as_str().and_then(|next| url::resolve(address, next));
    for item in items.iter().filter(|item| item.is_object()) {
        reader.take(entry(item, address));
        if reader.is_full() {
            return Ok(reader.page);
        }
    }
    reader.end()
}

fn entry(item: &Value, address: &str) -> Entry {
    let link = |name: &str| url::resolve(address, item[name].as_str().filter(|link| !link.is_empty())?);
    let link = link("url").or_else(|| link("external_url"));
    let base = link.clone().unwrap_or_else(|| address.to_owned());
    let author = Some(&item["authors"][0]).filter(|author| author.is_object()).unwrap_or(&item["author"]);
    let named = ["image", "banner_image"].into_iter().map(|name| Media {
        url: file(&base, &item[name]),
        is_picture: true,
        ..Media::default()
    });
    let attached = list(&item["attachments"]).map(|attached| {
        let url = file(&base, &attached["url"]);
        let mime = attached["mime_type"].as_str().unwrap_or_default().to_ascii_lowercase();
        Media {
            is_picture: shows(&mime, url.as_deref(), false),
            url,
            mime: Some(mime).filter(|mime| mime.starts_with("image/")),
            byte_size: attached["size_in_bytes"].as_u64(),
            said: Said { title: line(&attached["title"]), ..Said::default() },
            ..Media::default()
        }
    });
    Entry {
        id: line(&item["id"]).or_else(|| item["id"].as_u64().map(|id| id.to_string())),
        title: line(&item["title"]),
        published: item["date_published"].as_str().and_then(date::from_iso),
        author: line(&author["name"]),
        author_url: author["url"].as_str().and_then(|url| url::resolve(&base, url)),
        tags: list(&item["tags"]).filter_map(line).take(MOST_TAGS).collect(),
        media: named.chain(attached).filter(|media| media.url.is_some()).take(MOST_IN_ENTRY).collect(),
        texts: item["content_html"].as_str().into_iter().map(|html| (None, html.to_owned())).collect(),
        base: Some(base),
        link,
        ..Entry::default()
    }
}

fn line(value: &Value) -> Option<String> {
    text::line(value.as_str()?, LINE)
}

fn file(base: &str, value: &Value) -> Option<String> {
    picture::address(base, value.as_str()?)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
