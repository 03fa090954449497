//! Credentials: where they go, and where they never show.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;

use super::{
    super::{CookieJar, Fetcher},
    config, fetcher, get, grants,
    name_server::NameServer,
    site::{Site, answer, header, path, redirect},
};
use crate::model::{
    Candidate, Content, CredentialKind, CredentialSpec, Failure, GrantedSecret, Grants, HostKind, HostRule,
    Request,
};

const SECRET: &str = "s3cret/+&?";

fn granted(kind: CredentialKind, secret: &str) -> Grants {
    let spec = CredentialSpec {
        name: "key".to_owned(),
        help: String::new(),
        required: true,
        kind,
        hosts: vec!["api.test".to_owned()],
    };
    let hosts = [("api.test", HostKind::Api), ("other.test", HostKind::Api), ("token.test", HostKind::Api)];
    let declared = vec![spec.name.clone()];
    Grants { credentials: vec![GrantedSecret { spec, secret: secret.into() }], declared, ..grants(&hosts) }
}

fn with_key(url: &str) -> Request {
    Request { credential: Some("key".to_owned()), ..get(url) }
}

fn parameter() -> CredentialKind {
    CredentialKind::QueryParameter { name: "api_key".to_owned() }
}

fn header_kind() -> CredentialKind {
    CredentialKind::Header { name: "X-Key".to_owned(), prefix: "Token ".to_owned() }
}

/// Redirects `/to?…`, echoes everything else.
async fn echo() -> Site {
    Site::start(|request| match path(request).strip_prefix("/to?").and_then(|to| to.split('&').next()) {
        // The secret echoed where no parameter is: in the path.
        Some("path") => redirect(&path(request).replace(['?', '&'], "/").replace("/to/path/api_key=", "/p/")),
        Some("echo") => redirect(&path(request).replace("/to?echo", "https://other.test/end?a=1")),
        Some(target) => redirect(target),
        None if path(request) == "/robots.txt" => answer(404, &[], ""),
        None => answer(200, &["content-type: text/plain", &format!("x-echo: {}", path(request))], request),
    })
    .await
}

#[tokio::test]
async fn each_kind_is_sent() {
    let site = echo().await;
    let fetcher = fetcher(&site);
    let ask = async |kind, secret: &str, url: &str| {
        let response = fetcher.ask(&granted(kind, secret), &with_key(url)).await.unwrap();
        let shown = format!("{response:?}");
        assert!(!shown.contains(secret) && !shown.contains("s3cret%2F"), "{shown}");
        (site.requests().pop().unwrap(), response)
    };
    let (seen, _) = ask(header_kind(), SECRET, "https://api.test/a").await;
    assert_eq!(header(&seen, "x-key"), Some("Token s3cret/+&?"));
    let (seen, response) = ask(parameter(), SECRET, "https://api.test/a?api_key=mine&q=%20x").await;
    assert_eq!(path(&seen), "/a?q=%20x&api_key=s3cret%2F%2B%26%3F");
    assert_eq!(response.url, "https://api.test/a?api_key=mine&q=%20x");
    let (seen, _) = ask(parameter(), SECRET, "https://api.test/a").await;
    assert_eq!(path(&seen), "/a?api_key=s3cret%2F%2B%26%3F");
    let (seen, response) = ask(parameter(), "plain-secret", "https://api.test/to?path").await;
    assert_eq!(path(&seen), "/p/plain-secret?api_key=plain-secret");
    assert_eq!(response.url, "https://api.test/p/[secret]");
    let (seen, response) = ask(CredentialKind::Basic, "user:pass", "https://api.test/a").await;
    assert_eq!(header(&seen, "authorization"), Some("Basic dXNlcjpwYXNz"));
    let Content::Text(body) = response.body else { panic!("text") };
    assert!(body.contains("Basic [secret]"), "{body}");
}

#[tokio::test]
async fn a_secret_stays_at_home() {
    let site = echo().await;
    let fetcher = fetcher(&site);
    let extra = vec![("x-mine".to_owned(), "1".to_owned())];
    for kind in [header_kind(), parameter(), CredentialKind::Basic] {
        for url in ["https://api.test/to?https://other.test/end", "https://api.test/to?echo"] {
            let request = Request { headers: extra.clone(), ..with_key(url) };
            let response = fetcher.ask(&granted(kind.clone(), SECRET), &request).await.unwrap();
            let seen = site.requests().pop().unwrap();
            assert!(seen.contains("other.test") && !seen.contains("s3cret"), "{seen}");
            assert!(header(&seen, "x-mine").is_none() && header(&seen, "authorization").is_none(), "{seen}");
            assert!(!format!("{response:?}").contains("s3cret"), "{response:?}");
        }
        // Away and back again: what was dropped stays dropped.
        let url = "https://api.test/to?https://other.test/to?https://api.test/end";
        fetcher.ask(&granted(kind.clone(), SECRET), &with_key(url)).await.unwrap();
        assert!(!site.requests().pop().unwrap().contains("s3cret"));
        // An image may be anywhere; the secret goes to its own hosts only.
        let candidate =
            Candidate { credential: Some("key".to_owned()), headers: extra.clone(), ..Candidate::default() };
        let grants = granted(kind, SECRET);
        fetcher.download(&grants, &candidate, "https://cdn.test/a").await.unwrap();
        let seen = site.requests().pop().unwrap();
        assert!(!seen.contains("s3cret") && header(&seen, "x-mine").is_none(), "{seen}");
        fetcher.download(&grants, &candidate, "https://api.test/a").await.unwrap();
        assert_eq!(header(&site.requests().pop().unwrap(), "x-mine"), Some("1"));
    }
    let denied =
        fetcher.ask(&granted(parameter(), SECRET), &with_key("https://other.test/")).await.unwrap_err();
    assert!(
        matches!(&denied.failure(), Failure::Denied(why) if why.contains("api.test") && !why.contains("s3cret"))
    );
    let none = Grants { declared: vec!["key".to_owned()], ..grants(&[("api.test", HostKind::Api)]) };
    assert!(
        fetcher.ask(&none, &with_key("https://api.test/")).await.is_ok(),
        "what is not configured is left out"
    );
    // What is not even declared is a mistake of the source, which must not pass unseen.
    let asked = site.requests().len();
    let undeclared = Grants { declared: vec!["other".to_owned()], ..none };
    let denied = fetcher.ask(&undeclared, &with_key("https://api.test/")).await.unwrap_err();
    assert!(matches!(&denied.failure(), Failure::Denied(why) if why.contains("`key`")), "{denied:?}");
    let candidate = Candidate { credential: Some("key".to_owned()), ..Candidate::default() };
    let refused = fetcher.download(&undeclared, &candidate, "https://api.test/a").await.unwrap_err();
    assert!(refused.to_string().contains("`key`") && site.requests().len() == asked, "{refused:?}");
}

#[tokio::test]
async fn what_a_download_says_holds_no_secret() {
    let site = echo().await;
    let fetcher = fetcher(&site);
    let candidate = Candidate { credential: Some("key".to_owned()), ..Candidate::default() };
    let grants = granted(parameter(), "plain-secret");
    let image = fetcher.download(&grants, &candidate, "https://api.test/to?path").await.unwrap();
    assert!(site.requests().pop().unwrap().starts_with("GET /p/plain-secret"));
    assert_eq!(image.url, "https://api.test/p/[secret]");
}

#[tokio::test]
async fn binary_answers_and_halves_are_redacted() {
    let site = Site::start(|request| match path(request) {
        "/binary" => answer(200, &["content-type: image/png"], b"\x89PNG\0\xff pass-w0rd pass-w0rd\0"),
        _ => answer(200, &["content-type: text/plain", "x-echo: pass-w0rd"], "user and pass-w0rd"),
    })
    .await;
    let fetcher = fetcher(&site);
    let grants = granted(CredentialKind::Basic, "user:pass-w0rd");
    let ask = async |url: &str| fetcher.ask(&grants, &with_key(url)).await.unwrap();
    let response = ask("https://api.test/text").await;
    assert_eq!(response.body, Content::Text("user and [secret]".to_owned()));
    assert!(response.headers.contains(&("x-echo".to_owned(), "[secret]".to_owned())));
    let expect = b"\x89PNG\0\xff ********* *********\0".to_vec();
    assert_eq!(ask("https://api.test/binary").await.body, Content::Binary(expect));
}

#[tokio::test]
async fn a_cookie_does_not_carry_it_away() {
    let site = Site::start(|request| match path(request) {
        "/set" => answer(200, &["set-cookie: session=s3cret%2F%2b&?; Path=/", "set-cookie: a=b"], ""),
        _ => answer(200, &["content-type: text/plain"], request),
    })
    .await;
    let jar = CookieJar::default();
    let fetcher = fetcher(&site).with_cookies(jar.clone());
    let grants = granted(header_kind(), SECRET);
    fetcher.ask(&grants, &with_key("https://api.test/set")).await.unwrap();
    let stored = serde_json::to_string(&jar.changes().unwrap().0).unwrap();
    assert!(stored.contains("a=b") && !stored.contains("session"), "{stored}");
    // What a site remembers in its own way is redacted where no credential goes along, too.
    let response = fetcher.ask(&grants, &get("https://api.test/echo?q=s3cret/%2B%26%3F")).await.unwrap();
    let Content::Text(echo) = response.body else { panic!("text") };
    assert!(echo.starts_with("GET /echo?q=[secret] ") && echo.contains("cookie: a=b"), "{echo}");
}

#[tokio::test]
async fn secrets_are_not_sent_in_the_clear() {
    let site = echo().await;
    let grants = Grants {
        hosts: vec![HostRule { pattern: "*".to_owned(), kind: HostKind::Api }],
        ..granted(header_kind(), SECRET)
    };
    let names = NameServer::start().await.unwrap();
    names.set("api.test", &["127.0.0.1".parse().unwrap()]);
    let plain = crate::config::Fetch {
        name_server: Some(names.address()),
        map_origin: vec![format!("https://api.test=http://{}", site.address).parse().unwrap()],
        allow_private: vec!["127.0.0.1/32".parse().unwrap()],
        ..config(&site)
    };
    let fetcher = Fetcher::new(&plain).unwrap();
    let denied = fetcher.ask(&grants, &with_key("http://api.test/a")).await.unwrap_err();
    assert!(matches!(&denied.failure(), Failure::Denied(why) if why.contains("https only")), "{denied:?}");
    assert!(fetcher.ask(&grants, &with_key("https://api.test/a")).await.is_ok());
    // What the operator opened or mapped is where the operator wants it.
    let mut own = grants.clone();
    own.credentials[0].spec.hosts = vec!["127.0.0.1".to_owned()];
    fetcher.ask(&own, &with_key(&format!("http://{}/a", site.address))).await.unwrap();
    assert_eq!(header(&site.requests().pop().unwrap(), "x-key"), Some("Token s3cret/+&?"));
    // A picture is asked for without it.
    let candidate = Candidate { credential: Some("key".to_owned()), ..Candidate::default() };
    let url = format!("http://api.test:{}/a", site.address.port());
    fetcher.download(&grants, &candidate, &url).await.unwrap();
    let seen = site.requests().pop().unwrap();
    assert!(header(&seen, "x-key").is_none(), "{seen}");
}

#[tokio::test]
async fn errors_do_not_tell() {
    let site = Site::start(|_| super::site::Act::Send(Vec::new())).await;
    let fetcher = fetcher(&site);
    for kind in [header_kind(), parameter(), CredentialKind::Basic] {
        let failed = fetcher.ask(&granted(kind, SECRET), &with_key("https://api.test/a")).await.unwrap_err();
        assert!(
            matches!(failed.failure(), Failure::Network(_)) && !format!("{failed:?}").contains("s3cret"),
            "{failed:?}"
        );
    }
    let broken = granted(header_kind(), "a\nb");
    let failed = fetcher.ask(&broken, &with_key("https://api.test/a")).await.unwrap_err();
    assert!(matches!(&failed.failure(), Failure::Denied(why) if why.contains("`key`")), "{failed:?}");
    assert!(!format!("{broken:?}").contains("a\\nb"));
}

fn oauth(token_url: &str) -> CredentialKind {
    CredentialKind::Oauth2ClientCredentials { token_url: token_url.to_owned() }
}

#[tokio::test]
async fn tokens_are_shared_and_renewed() {
    let given = Arc::new(AtomicUsize::new(0));
    let site = Site::start({
        let given = given.clone();
        move |request| match (path(request), header(request, "host")) {
            ("/token", Some("token.test")) => {
                let number = given.fetch_add(1, Ordering::SeqCst) + 1;
                answer(200, &[], format!("{{\"access_token\":\"t0ken{number}\",\"expires_in\":3600}}"))
            }
            // The first token is withdrawn.
            ("/late", _) if request.contains("t0ken1") => answer(401, &[], ""),
            ("/never", _) => answer(401, &[], ""),
            _ => answer(200, &["content-type: text/plain"], request),
        }
    })
    .await;
    let fetcher = fetcher(&site);
    let grants = granted(oauth("https://token.test/token"), "my id:my/secret");
    let list = with_key("https://api.test/list");
    for response in join_all((0..5).map(|_| fetcher.ask(&grants, &list))).await {
        let Content::Text(body) = response.unwrap().body else { panic!("text") };
        assert!(body.contains("authorization: Bearer [secret]"), "{body}");
    }
    assert_eq!(given.load(Ordering::SeqCst), 1);
    let asked = site.requests().into_iter().find(|request| request.contains("/token")).unwrap();
    assert_eq!(header(&asked, "authorization"), Some("Basic bXkraWQ6bXklMkZzZWNyZXQ="));
    assert!(asked.starts_with("POST ") && asked.ends_with("grant_type=client_credentials"), "{asked}");
    assert_eq!(fetcher.ask(&grants, &with_key("https://api.test/late")).await.unwrap().status, 200);
    assert_eq!(given.load(Ordering::SeqCst), 2);
    assert_eq!(fetcher.ask(&grants, &with_key("https://api.test/never")).await.unwrap().status, 401);
    assert_eq!(given.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_token_endpoint_that_does_not_give() {
    let site = Site::start(|request| match path(request) {
        "/refuses" => answer(401, &[], "my-secret"),
        "/babbles" => answer(200, &[], "my-secret"),
        "/away" => redirect("https://api.test/token"),
        _ => answer(200, &[], r#"{"access_token":"t"}"#),
    })
    .await;
    let fetcher = fetcher(&site);
    // The source hears of it as of any credential that its site does not accept.
    let grants = granted(oauth("https://token.test/refuses"), "id:my-secret");
    let refused = fetcher.ask(&grants, &with_key("https://api.test/a")).await.unwrap();
    assert_eq!(refused.status, 401);
    assert_eq!(refused.body, Content::Text("the token endpoint answers with status 401".to_owned()));
    let check = async |token_url: &str, secret: &str, expect: &str| {
        let grants = granted(oauth(token_url), secret);
        let failure =
            fetcher.ask(&grants, &with_key("https://api.test/a")).await.unwrap_err().failure().to_string();
        assert!(failure.contains(expect) && !failure.contains("my-secret"), "{failure}");
    };
    check("https://token.test/babbles", "id:my-secret", "`access_token`").await;
    check("https://token.test/away", "id:my-secret", "redirects").await;
    check("http://token.test/", "id:my-secret", "must be https").await;
    check("https://elsewhere.test/", "id:my-secret", "one of the source's hosts").await;
    check("https://127.0.0.1/", "id:my-secret", "not public").await;
    check("https://token.test/", "my-secret", "`id:secret`").await;
}
