//! A version of the guest `steps` that requires a credential.

use guest_frame::{
    Answer, CredentialHeader, CredentialKind, CredentialSpec, Error, Guest, Info, Next, Query, Request, Step,
    candidate, get, info, step, text,
};

/// Asks `http://site.example/keyed?q=…`, once, for addresses of pictures, a line each.
struct Keyed;

impl Guest for Keyed {
    fn describe() -> Info {
        let header = CredentialHeader { name: "x-api-key".to_owned(), prefix: String::new() };
        let key = CredentialSpec {
            name: "key".to_owned(),
            help: "Ask for one.".to_owned(),
            required: true,
            kind: CredentialKind::Header(header),
            hosts: vec!["site.example".to_owned()],
        };
        Info { version: "0.5.0".to_owned(), credentials: vec![key], ..info("steps") }
    }

    fn start(query: Query) -> Result<Step, Error> {
        let request = Request {
            credential: Some("key".to_owned()),
            ..get(format!("http://site.example/keyed?q={}", query.text))
        };
        Ok(step(Next::Fetch(vec![request]), ""))
    }

    fn resume(_: Query, _: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let mut step = step(Next::Done, "");
        step.candidates = text(&answers)?.lines().map(candidate).collect();
        Ok(step)
    }
}

guest_frame::bindings::export!(Keyed with_types_in guest_frame::bindings);
