//! Politeness: robots.txt, opting out, pace.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::{
    super::Fetcher,
    config, download, fetcher, get, grants, refusal,
    site::{Act, Site, answer, header, path, redirect},
};
use crate::{
    consent::{MAX_TDMREP_BYTES, robots_txt::MAX_ROBOTS_BYTES},
    model::{ConsentMeaning, ConsentPolicy, Failure, HostKind, Refusal},
};

/// Answers every robots.txt by its host's name, and everything else with bytes.
async fn site_with_robots() -> Site {
    Site::start(|request| {
        let host = header(request, "host").unwrap_or_default();
        match (path(request), host) {
            ("/robots.txt", "closed.test") => answer(200, &[], "\u{feff}User-agent: *\nDisallow: /private\n"),
            ("/robots.txt", "ours.test") => answer(
                200,
                &[],
                "User-agent: *\nDisallow:\n\nUser-agent: pixcrawler\nDisallow: /\nAllow: /*.png$\n",
            ),
            ("/robots.txt", "moved.test") => redirect("https://closed.test/robots.txt"),
            ("/robots.txt", "inward.test") => redirect("http://127.0.0.1/robots.txt"),
            ("/robots.txt", "looping.test") => redirect("/robots.txt"),
            ("/robots.txt", "forbidden.test") => answer(403, &[], ""),
            ("/robots.txt", "failing.test") => answer(500, &[], ""),
            ("/robots.txt", "busy.test") => answer(503, &["retry-after: 60"], ""),
            ("/robots.txt", "gone.test") => Act::Send(Vec::new()),
            ("/robots.txt", "page.test") => answer(200, &["content-type: text/html"], "<html>Disallow: /"),
            ("/robots.txt", "large.test") => {
                let filler = "# filler\n".repeat(MAX_ROBOTS_BYTES / 9);
                answer(200, &[], format!("User-agent: *\nDisallow: /early\n{filler}\nDisallow: /late\n"))
            }
            ("/robots.txt", _) => answer(404, &[], ""),
            ("/out/absent", _) => answer(404, &["x-robots-tag: noai"], ""),
            ("/out", _) => answer(200, &["x-robots-tag: noindex", "X-Robots-Tag: noimageai"], "bytes"),
            ("/to", _) => redirect("https://closed.test/private/a"),
            _ => answer(200, &[], "bytes"),
        }
    })
    .await
}

#[tokio::test]
async fn robots_are_heard() {
    let site = site_with_robots().await;
    let fetcher = fetcher(&site);
    for (address, expect) in [
        ("https://open.test/a", None),
        ("https://closed.test/a", None),
        ("https://closed.test/private/a", Some(Refusal::Robots)),
        ("https://open.test/to", Some(Refusal::Robots)),
        ("https://ours.test/a.jpg", Some(Refusal::Robots)),
        ("https://ours.test/a.png", None),
        ("https://moved.test/private/a", Some(Refusal::Robots)),
        ("https://moved.test/a", None),
        ("https://inward.test/a", Some(Refusal::PrivateAddress)),
        ("https://looping.test/a", None),
        ("https://forbidden.test/a", None),
        ("https://failing.test/a", Some(Refusal::Robots)),
        ("https://busy.test/a", Some(Refusal::Robots)),
        ("https://page.test/a", None),
        ("https://large.test/early", Some(Refusal::Robots)),
        ("https://large.test/late", None),
        ("https://gone.test/a", Some(Refusal::Network)),
        ("https://open.test/out", Some(Refusal::OptOut)),
        ("https://open.test/out/absent", Some(Refusal::NotFound)),
    ] {
        assert_eq!(
            download(&fetcher, address).await.err().map(|refused| refused.refusal()),
            expect,
            "{address}"
        );
    }
    for unreadable in ["https://failing.test/b", "https://gone.test/b"] {
        let refused = download(&fetcher, unreadable).await.unwrap_err();
        let wait = refused.retry_after.unwrap();
        assert!(wait > Duration::from_secs(290) && wait <= Duration::from_secs(300), "{refused:?}");
    }
    let refused = download(&fetcher, "https://closed.test/private/b").await.unwrap_err();
    assert_eq!(refused.to_string(), "https://closed.test/robots.txt disallows `/private` for `*`");
    assert_eq!(refused.retry_after, None);
}

#[tokio::test]
async fn a_source_has_the_name_that_the_operator_gives_it() {
    let site = site_with_robots().await;
    let user_agent = vec!["demo=Guest/1.0 (like B, C)".to_owned()];
    let named = Fetcher::new(&crate::config::Fetch { user_agent, ..config(&site) }).unwrap();
    let demo = grants(&[("ours.test", HostKind::Web)]);
    let request = get("https://ours.test/a.jpg");
    named.ask(&demo, &request).await.unwrap();
    assert_eq!(header(&site.requests()[0], "user-agent"), Some("Guest/1.0 (like B, C)"));
    assert_eq!(refusal(&named, "https://ours.test/a.jpg").await, Refusal::Robots, "a picture is ours");
    let other = crate::model::Grants { source: "other".to_owned(), ..demo };
    let failure = named.ask(&other, &request).await.unwrap_err().failure();
    assert!(matches!(&failure, Failure::Robots(why) if why.contains("`pixcrawler`")), "{failure:?}");
    assert_eq!(site.robots_requests(), 2, "once for each name");

    for wrong in ["demo=(nameless)", "demo", "demo=A/1\nx: y", "demo=A/1,demo=B/2"] {
        let user_agent = vec![wrong.to_owned()];
        assert!(Fetcher::new(&crate::config::Fetch { user_agent, ..config(&site) }).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn robots_are_asked_once_for_an_origin() {
    let gate = Arc::new(Notify::new());
    let site = Site::start({
        let gate = gate.clone();
        move |request| match path(request) {
            "/robots.txt" => {
                let Act::Send(answer) = answer(404, &[], "") else { unreachable!("an answer is sent") };
                Act::After(gate.clone(), answer)
            }
            _ => answer(200, &[], "bytes"),
        }
    })
    .await;
    let fetcher = fetcher(&site);
    let downloads = join_all((0..20).map(|_| download(&fetcher, "https://img.test/a")));
    let (downloads, ()) = tokio::join!(downloads, async {
        while site.robots_requests() == 0 {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
    });
    assert!(downloads.iter().all(Result::is_ok));
    assert_eq!((site.robots_requests(), site.requests().len()), (1, 20));
    gate.notify_one();
    download(&fetcher, "http://img.test/a").await.unwrap();
    assert_eq!(site.robots_requests(), 2, "another origin");
}

#[tokio::test]
async fn who_goes_away_leaves_robots_to_the_next() {
    let count = AtomicUsize::new(0);
    let site = Site::start(move |request| match path(request) {
        "/robots.txt" if count.fetch_add(1, Ordering::SeqCst) == 0 => Act::Stall(Vec::new()),
        "/robots.txt" => answer(404, &[], ""),
        _ => answer(200, &[], "bytes"),
    })
    .await;
    let fetcher = fetcher(&site);
    let start = || {
        let fetcher = fetcher.clone();
        tokio::spawn(async move { download(&fetcher, "https://img.test/a").await })
    };
    let first = start();
    while site.robots_requests() == 0 {
        tokio::task::yield_now().await;
    }
    let next = start();
    tokio::task::yield_now().await;
    first.abort();
    assert!(next.await.unwrap().is_ok());
    assert_eq!(site.robots_requests(), 2);
}

#[tokio::test]
async fn robots_bind_web_sources_only() {
    let site = site_with_robots().await;
    let fetcher = fetcher(&site);
    let request = get("https://closed.test/private/list");
    let mut web = grants(&[("closed.test", HostKind::Web)]);
    let failure = fetcher.ask(&web, &request).await.unwrap_err().failure();
    assert!(matches!(&failure, Failure::Robots(why) if why.contains("/private")), "{failure:?}");
    web.ignores_robots = true;
    assert!(fetcher.ask(&web, &request).await.is_ok());
    assert!(fetcher.ask(&grants(&[("closed.test", HostKind::Api)]), &request).await.is_ok());
}

/// Reserves by the first part of its name, and asks for the file with what it says there.
async fn site_with_reservations() -> Site {
    Site::start_with_tdmrep(|request| {
        let host = header(request, "host").unwrap_or_default().trim_end_matches(".test");
        let reserved =
            r#"[{ "location": "/free/", "tdm-reservation": 0 }, { "location": "/", "tdm-reservation": 1 }]"#;
        match (path(request), host) {
            ("/robots.txt", "robots") => {
                answer(200, &[], "user-agent: *\ncontent-usage: train-ai=n\ncontent-usage: /free/ train-ai=y")
            }
            ("/robots.txt", "closed") => answer(200, &[], "user-agent: *\ndisallow: /.well-known/"),
            ("/robots.txt", _) => answer(404, &[], ""),
            ("/.well-known/tdmrep.json", "tdmrep" | "outweighed" | "closed") => answer(200, &[], reserved),
            ("/.well-known/tdmrep.json", "moved") => redirect("https://tdmrep.test/.well-known/tdmrep.json"),
            ("/.well-known/tdmrep.json", "inward") => redirect("http://127.0.0.1/tdmrep.json"),
            ("/.well-known/tdmrep.json", "large") => {
                answer(200, &[], format!("{reserved}{}", " ".repeat(MAX_TDMREP_BYTES)))
            }
            ("/.well-known/tdmrep.json", "failing") => answer(500, &[], ""),
            ("/.well-known/tdmrep.json", "page") => answer(200, &["content-type: text/html"], "<html>"),
            ("/.well-known/tdmrep.json", "broken") => answer(200, &[], "{}"),
            ("/.well-known/tdmrep.json", "many") => {
                let rule = |number| format!(r#"{{ "location": "/{number}$", "tdm-reservation": 1 }}"#);
                answer(200, &[], format!("[{}]", (0..999).map(rule).collect::<Vec<_>>().join(",")))
            }
            ("/.well-known/tdmrep.json", _) => answer(404, &[], ""),
            ("/to", _) => redirect("https://open.test/a"),
            ("/to-allowed", _) => redirect("https://allowed.test/a"),
            (_, "tagged") => answer(200, &["x-robots-tag: noindex", "X-Robots-Tag: noimageai"], "bytes"),
            (_, "usage") => answer(200, &["content-usage: search=y", "content-usage: train-ai=n"], "bytes"),
            (_, "header") => answer(200, &["tdm-reservation: 1", "tdm-policy: https://a.test/p"], "bytes"),
            (_, "outweighed" | "allowed") => answer(200, &["tdm-reservation: 0"], "bytes"),
            (_, "twice") => answer(200, &["tdm-reservation: 0", "tdm-reservation: 1"], "bytes"),
            _ => answer(200, &[], "bytes"),
        }
    })
    .await
}

#[tokio::test]
async fn what_sites_reserve_is_refused_or_recorded() {
    let site = site_with_reservations().await;
    let fetcher = fetcher(&site);
    let lenient = fetcher.with_consent(ConsentPolicy::Record);
    for (address, expect) in [
        ("https://open.test/a", None),
        ("https://tagged.test/a", Some("the header of the picture says `X-Robots-Tag: noimageai`")),
        (
            "https://usage.test/a",
            Some("the header of the picture says `Content-Usage: search=y, train-ai=n`"),
        ),
        ("https://header.test/a", Some("the header of the picture says `tdm-reservation: 1`")),
        ("https://twice.test/a", Some("the header of the picture says `tdm-reservation: 1`")),
        ("https://robots.test/a", Some("https://robots.test/robots.txt says `Content-Usage: train-ai=n`")),
        ("https://robots.test/free/a", None),
        (
            "https://tdmrep.test/a",
            Some("https://tdmrep.test/.well-known/tdmrep.json says `tdm-reservation: 1`"),
        ),
        ("https://tdmrep.test/free/a", None),
        (
            "https://tdmrep.test/to",
            Some("https://tdmrep.test/.well-known/tdmrep.json says `tdm-reservation: 1`"),
        ),
        (
            "https://moved.test/a",
            Some("https://moved.test/.well-known/tdmrep.json says `tdm-reservation: 1`"),
        ),
        (
            "https://many.test/998",
            Some("https://many.test/.well-known/tdmrep.json says `tdm-reservation: 1`"),
        ),
        ("https://many.test/999", None),
        // The header outweighs the file of its own site alone, and what cannot be read says nothing.
        ("https://outweighed.test/a", None),
        (
            "https://outweighed.test/to-allowed",
            Some("https://outweighed.test/.well-known/tdmrep.json says `tdm-reservation: 1`"),
        ),
        ("https://closed.test/a", None),
        ("https://large.test/a", None),
        ("https://failing.test/a", None),
        ("https://page.test/a", None),
        ("https://broken.test/a", None),
    ] {
        let refused = download(&fetcher, address).await.err();
        assert_eq!(refused.as_ref().map(ToString::to_string).as_deref(), expect, "{address}");
        let recorded = download(&lenient, address).await.unwrap().signals;
        if let Some(refused) = refused {
            assert_eq!((refused.refusal(), refused.retry_after), (Refusal::OptOut, None), "{address}");
            assert_eq!(refused.signals(), recorded, "{address}");
        }
    }
    let failure = download(&fetcher, "https://inward.test/a").await.unwrap_err();
    assert_eq!(failure.refusal(), Refusal::PrivateAddress);
    let recorded = download(&lenient, "https://header.test/a").await.unwrap().signals;
    assert_eq!(recorded[0].policy.as_deref(), Some("https://a.test/p"));
    assert_eq!(recorded[0].url.as_deref(), Some("https://header.test/a"));
    let recorded = download(&lenient, "https://broken.test/a").await.unwrap().signals;
    assert_eq!(recorded[0].meaning, ConsentMeaning::Unreadable);
    // Each file is asked for once, however often a picture is.
    let asked = |host: &str| {
        let requests = site.requests();
        let is_of = |request: &&String| header(request, "host") == Some(host);
        requests.iter().filter(is_of).filter(|request| path(request) == "/.well-known/tdmrep.json").count()
    };
    assert_eq!((asked("robots.test"), asked("broken.test"), asked("closed.test")), (1, 1, 0));
}

#[tokio::test]
async fn pages_are_read_whatever_they_reserve() {
    let site = site_with_reservations().await;
    let fetcher = fetcher(&site);
    for host in ["tagged.test", "header.test", "tdmrep.test", "robots.test"] {
        let page = fetcher.ask(&grants(&[(host, HostKind::Web)]), &get(&format!("https://{host}/a"))).await;
        assert_eq!(page.unwrap().status, 200, "{host}");
    }
    assert!(!site.requests().iter().any(|request| path(request).contains("tdmrep")));
}

#[tokio::test]
async fn a_host_that_asks_to_wait_is_left_alone() {
    let site = Site::start(|request| match (path(request), header(request, "host")) {
        ("/robots.txt", _) => answer(404, &[], ""),
        (_, Some("limited.test")) => answer(429, &["retry-after: 30"], ""),
        (_, Some("resting.test")) => answer(503, &["retry-after: Fri, 01 Jan 2100 00:00:00 GMT"], ""),
        _ => answer(200, &[], "bytes"),
    })
    .await;
    let fetcher = fetcher(&site);
    for (host, reason, most) in
        [("limited.test", Refusal::RateLimited, 30), ("resting.test", Refusal::ServerError, 24 * 3600)]
    {
        let before = site.requests().len();
        let url = format!("https://{host}/a");
        for _ in 0..3 {
            let refused = download(&fetcher, &url).await.unwrap_err();
            assert_eq!(refused.refusal(), reason);
            let wait = refused.retry_after.unwrap().as_secs();
            assert!((most - 5..=most).contains(&wait), "{refused:?}");
        }
        assert_eq!(site.requests().len() - before, 1, "asked once, then left alone");
    }
    assert!(download(&fetcher, "https://other.test/a").await.is_ok());
}

#[tokio::test]
async fn short_waits_are_slept() {
    let count = AtomicUsize::new(0);
    let site = Site::start(move |request| match path(request) {
        "/robots.txt" => answer(404, &[], ""),
        _ if count.fetch_add(1, Ordering::SeqCst) == 0 => answer(429, &["retry-after: 1"], ""),
        _ => answer(200, &[], "bytes"),
    })
    .await;
    let begun = Instant::now();
    assert!(download(&fetcher(&site), "https://img.test/a").await.is_ok());
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn the_rate_is_kept() {
    let site = site_with_robots().await;
    let fetcher = Fetcher::new(&crate::config::Fetch { per_host_rate: 10, ..config(&site) }).unwrap();
    let begun = Instant::now();
    let downloads = join_all((0..15).map(|_| download(&fetcher, "https://img.test/a"))).await;
    assert!(downloads.iter().all(Result::is_ok));
    // With robots.txt 16 requests: ten at once, then one every 100 ms.
    assert!(begun.elapsed() >= Duration::from_millis(550), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_time_that_a_site_wants_is_kept() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let site = Site::start({
        let times = times.clone();
        move |request| match path(request) {
            "/robots.txt" => match header(request, "host") {
                Some("slow.test") => answer(200, &[], "user-agent: *\ncrawl-delay: 0.3\n"),
                _ => answer(404, &[], ""),
            },
            _ => {
                times.lock().unwrap().push((header(request, "host").unwrap().to_owned(), Instant::now()));
                answer(200, &[], "bytes")
            }
        }
    })
    .await;
    let fetcher = fetcher(&site);
    // Who goes away while it waits keeps the others from nothing.
    let given_up = tokio::time::timeout(
        Duration::from_millis(100),
        join_all((0..3).map(|_| download(&fetcher, "https://slow.test/a"))),
    );
    assert!(given_up.await.is_err());
    let begun = Instant::now();
    let (slow, quick) = tokio::join!(
        join_all((0..4).map(|_| download(&fetcher, "https://slow.test/a"))),
        join_all((0..4).map(|_| download(&fetcher, "https://quick.test/a"))),
    );
    assert!(slow.iter().chain(&quick).all(Result::is_ok));
    let times = std::mem::take(&mut *times.lock().unwrap());
    let of = |host| times.iter().filter(move |(found, _)| found == host).map(|(_, time)| *time);
    let (slow, quick): (Vec<_>, Vec<_>) = (of("slow.test").collect(), of("quick.test").collect());
    let gaps: Vec<_> = slow.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(gaps.iter().all(|gap| *gap > Duration::from_millis(250)), "{gaps:?}");
    assert!(begun.elapsed() < Duration::from_millis(2200), "{:?}", begun.elapsed());
    assert!(quick.iter().all(|time| *time - begun < Duration::from_millis(900)), "no other host is held up");
    // An API is asked by its own rules.
    let api = grants(&[("slow.test", HostKind::Api)]);
    let begun = Instant::now();
    let list = get("https://slow.test/list");
    join_all((0..4).map(|_| fetcher.ask(&api, &list))).await;
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_origin_that_fails_in_a_row_is_closed() {
    let site = Site::start(|request| match (path(request), header(request, "host")) {
        ("/robots.txt", _) => answer(404, &[], ""),
        (_, Some("dead.test")) => Act::Send(Vec::new()),
        _ => answer(200, &[], "bytes"),
    })
    .await;
    let fetcher = fetcher(&site);
    let refused = join_all((0..5).map(|_| download(&fetcher, "https://dead.test/a"))).await;
    assert!(refused.iter().all(|refused| refused.as_ref().unwrap_err().refusal() == Refusal::Network));
    let before = site.requests().len();
    let refused = download(&fetcher, "https://dead.test/a").await.unwrap_err();
    assert_eq!(refused.refusal(), Refusal::ServerError);
    assert!(refused.retry_after.unwrap() > Duration::from_secs(25), "{refused:?}");
    assert_eq!(site.requests().len(), before);
    for live in ["https://live.test/a", "https://dead.test:8443/a"] {
        assert!(download(&fetcher, live).await.is_ok(), "{live}");
    }
}

#[tokio::test]
async fn one_slow_host_has_its_connections_and_no_more() {
    let site = Site::start(|request| match (path(request), header(request, "host")) {
        ("/robots.txt", _) => answer(404, &[], ""),
        (_, Some("slow.test")) => Act::Stall(Vec::new()),
        _ => answer(200, &[], "bytes"),
    })
    .await;
    let fetcher = Fetcher::new(&crate::config::Fetch { per_host: 2, ..config(&site) }).unwrap();
    let slow = join_all((0..6).map(|_| refusal(&fetcher, "https://slow.test/a")));
    let quick = async {
        while site.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            download(&fetcher, "https://quick.test/a").await.unwrap();
        }
    };
    tokio::select! {
        _ = slow => panic!("the slow host never answers"),
        () = quick => {}
    }
    assert_eq!(site.requests().iter().filter(|request| request.contains("slow.test")).count(), 2);
}
