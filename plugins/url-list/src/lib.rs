//! Pictures whose addresses stand in a list: plain text, CSV, TSV or JSON lines, of any length.

use pixcrawler_sdk::{
    Answer, Error, Failure, Found, Info, License, Machine, Next, OptionKind, OptionSpec, Query, Response,
    Result, Turn, url,
};

mod column;
mod creative_commons;
mod json;
mod license;
mod look;
mod picture;
mod read;
mod state;

pub use state::State;

use column::Wanted;
use look::Look;
use read::Progress;
use state::{Version, Way};

/// The source.
#[derive(Debug)]
pub struct UrlList;

pixcrawler_sdk::export_source!(UrlList);

/// How often a list may change while it is read.
const MOST_RESTARTS: u32 = 3;

impl Machine for UrlList {
    type State = State;

    fn info() -> Info {
        let column = |name, label, help| OptionSpec::new(name, label, help, OptionKind::Text);
        Info {
            description: "Pictures whose addresses stand in a list: plain text, CSV, TSV or JSON lines, also \
                millions of them, with captions, labels, licences, creators and checksums where there are columns \
                with usual names. Safe search leaves out what the list calls unsafe, in a word or by a score of 0.5 \
                or more. The input is the address of the list."
                .to_owned(),
            options: vec![
                OptionSpec::choice(
                    "format",
                    "Format",
                    "How the list is written; told from its name and content by default.", &[
                    ("auto", "By name and content"),
                    ("text", "An address a line"),
                    ("csv", "CSV"),
                    ("tsv", "TSV"),
                    ("jsonl", "JSON lines"),
                ])
                .default("auto"),
                column("url-column", "Column of addresses", "Its name, or its number from 1; `url` and the like by default."),
                column(
                    "caption-column",
                    "Column of captions",
                    "Its name, or its number from 1; `caption`, `text` and the like by default, and where columns have no \
                    names the only one with sentences.",
                ),
                column(
                    "label-column",
                    "Column of labels",
                    "Its name, or its number from 1; `label`, `class` and the like by default. It is the class of the \
                    picture; of several the first is its folder's.",
                ),
                column(
                    "license",
                    "Licence",
                    "Of the pictures for which the list names none, by id or address, for example `cc0-1.0`.",
                ),
            ],
            ..Info::address("url-list", "List of addresses", env!("CARGO_PKG_VERSION")).web("*")
        }
    }

    fn start(query: &Query) -> Result<Turn<State>> {
        let address = address(query)?;
        Ok(fetch(Found::default(), State::default(), &address))
    }

    fn resume(query: &Query, mut state: State, answers: Vec<Answer>) -> Result<Turn<State>> {
        let Ok([answer]) = <[Answer; 1]>::try_from(answers) else {
            return Err(Error::Other("asked for one answer, was given more or fewer".to_owned()));
        };
        let (address, wishes) = (address(query)?, Wishes::of(query));
        let mut found = Found::default();
        // No byte of the list stands where it was asked for: that is its end.
        if let Ok(Response { status: 416, .. }) = answer.outcome {
            return finish(found, state, &address);
        }
        let response = open(answer, &state)?;
        let is_range = response.status == 206;
        if !is_range && state.way == Way::Parts {
            state.way = Way::Ignored;
        }
        let content_type = response.header("content-type").unwrap_or_default().to_owned();
        let mut version = Version::of(&response, None);
        let mut part = response.into_part()?;
        if !is_range {
            part.bytes = state::decoded(part.bytes);
        }
        if state.at == 0 {
            state.cr = state::has_cr_only(&part.bytes);
        }
        if state.cr {
            part.bytes.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
        }
        version.total = part.total;
        if state.version.as_ref().is_some_and(|known| known.differs(&version)) {
            if state.restarts >= MOST_RESTARTS {
                return Err(Error::InvalidQuery(format!(
                    "{address} changes all the time; give a list that stays as it is"
                )));
            }
            state.restart();
            found.warnings.push("the list changed while it was read; it is read anew".to_owned());
            return Ok(fetch(found, state, &address));
        }
        state.version = Some(version);
        let start = part.from(state.at).ok_or_else(|| {
            Error::LayoutChanged(format!("{address}: asked for byte {}, was given {}", state.at, part.start))
        })?;
        let format = match state.format {
            Some(format) => format,
            None => match look::look(&address, &content_type, start, !is_range, query.option("format")) {
                Look::List(format) => *state.format.insert(format),
                Look::Packed if !is_range => {
                    return Err(other(&address, "no text in UTF-8, and no gzip of one"));
                }
                Look::Packed => {
                    state = State { way: Way::Whole, ..State::default() };
                    return Ok(fetch(found, state, &address));
                }
                Look::Other(what) => return Err(other(&address, what)),
            },
        };
        let before = state.at;
        let is_last = state::is_last(&part, is_range);
        match state.read(format, &part, is_last, &wishes, &mut found)? {
            Progress::End => finish(found, state, &address),
            Progress::Part if state.at == before => {
                Err(Error::Unavailable(format!("{address}: the server gives too few bytes at a time")))
            }
            Progress::Full if is_range => {
                tell(&mut found, &mut state, false);
                Ok(Turn { found, next: Next::Again, state })
            }
            // A whole list may have more than may be read with `again` in a row.
            Progress::Full | Progress::Part => {
                tell(&mut found, &mut state, false);
                Ok(fetch(found, state, &address))
            }
        }
    }
}

/// What the user wants of a list.
#[derive(Debug)]
pub(crate) struct Wishes<'a> {
    columns: Wanted<'a>,
    license: Option<License>,
    only_safe: bool,
}

impl<'a> Wishes<'a> {
    fn of(query: &'a Query) -> Self {
        let column = |name| query.option(name).map(str::trim).filter(|column| !column.is_empty());
        Self {
            columns: Wanted {
                url: column("url-column"),
                caption: column("caption-column"),
                label: column("label-column"),
            },
            license: license::license(query.option("license"), None, None),
            only_safe: query.safe_search,
        }
    }
}

fn address(query: &Query) -> Result<String> {
    url::resolve(&query.text, "")
        .ok_or_else(|| Error::InvalidQuery(format!("{} is no http(s) address", query.text)))
}

fn fetch(found: Found, state: State, address: &str) -> Turn<State> {
    Turn { found, next: Next::Fetch(vec![state.request(address)]), state }
}

fn other(address: &str, what: &str) -> Error {
    Error::InvalidQuery(format!("{address} is {what}"))
}

fn tell(found: &mut Found, state: &mut State, at_end: bool) {
    found.warnings.extend(state.bad.tell("left out for want of an absolute http(s) address", at_end));
    found.warnings.extend(state.unclear.tell("no UTF-8, so that some characters are lost", at_end));
}

fn finish(mut found: Found, mut state: State, address: &str) -> Result<Turn<State>> {
    if state.found == 0 && state.bad.count > 0 {
        return Err(Error::InvalidQuery(format!(
            "{address} has no line with an absolute http(s) address where one is looked for: {}",
            state.bad
        )));
    }
    if state.found == 0 && state.not_safe == 0 {
        found.warnings.push("the list is empty".to_owned());
    }
    tell(&mut found, &mut state, true);
    if state.not_safe > 0 {
        found.warnings.push(format!("left out as not safe for work: {}", state.not_safe));
    }
    Ok(Turn { found, next: Next::Done, state })
}

fn open(answer: Answer, state: &State) -> Result<Response> {
    match answer.outcome {
        Err(Failure::TooLarge(limit)) => {
            let why = if state.way == Way::Whole {
                " unpacked; lists in plain UTF-8 may be of any size"
            } else {
                ", and its server does not give it in parts (HTTP ranges)"
            };
            Err(Error::InvalidQuery(format!("{} is larger than {} MiB{why}", answer.url, limit >> 20)))
        }
        _ => answer.named_response(),
    }
}
