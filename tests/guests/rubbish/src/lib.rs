//! A guest whose addresses and headers are rubbish.

use guest_frame::{
    Answer, Candidate, Error, Failure, Guest, Info, Next, Query, Request, Step, candidate, get, info, step,
};

/// What no plugin may set.
const FORBIDDEN: [&str; 10] = [
    "authorization",
    "Cookie",
    "proxy-authorization",
    "HOST",
    "content-length",
    "transfer-encoding",
    "connection",
    "accept-encoding",
    "user-agent",
    "not a header",
];

struct Rubbish;

impl Guest for Rubbish {
    fn describe() -> Info {
        info("rubbish")
    }

    /// Gives `addresses`, or asks with `headers`.
    fn start(query: Query) -> Result<Step, Error> {
        let next = match query.text.as_str() {
            "headers" => Next::Fetch(FORBIDDEN.map(ask_with).into()),
            _ => Next::Done,
        };
        let mut first = step(next, "");
        if query.text == "addresses" {
            first.candidates = addresses().into_iter().map(linked).collect();
        }
        Ok(first)
    }

    /// Says how each header was refused; the picture comes with all of them, too.
    fn resume(_: Query, _: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let mut last = step(Next::Done, "");
        for answer in answers {
            let Err(Failure::Denied(why)) = answer.outcome else {
                return Err(Error::Other(format!("`{}` was sent", answer.key)));
            };
            last.warnings.push(why);
        }
        let mut found = candidate("http://site.example/headers.png");
        found.headers = FORBIDDEN.map(|name| (name.to_owned(), "rubbish".to_owned())).into();
        found.headers.push(("referer".to_owned(), "http://site.example/".to_owned()));
        last.candidates.push(found);
        Ok(last)
    }
}

fn ask_with(name: &str) -> Request {
    let headers = vec![(name.to_owned(), "rubbish".to_owned())];
    Request { key: name.to_owned(), headers, ..get("http://site.example/asked") }
}

/// Four can be asked for, of which one is there; the others are no addresses of pictures.
fn addresses() -> Vec<String> {
    let rubbish = [
        "",
        " ",
        "javascript:alert(1)",
        "data:image/png;base64,iVBORw0KGgo=",
        "file:///etc/passwd",
        "ftp://site.example/picture.png",
        "/relative.png",
        "//site.example/relative.png",
        "site.example/picture.png",
        "http:",
        "http://",
        "http://[::1",
        "http://exa mple/",
        "http://site.example:99999/",
        "http://site.example/\u{1b}[31m.png",
        "\u{202e}gnp.erutcip",
    ];
    let mut all: Vec<String> = rubbish.map(str::to_owned).into();
    all.push(format!("http://site.example/{}.png", "x".repeat(1 << 20)));
    all.push("http://user:password@site.example/picture.png".to_owned());
    all.push("http://site.example:22/picture.png".to_owned());
    all.push("http://b\u{fc}cher.example/\u{1f98a}.png".to_owned());
    all.push("http://site.example/picture.png".to_owned());
    all
}

/// Where a page would put a link, there is one that runs a script.
fn linked(url: String) -> Candidate {
    let script = || Some("javascript:alert(1)".to_owned());
    let mut found = candidate(url);
    (found.page_url, found.thumbnail_url, found.creator_url) = (script(), script(), script());
    found.alternates = vec!["javascript:alert(2)".to_owned()];
    found
}

guest_frame::bindings::export!(Rubbish with_types_in guest_frame::bindings);
