//! Cookies on the way: from hop to hop, to pictures, and never to who is not granted.

use super::{
    super::CookieJar,
    fetcher, get, grants,
    site::{Site, answer, header, path},
};
use crate::model::{Candidate, HostKind};

/// Sets a cookie for each host, and redirects `/to?…`.
async fn site() -> Site {
    Site::start(|request| {
        let set = "set-cookie: seen=1; Path=/";
        match path(request).strip_prefix("/to?") {
            Some(target) => answer(302, &[set, &format!("location: {target}")], ""),
            None if path(request) == "/robots.txt" => answer(404, &[set], ""),
            None if path(request) == "/busy" => answer(429, &[set, "retry-after: 60"], ""),
            None => answer(200, &[set, "content-type: text/plain"], "text"),
        }
    })
    .await
}

#[tokio::test]
async fn granted_hosts_have_cookies_and_no_others() {
    let site = site().await;
    let jar = CookieJar::default();
    let fetcher = fetcher(&site).with_cookies(jar.clone());
    let grants =
        grants(&[("api.test", HostKind::Web), ("other.test", HostKind::Api), ("busy.test", HostKind::Api)]);
    let seen = || {
        let requests = site.requests();
        let sent: Vec<_> = requests.iter().map(|request| header(request, "cookie").is_some()).collect();
        sent
    };
    let response = fetcher.ask(&grants, &get("https://api.test/to?https://api.test/end")).await.unwrap();
    assert!(response.headers.iter().all(|(name, _)| name != "set-cookie"));
    assert_eq!(seen(), [false, true], "not what robots.txt set, but what the redirect did");
    fetcher.ask(&grants, &get("https://api.test/to?https://other.test/end")).await.unwrap();
    assert_eq!(seen()[2..], [true, false]);
    fetcher.ask(&grants, &get("https://busy.test/busy")).await.unwrap_err();
    assert_eq!(jar.changes().unwrap().0.as_array().unwrap().len(), 3, "an answer in vain counts");

    let candidate = Candidate::default();
    fetcher.download(&grants, &candidate, "https://api.test/to?https://cdn.test/a.png").await.unwrap();
    fetcher.download(&grants, &candidate, "https://cdn.test/to?https://other.test/a.png").await.unwrap();
    assert_eq!(seen()[5..], [true, false, false, true]);
    assert!(jar.changes().is_none(), "a host that is not granted sets none");

    let without = super::fetcher(&site);
    without.ask(&grants, &get("https://api.test/to?https://api.test/end")).await.unwrap();
    assert_eq!(seen()[9..], [false, false]);
}
