//! The SDK beside the tests of the standards that it follows, where they are at hand: the tokens of
//! html5lib, the addresses of the URL standard.

use std::collections::BTreeMap;
use std::fs;

use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::html::{Token, tokens};
use pixcrawler_sdk::json;
use pixcrawler_sdk::url::resolve;
use serde_json::Value;

/// A document's tags, attributes and texts.
#[derive(Debug, PartialEq)]
enum Piece {
    Open(String, BTreeMap<String, String>),
    Close(String),
    Text(String),
}

/// The element whose content is read as that state of the standard's tokenizer says.
fn element(state: &str) -> Option<&'static str> {
    match state {
        "Data state" => Some(""),
        "RCDATA state" => Some("title"),
        "RAWTEXT state" => Some("style"),
        "Script data state" => Some("script"),
        "PLAINTEXT state" => Some("plaintext"),
        "CDATA section state" => Some("svg"),
        _ => None,
    }
}

fn read(html: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for token in tokens(html) {
        match token {
            Token::Open(tag) => {
                let mut attributes = BTreeMap::new();
                for (name, value) in tag.attributes() {
                    attributes.entry(name.to_ascii_lowercase()).or_insert_with(|| value.into_owned());
                }
                pieces.push(Piece::Open(tag.name.to_ascii_lowercase(), attributes));
            }
            Token::Close(name) => pieces.push(Piece::Close(name.to_ascii_lowercase())),
            Token::Text(text) => push(&mut pieces, &text.decode()),
        }
    }
    pieces
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(before)) => before.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// With one name in the place of another, in small letters, large ones or both.
fn rename(text: &str, from: &str, to: &str) -> String {
    let small = text.to_ascii_lowercase();
    let ends = small.match_indices(from).map(|(at, _)| at + from.len()).chain([text.len()]);
    let mut start = 0;
    let pieces = ends.map(|end| &text[std::mem::replace(&mut start, end)..end]);
    let renamed = pieces.map(|piece| match piece.len().checked_sub(from.len()) {
        Some(at) if piece[at..].eq_ignore_ascii_case(from) => format!("{}{to}", &piece[..at]),
        _ => piece.to_owned(),
    });
    renamed.collect()
}

fn expected(output: &Value) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for token in output.as_array().expect("html5lib's form") {
        let text = |at: usize| token[at].as_str().expect("html5lib's form");
        match token[0].as_str() {
            Some("StartTag") => {
                let attributes = token[2].as_object().expect("html5lib's form").iter();
                let attributes = attributes
                    .map(|(name, value)| (name.clone(), value.as_str().expect("html5lib's form").to_owned()));
                pieces.push(Piece::Open(text(1).to_owned(), attributes.collect()));
            }
            Some("EndTag") => pieces.push(Piece::Close(text(1).to_owned())),
            Some("Character") => push(&mut pieces, text(1)),
            _ => {}
        }
    }
    pieces
}

/// Every test of the tokenizer, but for what a reader of pictures does not tell: comments and
/// document types, errors, and what becomes of U+0000.
#[test]
fn tokens_are_those_of_browsers() {
    let Some(files) = recordings("conformance/html5lib") else { return };
    let (mut passed, mut failed) = (0, Vec::new());
    let mut left_out = BTreeMap::<&str, usize>::new();
    for (name, path) in files.iter().filter(|(name, _)| name.starts_with("tokenizer__")) {
        let all: Value = serde_json::from_str(&json::mend(&fs::read_to_string(path).unwrap())).unwrap();
        // The file of changes that the standard has not taken has a list of its own.
        let tests = all.get("tests").or_else(|| all.get("xmlViolationTests")).unwrap();
        for test in tests.as_array().unwrap() {
            let test = if test["doubleEscaped"] == true {
                let written = test.to_string().replace("\\\\u", "\\u");
                serde_json::from_str(&json::mend(&written)).unwrap()
            } else {
                test.clone()
            };
            let states = test["initialStates"].as_array().cloned();
            for state in states.unwrap_or_else(|| vec!["Data state".into()]) {
                let input = test["input"].as_str().unwrap();
                let mut leave_out = |why| *left_out.entry(why).or_default() += 1;
                let Some(element) = element(state.as_str().unwrap()) else {
                    leave_out("begin in another state");
                    continue;
                };
                if input.contains('\0') {
                    leave_out("have U+0000, which stays as it is");
                    continue;
                }
                if name.contains("xmlViolation") {
                    leave_out("ask for what XML could not hold to be changed, which browsers do not do");
                    continue;
                }
                // The test says in which element it is; which one it is does not matter.
                let last = test["lastStartTag"].as_str();
                let (input, mut expect) = if element.is_empty() {
                    (input.to_owned(), expected(&test["output"]))
                } else {
                    let rename =
                        |text: &str| last.map_or(text.to_owned(), |last| rename(text, last, element));
                    let output = serde_json::from_str(&rename(&test["output"].to_string())).unwrap();
                    (format!("<{element}>{}", rename(input)), expected(&output))
                };
                if !element.is_empty() {
                    expect.insert(0, Piece::Open(element.to_owned(), BTreeMap::new()));
                }
                let input = input.replace("<svg>", "<svg><![CDATA[");
                let found = read(&input);
                if found == expect {
                    passed += 1;
                } else {
                    failed.push(format!("{name}: {input:?}\n  expected {expect:?}\n  found {found:?}"));
                }
            }
        }
    }
    let left: String = left_out.iter().map(|(why, count)| format!("; left out {count} that {why}")).collect();
    say(&format!("html5lib's tokens: passed {passed}, failed {}{left}", failed.len()));
    assert!(passed > 6_000 && failed.is_empty(), "{}", failed[..failed.len().min(30)].join("\n"));
}

/// Every test of the URL standard that is about http and https. What the SDK leaves to the host is names
/// of hosts and queries beyond ASCII, so what it gives is read by the host's own parser.
#[test]
fn addresses_are_those_of_browsers() {
    let Some(files) = recordings("conformance/url") else { return };
    let all = fs::read_to_string(&files["urltestdata.json"]).unwrap();
    let all: Vec<Value> = serde_json::from_str(&json::mend(&all)).unwrap();
    let (mut alone, mut with_host, mut left_out, mut failed) = (0, 0, 0, Vec::new());
    for test in all.iter().filter(|test| test.is_object()) {
        let text = |name: &str| test[name].as_str();
        let is_web = |address: &str| address.starts_with("http:") || address.starts_with("https:");
        let base = text("base").filter(|base| *base != "about:blank").unwrap_or_default();
        let expect = text("href").map(|href| href.split('#').next().unwrap_or_default());
        if !(base.is_empty() || is_web(base)) || !expect.is_none_or(is_web) {
            left_out += 1;
            continue;
        }
        let input = text("input").unwrap();
        let found = resolve(base, input);
        if found.as_deref() == expect {
            alone += 1;
        } else if found.as_ref().and_then(|found| url::Url::parse(found).ok()).as_ref().map(url::Url::as_str)
            == expect
        {
            with_host += 1;
        } else {
            failed.push(format!("{input:?} at {base:?}: expected {expect:?}, found {found:?}"));
        }
    }
    say(&format!(
        "the URL standard's addresses: passed {alone} and {with_host} more with the host, failed {}; \
        left out {left_out} of other schemes",
        failed.len()
    ));
    assert!(alone > 300 && failed.is_empty(), "{}", failed.join("\n"));
}
