//! What the test guests share: bindings and the dull parts of a source.
//! Guests are made without the SDK, so that they can do what it would prevent.

pub mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "guest_frame::bindings",
    });
}

pub use bindings::exports::pixcrawler::source::source::Guest;
pub use bindings::pixcrawler::source::types::{
    Answer, Candidate, Content, CredentialHeader, CredentialKind, CredentialSpec, Error, Failure, HostKind,
    HostRule, Info, Input, Method, Next, Query, Request, Response, Step,
};

/// A source for keywords that asks `site.example` and nothing else.
pub fn info(id: &str) -> Info {
    Info {
        id: id.to_owned(),
        name: id.to_owned(),
        version: "0.1.0".to_owned(),
        description: "A guest of the tests.".to_owned(),
        homepage: None,
        terms_url: None,
        input: Input::Keywords,
        hosts: vec![HostRule { pattern: "site.example".to_owned(), kind: HostKind::Api }],
        ignores_robots: false,
        restriction: None,
        options: vec![],
        credentials: vec![],
        requests_per_minute: None,
        max_results: None,
        extra: vec![],
    }
}

/// A step that found nothing.
pub fn step(next: Next, state: impl Into<String>) -> Step {
    Step { candidates: vec![], next, state: state.into(), warnings: vec![], extra: vec![] }
}

/// A plain GET whose key is its address.
pub fn get(url: impl Into<String>) -> Request {
    let url = url.into();
    Request {
        key: url.clone(),
        method: Method::Get,
        url,
        headers: vec![],
        body: None,
        credential: None,
        item: None,
        keep: false,
        extra: vec![],
    }
}

/// A candidate of which only the address is known.
pub fn candidate(url: impl Into<String>) -> Candidate {
    Candidate {
        url: url.into(),
        alternates: vec![],
        id: None,
        page_url: None,
        thumbnail_url: None,
        title: None,
        description: None,
        creator: None,
        creator_url: None,
        license: None,
        published: None,
        dimensions: None,
        mime: None,
        byte_size: None,
        checksum: None,
        tags: vec![],
        headers: vec![],
        credential: None,
        extra: vec![],
    }
}

/// The text of a single answer with status 200.
pub fn text(answers: &[Answer]) -> Result<&str, Error> {
    match answers {
        [Answer { outcome: Ok(Response { status: 200, body: Content::Text(text), .. }), .. }] => Ok(text),
        [Answer { outcome: Ok(response), .. }] => {
            Err(Error::Unavailable(format!("status {}", response.status)))
        }
        [Answer { outcome: Err(failure), .. }] => Err(Error::Unavailable(format!("{failure:?}"))),
        other => Err(Error::Other(format!("{} answers to one request", other.len()))),
    }
}
