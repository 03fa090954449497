//! A well-behaved guest that uses every item of the contract. Built once for a version of
//! the contract and kept, it shows that later hosts still serve that version.

use guest_frame::bindings::pixcrawler::source::{
    log,
    types::{
        Checksum, CredentialHeader, CredentialKind, CredentialSpec, Digest, Dimensions, License, OptionKind,
        OptionSpec,
    },
};
use guest_frame::{
    Answer, Candidate, Content, Error, Failure, Guest, HostKind, HostRule, Info, Input, Method, Next, Query,
    Request, Step, candidate, get, step,
};

/// Asked for `everything`, it makes every kind of request and shows what it was given.
/// Asked for an error by name, it gives that error.
struct Contract;

impl Guest for Contract {
    fn describe() -> Info {
        for level in [log::Level::Debug, log::Level::Info, log::Level::Warn, log::Level::Error] {
            log::log(level, "described");
        }
        Info {
            id: "contract".to_owned(),
            name: "Contract".to_owned(),
            version: "1.2.3-rc.4".to_owned(),
            description: "Uses every item of the contract.".to_owned(),
            homepage: some("https://site.example/"),
            terms_url: some("https://site.example/terms"),
            input: Input::Keywords,
            hosts: vec![
                rule("site.example", HostKind::Api),
                rule("*.pages.example", HostKind::Web),
                rule("*", HostKind::Web),
            ],
            ignores_robots: true,
            restriction: some("Made for tests only."),
            options: options(),
            credentials: credentials(),
            requests_per_minute: Some(6_000),
            max_results: Some(10_000),
            extra: pair("contract.kept", "for ever"),
        }
    }

    fn start(query: Query) -> Result<Step, Error> {
        let reason = || "as asked".to_owned();
        match query.text.as_str() {
            "everything" => Ok(Step { warnings: vec![reason()], ..step(Next::Fetch(requests()), "first") }),
            "invalid-query" => Err(Error::InvalidQuery(reason())),
            "unauthorized" => Err(Error::Unauthorized(reason())),
            "rate-limited" => Err(Error::RateLimited(None)),
            "rate-limited for a time" => Err(Error::RateLimited(Some(7))),
            "unavailable" => Err(Error::Unavailable(reason())),
            "layout-changed" => Err(Error::LayoutChanged(reason())),
            _ => Err(Error::Other(reason())),
        }
    }

    fn resume(query: Query, state: String, answers: Vec<Answer>) -> Result<Step, Error> {
        match state.as_str() {
            "first" => {
                let candidates = vec![whole(&query), asked(&query)];
                let extra = pair("contract.step", "1");
                Ok(Step { candidates, extra, ..step(Next::Again, "again") })
            }
            "again" => {
                let candidates = answers.iter().map(answered).collect();
                Ok(Step { candidates, ..step(Next::Done, "") })
            }
            other => Err(Error::Other(format!("no such state: {other}"))),
        }
    }
}

fn requests() -> Vec<Request> {
    let ask = |path: &str| Request { key: path.to_owned(), ..get(format!("https://site.example/{path}")) };
    let post = |path: &str, body: Content, mime: &str| Request {
        method: Method::Post,
        headers: pair("content-type", mime),
        body: Some(body),
        ..ask(path)
    };
    let mut requests = vec![
        Request { headers: pair("referer", "https://site.example/"), keep: true, ..ask("kept") },
        Request {
            credential: some("header"),
            item: some("17"),
            extra: pair("contract.request", "1"),
            ..ask("item")
        },
        post("text", Content::Text("fuchs größe 🦊".to_owned()), "text/plain"),
        post("binary", Content::Binary(vec![0, 255, 10]), "application/octet-stream"),
    ];
    let failures =
        ["denied", "robots", "skipped", "too-large", "timeout", "network", "status", "other"].map(ask);
    requests.extend(failures);
    requests
}

/// A picture of which everything is known.
fn whole(query: &Query) -> Candidate {
    Candidate {
        url: "https://pictures.example/1.jpg".to_owned(),
        alternates: vec!["https://pictures.example/1-large.jpg".to_owned()],
        id: some("17"),
        page_url: some("https://site.example/17"),
        thumbnail_url: some("https://pictures.example/1-small.jpg"),
        title: Some(query.text.clone()),
        description: some("Every field has a value."),
        creator: some("Ann Example"),
        creator_url: some("https://site.example/ann"),
        license: Some(License {
            id: "cc-by-4.0".to_owned(),
            url: some("https://creativecommons.org/licenses/by/4.0/"),
            attribution: some("Ann Example, CC BY 4.0"),
        }),
        published: some("2026-11-22T12:00:00Z"),
        dimensions: Some(Dimensions { width: 640, height: 480 }),
        mime: some("image/jpeg"),
        byte_size: Some(1 << 33),
        checksum: Some(Checksum { digest: Digest::Md5, hex: "d41d8cd98f00b204e9800998ecf8427e".to_owned() }),
        tags: vec!["every".to_owned(), "field".to_owned()],
        headers: pair("referer", "https://site.example/17"),
        credential: some("header"),
        extra: pair("contract.candidate", "1"),
    }
}

/// What the query said.
fn asked(query: &Query) -> Candidate {
    let Query { text, limit, safe_search, language, options, credentials, extra: _ } = query;
    let options: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let description = format!(
        "{text}; limit {limit}; safe search {safe_search}; language {language:?}; options {}; credentials {}",
        options.join(" "),
        credentials.join(" ")
    );
    let hex = "da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned();
    Candidate {
        description: Some(description),
        checksum: Some(Checksum { digest: Digest::Sha1, hex }),
        ..candidate("https://pictures.example/2.jpg")
    }
}

/// What an answer said.
fn answered(answer: &Answer) -> Candidate {
    let description = match &answer.outcome {
        Ok(response) => {
            let body = match &response.body {
                Content::Text(text) => format!("text {text}"),
                Content::Binary(bytes) => format!("binary {bytes:?}"),
            };
            let headers: Vec<String> =
                response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("{} from {}; {}; {body}", response.status, response.url, headers.join(", "))
        }
        Err(failure) => match failure {
            Failure::Denied(reason) => format!("denied, {reason}"),
            Failure::Robots(reason) => format!("robots, {reason}"),
            Failure::Skipped => "skipped".to_owned(),
            Failure::TooLarge(limit) => format!("too large, {limit}"),
            Failure::Timeout => "timeout".to_owned(),
            Failure::Network(reason) => format!("network, {reason}"),
            Failure::Status(status) => format!("status {status}"),
            Failure::Other(reason) => format!("other, {reason}"),
        },
    };
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned();
    Candidate {
        title: Some(answer.key.clone()),
        page_url: Some(answer.url.clone()),
        description: Some(description),
        checksum: Some(Checksum { digest: Digest::Sha256, hex }),
        ..candidate(format!("https://pictures.example/{}.jpg", answer.key))
    }
}

fn options() -> Vec<OptionSpec> {
    let option = |name: &str, kind, default: &str, choices: &[&str]| OptionSpec {
        name: name.to_owned(),
        label: name.to_owned(),
        help: "One of each kind.".to_owned(),
        kind,
        required: false,
        default: some(default),
        choices: choices.iter().map(|choice| ((*choice).to_owned(), choice.to_uppercase())).collect(),
    };
    vec![
        option("text", OptionKind::Text, "words", &[]),
        option("integer", OptionKind::Integer, "7", &[]),
        option("boolean", OptionKind::Boolean, "true", &[]),
        option("choice", OptionKind::Choice, "a", &["a", "b"]),
        option("choices", OptionKind::Choices, "a,b", &["a", "b"]),
    ]
}

fn credentials() -> Vec<CredentialSpec> {
    let credential = |name: &str, kind| CredentialSpec {
        name: name.to_owned(),
        help: "One of each kind.".to_owned(),
        required: false,
        kind,
        hosts: vec!["site.example".to_owned()],
    };
    let header = CredentialHeader { name: "authorization".to_owned(), prefix: "Bearer ".to_owned() };
    let token = "https://site.example/token".to_owned();
    vec![
        credential("header", CredentialKind::Header(header)),
        credential("parameter", CredentialKind::QueryParameter("key".to_owned())),
        credential("basic", CredentialKind::Basic),
        credential("oauth", CredentialKind::Oauth2ClientCredentials(token)),
    ]
}

fn rule(pattern: &str, kind: HostKind) -> HostRule {
    HostRule { pattern: pattern.to_owned(), kind }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pair(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

guest_frame::bindings::export!(Contract with_types_in guest_frame::bindings);
