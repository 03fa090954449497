//! A guest with a credential of each kind. It tells whatever it hears: in its state, its
//! warnings, its log and in what it finds.

use guest_frame::{
    Answer, Candidate, CredentialHeader, CredentialKind, CredentialSpec, Error, Guest, Info, Next, Query,
    Request, Step, bindings::pixcrawler::source::log, candidate, get, info, step,
};

/// Asks `http://site.example/NAME/QUERY` with each credential that is configured.
struct Keys;

impl Guest for Keys {
    fn describe() -> Info {
        let header = CredentialHeader { name: "x-api-key".to_owned(), prefix: "Key ".to_owned() };
        let token = "https://site.example/token".to_owned();
        let kinds = [
            ("header", CredentialKind::Header(header)),
            ("query", CredentialKind::QueryParameter("api_key".to_owned())),
            ("basic", CredentialKind::Basic),
            ("oauth", CredentialKind::Oauth2ClientCredentials(token)),
        ];
        let credentials = kinds.map(|(name, kind)| CredentialSpec {
            name: name.to_owned(),
            help: "Ask for one.".to_owned(),
            required: false,
            kind,
            hosts: vec!["site.example".to_owned()],
        });
        let mut info = Info { credentials: credentials.to_vec(), ..info("keys") };
        // Granted, but not for credentials.
        info.hosts
            .push(guest_frame::HostRule { pattern: "other.example".to_owned(), ..info.hosts[0].clone() });
        info
    }

    fn start(query: Query) -> Result<Step, Error> {
        let request = |name: &String| Request {
            credential: Some(name.clone()),
            ..get(format!("http://site.example/{name}/{}", query.text))
        };
        Ok(step(Next::Fetch(query.credentials.iter().map(request).collect()), format!("{query:?}")))
    }

    fn resume(query: Query, state: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let heard = format!("{query:?} {state} {answers:?}");
        log::log(log::Level::Error, &heard);
        let heard_of = |what: &str| answers.iter().any(|answer| format!("{answer:?}").contains(what));
        if heard_of("status: 401") {
            return Err(Error::Unauthorized(heard));
        }
        if heard_of("the layout has changed") {
            return Err(Error::LayoutChanged(heard));
        }
        let found = |answer: &Answer| Candidate {
            title: Some(format!("{answer:?}")),
            description: Some(heard.clone()),
            credential: Some(answer.url.split('/').nth(3).unwrap_or_default().to_owned()),
            ..candidate(format!("{}.png", answer.url))
        };
        let mut step = step(Next::Done, heard.clone());
        step.candidates = answers.iter().map(found).collect();
        step.warnings = vec![heard];
        Ok(step)
    }
}

guest_frame::bindings::export!(Keys with_types_in guest_frame::bindings);
