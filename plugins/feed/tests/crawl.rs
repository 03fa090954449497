//! Feeds that go on in other documents, from the first request to the last.

use feed::{Feed, Memo};
use pixcrawler_sdk::{Answer, Chained, Content, Error, Failure, Found, Query, Request, Response, Result};

const FEED: &str = "https://example.org/feed";

fn rss(picture: &str, next: &str) -> String {
    let next = if next.is_empty() { String::new() } else { format!("<atom:link rel='next' href='{next}'/>") };
    format!("<rss><channel>{next}<item><enclosure url='{picture}' type='image/jpeg'/></item></channel></rss>")
}

/// Asks until nothing follows; the addresses asked, the pictures and the warnings.
fn crawl(query: &Query, answer: impl Fn(&str) -> Answer) -> Result<(Vec<String>, Vec<String>, Vec<String>)> {
    let (mut memo, mut next) = (Memo::default(), Some(Feed::first(query)));
    let (mut asked, mut urls, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(request) = next {
        assert!(asked.len() < 2_000);
        let (Found { candidates, warnings: said }, following): (Found, Option<Request>) =
            Feed::read(query, &mut memo, answer(&request.url))?;
        urls.extend(candidates.into_iter().map(|candidate| candidate.url));
        warnings.extend(said);
        asked.push(request.url);
        next = following;
        assert!(serde_json::to_string(&memo).expect("plain data").len() < 64 << 10);
    }
    Ok((asked, urls, warnings))
}

#[test]
fn documents_follow_one_another() {
    let pages = |url: &str| {
        let (picture, next) = match url {
            FEED => ("a.jpg", "?page=2"),
            "https://example.org/feed?page=2" => ("b.jpg", "?page=3"),
            _ => ("c.jpg", "/feed"),
        };
        Answer::of(url, 200, &rss(picture, next))
    };
    let (asked, urls, warnings) = crawl(&Query::of(FEED), pages).unwrap();
    assert_eq!(asked.len(), 3);
    assert_eq!(urls, ["a", "b", "c"].map(|name| format!("https://example.org/{name}.jpg")));
    assert_eq!(warnings, [""; 0]);
    for (most, expect) in [("1", 1), ("2", 2), ("0", 1), ("9999", 1_000)] {
        let query = Query::of(FEED).with(&[("max-pages", most)]);
        let endless = |url: &str| Answer::of(url, 200, &rss("a.jpg", &format!("/feed?page={}", url.len())));
        let long = |url: &str| {
            let number: u32 = url.rsplit('=').next().and_then(|number| number.parse().ok()).unwrap_or(1);
            Answer::of(url, 200, &rss("a.jpg", &format!("?page={}", number + 1)))
        };
        let (asked, _, warnings) = crawl(&query, long).unwrap();
        assert_eq!(
            (asked.len(), warnings),
            (expect, vec![format!("stopped after {expect} documents, there are more")])
        );
        assert!(crawl(&query, endless).is_ok());
    }
}

#[test]
fn what_can_be_had_stays_good_when_a_later_document_is_missing() {
    for (status, body) in [(404, ""), (403, ""), (200, "<other/>"), (200, "<html><body>")] {
        let pages = |url: &str| match url {
            FEED => Answer::of(url, 200, &rss("a.jpg", "?page=2")),
            _ => Answer::of(url, status, body),
        };
        let (_, urls, warnings) = crawl(&Query::of(FEED), pages).unwrap();
        assert_eq!((urls.len(), warnings.len()), (1, 1), "{status} {body}");
    }
    let pages = |url: &str| match url {
        FEED => Answer::of(url, 200, &rss("a.jpg", "?page=2")),
        _ => Answer::of(url, 503, ""),
    };
    assert!(matches!(crawl(&Query::of(FEED), pages), Err(Error::Unavailable(_))));
}

#[test]
fn a_page_names_its_feed() {
    let html = "<!DOCTYPE html><html><head><link rel='alternate' hreflang='de' href='/de'>\
        <link rel=alternate type='application/rss+xml' href='/rss'><link rel=alternate type='application/atom+xml' href='/atom'>";
    let pages = |url: &str| match url {
        "https://example.org/rss" => Answer::of(url, 200, &rss("a.jpg", "")),
        _ => Answer::of(url, 200, html),
    };
    let (asked, urls, _) = crawl(&Query::of("https://example.org/blog"), pages).unwrap();
    assert_eq!((asked[1].as_str(), urls.len()), ("https://example.org/rss", 1));
    let none = crawl(&Query::of(FEED), |url| Answer::of(url, 200, "<html><head><title>No feed"));
    let Err(Error::InvalidQuery(message)) = none else { panic!() };
    assert!(message.contains("names none"), "{message}");
    // Not for ever.
    let circle = crawl(&Query::of(FEED), |url| Answer::of(url, 200, &html.replace("/rss", "/other")));
    assert!(matches!(circle, Err(Error::InvalidQuery(_))), "{circle:?}");
}

#[test]
fn a_page_names_its_feed_in_many_ways() {
    for (head, expect) in [
        ("<base href='/blog/'><link rel=alternate type='application/rss+xml' href=a.xml>", "blog/a.xml"),
        (
            "<link rel=alternate type='application/rss+xml' href=a.xml><base href='/blog/'><base href='/no/'>",
            "blog/a.xml",
        ),
        ("<link rel='home alternate' type=' Application/RSS&#43;xml; charset=utf-8' href=/a.xml>", "a.xml"),
        ("<LINK REL=FEED TYPE=application/rdf+xml HREF=/a.xml>", "a.xml"),
        ("<link rel=alternate type=application/feed+json href=/a.json>", "a.json"),
        (
            "<link rel=alternate type=application/feed+json href=/a.json><link rel=alternate type=application/atom+xml href=/a.xml>",
            "a.xml",
        ),
        ("<link rel=alternate type=application/rss+xml href='mailto:a'>", ""),
        (
            "<link rel=alternate type=application/json href=/a.json><link rel=stylesheet type=application/rss+xml href=/a.xml>",
            "",
        ),
    ] {
        for start in ["<!doctype html><html><head>", "<!doctype html><title>t</title>"] {
            let pages = |url: &str| {
                Answer::of(url, 200, &if url == FEED { format!("{start}{head}") } else { rss("/a.jpg", "") })
            };
            let asked =
                crawl(&Query::of(FEED), pages).map(|(asked, ..)| asked[1].clone()).unwrap_or_default();
            assert_eq!(asked.trim_start_matches("https://example.org/"), expect, "{start}{head}");
        }
    }
}

#[test]
fn answers_that_are_none() {
    let of = |answer: &dyn Fn(&str) -> Answer| crawl(&Query::of(FEED), answer).unwrap_err();
    assert!(matches!(of(&|url| Answer::of(url, 404, "")), Error::InvalidQuery(_)));
    assert!(matches!(of(&|url| Answer::of(url, 401, "")), Error::InvalidQuery(_)));
    assert!(matches!(of(&|url| Answer::of(url, 429, "")), Error::RateLimited(_)));
    assert!(matches!(of(&|url| Answer::of(url, 500, "")), Error::Unavailable(_)));
    let large = |url: &str| Answer { outcome: Err(Failure::TooLarge(16 << 20)), ..Answer::of(url, 0, "") };
    let Error::InvalidQuery(message) = of(&large) else { panic!() };
    assert!(message.ends_with("is larger than 16 MiB"), "{message}");
    // Servers often do not know what a feed is.
    let binary = |url: &str| {
        let body = Content::Binary(rss("a.jpg", "").into_bytes());
        let response = Response { status: 200, url: url.to_owned(), headers: Vec::new(), body };
        Answer { outcome: Ok(response), ..Answer::of(url, 0, "") }
    };
    assert_eq!(crawl(&Query::of(FEED), binary).unwrap().1.len(), 1);
}

#[test]
fn options_are_heard() {
    let body = "<rss><channel><item><media:thumbnail url='a.jpg'/><media:rating>adult</media:rating></item></channel></rss>";
    let query =
        |previews, safe_search| Query { safe_search, ..Query::of(FEED).with(&[("previews", previews)]) };
    for (previews, safe, expect) in [("false", false, 0), ("true", false, 1), ("true", true, 0)] {
        let (_, urls, _) = crawl(&query(previews, safe), |url| Answer::of(url, 200, body)).unwrap();
        assert_eq!(urls.len(), expect, "{previews} {safe}");
    }
}
