//! Lists on invented servers, read from the first request to the last.

use std::collections::HashMap;

use pixcrawler_sdk::{
    Answer, Candidate, Content, Error, Failure, Machine, Next, Query, Request, Response, Result,
};
use proptest::prelude::*;
use url_list::UrlList;

const LIST: &str = "https://example.org/list";

/// How a server gives a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    /// In parts of at most so many bytes, saying how long the list is, or not.
    Ranges(usize, bool),
    /// Always whole.
    Whole,
}

/// What a crawl came to.
#[derive(Debug, Default)]
struct Crawl {
    candidates: Vec<Candidate>,
    warnings: Vec<String>,
    /// Ranges, or `whole`; what is kept is asked for once.
    asked: Vec<String>,
    longest_state: usize,
}

impl Crawl {
    fn urls(&self) -> Vec<&str> {
        let urls = self.candidates.iter().map(|candidate| candidate.url.as_str());
        urls.map(|url| url.trim_start_matches("https://example.org/")).collect()
    }
}

fn crawl(query: &Query, mut answer: impl FnMut(&Request, usize) -> Answer) -> Result<Crawl> {
    let mut crawl = Crawl::default();
    let mut turn = UrlList::start(query)?;
    let (mut kept, mut last, mut again) = (HashMap::new(), None, 0);
    loop {
        crawl.candidates.extend(turn.found.candidates);
        crawl.warnings.extend(turn.found.warnings);
        let requests = match turn.next {
            Next::Fetch(requests) => requests,
            Next::Again => {
                again += 1;
                assert!(again <= 64);
                turn = UrlList::resume(query, turn.state, Vec::from_iter(last.clone()))?;
                continue;
            }
            Next::Done => return Ok(crawl),
        };
        again = 0;
        let [request] = &requests[..] else { panic!("{requests:?}") };
        let range = request.headers.iter().find(|(name, _)| name == "range").map(|(_, value)| value.clone());
        let range = range.unwrap_or_else(|| "whole".to_owned());
        assert!(crawl.asked.len() < 10_000, "{:?}", &crawl.asked[..20]);
        let state = serde_json::to_string(&turn.state).expect("plain data");
        crawl.longest_state = crawl.longest_state.max(state.len());
        let state = serde_json::from_str(&state).expect("its own");
        last = Some(match kept.get(&range).filter(|_| request.keep) {
            Some(answer) => Answer::clone(answer),
            None => {
                crawl.asked.push(range.clone());
                answer(request, crawl.asked.len())
            }
        });
        kept.extend(last.clone().filter(|_| request.keep).map(|answer| (range, answer)));
        turn = UrlList::resume(query, state, Vec::from_iter(last.clone()))?;
    }
}

/// What the server answers; more than 16 MiB never reach the source.
fn serve(list: &[u8], server: Server, headers: &[(&str, &str)], request: &Request) -> Answer {
    let mut answer = Answer::of(&request.url, 200, "");
    let mut headers: Vec<_> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let range = request.headers.iter().find(|(name, _)| name == "range").map(|(_, value)| value);
    let response = |status, headers, body| Ok(Response { status, url: request.url.clone(), headers, body });
    answer.outcome = match (server, range) {
        (Server::Ranges(most, says), Some(range)) => {
            let (first, last) = range.trim_start_matches("bytes=").split_once('-').expect("a range");
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let (first, last) = (number(first), number(last));
            let end = (last + 1).min(list.len()).min(first.saturating_add(most));
            match list.get(first..end).filter(|part| !part.is_empty()) {
                None => response(416, headers, Content::Text(String::new())),
                Some(part) => {
                    let total = if says { list.len().to_string() } else { "*".to_owned() };
                    headers.push(("content-range".to_owned(), format!("bytes {first}-{}/{total}", end - 1)));
                    response(206, headers, Content::Binary(part.to_vec()))
                }
            }
        }
        _ if list.len() > 16 << 20 => Err(Failure::TooLarge(16 << 20)),
        _ => {
            let body = match String::from_utf8(list.to_vec()) {
                Ok(text) => Content::Text(text),
                Err(error) => Content::Binary(error.into_bytes()),
            };
            response(200, headers, body)
        }
    };
    answer
}

fn read(query: &Query, list: &[u8], server: Server) -> Result<Crawl> {
    crawl(query, |request, _| serve(list, server, &[], request))
}

/// The addresses in a list, whichever way it is given.
fn urls(name: &str, options: &[(&str, &str)], list: &str) -> (Vec<String>, Vec<String>) {
    let query = Query::of(&format!("{LIST}{name}")).with(options);
    let mut all = [Server::Ranges(usize::MAX, true), Server::Ranges(usize::MAX, false), Server::Whole]
        .map(|server| read(&query, list.as_bytes(), server).expect("readable"))
        .into_iter();
    let first = all.next().expect("three");
    for other in all {
        assert_eq!((other.urls(), &other.warnings), (first.urls(), &first.warnings));
    }
    (first.urls().into_iter().map(str::to_owned).collect(), first.warnings)
}

#[test]
fn lists_of_all_kinds() {
    let (a, b) = ("https://example.org/a.jpg", "https://example.org/b,1.jpg");
    let check = |name: &str, options: &[(&str, &str)], list: &str, expect: &[&str]| {
        assert_eq!(urls(name, options, list).0, expect, "{name} {options:?} {list}");
    };
    check("", &[], &format!("# ours\n{a}\r\n\r\n  {b}  \n#{a}"), &["a.jpg", "b,1.jpg"]);
    check("", &[], &format!("\u{feff}{a}\n{b}"), &["a.jpg", "b,1.jpg"]);
    check(".csv", &[], &format!("\u{feff}label;url\nfox;{a}\n\"red\nfox\";{b}\n"), &["a.jpg", "b,1.jpg"]);
    check(".csv", &[], &format!("{a},fox\n\"{b}\",hare\n"), &["a.jpg", "b,1.jpg"]);
    check(".csv", &[], &format!("# by us\nfoo,bar\nfox,{a}\nhare,\"{b}\"\n"), &["a.jpg", "b,1.jpg"]);
    check("", &[], &format!("a \"fox\t{a}\nhare\t{b}\n"), &["a.jpg", "b,1.jpg"]);
    check(".jsonl", &[], &format!("{{\"url\": \"{a}\"}}\n\n\"{b}\"\n"), &["a.jpg", "b,1.jpg"]);
    check("", &[], &format!("{{\"page\": \"https://example.org/\", \"foo\": \"{a}\"}}\n"), &["a.jpg"]);
    check(".jsonl", &[], &format!("{{\"\\ud83d\": 1, \"url\": \"{a}\"}}\n"), &["a.jpg"]);
    check("", &[("format", "text")], &format!("{a},x"), &["a.jpg,x"]);
    check(".csv", &[("url-column", "big")], &format!("url,big\nhttps://example.org/s.jpg,{a}"), &["a.jpg"]);
    check(".csv", &[("url-column", "2")], &format!("https://example.org/s.jpg,{a}"), &["a.jpg"]);
    check("", &[("url-column", "big")], &format!("{{\"url\": \"{b}\", \"big\": \"{a}\"}}"), &["a.jpg"]);
}

/// The classes of a picture.
fn labels(candidate: &Candidate) -> Vec<&str> {
    assert!(candidate.extra.iter().all(|(name, _)| name == "label"), "{candidate:?}");
    candidate.extra.iter().map(|(_, label)| label.as_str()).collect()
}

#[test]
fn the_column_of_classes_is_as_the_user_says() {
    let list = "url,label,kind,labels\nhttps://example.org/a.jpg,fox,animal,\"red; wild\"\nhttps://example.org/b.jpg,,,";
    for (options, expect) in [
        (&[][..], ["fox", "red", "wild"].as_slice()),
        (&[("label-column", "kind")], &["animal", "fox", "red", "wild"]),
        (&[("label-column", "3")], &["animal", "fox", "red", "wild"]),
    ] {
        let query = Query::of("https://example.org/l.csv").with(options);
        let found = read(&query, list.as_bytes(), Server::Whole).unwrap();
        let [a, b] = &found.candidates[..] else { panic!("{:?}", found.candidates) };
        assert_eq!((labels(a).as_slice(), labels(b).as_slice()), (expect, &[][..]), "{options:?}");
    }
}

#[test]
fn columns_become_fields() {
    let list = "Image URL,caption,class,tags,license,author,width,height,sha1\n\
        https://example.org/a.jpg,\"A \"\"red\"\"\nfox, at dawn\",fox,\"dawn, snow\",CC BY 4.0,Ada,640,480,\
        da39a3ee5e6b4b0d3255bfef95601890afd80709\n";
    let found = read(&Query::of("https://example.org/l.csv"), list.as_bytes(), Server::Whole).unwrap();
    let candidate = &found.candidates[0];
    assert_eq!(candidate.description.as_deref(), Some("A \"red\" fox, at dawn"));
    assert_eq!(
        (&candidate.tags[..], labels(candidate)),
        (&["dawn", "snow"].map(str::to_owned)[..], vec!["fox"])
    );
    assert_eq!(candidate.license.as_ref().map(|license| license.id.as_str()), Some("cc-by-4.0"));
    assert_eq!(
        (candidate.creator.as_deref(), candidate.dimensions.map(|size| size.width)),
        (Some("Ada"), Some(640))
    );
    assert_eq!(candidate.checksum.as_ref().map(|checksum| checksum.hex.len()), Some(40));
    let json = r#"{"url": "https://example.org/a.jpg", "text": "A fox", "labels": ["red, fox", 7, null, [1]], "width": 640.0, "height": 480, "x": {"y": 1}}
{"height": null, "url": ["https://example.org/b.jpg", "c"], "tags": "fox, hare", "text": 7}"#;
    let found = read(&Query::of(LIST), json.as_bytes(), Server::Whole).unwrap();
    let [a, b] = &found.candidates[..] else { panic!("{:?}", found.candidates) };
    assert_eq!(
        (a.description.as_deref(), labels(a), a.dimensions.map(|size| size.width)),
        (Some("A fox"), vec!["red, fox", "7"], Some(640))
    );
    assert_eq!(
        (b.url.as_str(), b.tags.len(), b.description.as_deref()),
        ("https://example.org/b.jpg", 2, Some("7"))
    );
}

#[test]
fn json_as_other_tools_write_it() {
    let url = |name: &str| format!("https://example.org/{name}.jpg");
    let [a, b, c] = ["a", "b", "c"].map(url);
    let check = |list: &str, expect: &[(&str, Option<&str>)], warnings: usize| {
        for server in [Server::Whole, Server::Ranges(usize::MAX, true)] {
            let found = read(&Query::of(&format!("{LIST}.json")), list.as_bytes(), server).unwrap();
            let said = found.candidates.iter().map(|found| found.description.as_deref());
            let said: Vec<_> = found.urls().into_iter().zip(said).collect();
            assert_eq!((&said[..], found.warnings.len()), (expect, warnings), "{list}");
        }
    };
    // What Python writes of numbers that are none; the same in a text is text.
    check(
        &format!(
            "{{\"x\": NaN, \"url\": \"{a}\", \"text\": \"-Infinity: NaN, \\\"None\", \"y\": [-Infinity, 1e999]}}\n\\N\n{{\"url\": \"{b}\", \"text\": None, \"nsfw\": False}}\n"
        ),
        &[("a.jpg", Some("-Infinity: NaN, \"None")), ("b.jpg", None)],
        1,
    );
    // Addresses in objects and lists.
    check(
        &format!(
            "{{\"image\": {{\"width\": 7, \"url\": \"{a}\"}}, \"caption\": \"A\"}}\n{{\"pic\": {{\"src\": \"{b}\"}}}}\n{{\"image\": {{\"bytes\": null}}}}\n"
        ),
        &[("a.jpg", Some("A")), ("b.jpg", None)],
        1,
    );
    check(
        &format!(
            "{{\"images\": [\"{a}\", {{\"url\": \"{b}\"}}, 7], \"caption\": \"A\", \"id\": 3}}\n[\"{c}\", \"fox\"]\n"
        ),
        &[("a.jpg", Some("A")), ("b.jpg", Some("A")), ("c.jpg", None)],
        0,
    );
    // An array with an element a line.
    let lines = [&a, &b, &c].map(|url| format!("{{\"url\": \"{url}\"}}"));
    let all = [("a.jpg", None), ("b.jpg", None), ("c.jpg", None)];
    check(&format!("[\n  {}\n]\n", lines.join(",\n  ")), &all, 0);
    check(&format!("[{}]", lines.join(",\n")), &all, 0);
    check(&format!("[{}\n]", lines.join("\n,")), &all, 0);
    check(&format!("[\n\"{a}\",\n\"{b}\",\n\"{c}\"\n]"), &all, 0);
    check(&format!("{},\n", lines.join(",\n")), &all, 0);
    let found = read(&Query::of(LIST), format!("{{\"url\": [\"{a}\", \"{b}\"], \"id\": 3, \"width\": 4, \"height\": 5, \"bytes\": 9, \"md5\": \"{}\"}}", "a".repeat(32)).as_bytes(), Server::Whole);
    for found in found.unwrap().candidates {
        assert!(
            found.id.is_none()
                && found.dimensions.is_none()
                && found.checksum.is_none()
                && found.byte_size.is_none()
        );
    }
}

#[test]
fn tables_as_spreadsheets_save_them() {
    let (a, b) = ("https://example.org/a.jpg", "https://example.org/b,1.jpg");
    let check = |name: &str, list: &str| {
        for server in [Server::Whole, Server::Ranges(usize::MAX, true), Server::Ranges(usize::MAX, false)] {
            let found = read(&Query::of(&format!("{LIST}{name}")), list.as_bytes(), server).unwrap();
            let titles: Vec<_> = found.candidates.iter().filter_map(|found| found.title.as_deref()).collect();
            assert_eq!(
                (found.urls(), titles),
                (vec!["a.jpg", "b,1.jpg"], vec!["fox; red", "hare"]),
                "{list}"
            );
            assert_eq!(found.warnings, [""; 0], "{list}");
        }
    };
    for name in ["", ".csv"] {
        check(name, &format!("sep=|\r\nname|foto\r\nfox; red|{a}\r\nhare|{b}\r\n"));
        check(name, &format!("\u{feff}\"SEP=;\"\nname;foto\n\"fox; red\";{a}\nhare;{b}\n"));
        check(name, &format!("sep=\t\nname\tfoto\nfox; red\t{a}\nhare\t{b}\n"));
        // Lines that end in a carriage return alone.
        check(name, &format!("name|foto\rfox; red|{a}\rhare|{b}\r"));
    }
    // Rows of nothing, and what stands above a table.
    check(".csv", &format!(",,\r\nname,foto,\r\nfox; red,{a},\r\n,\"\",\r\nhare,\"{b}\",\r\n,,\r\n"));
    check(".csv", &format!("Foxes of 2026\nby us\n\nname;foto\n\"fox; red\";{a}\nhare;{b}\n"));
    check(".csv", &format!("name,foto\r\"fox;\rred\",{a}\rhare,\"{b}\""));
    let (found, warnings) = urls("", &[], &format!("# mine\r{a}\r\rnone\r{b}\r"));
    assert_eq!((found, warnings.len()), (vec!["a.jpg".to_owned(), "b,1.jpg".to_owned()], 1));
    // One within a line ends none.
    assert_eq!(urls(".tsv", &[], &format!("url\tcaption\n{a}\ta\rfox\n")).0, ["a.jpg"]);
}

#[test]
fn lists_kept_by_hand() {
    let a = "https://example.org/a.jpg";
    let check = |line: &str, expect: &[&str]| {
        for list in [
            line.to_owned(),
            format!("{line}\nhttps://example.org/z.jpg\n"),
            format!("https://example.org/z.jpg\n{line}"),
        ] {
            let mut found = urls(".txt", &[], &list).0;
            found.retain(|url| url != "z.jpg");
            assert_eq!(found, expect, "{list}");
        }
    };
    for line in [
        &format!("{a} # the fox"),
        &format!("{a}\t#the fox # red"),
        &format!("{a}#top"),
        &format!("<{a}>"),
        &format!("<URL:{a}> # the fox"),
        &format!("\"{a}\""),
        &format!("'{a}',"),
        &format!("- {a}"),
        &format!("URL: {a}"),
        &format!("* <{a}>"),
        &format!("; old, ours\n{a}"),
    ] {
        check(line, &["a.jpg"]);
    }
    check("https://example.org/a b.jpg # the fox", &["a%20b.jpg"]);
    check("https://example.org/#/a.jpg", &[""]);
    let said = |line: &str| urls(".txt", &[], &format!("{a}\n{line}\n")).1;
    assert_eq!(said("; old: https://example.org/b.jpg"), [""; 0]);
    for line in ["example.org/b.jpg", &format!("x {a} {a}"), "<b.jpg>", "fox # https://example.org/b.jpg"] {
        assert_eq!(said(line), ["left out for want of an absolute http(s) address: line 2"], "{line}");
    }
    // An index without a name is no comment.
    assert_eq!(urls(".csv", &[], &format!(";url\n0;{a}\n")).0, ["a.jpg"]);
}

#[test]
fn a_licence_for_all_and_only_what_is_safe() {
    let list = "url,nsfw,license\nhttps://example.org/a.jpg,true,\nhttps://example.org/b.jpg,0,\nhttps://example.org/c.jpg,,MIT\n";
    let mut query = Query::of("https://example.org/l.csv").with(&[("license", "CC0")]);
    let found = read(&query, list.as_bytes(), Server::Whole).unwrap();
    let licenses: Vec<_> = found
        .candidates
        .iter()
        .filter_map(|candidate| Some(candidate.license.as_ref()?.id.as_str()))
        .collect();
    assert_eq!((found.urls(), licenses), (vec!["b.jpg", "c.jpg"], vec!["cc0-1.0", "mit"]));
    assert_eq!(found.warnings, ["left out as not safe for work: 1"]);
    query.safe_search = false;
    assert_eq!(read(&query, list.as_bytes(), Server::Whole).unwrap().candidates.len(), 3);
}

#[test]
fn captions_of_lists_without_names() {
    let (a, b) = ("https://example.org/a.jpg", "https://example.org/b.jpg");
    let captions = |name: &str, options: &[(&str, &str)], list: &str| {
        let query = Query::of(&format!("{LIST}{name}")).with(options);
        let found = read(&query, list.as_bytes(), Server::Ranges(usize::MAX, true)).unwrap();
        let captions = found.candidates.iter().map(|found| found.description.clone().unwrap_or_default());
        (captions.collect::<Vec<_>>(), found.urls().len(), found.warnings.len())
    };
    let (fox, hare) = ("a red fox in the snow".to_owned(), "hares , running".to_owned());
    let both = (vec![fox.clone(), hare.clone()], 2, 0);
    assert_eq!(captions(".tsv", &[], &format!("{fox}\t{a}\n{hare}\t{b}\n")), both);
    assert_eq!(captions(".tsv", &[], &format!("{a}\t{fox}\n{b}\t{hare}\n")), both);
    assert_eq!(captions("", &[], &format!("\u{feff}{fox}\t{a}\r\n\r\n{hare}\t{b}\r\n")), both);
    assert_eq!(captions(".csv", &[], &format!("{a},17,\"{fox}\"\n{b},18,\"{hare}\"\n")), both);
    // Which of two it is has to be said.
    let two = format!("{fox}\t{a}\tAda Fuchs\n{hare}\t{b}\tBo Dachs\n");
    assert_eq!(captions(".tsv", &[], &two), (vec![String::new(); 2], 2, 1));
    assert_eq!(captions(".tsv", &[("caption-column", "1")], &two), both);
}

#[test]
fn scores_of_safety() {
    for (column, safe) in [
        ("punsafe", "0.02"),
        ("nsfw_score_opennsfw2", "0.49"),
        ("NSFW", "0.1"),
        ("pwatermark", "0.99"),
        ("nsfw", "UNLIKELY"),
    ] {
        let list =
            format!("url,{column}\nhttps://example.org/a.jpg,0.97\nhttps://example.org/b.jpg,{safe}\n");
        let found = read(&Query::of("https://example.org/l.csv"), list.as_bytes(), Server::Whole).unwrap();
        let expect = if column == "pwatermark" { &["a.jpg", "b.jpg"][..] } else { &["b.jpg"] };
        assert_eq!(found.urls(), expect, "{column}");
    }
    let list = r#"{"url": "https://example.org/a.jpg", "punsafe": 0.97, "nsfw_score_gantman": 1e-7}"#;
    let found = read(&Query::of(LIST), list.as_bytes(), Server::Whole).unwrap();
    assert_eq!((found.candidates.len(), found.warnings.len()), (0, 1));
}

#[test]
fn lists_in_utf_16_that_nobody_declares() {
    let list =
        "url,caption\r\nhttps://example.org/a.jpg,ein grüner Fuchs 🦊\r\nhttps://example.org/b.jpg,\r\n";
    for (mark, bytes) in
        [([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xfe, 0xff], u16::to_be_bytes)]
    {
        let list = [&mark[..], &list.encode_utf16().flat_map(bytes).collect::<Vec<_>>()].concat();
        for server in [Server::Whole, Server::Ranges(usize::MAX, true)] {
            let found = read(&Query::of("https://example.org/l.csv"), &list, server).unwrap();
            assert_eq!(found.urls(), ["a.jpg", "b.jpg"], "{server:?}");
            assert_eq!(found.candidates[0].description.as_deref(), Some("ein grüner Fuchs 🦊"));
            assert_eq!(found.warnings, [""; 0]);
        }
    }
}

/// Lines with about that many bytes each.
fn long(lines: usize, bytes: usize) -> String {
    let caption = "a fox, seen from far away at the break of day; ".repeat(bytes / 47);
    let line = |n| format!("https://example.org/{n}.jpg,\"{caption}\",fox\n");
    std::iter::once("url,caption,label\n".to_owned()).chain((0..lines).map(line)).collect()
}

#[test]
fn a_long_list_is_read_in_windows() {
    let list = long(20_000, 900);
    assert!(list.len() > 16 << 20);
    let query = Query::of("https://example.org/l.csv");
    let found = read(&query, list.as_bytes(), Server::Ranges(usize::MAX, true)).unwrap();
    let expect: Vec<_> = (0..20_000).map(|n| format!("{n}.jpg")).collect();
    assert!(found.urls() == expect);
    assert_eq!(found.asked[..2], ["bytes=0-1048575", "bytes=1047749-2096324"]);
    assert!(
        found.asked.len() < 20 && found.longest_state < 500,
        "{} {}",
        found.asked.len(),
        found.longest_state
    );
    let Err(Error::InvalidQuery(message)) = read(&query, list.as_bytes(), Server::Whole) else { panic!() };
    assert!(message.contains("larger than 16 MiB, and its server does not give it in parts"), "{message}");
}

#[test]
fn a_window_of_the_shortest_lines_is_read_in_time() {
    let list = "http://a\n".repeat(120_000);
    let found = read(&Query::of(LIST), list.as_bytes(), Server::Ranges(usize::MAX, true)).unwrap();
    assert_eq!((found.candidates.len(), found.asked.len()), (120_000, 2));
}

#[test]
fn a_server_that_does_not_know_parts() {
    let list = long(5_000, 100);
    let found = read(&Query::of("https://example.org/l.csv"), list.as_bytes(), Server::Whole).unwrap();
    assert_eq!((found.candidates.len(), found.warnings.len()), (5_000, 0));
    assert_eq!(found.asked, ["bytes=0-1048575"; 2]);
}

#[test]
fn compressed_and_encoded_lists_are_asked_for_whole() {
    let packed = [0x1f, 0x8b, 8, 0, 0];
    let unpacked = "url\nhttps://example.org/a.jpg\n";
    for (name, start, headers) in [
        ("/l.csv.gz", &packed[..], &[("content-type", "application/gzip")][..]),
        ("/l.csv", b"url\n\xe9", &[("content-type", "text/csv; charset=iso-8859-1"), ("etag", "\"1\"")]),
        ("/l.csv", b"\xff\xfeu\0", &[("content-type", "text/csv")]),
    ] {
        let query = Query::of(&format!("https://example.org{name}"));
        let found = crawl(&query, |request, _| match request.headers.is_empty() {
            true => serve(unpacked.as_bytes(), Server::Whole, headers, request),
            false => serve(start, Server::Ranges(usize::MAX, true), headers, request),
        });
        let found = found.unwrap();
        assert_eq!((found.urls(), found.asked.len()), (vec!["a.jpg"], 2), "{name}");
        assert_eq!(found.warnings, [""; 0]);
    }
    let Err(Error::InvalidQuery(message)) = read(&Query::of(LIST), &packed, Server::Whole) else { panic!() };
    assert!(message.contains("no gzip"), "{message}");
}

#[test]
fn a_list_that_changes_is_read_anew() {
    let (old, new) = (long(4_000, 600), long(4_500, 600).replace(".jpg", ".png"));
    let query = Query::of("https://example.org/l.csv");
    let server = Server::Ranges(usize::MAX, true);
    let found = crawl(&query, |request, count| {
        let (list, etag) = if count < 2 { (&old, "\"1\"") } else { (&new, "\"2\"") };
        serve(list.as_bytes(), server, &[("etag", etag)], request)
    });
    let found = found.unwrap();
    assert_eq!(found.urls().iter().filter(|url| url.ends_with(".png")).count(), 4_500);
    assert_eq!(found.warnings, ["the list changed while it was read; it is read anew"]);
    let restless = crawl(&query, |request, count| {
        serve(old.as_bytes(), server, &[("etag", &format!("\"{count}\""))], request)
    });
    assert!(matches!(restless, Err(Error::InvalidQuery(_))), "{restless:?}");
    // Servers that share a name may tag the same file differently.
    let shared = crawl(&query, |request, count| {
        let headers =
            [("etag", &*format!("\"{count}\"")), ("last-modified", "Sun, 01 Nov 2026 00:00:00 GMT")];
        serve(old.as_bytes(), server, &headers, request)
    });
    assert_eq!(shared.unwrap().warnings, [""; 0]);
}

#[test]
fn bad_lines_cost_only_themselves() {
    let a = "https://example.org/a.jpg";
    let list =
        format!("url\n{a}\nb.jpg\n/c.jpg\n\n//example.org/d.jpg\nnone\nftp://example.org/e.jpg\nx\n{a}?2\n");
    let (found, warnings) = urls(".csv", &[], &list);
    assert_eq!(found, ["a.jpg", "a.jpg?2"]);
    assert_eq!(
        warnings,
        ["left out for want of an absolute http(s) address: lines 3, 4, 6, 7, 8 and 1 more"]
    );
    let list = format!("{{\"url\": \"{a}\"}}\n{{\"url\": \n[1]\n{{\"url\": 7}}\n{{}}\n");
    assert_eq!(
        urls(".jsonl", &[], &list).1,
        ["left out for want of an absolute http(s) address: lines 2, 3, 4, 5"]
    );
    let bytes = [
        b"url,caption\nhttps://example.org/a.jpg,caf\xe9\n".as_slice(),
        &[b'x'; 70_000],
        b"\nhttps://example.org/b.jpg,\n",
    ]
    .concat();
    for server in [Server::Whole, Server::Ranges(usize::MAX, true), Server::Ranges(66_000, true)] {
        let found = read(&Query::of("https://example.org/l.csv"), &bytes, server).unwrap();
        assert_eq!(found.urls(), ["a.jpg", "b.jpg"]);
        let mut warnings = found.warnings;
        warnings.sort();
        assert_eq!(
            warnings,
            [
                "left out for want of an absolute http(s) address: line 3",
                "no UTF-8, so that some characters are lost: line 2"
            ],
            "{server:?}"
        );
    }
}

#[test]
fn a_line_without_end_is_none() {
    let list = format!("https://example.org/a.jpg\n{}", ",".repeat(3 << 20));
    for (server, asked) in [(Server::Whole, 1), (Server::Ranges(usize::MAX, true), 4)] {
        let found = read(&Query::of("https://example.org/l.csv"), list.as_bytes(), server).unwrap();
        assert_eq!((found.urls(), found.asked.len()), (vec!["a.jpg"], asked));
        assert_eq!(found.warnings, ["left out for want of an absolute http(s) address: line 2"]);
    }
}

#[test]
fn what_is_no_list_is_said() {
    let refused = |name: &str, options: &[(&str, &str)], list: &str| {
        let query = Query::of(&format!("{LIST}{name}")).with(options);
        let crawl = read(&query, list.as_bytes(), Server::Ranges(usize::MAX, true));
        let Err(Error::InvalidQuery(message)) = crawl else { panic!("{list}: {crawl:?}") };
        message
    };
    assert!(refused("", &[], "<html>").contains("is a web page"));
    assert!(refused(".csv", &[], "url\na.jpg\nb.jpg\n").ends_with("lines 2, 3"));
    assert!(refused("", &[], &"x\n".repeat(900_000)).ends_with("5 and 995 more"));
    let message = refused(".csv", &[("url-column", "foto")], "label,url\nfox,https://example.org/a.jpg");
    assert!(message.contains("no column `foto`; it has label, url"), "{message}");
    let message = refused(".csv", &[("caption-column", "3")], "fox,https://example.org/a.jpg");
    assert!(message.contains("only numbers from 1 to 2"), "{message}");
    let (found, warnings) = urls(".csv", &[], "");
    assert_eq!((found.len(), warnings), (0, vec!["the list is empty".to_owned()]));
}

#[test]
fn answers_that_are_none() {
    let of =
        |status: u16| crawl(&Query::of(LIST), |request, _| Answer::of(&request.url, status, "")).unwrap_err();
    assert!(matches!(of(404), Error::InvalidQuery(_)));
    assert!(matches!(of(403), Error::InvalidQuery(_)));
    assert!(matches!(of(500), Error::Unavailable(_)));
    assert!(matches!(of(429), Error::RateLimited(_)));
    assert!(matches!(of(206), Error::LayoutChanged(_)));
    let trickle = read(&Query::of(LIST), long(3, 100).as_bytes(), Server::Ranges(10, true));
    assert!(matches!(trickle, Err(Error::Unavailable(_))), "{trickle:?}");
    assert!(matches!(UrlList::start(&Query::of("list.txt")), Err(Error::InvalidQuery(_))));
}

proptest! {
    #[test]
    fn it_does_not_matter_where_parts_end(
        lines in proptest::collection::vec("(https://example.org/[a-z]{1,9}\\.jpg|[a-z]{0,9}),(\"[a-z,é\r\n]{0,40}\"|[a-zé\"]{0,20})", 1..60),
        most in 130_usize..400,
    ) {
        let list = format!("url,caption\n{}", lines.join("\n"));
        let query = Query::of("https://example.org/l.csv");
        let (whole, parts) = (
            read(&query, list.as_bytes(), Server::Whole),
            read(&query, list.as_bytes(), Server::Ranges(most, true)),
        );
        // A quote that nobody meant may go over more than such small parts.
        if let (Ok(whole), Ok(parts)) = (&whole, &parts) {
            prop_assert_eq!(&whole.candidates, &parts.candidates);
            prop_assert_eq!(whole.warnings.last(), parts.warnings.last());
        }
    }

    #[test]
    fn any_bytes_are_read(list: Vec<u8>, likely in "[a\"{}\\[\\],:;\n\r\t#]{0,60}") {
        for list in [&list[..], likely.as_bytes()] {
            for name in ["", ".csv", ".tsv", ".jsonl"] {
                let query = Query::of(&format!("{LIST}{name}"));
                for server in [Server::Whole, Server::Ranges(20, false)] {
                    let _ = read(&query, list, server);
                }
            }
        }
    }
}
