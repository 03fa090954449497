//! Pictures described as linked data (schema.org in JSON-LD).

use std::collections::BTreeMap;

use pixcrawler_sdk::html::picture;
use pixcrawler_sdk::{Candidate, Dimensions, License, date, json, url};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::page::{MOST, pixels, short};

/// The pictures in one `script` of linked data: every `ImageObject`, and every
/// `image` of anything; crops of one picture are one. Left out are logos, and what shows people
/// and organisations: mostly those who made the page. What is no JSON has none.
pub(crate) fn pictures(data: &str, base: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    let value = first_of(data).or_else(|| first_of(&plain(data)));
    // JSON nests at most 128 deep here, so the walk does too.
    if let Some(value) = value {
        walk(&value, false, base, &mut found);
    }
    found
}

/// The value that a text begins with; what stands behind it does not count.
fn first_of(data: &str) -> Option<Value> {
    Value::deserialize(&mut serde_json::Deserializer::from_str(&json::mend(data))).ok()
}

/// The JSON of a script without what sites put around and into it: comments of JavaScript and HTML, CDATA
/// marks, `;`, a comma behind the last. A line break in a text becomes a space.
fn plain(data: &str) -> String {
    let mut plain = String::with_capacity(data.len());
    let mut rest = data;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        let skipped = if in_text { Some(0) } else { passed_over(rest) };
        let Some(skipped) = skipped else { break };
        if skipped > 0 {
            rest = &rest[skipped..];
            continue;
        }
        rest = behind;
        match c {
            '"' => in_text = !in_text,
            '\\' if in_text => {
                let escaped = behind.chars().next().filter(|c| !c.is_control());
                rest = &behind[escaped.map_or(0, char::len_utf8)..];
                plain.push('\\');
                plain.extend(escaped);
                continue;
            }
            '}' | ']' if !in_text && plain.trim_ascii_end().ends_with(',') => {
                plain.truncate(plain.trim_ascii_end().len() - 1);
            }
            _ => {}
        }
        let is_space = c.is_control() || !in_text && (c.is_whitespace() || c == '\u{feff}');
        plain.push(if is_space { ' ' } else { c });
    }
    plain
}

/// The length of what is no JSON at the start of `rest`; `None` where nothing else follows.
fn passed_over(rest: &str) -> Option<usize> {
    let past = |mark: &str| rest.find(mark).map(|at| at + mark.len());
    let mark = |mark: &str| rest.starts_with(mark).then_some(mark.len());
    if rest.starts_with("/*") {
        return past("*/");
    }
    if let Some(comment) = rest.strip_prefix("//") {
        // All may stand in one line.
        let opens = comment.trim_start().starts_with("<![CDATA[");
        return if opens { past("[CDATA[") } else { past("\n") };
    }
    if rest.starts_with("<!--") {
        // A comment, unless it is around what counts.
        let words = &rest[..rest.find('{')?];
        return words.find("-->").or(Some(4));
    }
    Some(["<![CDATA[", "]]>", "-->", ";"].into_iter().find_map(mark).unwrap_or(0))
}

/// Below what no picture of the page stands.
const MAKERS: [&str; 10] = [
    "author",
    "brand",
    "contributor",
    "copyrightHolder",
    "creator",
    "editor",
    "logo",
    "provider",
    "publisher",
    "sourceOrganization",
];

/// `depicts`: the value stands where a picture is expected.
fn walk(value: &Value, depicts: bool, base: &str, found: &mut Vec<Candidate>) {
    // One more tells that there are more.
    if found.len() > MOST {
        return;
    }
    match value {
        Value::Array(values) => {
            let mut list = Vec::new();
            for value in values.iter().take(MOST + 1) {
                walk(value, depicts, base, &mut list);
            }
            found.extend(if depicts { without_crops(list) } else { list });
        }
        Value::String(address) if depicts => {
            found.extend(picture::address(base, address).map(Candidate::new));
        }
        Value::Object(object) if is_a(object, |kind| kind == "Person" || kind.ends_with("Organization")) => {}
        Value::Object(object) => {
            if depicts || is_a(object, |kind| kind == "ImageObject") {
                found.extend(candidate(object, base));
            }
            for (name, value) in object.iter().filter(|(name, _)| !MAKERS.contains(&name.as_str())) {
                walk(value, name == "image", base, found);
            }
        }
        _ => {}
    }
}

/// The pictures of a list, the crops of each as its copies, largest first: those whose addresses
/// differ in size and ratio only, and all of a short list in which every ratio is another.
fn without_crops(list: Vec<Candidate>) -> Vec<Candidate> {
    let ratio = |size: Dimensions| f64::from(size.width) / f64::from(size.height);
    let ratios: Vec<f64> = list.iter().filter_map(|one| one.dimensions).map(ratio).collect();
    let is_usual =
        |ratio: &f64| [1.0, 4.0 / 3.0, 1.5, 16.0 / 9.0].iter().any(|usual| (ratio - usual).abs() < 0.02);
    let differ =
        (1..ratios.len()).all(|at| ratios[..at].iter().all(|other| (other - ratios[at]).abs() > 0.1));
    let are_crops =
        (2..=4).contains(&list.len()) && ratios.len() == list.len() && differ && ratios.iter().all(is_usual);
    let mut places = BTreeMap::new();
    let mut sets: Vec<Vec<Candidate>> = Vec::new();
    for one in list {
        let identity = if are_crops { String::new() } else { picture::identity_of_crops(&one.url) };
        let place = *places.entry(identity).or_insert(sets.len());
        match sets.get_mut(place) {
            Some(set) => set.push(one),
            None => sets.push(vec![one]),
        }
    }
    let area = |one: &Candidate| {
        let said = one.dimensions.map(|size| u64::from(size.width) * u64::from(size.height));
        said.or_else(|| picture::named_width(&one.url).map(u64::from)).unwrap_or(0)
    };
    let largest = |set: Vec<Candidate>| {
        set.into_iter().reduce(|best, other| {
            let (mut best, other) = if area(&other) > area(&best) { (other, best) } else { (best, other) };
            best.alternates.push(other.url);
            best.alternates.extend(other.alternates);
            best
        })
    };
    sets.into_iter().filter_map(largest).collect()
}

/// Whether a type of the thing is that, without the vocabulary.
fn is_a(object: &Map<String, Value>, is: impl Fn(&str) -> bool) -> bool {
    let is =
        |value: &Value| value.as_str().is_some_and(|kind| kind.rsplit(['/', ':']).next().is_some_and(&is));
    match object.get("@type") {
        Some(Value::Array(kinds)) => kinds.iter().any(is),
        Some(kind) => is(kind),
        None => false,
    }
}

fn candidate(object: &Map<String, Value>, base: &str) -> Option<Candidate> {
    let address = |name: &str| text(object.get(name)?).and_then(|address| picture::address(base, address));
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
        published: words("datePublished")
            .or_else(|| words("uploadDate"))
            .and_then(|date| date::from_iso(&date)),
        dimensions: Dimensions::known(number("width"), number("height")),
        mime: words("encodingFormat").filter(|kind| kind.starts_with("image/")),
        ..Candidate::new(address("contentUrl").or_else(|| address("url"))?)
    })
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
        Value::Number(number) => pixels(&number.to_string()),
        Value::String(text) => pixels(text),
        Value::Object(quantity) => quantity.get("value").filter(|value| !value.is_object()).and_then(number),
        _ => None,
    }
}
