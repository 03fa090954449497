//! A source's own requests: grants, headers, decoding, what is an answer and what is not.

use super::{
    super::{FetchError, request::MAX_SOURCE_BYTES},
    downloading::gzip,
    fetcher, get, grants,
    site::{Act, Site, answer, header, path, redirect},
};
use crate::model::{Content, Failure, HostKind, Method, Request, Response};

async fn ask(site: &Site, request: &Request) -> Result<Response, FetchError> {
    fetcher(site).ask(&grants(&[("api.test", HostKind::Api), ("*.web.test", HostKind::Web)]), request).await
}

async fn text(site: &Site, path: &str) -> Content {
    ask(site, &get(&format!("https://api.test{path}"))).await.unwrap().body
}

async fn failure(site: &Site, request: &Request) -> Failure {
    ask(site, request).await.unwrap_err().failure()
}

fn with_headers(headers: &[(&str, &str)]) -> Request {
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Request { headers, ..get("https://api.test/") }
}

#[tokio::test]
async fn answers_are_decompressed_and_decoded() {
    let [latin, sitemap, tar, two] = [
        gzip(b"<meta charset=latin1>\xe9").await,
        gzip(b"<?xml version=\"1.0\" encoding=\"koi8-r\"?>\xc1").await,
        gzip(b"\xff\xfe\xfd").await,
        [gzip(b"one ").await, gzip(b"two").await].concat(),
    ];
    let packed = tar.clone();
    let site = Site::start(move |request| match path(request) {
        "/latin" => answer(200, &["content-type: text/html", "content-encoding: gzip"], &latin),
        "/sitemap.xml.gz" => answer(200, &["content-type: application/gzip"], &sitemap),
        "/tar.gz" => answer(200, &["content-type: application/gzip"], &tar),
        "/broken.gz" => answer(200, &[], b"\x1f\x8b\x08broken"),
        "/members" => answer(200, &["content-type: text/plain", "content-encoding: x-gzip"], &two),
        "/empty" => answer(200, &["content-type: text/plain", "content-encoding: gzip"], ""),
        "/json" => answer(200, &["content-type: application/json"], "{}"),
        "/part" => answer(206, &["content-type: text/plain"], "part"),
        _ => answer(404, &["content-type: text/plain"], "absent"),
    })
    .await;
    assert_eq!(text(&site, "/latin").await, Content::Text("<meta charset=latin1>é".to_owned()));
    let Content::Text(sitemap) = text(&site, "/sitemap.xml.gz").await else { panic!("a sitemap is text") };
    assert!(sitemap.ends_with('а'));
    assert_eq!(text(&site, "/tar.gz").await, Content::Binary(packed));
    assert_eq!(text(&site, "/broken.gz").await, Content::Binary(b"\x1f\x8b\x08broken".to_vec()));
    assert_eq!(text(&site, "/members").await, Content::Text("one two".to_owned()));
    assert_eq!(text(&site, "/empty").await, Content::Text(String::new()));
    assert_eq!(text(&site, "/json").await, Content::Text("{}".to_owned()));
    assert_eq!(text(&site, "/part").await, Content::Binary(b"part".to_vec()));
    let absent = ask(&site, &get("https://api.test/absent")).await.unwrap();
    assert_eq!((absent.status, absent.body), (404, Content::Text("absent".to_owned())));
    assert_eq!(site.robots_requests(), 0, "an API's robots.txt is not asked");
}

#[tokio::test]
async fn headers_are_the_hosts_business() {
    let site = Site::start(|_| {
        answer(
            200,
            &["X-One: 1", "x-one: 2", "Set-Cookie: a=b", "x-raw: \u{e9}", "content-type: text/plain"],
            "",
        )
    })
    .await;
    for name in [
        "authorization",
        "Cookie",
        "proxy-authorization",
        "Proxy-Anything",
        "HOST",
        "content-length",
        "transfer-encoding",
        "connection",
        "Accept-Encoding",
        "user-agent",
        "te",
        "upgrade",
    ] {
        let Failure::Denied(why) = failure(&site, &with_headers(&[(name, "x")])).await else {
            panic!("{name}")
        };
        assert!(why.contains(&name.to_lowercase()), "{why}");
    }
    for (name, value) in [("a b", "x"), ("", "x"), ("x", "a\r\nb: c"), ("x", "\0")] {
        assert!(matches!(failure(&site, &with_headers(&[(name, value)])).await, Failure::Denied(_)));
    }
    assert!(site.requests().is_empty());
    let response =
        ask(&site, &with_headers(&[("Referer", "https://api.test/"), ("range", "bytes=0-9")])).await.unwrap();
    let seen = site.requests().pop().unwrap();
    assert_eq!(header(&seen, "referer"), Some("https://api.test/"));
    assert_eq!(
        (header(&seen, "range"), header(&seen, "accept-encoding")),
        (Some("bytes=0-9"), Some("identity"))
    );
    let values = |name: &str| {
        response
            .headers
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!((values("x-one"), values("x-raw")), (vec!["1", "2"], vec!["é"]));
    assert!(values("set-cookie").is_empty());
    ask(&site, &get("https://api.test/")).await.unwrap();
    assert_eq!(header(&site.requests()[1], "accept-encoding"), Some("gzip, br"));
}

#[tokio::test]
async fn only_granted_hosts_are_asked() {
    let site = Site::start(|request| match path(request).strip_prefix("/to?") {
        Some(target) => redirect(target),
        None => answer(200, &[], ""),
    })
    .await;
    let Failure::Denied(why) = failure(&site, &get("https://other.test/")).await else {
        panic!("not granted")
    };
    assert!(why.contains("`other.test`") && why.contains("PIXCRAWLER_GRANT=demo"), "{why}");
    let Failure::Denied(why) = failure(&site, &get("http://10.0.0.1/")).await else { panic!("private") };
    assert!(why.contains("PIXCRAWLER_ALLOW_PRIVATE"), "{why}");
    assert!(site.requests().is_empty());
    for target in [
        "https://other.test/",
        "http://127.0.0.1/",
        "https://web.test/",
        "http://api.test/",
        "ftp://api.test/",
    ] {
        let failure = failure(&site, &get(&format!("https://api.test/to?{target}"))).await;
        assert!(matches!(failure, Failure::Denied(_)), "{target}: {failure:?}");
    }
    let response = ask(&site, &get("https://api.test/to?https://a.web.test/b")).await.unwrap();
    assert_eq!(response.url, "https://a.web.test/b");
}

#[tokio::test]
async fn a_post_becomes_a_get_where_redirects_say_so() {
    let site = Site::start(|request| match path(request).trim_start_matches('/').parse() {
        Ok(status) => answer(status, &["location: /end"], ""),
        Err(_) => answer(200, &[], ""),
    })
    .await;
    for (status, method) in [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        let body = Some(Content::Text("question".to_owned()));
        let request = Request {
            method: Method::Post,
            body,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            ..get(&format!("https://api.test/{status}"))
        };
        ask(&site, &request).await.unwrap();
        let seen = site.requests().pop().unwrap();
        assert!(seen.starts_with(&format!("{method} /end ")), "{status}: {seen}");
        assert_eq!(seen.ends_with("question"), method == "POST", "{status}: {seen}");
        assert_eq!(header(&seen, "content-type").is_some(), method == "POST", "{status}: {seen}");
    }
}

#[tokio::test]
async fn what_is_not_an_answer() {
    let bomb = gzip(&vec![b'a'; MAX_SOURCE_BYTES as usize + 1]).await;
    let site = Site::start(move |request| match path(request) {
        "/bomb" => answer(200, &["content-encoding: gzip"], &bomb),
        "/bomb.gz" => answer(200, &[], &bomb),
        "/endless" => Act::Endless(b"HTTP/1.1 200 X\r\n\r\n".into(), vec![0; 1 << 16]),
        "/short" => Act::Send(b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nshort".into()),
        "/503" => answer(503, &[], ""),
        "/429" => answer(429, &["retry-after: 40"], ""),
        "/loop" => redirect("/loop"),
        _ => answer(404, &[], ""),
    })
    .await;
    for path in ["/bomb", "/bomb.gz", "/endless"] {
        let failure = failure(&site, &get(&format!("https://api.test{path}"))).await;
        assert_eq!(failure, Failure::TooLarge(MAX_SOURCE_BYTES), "{path}");
    }
    assert!(matches!(failure(&site, &get("https://api.test/short")).await, Failure::Network(_)));
    assert!(matches!(failure(&site, &get("https://api.test/loop")).await, Failure::Lasting(_)));
    assert_eq!(failure(&site, &get("https://api.test/503")).await, Failure::Status(503));
    let unanswered = ask(&site, &get("https://api.test/429")).await.unwrap_err();
    assert_eq!(unanswered.failure(), Failure::Status(429));
    assert_eq!(unanswered.retry_after.unwrap().as_secs_f64().ceil(), 40.0);
}
