//! Pictures described as linked data (schema.org in JSON-LD).

use pixcrawler_sdk::{Candidate, Dimensions, License, json, url};
use serde_json::{Map, Value};

use crate::page::{MOST, short};

/// The pictures in one `script` of linked data: every `ImageObject`, and every
/// `image` of anything. A publisher's `logo` is left out. What is no JSON has none.
pub(crate) fn pictures(data: &str, base: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    // JSON nests at most 128 deep here, so the walk does too.
    if let Ok(value) = serde_json::from_str(&json::mend(data)) {
        walk(&value, false, base, &mut found);
    }
    found
}

/// `depicts`: the value stands where a picture is expected.
fn walk(value: &Value, depicts: bool, base: &str, found: &mut Vec<Candidate>) {
    // One more tells that there are more.
    if found.len() > MOST {
        return;
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| walk(value, depicts, base, found)),
        Value::String(address) if depicts => found.extend(absolute(base, address).map(Candidate::new)),
        Value::Object(object) => {
            if depicts || is_picture(object) {
                found.extend(picture(object, base));
            }
            for (name, value) in object.iter().filter(|(name, _)| *name != "logo") {
                walk(value, name == "image", base, found);
            }
        }
        _ => {}
    }
}

fn is_picture(object: &Map<String, Value>) -> bool {
    let is = |value: &Value| {
        value.as_str().is_some_and(|kind| kind.rsplit(['/', ':']).next() == Some("ImageObject"))
    };
    match object.get("@type") {
        Some(Value::Array(kinds)) => kinds.iter().any(is),
        Some(kind) => is(kind),
        None => false,
    }
}

fn picture(object: &Map<String, Value>, base: &str) -> Option<Candidate> {
    let address = |name: &str| text(object.get(name)?).and_then(|address| absolute(base, address));
    let words = |name: &str| text(object.get(name)?).and_then(short);
    let maker = ["creator", "author"].into_iter().find_map(|name| first(object.get(name)?));
    let credit = words("creditText").or_else(|| words("copyrightNotice"));
    let number = |name: &str| object.get(name).and_then(number);
    Some(Candidate {
        thumbnail_url: address("thumbnailUrl").or_else(|| address("thumbnail")),
        title: words("name").or_else(|| words("headline")),
        description: words("caption").or_else(|| words("description")),
        creator: maker.and_then(name_of).and_then(short).or_else(|| credit.clone()),
        creator_url: maker
            .and_then(|maker| maker.get("url").and_then(text))
            .and_then(|to| url::resolve(base, to)),
        license: license(object.get("license"), base, credit),
        published: words("datePublished").or_else(|| words("uploadDate")).filter(|date| is_date(date)),
        dimensions: Dimensions::known(number("width"), number("height")),
        mime: words("encodingFormat").filter(|kind| kind.starts_with("image/")),
        ..Candidate::new(address("contentUrl").or_else(|| address("url"))?)
    })
}

/// An empty address would be that of the page itself.
fn absolute(base: &str, reference: &str) -> Option<String> {
    url::resolve(base, reference).filter(|_| !reference.trim().is_empty())
}

/// A licence is named by its address; a text that is none says nothing certain.
fn license(value: Option<&Value>, base: &str, credit: Option<String>) -> Option<License> {
    let named = text(value?)?.trim();
    let is_address = ["https:", "http:", "/"].iter().any(|start| named.starts_with(start));
    let url = if is_address { url::resolve(base, named) } else { None };
    let license = url.map_or_else(|| License::new("unknown"), |url| License::from_url(&url));
    Some(License { attribution: credit.or_else(|| license.url.is_none().then(|| short(named))?), ..license })
}

/// The name of a person, who may be given as a text.
fn name_of(maker: &Value) -> Option<&str> {
    maker.as_str().or_else(|| maker.get("name").and_then(text))
}

fn first(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(values) => values.first(),
        value => Some(value),
    }
}

/// A text, the first of a list, or the address or id of a thing.
fn text(value: &Value) -> Option<&str> {
    match first(value)? {
        Value::String(text) => Some(text),
        Value::Object(thing) => {
            ["contentUrl", "url", "@id"].into_iter().find_map(|name| thing.get(name)?.as_str())
        }
        _ => None,
    }
}

/// A number of pixels, also as text (`"640"`, `"640px"`) or as a quantity.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.trim().trim_end_matches("px").trim_end().parse().ok(),
        Value::Object(quantity) => quantity.get("value").filter(|value| !value.is_object()).and_then(number),
        _ => None,
    }
}

/// Whether the text begins like an RFC 3339 date.
fn is_date(text: &str) -> bool {
    let shape =
        |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() >= 10 && text.bytes().take(10).enumerate().all(shape)
}
