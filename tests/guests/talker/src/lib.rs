//! A guest that has the host do much in one call, again and again.

use guest_frame::{
    Answer, Error, Guest, Info, Next, Query, Step,
    bindings::pixcrawler::source::log::{Level, log},
    info, step,
};
use wasip2::{
    cli::{stderr::get_stderr, stdout::get_stdout},
    io::poll::poll,
    random::{insecure::get_insecure_random_bytes, random::get_random_bytes},
    sockets::{instance_network::instance_network, ip_name_lookup::resolve_addresses},
};

/// Bytes of one call.
const MUCH: usize = 15 << 20;

struct Talker;

impl Guest for Talker {
    fn describe() -> Info {
        info("talker")
    }

    /// Does what is looked for a thousand times; `some` is as much as one may in one call.
    fn start(query: Query) -> Result<Step, Error> {
        let nothing = "\0".repeat(MUCH);
        let (out, err, network) = (get_stdout(), get_stderr(), instance_network());
        let ready = err.subscribe();
        let handles = vec![&ready; MUCH / 16];
        for _ in 0..1000 {
            match query.text.as_str() {
                "random" => drop(get_random_bytes(32 << 20)),
                "insecure" => drop(get_insecure_random_bytes(32 << 20)),
                "log" => log(Level::Error, &nothing),
                "write" => drop(err.write(nothing.as_bytes())),
                "print" => drop(out.write(nothing.as_bytes())),
                "zeroes" => drop(err.write_zeroes(1 << 40)),
                "print zeroes" => drop(out.write_zeroes(1 << 40)),
                "poll" => drop(poll(&handles)),
                "names" => drop(resolve_addresses(&network, &nothing)),
                "some" => {
                    get_random_bytes(64 << 10);
                    log(Level::Info, &nothing[..60_000]);
                    drop(err.write(&nothing.as_bytes()[..16 << 10]));
                    poll(&handles[..500]);
                    break;
                }
                other => return Err(Error::InvalidQuery(other.to_owned())),
            }
        }
        Ok(step(Next::Done, ""))
    }

    fn resume(query: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Self::start(query)
    }
}

guest_frame::bindings::export!(Talker with_types_in guest_frame::bindings);
