//! Recorded answers, where there are some.
#![expect(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

use std::fs;

use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Chained, Digest, Dimensions, Error, Query};
use serde_json::{Value, json};
use wikimedia_commons::{Batch, WikimediaCommons};

/// The recording of that name, where there are recordings.
fn recording(name: &str) -> Option<Value> {
    let recordings = recordings("wikimedia-commons")?;
    let text = fs::read_to_string(&recordings[name]).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn answer(json: &Value) -> Answer {
    Answer::of("https://commons.wikimedia.org/w/api.php", 200, &json.to_string())
}

/// Three answers to one batch, the last two of which only add what this source does not ask for.
#[test]
fn a_continuation_in_three_parts_is_merged() {
    let names = [1, 2, 3].map(|part| format!("openverse-catalog__wmc_pretty{part}.json"));
    let mut batch = Batch::default();
    let (mut given, mut described) = (Vec::new(), 0);
    for name in names {
        let Some(json) = recording(&name) else { return };
        let (found, next) = WikimediaCommons::read(&Query::of("x"), &mut batch, answer(&json)).unwrap();
        assert_eq!(found.warnings, [""; 0], "{name}");
        described += check_all(&found.candidates, &json);
        given.extend(found.candidates.into_iter().map(|candidate| candidate.url));
        let next = next.unwrap().url;
        for (parameter, value) in json["continue"].as_object().unwrap() {
            let value = pixcrawler_sdk::url::escape(value.as_str().unwrap());
            assert!(next.contains(&format!("&{parameter}={value}")), "{name} {parameter}");
        }
    }
    assert_eq!((given.len(), described), (9, 9));
    assert_eq!(batch.clone(), serde_json::from_value(serde_json::to_value(&batch).unwrap()).unwrap());
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 9);
    say("merged 3 recordings of wikimedia-commons: 9 files");
}

#[test]
fn a_whole_batch_is_read_completely() {
    let Some(json) = recording("openverse-catalog__wmc_raw.json") else { return };
    let (found, next) =
        WikimediaCommons::read(&Query::of("x"), &mut Batch::default(), answer(&json)).unwrap();
    assert_eq!((check_all(&found.candidates, &json), found.warnings.len(), next), (28, 0, None));
    say("read a recording of wikimedia-commons: 28 files");
}

/// A search, though one that asked for less: without the description pages it is no answer to ours.
#[test]
fn a_search_is_read_in_its_order() {
    let Some(mut json) = recording("SearchVue__generator_search_Q146_p1.json") else { return };
    let read = |json: &Value| WikimediaCommons::read(&Query::of("x"), &mut Batch::default(), answer(json));
    assert!(matches!(read(&json), Err(Error::LayoutChanged(_))));
    for page in json["query"]["pages"].as_object_mut().unwrap().values_mut() {
        page["imageinfo"][0]["extmetadata"] = json!({"LicenseShortName": {"value": "Public domain"}});
    }
    let (found, next) = read(&json).unwrap();
    let mut pages: Vec<&Value> = json["query"]["pages"].as_object().unwrap().values().collect();
    pages.sort_by_key(|page| page["index"].as_u64());
    let urls: Vec<&str> = pages.iter().map(|page| page["imageinfo"][0]["url"].as_str().unwrap()).collect();
    assert_eq!(found.candidates.iter().map(|candidate| &candidate.url).collect::<Vec<_>>(), urls);
    assert_eq!(check_all(&found.candidates, &json), 6);
    let next = next.unwrap().url;
    assert!(next.contains("&gsroffset=6") && next.contains("&continue=gsroffset%7C%7C"), "{next}");
    say("read a recording of wikimedia-commons: 6 files");
}

/// Compares every candidate with the page of its number; how many there are.
fn check_all(candidates: &[Candidate], json: &Value) -> usize {
    let pages = json["query"]["pages"].as_object().unwrap();
    let described = pages.values().filter(|page| page["imageinfo"].is_array()).count();
    assert_eq!(candidates.len(), described);
    for candidate in candidates {
        check(candidate, &pages[candidate.id.as_deref().unwrap()]);
    }
    described
}

fn check(candidate: &Candidate, page: &Value) {
    let info = &page["imageinfo"][0];
    let text = |name: &str| info[name].as_str();
    let said =
        |name: &str| info["extmetadata"][name]["value"].as_str().map(plain).filter(|text| !text.is_empty());
    assert_eq!(Some(candidate.url.as_str()), text("url"));
    assert_eq!(candidate.page_url.as_deref(), text("descriptionurl"));
    assert_eq!(candidate.thumbnail_url.as_deref(), text("thumburl"));
    assert_eq!(candidate.mime.as_deref(), text("mime"));
    assert_eq!(candidate.published.as_deref(), text("timestamp"));
    assert_eq!(candidate.byte_size, info["size"].as_u64());
    let side = |name: &str| info[name].as_u64().and_then(|side| u32::try_from(side).ok());
    let size = side("width").zip(side("height")).map(|(width, height)| Dimensions { width, height });
    assert_eq!(candidate.dimensions, size);
    let sum = candidate.checksum.as_ref().map(|sum| (sum.digest, sum.hex.as_str()));
    assert_eq!(sum, text("sha1").map(|hex| (Digest::Sha1, hex)));
    let name =
        page["title"].as_str().and_then(|title| Some(title.strip_prefix("File:")?.rsplit_once('.')?.0));
    assert_eq!(candidate.title, said("ObjectName").or_else(|| name.map(str::to_owned)));
    assert_eq!(candidate.description, said("ImageDescription"));
    assert_eq!(candidate.creator, said("Artist"));
    let tags = said("Categories").unwrap_or_default();
    assert_eq!(candidate.tags, tags.split('|').filter(|tag| !tag.is_empty()).collect::<Vec<_>>());
    let extra = |name: &str| {
        let name = format!("wikimedia-commons.{name}");
        candidate.extra.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    assert_eq!(extra("license"), said("LicenseShortName"));
    assert_eq!(extra("date"), said("DateTimeOriginal"));
    assert_eq!(extra("uploader").as_deref(), text("user"));
    let license = candidate.license.as_ref().unwrap();
    let expected = match said("LicenseShortName").as_deref() {
        Some("Public domain") => "pdm-1.0",
        Some("CC BY-SA 4.0") => "cc-by-sa-4.0",
        Some("CC BY-SA 3.0 de") => "cc-by-sa-3.0",
        _ => "unknown",
    };
    assert_eq!((license.id.as_str(), license.url.clone()), (expected, said("LicenseUrl")));
    let line = license.attribution.as_deref().unwrap();
    match said("Attribution") {
        Some(attribution) => assert_eq!(line, attribution),
        None => assert!(line.starts_with(&said("Artist").unwrap_or_default()), "{line}"),
    }
    let link = info["extmetadata"]["Artist"]["value"].as_str().and_then(|html| html.split("href=\"").nth(1));
    let link = link.and_then(|rest| rest.split('"').next()).filter(|link| !link.contains("redlink"));
    let link =
        link.map(|link| link.strip_prefix("//").map_or_else(|| link.to_owned(), |l| format!("https://{l}")));
    assert_eq!(candidate.creator_url, link);
}

/// What a piece of recorded HTML says, by a simpler way than the SDK's that does for these.
fn plain(html: &str) -> String {
    let mut html = html.to_owned();
    while let Some((before, rest)) = html.split_once("<div style=\"display: none;\">") {
        html = format!("{before} {}", rest.split_once("</div>").unwrap().1);
    }
    for block in ["<br>", "<p>", "</p>", "<li>", "</li>", "<ul>", "</ul>", "<div", "</div>", "<br />"] {
        html = html.replace(block, &format!(" {block}"));
    }
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    let text = text.replace("&#160;", " ").replace("&nbsp;", " ").replace("&gt;", ">").replace("&lt;", "<");
    let text = text.replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
