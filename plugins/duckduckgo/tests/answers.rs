//! Answers in the site's shape, with invented values.

use duckduckgo::{DuckDuckGo, Memo};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Failure, Found, Query, Request, Result};

const TOKEN_PAGE: &str = r#"<html><script>iar='images';vqd="4-111222333444-5";</script></html>"#;

/// A search that has gone as far as its first page of results.
fn begun(query: &Query) -> (Memo, Request) {
    let mut memo = Memo::default();
    let answer = Answer::of(&DuckDuckGo::first(query).url, 200, TOKEN_PAGE);
    let Ok((_, Some(request))) = DuckDuckGo::read(query, &mut memo, answer) else { panic!("no token") };
    (memo, request)
}

fn read(status: u16, body: &str) -> Result<(Found, Option<Request>)> {
    let query = Query::of("red fox");
    let (mut memo, request) = begun(&query);
    DuckDuckGo::read(&query, &mut memo, Answer::of(&request.url, status, body))
}

fn page(results: &str, next: &str) -> String {
    format!(r#"{{"ads": null, "next": {next}, "query": "red fox", "results": [{results}]}}"#)
}

fn result(n: u32) -> String {
    format!(
        r#"{{"height": 600, "image": "https://img.example.org/{n}.jpg", "source": "Bing",
            "thumbnail": "https://tse1.example.net/th?id={n}&pid=Api", "title": "Fox &amp; cub {n}",
            "url": "https://www.example.org/fox/{n}", "width": 800}}"#
    )
}

fn candidate(n: u32) -> Candidate {
    Candidate {
        page_url: Some(format!("https://www.example.org/fox/{n}")),
        thumbnail_url: Some(format!("https://tse1.example.net/th?id={n}&pid=Api")),
        title: Some(format!("Fox & cub {n}")),
        dimensions: Some(Dimensions { width: 800, height: 600 }),
        extra: vec![("duckduckgo.source".to_owned(), "Bing".to_owned())],
        ..Candidate::new(format!("https://img.example.org/{n}.jpg"))
    }
}

const NEXT: &str = r#""i.js?q=red%20fox&o=json&p=1&s=100&u=bing&f=,,,,,&l=wt-wt""#;

#[test]
fn the_token_goes_with_every_page() {
    let (_, request) = begun(&Query::of(" red fox "));
    assert_eq!(
        request.url,
        "https://duckduckgo.com/i.js?o=json&q=red%20fox&l=wt-wt&p=1&f=%2C%2C%2C%2C%2C&vqd=4-111222333444-5"
    );
    assert_eq!(request.headers, [("referer".to_owned(), "https://duckduckgo.com/".to_owned())]);
    let (found, next) = read(200, &page(&[result(1), result(2)].join(","), NEXT)).unwrap();
    assert_eq!((found.candidates, found.warnings), (vec![candidate(1), candidate(2)], vec![]));
    assert_eq!(
        next.unwrap().url,
        "https://duckduckgo.com/i.js?q=red%20fox&o=json&p=1&s=100&u=bing&f=,,,,,&l=wt-wt&vqd=4-111222333444-5"
    );
}

#[test]
fn a_search_ends_without_results_or_without_a_next_page() {
    for body in [page("", NEXT), page("", "null"), page(&result(1), "null")] {
        assert_eq!(read(200, &body).unwrap().1, None, "{body}");
    }
    // Nor does it walk in circles.
    let query = Query::of("red fox");
    let (mut memo, request) = begun(&query);
    let body = page(&result(1), NEXT);
    let mut asked = Some(request);
    for expect in [true, false] {
        let answer = Answer::of(&asked.unwrap().url, 200, &body);
        asked = DuckDuckGo::read(&query, &mut memo, answer).unwrap().1;
        assert_eq!(asked.is_some(), expect);
    }
}

#[test]
fn pages_in_turn_come_to_an_end() {
    let query = Query::of("red fox");
    for pages in 2..9_u32 {
        let (mut memo, request) = begun(&query);
        let more = (0..100).take_while(|step| {
            let next = NEXT.replace("s=100", &format!("s={}", (step + 1) % pages));
            let body = page(&result(step % pages), &next);
            DuckDuckGo::read(&query, &mut memo, Answer::of(&request.url, 200, &body)).unwrap().1.is_some()
        });
        assert_eq!(more.count(), pages as usize);
    }
}

#[test]
fn what_the_site_gives_to_be_asked_with_has_an_end() {
    let digits = |count| TOKEN_PAGE.replace("4-111222333444-5", &"4".repeat(count));
    let read = |page: &str| {
        DuckDuckGo::read(
            &Query::of("red fox"),
            &mut Memo::default(),
            Answer::of("https://duckduckgo.com/", 200, page),
        )
    };
    assert!(read(&digits(2_000)).is_ok());
    for count in [2_001, 200_000] {
        let Err(Error::LayoutChanged(message)) = read(&digits(count)) else { panic!("{count}") };
        assert_eq!(message, format!("what to ask with next has {count} bytes, more than 2000"));
    }
}

#[test]
fn a_next_page_elsewhere_is_not_followed() {
    for next in ["https://example.org/i.js?s=100", "/j.js?s=100", "i.jsx?s=100", "i.js"] {
        let read = read(200, &page(&result(1), &format!("{next:?}")));
        assert!(matches!(read, Err(Error::LayoutChanged(_))), "{next}");
    }
}

#[test]
fn filters_language_and_safe_search_are_asked_for() {
    let query = Query {
        safe_search: false,
        language: Some("de-AT".to_owned()),
        ..Query::of("fuchs").with(&[("size", "large"), ("license", "public"), ("color", "")])
    };
    let (_, request) = begun(&query);
    let expect = "https://duckduckgo.com/i.js?o=json&q=fuchs&l=at-de&p=-1&f=%2Csize%3ALarge%2C%2C%2C%2Clicense%3APublic&vqd=";
    assert!(request.url.starts_with(expect), "{}", request.url);
    for spec in DuckDuckGo::info().options {
        let (value, _) = &spec.choices[0];
        let query = Query::of("fuchs").with(&[(&spec.name, value)]);
        let url = begun(&query).1.url.to_ascii_lowercase();
        assert!(url.contains(&format!("{}%3a", spec.name)), "{url}");
    }
}

#[test]
fn refusals_are_told_apart() {
    let anomaly = "DDG.deep.anomalyDetectionBlock({gk:'x',q:'red%20fox'})";
    for (status, body) in [(202, ""), (403, ""), (418, ""), (200, anomaly), (202, anomaly)] {
        assert_eq!(read(status, body), Err(Error::RateLimited(None)), "{status} {body}");
    }
    assert!(matches!(read(200, "if(DDG.deep){DDG.deep.is506=1;}"), Err(Error::Unavailable(_))));
    for (status, body) in
        [(404, ""), (200, ""), (200, "<html></html>"), (200, "{}"), (200, r#"{"results": 7}"#)]
    {
        assert!(matches!(read(status, body), Err(Error::LayoutChanged(_))), "{status} {body}");
    }
    let failed =
        Answer { outcome: Err(Failure::Status(429)), ..Answer::of("https://duckduckgo.com/", 0, "") };
    let read = DuckDuckGo::read(&Query::of("red fox"), &mut Memo::default(), failed);
    assert_eq!(read, Err(Error::RateLimited(None)));
}

#[test]
fn an_old_token_is_renewed_once() {
    let query = Query::of("red fox");
    let (mut memo, request) = begun(&query);
    let answer = Answer::of(&request.url, 200, &page(&result(1), NEXT));
    let next = DuckDuckGo::read(&query, &mut memo, answer).unwrap().1.unwrap();
    let (found, again) = DuckDuckGo::read(&query, &mut memo, Answer::of(&next.url, 403, "")).unwrap();
    assert_eq!((found, again), (Found::default(), Some(DuckDuckGo::first(&query))));
    let answer = Answer::of("https://duckduckgo.com/", 200, r#"vqd="4-999888777666-5""#);
    let retried = DuckDuckGo::read(&query, &mut memo, answer).unwrap().1.unwrap();
    assert_eq!(retried.url, next.url.replace("4-111222333444-5", "4-999888777666-5"));
    let refused = DuckDuckGo::read(&query, &mut memo, Answer::of(&retried.url, 403, ""));
    assert_eq!(refused, Err(Error::RateLimited(None)));
}

#[test]
fn a_field_that_no_result_has_is_missed() {
    let fields = ["image", "thumbnail", "title", "url", "width", "height"];
    for field in fields {
        let renamed = result(1).replace(&format!("\"{field}\""), "\"renamed\"");
        let (found, _) = read(200, &page(&format!("{renamed},{}", result(2)), NEXT)).unwrap();
        // Where another has it, it costs nothing but the address.
        let expect = if field == "image" { (1, 1) } else { (2, 0) };
        assert_eq!((found.candidates.len(), found.warnings.len()), expect, "{field}");
        assert!(found.warnings.iter().all(|warning| warning.contains(field)), "{:?}", found.warnings);
        let Err(Error::LayoutChanged(message)) = read(200, &page(&renamed, NEXT)) else { panic!("{field}") };
        assert!(message.contains(field), "{message}");
    }
    let bare = r#"{"image": "http://img.example.org/a b.jpg", "thumbnail": "//t.example.org/1", "title": " ",
        "url": "about:blank", "width": null, "height": 5}"#;
    let expect = Candidate {
        thumbnail_url: Some("https://t.example.org/1".to_owned()),
        ..Candidate::new("http://img.example.org/a%20b.jpg")
    };
    assert_eq!(read(200, &page(bare, NEXT)).unwrap().0.candidates, [expect]);
    let relative = result(1).replace("https://img.example.org", "/local");
    assert!(matches!(read(200, &page(&relative, NEXT)), Err(Error::LayoutChanged(_))));
}

#[test]
fn odd_sizes_cost_nothing_but_themselves() {
    let odd = result(1).replace("800", "800.0").replace("600", "\"600\"");
    assert_eq!(read(200, &page(&odd, NEXT)).unwrap().0.candidates, [candidate(1)]);
    for width in ["640.5", "-1", "true", "{}"] {
        let expect = Candidate { dimensions: None, ..candidate(1) };
        let odd = odd.replace("800.0", width);
        assert_eq!(read(200, &page(&odd, NEXT)).unwrap().0.candidates, [expect], "{width}");
    }
}

#[test]
fn long_words_are_cut_and_said() {
    let query = Query::of(&"ü".repeat(500));
    assert!(DuckDuckGo::first(&query).url.contains(&format!("q={}&", "%C3%BC".repeat(499))));
    let (found, _) = DuckDuckGo::read(&query, &mut Memo::default(), Answer::of("", 200, TOKEN_PAGE)).unwrap();
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = ["results", "results[]", "results[].image", "next"];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Chain<DuckDuckGo>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
