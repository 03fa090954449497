//! A version of the guest `steps` that breaks off at every answer.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, get, info, step};

struct Broken;

impl Guest for Broken {
    fn describe() -> Info {
        Info { version: "0.3.0".to_owned(), ..info("steps") }
    }

    fn start(query: Query) -> Result<Step, Error> {
        let request = get(format!("http://site.example/broken?q={}", query.text));
        Ok(step(Next::Fetch(vec![request]), ""))
    }

    fn resume(_: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        panic!("nobody tried this version")
    }
}

guest_frame::bindings::export!(Broken with_types_in guest_frame::bindings);
