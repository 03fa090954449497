//! Images: addresses, redirects, bounds, lost connections.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio_rustls::rustls::{
    self,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{
    super::Fetcher,
    config, download, fetcher,
    name_server::NameServer,
    refusal,
    site::{Act, Site, answer, header, path, redirect},
};
use crate::model::{Failure, HostKind, Refusal};

#[tokio::test]
async fn an_image_comes_whole_with_its_address() {
    let site = Site::start(|request| match path(request) {
        "/a.jpg?b" => redirect("http://cdn.test/c.jpg#d"),
        "/c.jpg" => answer(200, &["content-type: image/jpeg"], "bytes"),
        _ => answer(404, &[], ""),
    })
    .await;
    let image = download(&fetcher(&site), "https://img.test/a.jpg?b").await.unwrap();
    assert_eq!((&image.bytes[..], image.content_type.as_deref()), (&b"bytes"[..], Some("image/jpeg")));
    assert_eq!(image.url, "http://cdn.test/c.jpg#d");
    let requests = site.requests();
    assert_eq!(header(&requests[0], "host"), Some("img.test"));
    assert_eq!(header(&requests[1], "host"), Some("cdn.test"));
    assert_eq!(header(&requests[0], "accept-encoding"), Some("identity"));
    assert_eq!(header(&requests[0], "referer"), None);
    let agent = format!("PixCrawler/{} (+crawler@example.org)", env!("CARGO_PKG_VERSION"));
    assert_eq!(header(&requests[0], "user-agent"), Some(agent.as_str()));
}

#[tokio::test]
async fn redirects_do_not_lead_inside() {
    let site = Site::start(|request| match path(request).strip_prefix("/to?") {
        Some(target) => redirect(target),
        None => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    for target in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "//127.0.0.1/x",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1:8080/",
        "http://0/",
        "https://192.168.0.1/",
    ] {
        let refused = refusal(&fetcher, &format!("https://img.test/to?{target}")).await;
        assert_eq!(refused, Refusal::PrivateAddress, "{target}");
    }
    for target in ["file:///etc/passwd", "ftp://img.test/", "http://a:b@img.test/", "http://img.test:22/"] {
        let refused = refusal(&fetcher, &format!("https://img.test/to?{target}")).await;
        assert_eq!(refused, Refusal::BadUrl, "{target}");
    }
    assert_eq!(refusal(&fetcher, "http://127.0.0.1:9/").await, Refusal::PrivateAddress);
    assert_eq!(refusal(&fetcher, "mailto:a@img.test").await, Refusal::BadUrl);
    assert_eq!(refusal(&fetcher, "https://img.test/to?/to").await, Refusal::NotFound);
}

#[tokio::test]
async fn names_do_not_lead_inside() {
    let site = Site::start(|_| answer(200, &[], "bytes")).await;
    let names = NameServer::start().await.unwrap();
    let set = |name: &str, addresses: &[&str]| {
        names.set(name, &addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>());
    };
    set("inside.test", &["127.0.0.2"]);
    set("mixed.test", &["93.184.215.14", "127.0.0.2"]);
    set("six.test", &["93.184.215.14", "fd00::1"]);
    set("changing.test", &["127.0.0.1"]);
    set("a_b-.test", &["127.0.0.1"]);
    let fetcher = Fetcher::new(&crate::config::Fetch {
        map_origin: Vec::new(),
        allow_private: vec!["127.0.0.1/32".parse().unwrap()],
        name_server: Some(names.address()),
        ..config(&site)
    })
    .unwrap();
    let port = site.address.port();
    for name in ["inside.test", "mixed.test", "six.test", "six.test.", "localhost", "a.localhost"] {
        assert_eq!(
            refusal(&fetcher, &format!("http://{name}:{port}/")).await,
            Refusal::PrivateAddress,
            "{name}"
        );
    }
    // The second has a part that no name can have.
    for name in ["absent.test", &format!("{}.test", "a".repeat(64))] {
        let url = format!("http://{name}:{port}/");
        let refused = download(&fetcher, &url).await.unwrap_err();
        let detail = format!("`{name}` has no address");
        assert_eq!((refused.refusal(), refused.to_string()), (Refusal::Network, detail));
        let asked = fetcher.ask(&super::grants(&[("*", HostKind::Web)]), &super::get(&url)).await;
        assert!(matches!(asked.unwrap_err().failure(), Failure::Lasting(_)), "{name}");
    }
    // The second is no host name by the letter, and browsers ask for it.
    for name in ["changing.test", "a_b-.test"] {
        let download = download(&fetcher, &format!("http://{name}:{port}/")).await;
        assert_eq!(&download.unwrap().bytes[..], b"bytes", "{name}");
    }
    set("changing.test", &["127.0.0.2"]);
    assert_eq!(refusal(&fetcher, &format!("http://changing.test:{port}/")).await, Refusal::PrivateAddress);
}

#[tokio::test]
async fn a_resolver_that_fails_may_pass() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let name_server = socket.local_addr().unwrap();
    let fails = tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
            // A response, recursion available, the server failed.
            packet[2..4].copy_from_slice(&[0x81, 0x82]);
            socket.send_to(&packet[..length], peer).await.unwrap();
        }
    });
    let site = Site::start(|_| answer(200, &[], "bytes")).await;
    let config =
        crate::config::Fetch { map_origin: Vec::new(), name_server: Some(name_server), ..config(&site) };
    let asked = Fetcher::new(&config)
        .unwrap()
        .ask(&super::grants(&[("*", HostKind::Web)]), &super::get("http://somewhere.test/"))
        .await;
    fails.abort();
    assert!(matches!(asked.unwrap_err().failure(), Failure::Network(_)));
}

#[tokio::test]
async fn redirects_end() {
    let site = Site::start(|request| match path(request) {
        "/loop" => redirect("/loop"),
        "/nowhere" => answer(302, &[], ""),
        "/broken" => redirect("http://["),
        "/robots.txt" => answer(404, &[], ""),
        hops => match hops.trim_start_matches('/').parse() {
            Ok(0) => answer(200, &[], "end"),
            Ok(left) => redirect(&format!("/{}", left - 1)),
            Err(_) => answer(404, &[], ""),
        },
    })
    .await;
    let fetcher = fetcher(&site);
    assert_eq!(refusal(&fetcher, "https://img.test/loop").await, Refusal::TooManyRedirects);
    assert_eq!(site.requests().len(), 11);
    assert_eq!(refusal(&fetcher, "https://img.test/11").await, Refusal::TooManyRedirects);
    assert!(download(&fetcher, "https://img.test/10").await.is_ok());
    assert_eq!(refusal(&fetcher, "https://img.test/nowhere").await, Refusal::HttpStatus);
    assert_eq!(refusal(&fetcher, "https://img.test/broken").await, Refusal::Network);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let bomb = [gzip(&vec![0; 8 << 20]).await, brotli(&vec![0; 8 << 20]).await];
    let site = Site::start(move |request| match path(request) {
        "/declared" => Act::Stall(b"HTTP/1.1 200 X\r\ncontent-length: 1048577\r\n\r\n".into()),
        "/endless" => Act::Endless(b"HTTP/1.1 200 X\r\n\r\n".into(), vec![0; 4096]),
        "/chunks" => Act::Endless(
            b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".into(),
            [&b"1000\r\n"[..], &[0; 4096], b"\r\n"].concat(),
        ),
        "/gzip" => answer(200, &["content-encoding: gzip"], &bomb[0]),
        "/br" => answer(200, &["content-encoding: br"], &bomb[1]),
        "/headers" => Act::Endless(b"HTTP/1.1 200 X\r\n".into(), b"a: b\r\n".into()),
        "/header" => Act::Endless(b"HTTP/1.1 200 X\r\na: ".into(), vec![b'a'; 4096]),
        "/full" => answer(200, &[], vec![0; 1 << 20]),
        _ => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    // One host each, so that no breaker closes.
    let check = async |(path, expect)| {
        assert_eq!(refusal(&fetcher, &format!("https://{path}.test/{path}")).await, expect, "{path}");
    };
    let large = ["declared", "endless", "chunks", "gzip", "br"].map(|path| (path, Refusal::TooLarge));
    let broken = ["headers", "header"].map(|path| (path, Refusal::Network));
    join_all(large.into_iter().chain(broken).map(check)).await;
    assert_eq!(download(&fetcher, "https://img.test/full").await.unwrap().bytes.len(), 1 << 20);
}

/// RFC 9112, 9.3.1.
#[tokio::test]
async fn a_connection_that_was_kept_and_dies_costs_nothing() {
    let site = Site::start(|request| match path(request) {
        "/robots.txt" => answer(404, &[], ""),
        _ => Act::KeepOnce(b"HTTP/1.1 200 X\r\ncontent-length: 5\r\n\r\nbytes".into()),
    })
    .await;
    let fetcher = fetcher(&site);
    let downloads = join_all((0..8).map(|_| download(&fetcher, "https://img.test/a")));
    assert!(downloads.await.iter().all(Result::is_ok));
    // More connections are kept now than there are tries, and none is good for another request.
    download(&fetcher, "https://img.test/a").await.unwrap();
}

#[tokio::test]
async fn broken_answers_are_the_networks() {
    let site = Site::start(|request| match path(request) {
        "/short" => Act::Send(b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nshort".into()),
        "/cut-chunk" => {
            Act::Send(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n".into())
        }
        "/nothing" => Act::Send(Vec::new()),
        "/garbage" => Act::Send(b"\x16\x03\x01 not http\r\n\r\n".into()),
        "/two-lengths" => {
            Act::Send(b"HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".into())
        }
        "/negative" => Act::Send(b"HTTP/1.1 200 X\r\ncontent-length: -1\r\n\r\nab".into()),
        "/not-gzip" => answer(200, &["content-encoding: gzip"], "plain"),
        "/cut-gzip" => answer(200, &["content-encoding: gzip"], b"\x1f\x8b\x08\0\0\0\0\0"),
        "/zstd" => answer(200, &["content-encoding: zstd"], "bytes"),
        _ => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    // One host each, so that no breaker closes.
    let check = async |path| {
        assert_eq!(
            refusal(&fetcher, &format!("https://{path}.test/{path}")).await,
            Refusal::Network,
            "{path}"
        );
    };
    join_all(
        [
            "short",
            "cut-chunk",
            "nothing",
            "garbage",
            "two-lengths",
            "negative",
            "not-gzip",
            "cut-gzip",
            "zstd",
        ]
        .map(check),
    )
    .await;
}

#[tokio::test]
async fn statuses() {
    let site = Site::start(|request| match path(request).trim_start_matches('/').parse() {
        Ok(status) => answer(status, &[], ""),
        Err(_) => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    let check = async |(status, expect)| {
        let host = format!("h{status}.test");
        assert_eq!(refusal(&fetcher, &format!("https://{host}/{status}")).await, expect, "{status}");
        let tries = site.requests().iter().filter(|request| header(request, "host") == Some(&host)).count();
        assert_eq!(tries, if expect.may_pass() { 3 } else { 1 }, "{status}");
    };
    let expected = [
        (Refusal::NotFound, &[404, 410][..]),
        (Refusal::HttpStatus, &[206, 304, 400, 401, 403, 416, 451]),
        (Refusal::RateLimited, &[429]),
        (Refusal::ServerError, &[500, 503]),
    ];
    let each =
        expected.iter().flat_map(|&(expect, statuses)| statuses.iter().map(move |&status| (status, expect)));
    join_all(each.map(check)).await;
    assert!(download(&fetcher, "https://img.test/204").await.unwrap().bytes.is_empty());
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let site = Site::start(move |request| match path(request) {
        "/robots.txt" => answer(404, &[], ""),
        _ => match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => answer(503, &[], ""),
            1 => Act::Send(b"HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nshort".into()),
            _ => answer(200, &[], "bytes"),
        },
    })
    .await;
    assert_eq!(&download(&fetcher(&site), "https://img.test/a").await.unwrap().bytes[..], b"bytes");
    assert_eq!(site.requests().len(), 3);
}

#[tokio::test]
async fn slow_sites_are_left() {
    let site = Site::start(|request| match path(request) {
        "/robots.txt" => answer(404, &[], ""),
        "/slow-body" => Act::Stall(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\nsome".into()),
        _ => Act::Stall(Vec::new()),
    })
    .await;
    let quick = Duration::from_millis(500);
    let short = Fetcher::new(&crate::config::Fetch { request_timeout: quick, ..config(&site) }).unwrap();
    assert_eq!(refusal(&short, "https://a.test/slow-head").await, Refusal::Timeout);
    assert_eq!(refusal(&short, "https://b.test/slow-body").await, Refusal::Timeout);
    let mut picky = fetcher(&site);
    Arc::get_mut(&mut picky.client).unwrap().rate_window = Duration::from_millis(50);
    assert_eq!(refusal(&picky, "https://c.test/slow-body").await, Refusal::Timeout);
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused_at_once() {
    // For `localhost` and 127.0.0.1, signed by nobody; its key protects nothing.
    let pem = include_bytes!("untrusted.pem");
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("*=https://{}", listener.local_addr().unwrap());
    let site = Site::start(|_| answer(404, &[], "")).await;
    let config = crate::config::Fetch { map_origin: vec![origin.parse().unwrap()], ..self::config(&site) };
    let fetcher = Fetcher::new(&config).unwrap();
    let shake_hands = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.unwrap_err()
    };
    let (refused, alert) = tokio::join!(download(&fetcher, "https://img.test/a"), shake_hands);
    let refused = refused.unwrap_err();
    assert_eq!(refused.refusal(), Refusal::Network);
    assert!(refused.to_string().contains("certificate"), "{}", refused.to_string());
    assert_eq!(alert.kind(), std::io::ErrorKind::InvalidData, "the client ends the handshake: {alert}");
}

#[tokio::test]
async fn a_dropped_download_closes_its_connection() {
    let site = Site::start(|request| match path(request) {
        "/robots.txt" => answer(404, &[], ""),
        "/head" => Act::Stall(Vec::new()),
        _ => Act::Stall(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\nsome".into()),
    })
    .await;
    let fetcher = fetcher(&site);
    for path in ["head", "body"] {
        let url = format!("https://img.test/{path}");
        let work = tokio::spawn({
            let fetcher = fetcher.clone();
            async move { download(&fetcher, &url).await }
        });
        while !site.requests().iter().any(|request| request.contains(path)) {
            tokio::task::yield_now().await;
        }
        work.abort();
        site.hung_up().await;
    }
}

pub(super) async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = async_compression::tokio::bufread::GzipEncoder::new(bytes);
    let mut packed = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut encoder, &mut packed).await.unwrap();
    packed
}

pub(super) async fn brotli(bytes: &[u8]) -> Vec<u8> {
    let quality = async_compression::Level::Fastest;
    let mut encoder = async_compression::tokio::bufread::BrotliEncoder::with_quality(bytes, quality);
    let mut packed = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut encoder, &mut packed).await.unwrap();
    packed
}
