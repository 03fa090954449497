//! Cassettes read and written.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::*;
use crate::model::{Candidate, Content, Failure, License, Method, Request, Response};

/// With everything that a cassette can say.
const FULL: &str = r#"# Everything.
source = "example"

[query]
text = "red fox"
limit = 40
safe_search = false
language = "de"
options = { license = "cc0" }
credentials = ["api"]

[[exchange]]
method = "POST"
url = "https://api.example.org/search"
key = "page 1"
headers = { referer = "https://example.org/" }
credential = "api"
item = "17"
keep = true
text = "q=red+fox"
[exchange.answer]
status = 404
url = "https://api.example.org/elsewhere"
headers = { content-type = "application/json", link = ["<a>", "<b>"] }
text = '''
{
  "results": []
}
'''

[[exchange]]
url = "https://api.example.org/picture"
[exchange.answer]
base64 = "/9g="

[[exchange]]
url = "https://api.example.org/slow"
[exchange.answer]
failure = "timeout"

[[exchange]]
url = "https://api.example.org/busy"
[exchange.answer]
failure = { status = 503 }

[expect]
end = "open"
warnings = ["one left out"]
changed-layout = ["results"]

[[expect.candidate]]
url = "https://img.example.org/1.jpg"
license = { id = "cc0-1.0", url = "https://example.org/cc0" }
dimensions = { width = 3, height = 2 }
tags = ["fox", "red"]
headers = { referer = "https://example.org/" }
extra = { "example.provider" = "zoo" }

[[expect.candidate]]
url = "https://img.example.org/2.jpg"
"#;

#[test]
fn what_is_written_is_what_was_read() {
    let cassette = Cassette::parse(FULL).unwrap();
    assert_eq!(cassette.to_text("Everything."), FULL);
    let exchanges = &cassette.exchanges;
    let request = Request {
        key: "page 1".to_owned(),
        method: Method::Post,
        url: "https://api.example.org/search".to_owned(),
        encoding: None,
        headers: vec![("referer".to_owned(), "https://example.org/".to_owned())],
        body: Some(Content::Text("q=red+fox".to_owned())),
        credential: Some("api".to_owned()),
        item: Some("17".to_owned()),
        keep: true,
    };
    assert_eq!(exchanges[0].request, request);
    let response = exchanges[0].outcome.as_ref().unwrap();
    assert_eq!(response.body, Content::Text("{\n  \"results\": []\n}\n".to_owned()));
    assert_eq!((response.status, response.headers.len()), (404, 3));
    let picture = exchanges[1].outcome.as_ref().unwrap();
    assert_eq!(picture.body, Content::Binary(vec![0xff, 0xd8]));
    assert_eq!((picture.status, picture.url.as_str()), (200, "https://api.example.org/picture"));
    assert_eq!(exchanges[2].outcome, Err(Failure::Timeout));
    assert_eq!(exchanges[3].outcome, Err(Failure::Status(503)));
    let Candidate { license, dimensions, .. } = &cassette.expect.unwrap().candidates[0].0;
    let url = Some("https://example.org/cc0".to_owned());
    assert_eq!(*license, Some(License { id: "cc0-1.0".to_owned(), url, attribution: None }));
    assert_eq!(*dimensions, Some((3, 2)));
}

/// A cassette has the text, and of its encoding what `content-type` says.
#[test]
fn what_a_document_was_written_in_comes_back() {
    let check = |encoding, content_type: Option<&str>, expect: (Option<&str>, Option<&'static Encoding>)| {
        let headers = content_type.map(|value| ("content-type".to_owned(), value.to_owned()));
        let response = Response {
            status: 200,
            url: "https://example.org/".to_owned(),
            headers: headers.into_iter().collect(),
            body: Content::Text("grün".to_owned()),
            encoding,
        };
        let request = Request::get(response.url.clone());
        let cassette = Cassette {
            exchanges: vec![Exchange::recorded(request, Ok(response))],
            expect: None,
            ..Cassette::parse(FULL).unwrap()
        };
        let read = Cassette::parse(&cassette.to_text("Old.")).unwrap();
        let response = read.exchanges[0].outcome.as_ref().unwrap();
        let content_type = response.headers.first().map(|(_, value)| value.as_str());
        assert_eq!((content_type, response.encoding), expect);
    };
    let latin = Some(WINDOWS_1252);
    check(latin, Some("text/html"), (Some("text/html; charset=windows-1252"), latin));
    check(latin, Some("text/html; charset=latin1"), (Some("text/html; charset=latin1"), latin));
    check(latin, None, (Some("text/html; charset=windows-1252"), latin));
    check(Some(UTF_8), Some("text/xml; charset=latin1"), (Some("text/xml; charset=utf-8"), Some(UTF_8)));
    check(Some(UTF_8), Some("text/html"), (Some("text/html"), Some(UTF_8)));
    check(None, Some("text/plain; charset=latin1"), (Some("text/plain; charset=latin1"), None));
}

#[test]
fn any_body_comes_back_as_it_was() {
    for body in ["", "one line", "\n", "a'''b", "it's", "'", "\\ \" \t", "a\r\nb\rc\n", "\u{1}\u{7f}é\u{85}"]
    {
        let url = "https://example.org/".to_owned();
        let response = Response {
            status: 200,
            url: url.clone(),
            headers: Vec::new(),
            body: Content::Text(body.to_owned()),
            encoding: None,
        };
        let exchange = Exchange { request: Request::get(url), outcome: Ok(response) };
        let cassette = Cassette { exchanges: vec![exchange], expect: None, ..Cassette::parse(FULL).unwrap() };
        let text = cassette.to_text("A body.");
        assert_eq!(Cassette::parse(&text).unwrap(), cassette, "{body:?} as {text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(
        any: String,
        likely in "('|\"|\\\\|\n|\r|\t| |#|\\[expect\\]|[^a-zA-Z]|a){0,30}",
    ) {
        let mut cassette = Cassette { expect: None, ..Cassette::parse(FULL).unwrap() };
        let exchange = &mut cassette.exchanges[0];
        exchange.request.key = any.clone();
        exchange.request.headers = vec![("x-any".to_owned(), likely.clone())];
        exchange.request.body = Some(Content::Text(any.clone()));
        exchange.outcome.as_mut().unwrap().body = Content::Text(likely.clone());
        cassette.query.text = likely;
        let text = cassette.to_text("Any text.");
        let again = Cassette::parse(&text).ok();
        proptest::prop_assert_eq!(again, Some(cassette), "{}", text);
        let updated = Cassette::updated(&text, &Expect::default());
        proptest::prop_assert!(updated.is_ok_and(|updated| Cassette::parse(&updated).is_ok()));
    }

    /// Lines left out, twice, elsewhere or spoilt.
    #[test]
    fn a_spoilt_cassette_is_read_or_refused(
        changes in proptest::collection::vec((0usize..4, proptest::prelude::any::<[proptest::sample::Index; 2]>(), "[=\"'\\[\\]{},#.0-9a-z\n]{0,4}"), 1..5),
    ) {
        let mut lines: Vec<String> = FULL.lines().map(str::to_owned).collect();
        for (kind, [from, to], part) in changes {
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            match kind {
                0 => drop(lines.remove(from)),
                1 => lines.insert(to, lines[from].clone()),
                2 => lines.swap(from, to),
                _ => lines[from].push_str(&part),
            }
        }
        let text = lines.join("\n");
        let _ = Cassette::updated(&text, &Expect::default());
        if let Ok(cassette) = Cassette::parse(&text) {
            let again = cassette.to_text("Again.");
            proptest::prop_assert_eq!(Cassette::parse(&again).ok(), Some(cassette), "{}", again);
        }
    }
}

#[test]
fn a_mistake_is_named_with_its_place() {
    for (from, to, line, says) in [
        ("limit = 40", "limits = 40", 6, "unknown field `limits`"),
        ("method = \"POST\"", "method = \"PUT\"", 13, "unknown variant `PUT`"),
        ("status = 404", "status = 70000", 23, "u16"),
        ("\"timeout\"", "\"tired\"", 40, "unknown variant `tired`"),
        ("base64 = \"/9g=\"", "base64 = \"?\"", 34, "not base64"),
        ("dimensions = { width = 3,", "dimensions = { widht = 3,", 55, "unknown field `widht`"),
        ("end = \"open\"", "end = \"closed\"", 48, "unknown variant `closed`"),
    ] {
        let text = FULL.replacen(from, to, 1);
        assert_ne!(text, FULL, "{from}");
        let error = Cassette::parse(&text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        let near = (line - 3..=line).any(|line| error.contains(&format!("line {line}")));
        assert!(near, "{error} is not at line {line}");
    }
}

#[test]
fn only_the_expectations_are_replaced() {
    let expect = Expect { end: Some(Ending::Done), ..Expect::default() };
    let updated = Cassette::updated(FULL, &expect).unwrap();
    let (kept, _) = FULL.split_once("[expect]").unwrap();
    assert_eq!(updated, format!("{kept}[expect]\nend = \"done\"\nwarnings = []\n"));
    assert_eq!(Cassette::updated(kept, &expect).unwrap(), updated);
    // A body that looks like the part to replace is none.
    let body = FULL.replacen("{\n  \"results\"", "[expect]\n{\n  \"results\"", 1);
    assert!(Cassette::updated(&body, &expect).unwrap().contains("[expect]\n{"));
    let (head, tail) = FULL.split_once("[[exchange]]").unwrap();
    let (tail, expectations) = tail.split_once("[expect]").unwrap();
    let early = format!("{head}[expect]{expectations}\n[[exchange]]{tail}");
    assert!(Cassette::parse(&early).is_ok());
    assert!(matches!(Cassette::updated(&early, &expect), Err(CassetteError::ExpectNotLast)));
}
