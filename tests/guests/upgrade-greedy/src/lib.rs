//! A version of the guest `steps` that asks for another host and for a credential.

use guest_frame::{
    Answer, CredentialKind, CredentialSpec, Error, Guest, HostKind, HostRule, Info, Next, Query, Step, info,
    step,
};

struct Greedy;

impl Guest for Greedy {
    fn describe() -> Info {
        let mut info = Info { version: "0.4.0".to_owned(), ..info("steps") };
        info.hosts.push(HostRule { pattern: "other.example".to_owned(), kind: HostKind::Web });
        info.credentials.push(CredentialSpec {
            name: "key".to_owned(),
            help: "Ask for one.".to_owned(),
            required: false,
            kind: CredentialKind::QueryParameter("key".to_owned()),
            hosts: vec!["other.example".to_owned()],
        });
        info
    }

    fn start(_: Query) -> Result<Step, Error> {
        Ok(step(Next::Done, ""))
    }

    fn resume(_: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Ok(step(Next::Done, ""))
    }
}

guest_frame::bindings::export!(Greedy with_types_in guest_frame::bindings);
