//! Recorded answers, where there are some.
#![expect(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

use std::fs;

use flickr::{Flickr, Place};
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Query};
use serde_json::Value;

/// Lists of photos are read completely, or, where they were asked for without what this source
/// needs, not at all.
#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("flickr") else { return };
    let mut read = 0;
    for (name, path) in recordings {
        let body = fs::read_to_string(&path).unwrap();
        let json: Option<Value> = serde_json::from_str(&body).ok();
        let photos = json.as_ref().and_then(|json| json["photos"]["photo"].as_array());
        let complete = photos.is_some_and(|photos| photos.iter().all(|photo| photo["license"].is_string()));
        let answer = Answer::of("https://api.flickr.com/services/rest/", 200, &body);
        let found = Flickr::read(&Query::of("cat"), &mut Place::default(), answer);
        if !complete {
            assert!(matches!(found, Err(Error::LayoutChanged(_))), "{name}: {found:?}");
            continue;
        }
        let ((found, next), photos) = (found.unwrap(), photos.unwrap());
        assert_eq!((found.candidates.len(), found.warnings.len()), (photos.len(), 0), "{name}");
        assert_eq!(next.is_some(), json.as_ref().unwrap()["photos"]["pages"].as_u64() > Some(1), "{name}");
        found.candidates.iter().zip(photos).for_each(|(candidate, photo)| check(candidate, photo));
        read += photos.len();
        say(&format!("read {name}: {} photos", photos.len()));
    }
    assert!(read > 0);
}

fn check(candidate: &Candidate, photo: &Value) {
    let said = |name: &str| match &photo[name] {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let number = |name: &str| said(name).and_then(|number| number.parse::<u32>().ok());
    // The largest copy by the pixels that the answer itself says, of equal ones the original.
    let sizes = ["o", "k", "h", "l", "c", "z", "m", "n", "s", "q", "t", "sq"];
    let copies = sizes.iter().rev().filter(|size| photo[format!("url_{size}")].is_string());
    let side = |name: &str, size: &str| number(&format!("{name}_{size}"));
    let largest = copies.max_by_key(|size| side("width", size).zip(side("height", size)).map(|(w, h)| w * h));
    let largest = largest.unwrap();
    assert_eq!(Some(&candidate.url), said(&format!("url_{largest}")).as_ref());
    let size = side("width", largest).zip(side("height", largest));
    assert_eq!(candidate.dimensions, size.map(|(width, height)| Dimensions { width, height }));
    let others: Vec<_> = ["o", "k", "h", "l", "c", "z", "m"]
        .iter()
        .filter(|size| *size != largest)
        .filter_map(|size| said(&format!("url_{size}")))
        .collect();
    assert_eq!(candidate.alternates, others);
    let thumbnail = ["n", "s"].iter().find_map(|size| said(&format!("url_{size}")));
    assert_eq!(candidate.thumbnail_url, thumbnail);
    assert_eq!(candidate.id, said("id"));
    assert_eq!(candidate.title, said("title"));
    assert_eq!(candidate.creator, said("ownername"));
    let (owner, id) = (said("owner").unwrap(), said("id").unwrap());
    assert_eq!(candidate.page_url, Some(format!("https://www.flickr.com/photos/{owner}/{id}/")));
    assert_eq!(candidate.creator_url, Some(format!("https://www.flickr.com/people/{owner}/")));
    let tags = said("tags").unwrap_or_default();
    let tags: Vec<_> = tags.split_whitespace().filter(|tag| !tag.contains('=')).collect();
    assert_eq!(candidate.tags, tags);
    let names = [
        "all-rights-reserved",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-2.0",
        "cc-by-nc-nd-2.0",
        "cc-by-2.0",
        "cc-by-sa-2.0",
        "cc-by-nd-2.0",
        "unknown",
        "unknown",
        "cc0-1.0",
        "pdm-1.0",
    ];
    let license = candidate.license.as_ref().unwrap();
    assert_eq!(license.id, names[number("license").unwrap() as usize]);
    assert!(license.attribution.as_deref().unwrap().contains(&said("ownername").unwrap_or_default()));
    // Seconds and years agree, which needs no calendar.
    let year: u64 = candidate.published.as_deref().unwrap()[..4].parse().unwrap();
    assert_eq!(year, 1970 + said("dateupload").unwrap().parse::<u64>().unwrap() / 31_556_952);
    let taken = said("datetaken").filter(|_| number("datetakenunknown") != Some(1));
    assert_eq!(candidate.extra.first().map(|(_, taken)| taken.clone()), taken);
    let description = candidate.description.clone().unwrap_or_default();
    assert!(!description.contains('\n') && !description.contains("href="), "{description}");
    let first = photo["description"]["_content"].as_str().unwrap_or_default().split_whitespace().next();
    let plain = first.filter(|word| word.chars().all(char::is_alphanumeric)).unwrap_or_default();
    assert!(description.starts_with(plain), "{description}");
}
