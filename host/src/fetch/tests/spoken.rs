//! HTTP as sites speak it, which is not always as it is written: what browsers read is read.

use super::{
    super::body::{BodyLimits, decompress},
    download,
    downloading::{brotli, gzip},
    fetcher, get, grants,
    site::{Act, Site, answer, header, path, redirect},
};
use crate::model::{Candidate, Content, Failure, HostKind};

fn raw(head: &str, body: impl AsRef<[u8]>) -> Act {
    Act::Send([head.as_bytes(), b"\r\n\r\n", body.as_ref()].concat())
}

#[tokio::test]
async fn heads_with_faults_are_read() {
    let many: String = (0..150).map(|number| format!("x-{number}: {number}\r\n")).collect();
    let lines = [
        ("fold", "x-note: one\r\n two\r\n\tthree"),
        ("space", "x-powered-by : PHP"),
        ("no-colon", "preload"),
        ("delete", "set-cookie: a=b; domain=\x7f"),
        ("name", "x(y): z"),
        ("many", many.trim_end()),
    ]
    .map(|(name, lines)| (name, lines.to_owned()));
    let site = Site::start(move |request| {
        let found = lines.iter().find(|(name, _)| path(request) == format!("/{name}"));
        let Some((_, lines)) = found else { return answer(404, &[], "") };
        raw(&format!("HTTP/1.1 200 X\r\n{lines}\r\nx-last: here\r\ncontent-length: 5"), "bytes")
    })
    .await;
    let fetcher = fetcher(&site);
    let grants = grants(&[("*", HostKind::Api)]);
    for (name, expect) in [
        ("fold", Some(("x-note", "one   two  three"))),
        ("space", Some(("x-powered-by", "PHP"))),
        ("no-colon", None),
        ("delete", None),
        ("name", None),
        ("many", Some(("x-149", "149"))),
    ] {
        let image = download(&fetcher, &format!("https://{name}.test/{name}")).await.unwrap();
        assert_eq!(&image.bytes[..], b"bytes", "{name}");
        let page = fetcher.ask(&grants, &get(&format!("https://{name}.test/{name}"))).await.unwrap();
        let value =
            |name: &str| page.headers.iter().find(|(found, _)| found == name).map(|(_, value)| &**value);
        assert_eq!(value("x-last"), Some("here"), "{name}");
        if let Some((header, expect)) = expect {
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(value(header).map(words), Some(words(expect)), "{name}");
        }
    }
}

#[tokio::test]
async fn bodies_are_decompressed_as_browsers_do() {
    let text = "some text, ".repeat(1000);
    let (gzip, br) = (gzip(text.as_bytes()).await, brotli(text.as_bytes()).await);
    let deflated = gzip[10..gzip.len() - 8].to_vec();
    let zlib = [b"\x78\x9c", &deflated[..], b"\0\0\0\0"].concat();
    let twice = super::downloading::gzip(&br).await;
    let named =
        [&b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x03\0ext"[..], b"name\0", b"comment\0", b"\0\0", &gzip[10..]];
    let bodies: Vec<(&str, &str, Vec<u8>)> = vec![
        ("lines-behind", "gzip", [&gzip[..], b"\r\n \r\n"].concat()),
        ("zeros-behind", "gzip", [&gzip[..], &[0; 16]].concat()),
        ("head-behind", "gzip", [&gzip[..], b"\x1f\x8b"].concat()),
        ("no-trailer", "gzip", gzip[..gzip.len() - 8].to_vec()),
        ("half-trailer", "gzip", gzip[..gzip.len() - 3].to_vec()),
        ("wrong-trailer", "gzip", [&gzip[..gzip.len() - 8], b"12345678"].concat()),
        ("long-head", "gzip", named.concat()),
        ("raw-deflate", "deflate", deflated),
        ("no-adler", "deflate", zlib[..zlib.len() - 4].to_vec()),
        ("wrong-adler", "Deflate", [&zlib[..], b"behind"].concat()),
        ("behind-brotli", "br", [&br[..], b"behind"].concat()),
        ("twice", "br, gzip", twice),
        ("not-a-coding", "utf-8", text.clone().into()),
        ("nothing", "", text.clone().into()),
        ("mixed", "identity, gzip, none", gzip.clone()),
    ];
    let site = Site::start({
        let bodies = bodies.clone();
        move |request| {
            let found = bodies.iter().find(|(name, ..)| path(request) == format!("/{name}"));
            let Some((_, coding, body)) = found else { return answer(404, &[], "") };
            answer(200, &["content-type: text/plain", &format!("content-encoding: {coding}")], body)
        }
    })
    .await;
    let fetcher = fetcher(&site);
    let grants = grants(&[("*", HostKind::Api)]);
    for (name, ..) in bodies {
        let url = format!("https://{name}.test/{name}");
        let page = fetcher.ask(&grants, &get(&url)).await.unwrap_or_else(|why| panic!("{name}: {why:?}"));
        assert!(page.body == Content::Text(text.clone()), "{name}: {:?}", page.body);
        let image = download(&fetcher, &url).await.unwrap_or_else(|why| panic!("{name}: {why:?}"));
        assert!(image.bytes == text.as_bytes(), "{name}");
    }
}

#[tokio::test]
async fn a_page_that_never_comes_whole_is_read_as_far_as_it_comes() {
    let packed = gzip(b"<p>page").await;
    let site = Site::start(move |request| match path(request) {
        "/length" => raw("HTTP/1.1 200 X\r\ncontent-type: text/html\r\ncontent-length: 99", "<p>page"),
        "/chunks" => {
            let head =
                "HTTP/1.1 200 X\r\ncontent-type: Text/HTML; charset=utf-8\r\ntransfer-encoding: chunked";
            raw(head, "7\r\n<p>page\r\n")
        }
        "/gzip" => {
            let head =
                "HTTP/1.1 200 X\r\ncontent-type: text/html\r\ncontent-encoding: gzip\r\ncontent-length: 99";
            raw(head, &packed)
        }
        "/nothing" => raw("HTTP/1.1 200 X\r\ncontent-type: text/html\r\ncontent-length: 99", ""),
        "/json" => raw("HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 99", "[]"),
        _ => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    let grants = grants(&[("*", HostKind::Api)]);
    for name in ["length", "chunks", "gzip"] {
        let url = format!("https://{name}.test/{name}");
        let page = fetcher.ask(&grants, &get(&url)).await.unwrap_or_else(|why| panic!("{name}: {why:?}"));
        assert_eq!(page.body, Content::Text("<p>page".to_owned()), "{name}");
    }
    assert_eq!(site.requests().len(), 9, "it might have come whole");
    for name in ["nothing", "json"] {
        let url = format!("https://{name}.test/{name}");
        let failure = fetcher.ask(&grants, &get(&url)).await.unwrap_err().failure();
        assert!(matches!(failure, Failure::Network(_)), "{name}: {failure:?}");
    }
}

#[tokio::test]
async fn pictures_are_said_to_be_packed_and_are_not() {
    let pictures: [&[u8]; 4] = [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x04\0\0\0WEBP"];
    let pictures = pictures.map(|beginning| [beginning, &[b'x'; 100_000]].concat());
    let of = |request: &str| {
        let (coding, picture) = path(request).strip_prefix('/')?.split_once('/')?;
        Some((coding.to_owned(), picture.parse::<usize>().ok()?))
    };
    let site = Site::start({
        let pictures = pictures.clone();
        move |request| match of(request) {
            Some((coding, picture)) => {
                answer(200, &[&format!("content-encoding: {coding}")], &pictures[picture])
            }
            None => answer(404, &[], ""),
        }
    })
    .await;
    let fetcher = fetcher(&site);
    for coding in ["gzip", "deflate", "br"] {
        for (number, picture) in pictures.iter().enumerate() {
            let url = format!("https://img.test/{coding}/{number}");
            assert!(download(&fetcher, &url).await.unwrap().bytes == picture[..], "{url}");
        }
    }
}

#[tokio::test]
async fn what_was_flushed_and_never_ended_is_what_came() {
    let limits = BodyLimits { bytes: 1 << 20, truncates: false };
    // A stored block that is not the last.
    let flushed = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\0\x04\0\xfb\xfftext";
    assert_eq!(decompress(flushed, limits).await.unwrap(), b"text");
    for nothing in
        [&flushed[..4], &flushed[..10], b"no gzip file", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff\xff"]
    {
        assert!(decompress(nothing, limits).await.is_err(), "{nothing:?}");
    }
    let broken = [&flushed[..], b"\x07junk"].concat();
    assert!(decompress(&broken, limits).await.is_err(), "a block of no kind");
}

#[tokio::test]
async fn a_place_in_other_letters_goes_back_as_it_came() {
    let site = Site::start(|request| match path(request) {
        "/latin" => {
            Act::Send(b"HTTP/1.1 302 X\r\nlocation: /gr\xfcn.jpg\r\ncontent-length: 0\r\n\r\n".into())
        }
        "/utf" => redirect("/grün.jpg?a=ü b"),
        "/gr%FCn.jpg" | "/gr%C3%BCn.jpg?a=%C3%BC%20b" => answer(200, &[], "bytes"),
        _ => answer(404, &[], ""),
    })
    .await;
    for path in ["latin", "utf"] {
        assert!(download(&fetcher(&site), &format!("https://img.test/{path}")).await.is_ok(), "{path}");
    }
}

#[tokio::test]
async fn odd_statuses_are_answers() {
    let site = Site::start(|request| match path(request).trim_start_matches('/').parse() {
        Ok(status) => answer(status, &["content-type: text/plain"], "bytes"),
        Err(_) => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    let grants = grants(&[("*", HostKind::Api)]);
    for (status, is_there) in
        [(203, true), (299, true), (300, false), (399, false), (600, false), (999, false)]
    {
        let url = format!("https://h{status}.test/{status}");
        assert_eq!(fetcher.ask(&grants, &get(&url)).await.unwrap().status, status);
        assert_eq!(download(&fetcher, &url).await.is_ok(), is_there, "{status}");
    }
    assert_eq!(site.requests().len(), 12, "none is asked for again");
}

#[tokio::test]
async fn what_another_try_would_meet_again_is_told_apart() {
    let site = Site::start(|request| match path(request) {
        "/nowhere" => redirect("http://["),
        "/loop" => redirect("/loop"),
        "/no-gzip" => answer(200, &["content-encoding: gzip"], "text"),
        "/zstd" => answer(200, &["content-encoding: zstd"], "text"),
        "/no-http" => Act::Send(b"\x16\x03\x01 not http\r\n\r\n".into()),
        "/lengths" => raw("HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2", "ab"),
        "/cut" => raw("HTTP/1.1 200 X\r\ncontent-length: 10", "short"),
        _ => Act::Send(Vec::new()),
    })
    .await;
    let fetcher = fetcher(&site);
    let grants = grants(&[("*", HostKind::Api)]);
    for (path, lasts) in [
        ("nowhere", true),
        ("loop", true),
        ("no-gzip", true),
        ("zstd", true),
        ("no-http", true),
        ("lengths", true),
        ("cut", false),
        ("nothing", false),
    ] {
        let asked = fetcher.ask(&grants, &get(&format!("https://{path}.test/{path}"))).await;
        let error = asked.unwrap_err();
        assert_eq!(error.retry_after, None, "{path}");
        match error.failure() {
            Failure::Lasting(_) => assert!(lasts, "{path}"),
            Failure::Network(_) => assert!(!lasts, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}

/// A site that leads from `/to?ADDRESS` to that address, and has something at every other.
async fn with_redirects() -> Site {
    Site::start(|request| match path(request) {
        "/robots.txt" => answer(404, &[], ""),
        path => match path.strip_prefix("/to?") {
            Some(target) => redirect(target),
            None => answer(200, &[], "bytes"),
        },
    })
    .await
}

#[tokio::test]
async fn pictures_are_asked_for_as_their_page_would() {
    let site = with_redirects().await;
    let fetcher = fetcher(&site);
    let granted = grants(&[("*", HostKind::Api)]);
    let page = "https://site.test/album?page=2#top";
    let told = async |headers: &[(&str, &str)], page: &str, url: &str| {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let candidate = Candidate {
            headers,
            page_url: Some(page.to_owned()),
            url: url.to_owned(),
            ..Candidate::default()
        };
        fetcher.download(&granted, &candidate, url).await.unwrap();
        header(&site.requests().pop().unwrap(), "referer").map(str::to_owned)
    };
    let own = Some("https://site.test/album?page=2".to_owned());
    let origin = Some("https://site.test/".to_owned());
    assert_eq!(told(&[], page, "https://site.test/a.png").await, own);
    assert_eq!(told(&[], page, "https://cdn.test/a.png").await, origin);
    assert_eq!(told(&[], page, "http://site.test/a.png").await, None);
    assert_eq!(told(&[], "no address", "https://site.test/a.png").await, None);
    let away = "https://cdn.test/to?https://site.test/a.png";
    assert_eq!(told(&[], page, away).await, origin, "who came by another site");
    let down = "https://site.test/to?http://site.test/to?https://site.test/a.png";
    assert_eq!(told(&[], page, down).await, None, "what was not told on the way is not told later");
    assert_eq!(
        told(&[("Referer", "https://x.test/y")], page, "https://site.test/a").await.as_deref(),
        Some("https://x.test/y")
    );
    assert_eq!(told(&[("referer", "")], page, "https://site.test/a.png").await, None);
    assert_eq!(told(&[("referer", "")], page, away).await, None);
    let down = told(&[("referer", page)], page, "http://site.test/a.png").await;
    assert_eq!(down, None, "from https to http, whatever a source says");
    let accept = header(&site.requests()[0], "accept").map(str::to_owned).unwrap();
    assert!(accept.contains("image/jpeg") && !accept.contains("avif"), "{accept}");

    // A page that asks for less is heard where its own words may not be sent.
    let candidate = Candidate {
        headers: vec![("referer".to_owned(), "https://site.test/".to_owned())],
        page_url: Some(page.to_owned()),
        url: "https://site.test/a.png".to_owned(),
        ..Candidate::default()
    };
    let ungranted = grants(&[("api.test", HostKind::Api)]);
    fetcher.download(&ungranted, &candidate, "https://site.test/a.png").await.unwrap();
    assert_eq!(header(&site.requests().pop().unwrap(), "referer"), None);

    let request = crate::model::Request {
        headers: vec![("referer".to_owned(), String::new())],
        ..get("https://site.test/list")
    };
    fetcher.ask(&granted, &request).await.unwrap();
    assert_eq!(header(&site.requests().pop().unwrap(), "referer"), None);
}

/// What a source says of the page is for the address that it says it of.
#[tokio::test]
async fn a_referer_of_a_source_stays_with_its_origin() {
    let site = with_redirects().await;
    let fetcher = fetcher(&site);
    let granted = grants(&[("*", HostKind::Api)]);
    let whole = "https://site.test/album?token=7";
    let told = async |referer: &str, url: &str, copy: &str| {
        let candidate = Candidate {
            url: url.to_owned(),
            page_url: Some(whole.to_owned()),
            headers: vec![("Referer".to_owned(), referer.to_owned())],
            ..Candidate::default()
        };
        fetcher.download(&granted, &candidate, copy).await.unwrap();
        header(&site.requests().pop().unwrap(), "referer").map(str::to_owned)
    };
    let check = async |referer: &str, url: &str, copy: &str, expect: Option<&str>| {
        assert_eq!(told(referer, url, copy).await.as_deref(), expect, "{referer:?} for {url}, copy {copy}");
    };
    let (cdn, other, own) = ("https://cdn.test/a.png", "https://other.test/a.png", "https://site.test/a.png");
    let origin = "https://site.test/";
    check(whole, cdn, cdn, Some(whole)).await;
    check(whole, cdn, "https://cdn.test/small.png", Some(whole)).await;
    check(whole, cdn, other, Some(origin)).await;
    check(whole, cdn, "https://cdn.test:8443/a.png", Some(origin)).await;
    check(whole, cdn, "http://cdn.test/a.png", None).await;
    check(origin, cdn, other, Some(origin)).await;
    check(origin, own, own, Some(origin)).await;
    check(origin, cdn, own, Some(whole)).await;
    check("", cdn, other, None).await;
    check("", cdn, "https://other.test/to?https://site.test/a.png", None).await;
    check("https://site.test/other page", cdn, other, Some(origin)).await;

    let to = |start: &str, end: &str| format!("{start}/to?{end}");
    check(whole, cdn, &to("https://cdn.test", other), None).await;
    check(whole, cdn, &to("https://cdn.test", &to("https://other.test", cdn)), None).await;
    check(whole, cdn, &to("https://other.test", cdn), Some(origin)).await;
    let plain = "http://site.test/album?token=7";
    let secured = to("http://cdn.test", cdn);
    check(plain, &secured, &secured, None).await;
    check("http://site.test", &secured, &secured, Some("http://site.test")).await;
    check(origin, &secured, &secured, None).await;
}
