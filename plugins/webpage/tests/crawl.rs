//! A crawl from page to page, and what can go wrong on the way.

use pixcrawler_sdk::{Answer, Chained, Content, Error, Failure, Found, Query, Request, Response, Result};
use webpage::Webpage;

const PAGE: &str = "https://example.org/gallery";

fn answer(url: &str, kind: &str, body: Content) -> Answer {
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    let response = Response { status: 200, url: url.to_owned(), headers, body };
    Answer { outcome: Ok(response), ..Answer::of(url, 200, "") }
}

fn html(url: &str, body: &str) -> Answer {
    answer(url, "text/html; charset=utf-8", Content::Text(body.to_owned()))
}

fn read(seen: &mut Vec<u64>, answer: Answer) -> Result<(Found, Option<Request>)> {
    Webpage::read(&Query::of(PAGE), seen, answer)
}

fn url(request: Option<Request>) -> Option<String> {
    request.map(|request| request.url)
}

#[test]
fn the_first_page_is_the_one_named() {
    assert_eq!(
        Webpage::first(&Query::of("https://example.org/a?b=c%20d")).url,
        "https://example.org/a?b=c%20d"
    );
}

#[test]
fn pages_are_followed_once() {
    let mut seen = Vec::new();
    let (found, next) = read(&mut seen, html(PAGE, "<img src=a.jpg><a rel=next href=?p=2>")).unwrap();
    assert_eq!((found.candidates.len(), url(next).as_deref()), (1, Some("https://example.org/gallery?p=2")));
    let second = html("https://example.org/gallery?p=2", "<img src=b.jpg><a rel=next href=/gallery#top>");
    let (found, next) = read(&mut seen, second).unwrap();
    assert_eq!((found.candidates.len(), next), (1, None));
    assert_eq!(read(&mut Vec::new(), html(PAGE, "<a rel=next href=/gallery>")).unwrap().1, None);
}

#[test]
fn a_page_that_leads_on_at_once_is_left() {
    let home = Some("https://example.org/home?a=b".to_owned());
    for (content, expect) in [
        ("0; url=/home?a=b", home.clone()),
        ("0,URL='/home?a=b'x", home.clone()),
        (" 00.5 ;url = \"/home?a=b", home.clone()),
        ("0 /home?a=b", home.clone()),
        (".5; url=/home?a=b", home.clone()),
        ("0; uri", Some("https://example.org/uri".to_owned())),
        ("5; url=/home", None),
        ("0", None),
        ("0; url=", None),
        ("0url=/home", None),
        ("x; url=/home", None),
        ("; url=/home", None),
        ("0; url=/gallery", None),
        ("0; url='", None),
        ("0; ürl", Some("https://example.org/%C3%BCrl".to_owned())),
    ] {
        let quoted = content.replace('"', "&quot;");
        let page = html(PAGE, &format!("<meta http-equiv=Refresh content=\"{quoted}\">"));
        let (found, next) = read(&mut Vec::new(), page).unwrap();
        assert_eq!(url(next), expect, "{content}");
        assert_eq!(found.warnings.is_empty(), expect.is_some(), "{content}");
        let mut page = html(PAGE, "");
        if let Ok(response) = &mut page.outcome {
            response.headers.push(("refresh".to_owned(), content.to_owned()));
        }
        assert_eq!(url(read(&mut Vec::new(), page).unwrap().1), expect, "{content}");
    }
    // In `noscript` it counts where there is nothing else to see, in a `template` never.
    let bare = "<noscript><meta http-equiv=refresh content='0;/home?a=b'></noscript>";
    assert_eq!(url(read(&mut Vec::new(), html(PAGE, bare)).unwrap().1), home);
    for other in [format!("{bare}<img src=a.jpg>"), bare.replace("noscript", "template")] {
        assert_eq!(read(&mut Vec::new(), html(PAGE, &other)).unwrap().1, None, "{other}");
    }
    // A page in its own right leads to the one that it names.
    let page =
        html(PAGE, "<meta http-equiv=refresh content='0;/noscript'><img src=a.jpg><a rel=next href=?p=2>");
    let (found, next) = read(&mut Vec::new(), page).unwrap();
    assert_eq!((found.candidates.len(), url(next).as_deref()), (1, Some("https://example.org/gallery?p=2")));
}

#[test]
fn a_redirect_does_not_hide_a_circle() {
    let mut redirected = html(PAGE, "<img src=a.jpg><a rel=next href=/home>");
    if let Ok(response) = &mut redirected.outcome {
        response.url = "https://example.org/home".to_owned();
    }
    let (found, next) = read(&mut Vec::new(), redirected).unwrap();
    assert_eq!(found.candidates[0].page_url.as_deref(), Some("https://example.org/home"));
    assert_eq!(next, None);
}

#[test]
fn the_content_type_tells_xml_from_html() {
    let body = "<html xmlns='http://www.w3.org/1999/xhtml'><script src='x.js'/><img src='a.jpg'/></html>";
    for (kind, expect) in [
        ("application/xhtml+xml; charset=utf-8", 1),
        ("Application/XHTML+XML", 1),
        ("application/xml", 1),
        ("text/xml", 1),
        ("text/html", 0),
    ] {
        let (found, _) = read(&mut Vec::new(), answer(PAGE, kind, Content::Text(body.to_owned()))).unwrap();
        assert_eq!(found.candidates.len(), expect, "{kind}");
    }
}

#[test]
fn the_user_limits_the_pages() {
    for (limit, expect) in [("3", 3), ("0", 1), ("", 10), ("x", 10)] {
        let query = Query::of(PAGE).with(&[("max-pages", limit)]);
        let (mut seen, mut page) = (Vec::new(), 1);
        let (mut next, mut warnings) = (Some(Webpage::first(&query)), Vec::new());
        while let Some(request) = next {
            page += 1;
            let body = format!("<img src=a.jpg><a rel=next href=/{page}>");
            let (found, following) = Webpage::read(&query, &mut seen, html(&request.url, &body)).unwrap();
            warnings = found.warnings;
            next = following;
        }
        assert_eq!(page - 1, expect, "{limit}");
        assert_eq!(warnings, [format!("stopped after {expect} pages, there are more")]);
    }
}

#[test]
fn the_state_of_the_longest_crawl_fits() {
    let seen = vec![u64::MAX; 2 * 1_000];
    assert!(serde_json::to_string(&seen).unwrap().len() < 64 << 10);
}

#[test]
fn an_address_of_a_picture_is_that_picture() {
    let url = "https://example.org/fox";
    for (url, kind, body) in [
        (url, "image/jpeg", Content::Binary(vec![0xff, 0xd8])),
        (url, "IMAGE/SVG+XML; charset=utf-8", Content::Text("<svg>".to_owned())),
        ("https://example.org/fox.PNG", "application/octet-stream", Content::Binary(vec![0x89])),
        ("https://example.org/fox.png?v=2", "", Content::Binary(vec![0x89])),
    ] {
        let (found, next) = read(&mut Vec::new(), answer(url, kind, body)).unwrap();
        assert_eq!(
            found.candidates.iter().map(|candidate| candidate.url.as_str()).collect::<Vec<_>>(),
            [url]
        );
        assert_eq!((found.warnings.len(), next), (0, None));
    }
    let large =
        Answer { outcome: Err(Failure::TooLarge(9)), ..Answer::of("https://example.org/fox.jpg", 200, "") };
    assert_eq!(read(&mut Vec::new(), large).unwrap().0.candidates.len(), 1);
}

#[test]
fn what_is_neither_page_nor_picture_is_the_users_mistake() {
    for (kind, body) in [
        ("application/pdf", Content::Binary(b"%PDF".to_vec())),
        ("application/json", Content::Text("{}".to_owned())),
        ("text/plain", Content::Text("Not <b>html</b>".to_owned())),
        ("text/html", Content::Binary(vec![0])),
    ] {
        let error = read(&mut Vec::new(), answer(PAGE, kind, body)).unwrap_err();
        let Error::InvalidQuery(message) = error else { panic!("{kind}: {error:?}") };
        assert!(message.contains(PAGE) && message.contains(kind), "{message}");
    }
    // Some servers call pages something else.
    for kind in ["", "text/plain", "application/xhtml+xml", "text/html, text/html"] {
        let body = Content::Text("<!doctype html><HTML><img src=a.jpg>".to_owned());
        assert_eq!(read(&mut Vec::new(), answer(PAGE, kind, body)).unwrap().0.candidates.len(), 1, "{kind}");
    }
}

#[test]
fn errors_of_the_first_page_are_the_users_or_pass() {
    let error = |status| read(&mut Vec::new(), Answer::of(PAGE, status, "")).unwrap_err();
    assert_eq!(error(404), Error::InvalidQuery(format!("{PAGE} does not exist")));
    for status in [400, 401, 403, 410, 418, 451] {
        assert!(matches!(error(status), Error::InvalidQuery(_)), "{status}");
    }
    for status in [408, 425, 500, 503] {
        assert!(matches!(error(status), Error::Unavailable(_)), "{status}");
    }
    assert_eq!(error(429), Error::RateLimited(None));
}

#[test]
fn what_was_found_stays_when_a_later_page_is_missing() {
    let lost = [
        Answer::of("https://example.org/2", 404, ""),
        Answer {
            outcome: Err(Failure::Robots("/2".to_owned())),
            ..Answer::of("https://example.org/2", 0, "")
        },
    ];
    for answer in lost {
        let (found, next) = read(&mut vec![1, 2], answer).unwrap();
        assert_eq!((found.candidates.len(), found.warnings.len(), next), (0, 1, None));
        assert!(found.warnings[0].contains("https://example.org/2"), "{:?}", found.warnings);
    }
    let mut seen = vec![1, 2];
    assert!(matches!(
        read(&mut seen, Answer::of("https://example.org/2", 503, "")),
        Err(Error::Unavailable(_))
    ));
}

#[test]
fn a_page_without_pictures_says_so() {
    let (found, _) = read(&mut Vec::new(), html(PAGE, "<div id=app></div>")).unwrap();
    assert_eq!((found.candidates.len(), found.warnings.len()), (0, 1));
}
