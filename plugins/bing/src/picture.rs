//! One picture in a piece of the page.

use pixcrawler_sdk::{Candidate, Dimensions, Lenient, html::Tag, json, url};
use serde::Deserialize;

/// What the attribute `m` of a picture's link holds.
#[derive(Deserialize)]
struct Picture {
    /// Address of the picture where it was found.
    murl: String,
    /// Address of the page that it was found in.
    purl: Lenient<String>,
    /// Address of a small copy.
    turl: Lenient<String>,
    #[serde(default)]
    t: Lenient<String>,
    #[serde(default)]
    desc: Lenient<String>,
    #[serde(default)]
    mid: Lenient<String>,
}

/// The picture, or what of it was looked for and not found.
pub(crate) fn candidate(link: &Tag<'_>) -> Result<Candidate, String> {
    let json = link.get("m").ok_or("missing attribute `m`")?;
    let picture: Picture = serde_json::from_str(&json::mend(&json)).map_err(|error| error.to_string())?;
    let absolute = |address: &str| url::resolve("", address);
    let address = absolute(&picture.murl).ok_or_else(|| {
        format!("field `murl` is no address: {}", picture.murl.chars().take(100).collect::<String>())
    })?;
    // The link leads to a larger view and says in its parameters what that shows.
    let view = link.get("href").unwrap_or_default();
    let number = |name: &str| parameter(&view, name)?.parse().ok();
    let title = picture.t.0.as_deref().and_then(plain);
    let mut alternates: Vec<String> = Vec::new();
    for name in ["mediaurl", "cdnurl"] {
        let copy = parameter(&view, name).and_then(|copy| absolute(&copy));
        alternates.extend(copy.filter(|copy| *copy != address && !alternates.contains(copy)));
    }
    Ok(Candidate {
        alternates,
        id: picture.mid.0.filter(|id| !id.is_empty()),
        page_url: picture.purl.0.as_deref().and_then(absolute),
        thumbnail_url: picture.turl.0.as_deref().and_then(absolute),
        description: picture.desc.0.as_deref().and_then(plain).filter(|text| Some(text) != title.as_ref()),
        title,
        dimensions: Dimensions::known(number("expw"), number("exph")),
        ..Candidate::new(address)
    })
}

/// Text without the marks (for private use in Unicode) around words that were searched for.
fn plain(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !('\u{e000}'..='\u{f8ff}').contains(c)).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The value of a parameter in the query of an address, decoded.
pub(crate) fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [byte, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let address = "/view?a=1&b=x%2fy%3D%c3%bc+z&c=&aa=2&bad=%ff&odd=100%&hex=%zz";
        for (name, expect) in [
            ("a", Some("1")),
            ("aa", Some("2")),
            ("b", Some("x/y=ü z")),
            ("c", Some("")),
            ("d", None),
            ("bad", None),
            ("odd", Some("100%")),
            ("hex", Some("%zz")),
        ] {
            assert_eq!(parameter(address, name).as_deref(), expect, "{name}");
        }
        assert_eq!(parameter("/view", "a"), None);
    }

    #[test]
    fn marks_are_left_out_of_texts() {
        assert_eq!(plain(" \u{e000}Red\u{e001} fox ").as_deref(), Some("Red fox"));
        assert_eq!(plain("\u{e000}\u{e001}"), None);
    }
}
