//! A guest that always says that there is more.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, get, info, step};

struct Again;

impl Guest for Again {
    fn describe() -> Info {
        info("again")
    }

    fn start(_: Query) -> Result<Step, Error> {
        Ok(step(Next::Fetch(vec![get("http://site.example/")]), "0"))
    }

    fn resume(_: Query, state: String, _: Vec<Answer>) -> Result<Step, Error> {
        let times: u32 =
            state.parse().map_err(|_| Error::Other(format!("state `{state}` is not a number")))?;
        Ok(step(Next::Again, (times + 1).to_string()))
    }
}

guest_frame::bindings::export!(Again with_types_in guest_frame::bindings);
