//! Recorded answers, where there are some.

use std::fs;

use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Dimensions, License, Machine, Next, Query};
use reddit::{Place, Reddit};
use serde_json::Value;

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("reddit") else { return };
    let (mut lists, mut posts, mut pictures) = (0, 0, 0);
    for (name, path) in recordings {
        let recorded: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        // A post with its comments is two lists, of which the first has the post.
        let list = recorded.get(0).unwrap_or(&recorded);
        let answer = Answer::of("https://oauth.reddit.com/search", 200, &list.to_string());
        let turn = Reddit::resume(&Query::of("x"), Place::default(), vec![answer]).unwrap();
        let children = list["data"]["children"].as_array().unwrap();
        let expect: Vec<_> = children.iter().flat_map(|child| candidates(&child["data"])).collect();
        assert_eq!(turn.found.warnings, [""; 0], "{name}");
        assert_eq!(turn.found.candidates.len(), expect.len(), "{name}");
        for (candidate, expect) in turn.found.candidates.iter().zip(&expect) {
            assert_eq!(candidate, expect, "{name}");
        }
        match list["data"]["after"].as_str() {
            Some(after) => assert!(
                matches!(&turn.next, Next::Fetch(next) if next[0].url.ends_with(&format!("&after={after}")))
            ),
            None => assert_eq!(turn.next, Next::Done, "{name}"),
        }
        lists += 1;
        posts += children.len();
        pictures += expect.len();
    }
    assert!(lists > 0);
    say(&format!("read {lists} recordings of reddit, {posts} posts with {pictures} pictures, skipped none"));
}

/// The pictures of a post, worked out in another way than the source does.
fn candidates(post: &Value) -> Vec<Candidate> {
    let common = common(post);
    if let Some(items) = post["gallery_data"]["items"].as_array() {
        return items.iter().map(|item| from_gallery(post, item, common.clone())).collect();
    }
    let url = text(&post["url"]);
    let is_file = [".jpg", ".png", ".gif"].iter().any(|ending| url.ends_with(ending));
    if post["post_hint"] != "image" && !(post["post_hint"].is_null() && is_file) {
        return Vec::new();
    }
    let image = &post["preview"]["images"][0];
    let sizes = image["resolutions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wide = sizes.iter().find(|size| size["width"].as_u64() >= Some(300)).or(sizes.last());
    vec![Candidate {
        url,
        alternates: image["source"]["url"].as_str().map(unescaped).into_iter().collect(),
        thumbnail_url: wide.map(|size| text(&size["url"])),
        dimensions: Dimensions::known(number(&image["source"]["width"]), number(&image["source"]["height"])),
        ..common
    }]
}

fn from_gallery(post: &Value, item: &Value, common: Candidate) -> Candidate {
    let id = text(&item["media_id"]);
    let media = &post["media_metadata"][&id];
    let largest = &media["s"];
    let kind = text(&media["m"]).replace("image/", "");
    Candidate {
        url: format!("https://i.redd.it/{id}.{kind}"),
        alternates: largest["u"].as_str().map(unescaped).into_iter().collect(),
        thumbnail_url: media["p"].as_array().and_then(|copies| Some(text(&copies.last()?["u"]))),
        description: item["caption"].as_str().map(str::to_owned),
        dimensions: Dimensions::known(number(&largest["x"]), number(&largest["y"])),
        mime: Some(format!("image/{}", if kind == "jpg" { "jpeg" } else { &kind })),
        ..common
    }
}

fn common(post: &Value) -> Candidate {
    let author = post["author"].as_str().filter(|author| *author != "[deleted]");
    let escaped = |text: &str| -> String {
        let plain = |byte: &u8| byte.is_ascii() && !b"<>".contains(byte);
        text.bytes()
            .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    let seconds = post["created_utc"].as_f64().unwrap_or_default();
    Candidate {
        id: post["id"].as_str().map(str::to_owned),
        page_url: Some(format!("https://www.reddit.com{}", escaped(&text(&post["permalink"])))),
        title: Some(text(&post["title"]).trim().to_owned()),
        creator: author.map(str::to_owned),
        creator_url: author.map(|author| format!("https://www.reddit.com/user/{}", escaped(author))),
        published: Some(date(seconds as u64)),
        license: Some(License::new("unknown")),
        extra: vec![("reddit.subreddit".to_owned(), text(&post["subreddit"]))],
        ..Candidate::new("")
    }
}

/// Counts the years and months off, one by one.
fn date(mut seconds: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut month) = (1970, 1);
    loop {
        let days = match month {
            2 => 28 + u64::from(leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if seconds < days * 86_400 {
            break;
        }
        seconds -= days * 86_400;
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    let (day, hour, minute) = (seconds / 86_400 + 1, seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", seconds % 60)
}

fn text(value: &Value) -> String {
    unescaped(value.as_str().unwrap_or_default())
}

fn unescaped(text: &str) -> String {
    text.replace("&amp;", "&")
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| number.try_into().ok())
}
