//! Pictures that a site names in its sitemaps.

use pixcrawler_sdk::{
    Answer, Error, Failure, Found, Info, Machine, OptionKind, OptionSpec, Query, Response, Result, Turn, url,
};

mod document;
mod read;
mod walk;

pub use document::{Entries, Entry, Kind, MOST_PICTURES, entries, kind};
pub use walk::State;

use read::Progress;
use walk::{FILE, GUESS, INDEX, Level, Place, ROBOTS};

/// The source.
#[derive(Debug)]
pub struct Sitemap;

pixcrawler_sdk::export_source!(Sitemap);

/// Sitemaps of one crawl when the user says nothing, and at most.
const DEFAULT_FILES: u32 = 1_000;
const MOST_FILES: u32 = 10_000;
/// Files in a row that are left out because they cannot be had now; then it is the site.
const PASSING: u32 = 2;

impl Machine for Sitemap {
    type State = State;

    fn info() -> Info {
        let option = |name, label, help| OptionSpec::new(name, label, help, OptionKind::Text);
        Info {
            description: "Pictures that a site names in its sitemaps, with their pages. The input is the address \
                of a sitemap or of a site, whose robots.txt then says where they are. Pages that a sitemap names \
                without pictures are not opened; the source `webpage` does that."
                .to_owned(),
            homepage: Some("https://www.sitemaps.org/protocol.html".to_owned()),
            options: vec![
                option(
                    "page-contains",
                    "Pages",
                    "Only pictures of pages whose address contains this, for example `/products/`.",
                ),
                option(
                    "changed-since",
                    "Changed since",
                    "Only pictures of pages that changed on or after this date (YYYY-MM-DD), as far as the \
                    sitemap says.",
                ),
                OptionSpec::new(
                    "max-files",
                    "Sitemaps at most",
                    "How many sitemaps to read where an index names many, from 1 to 10000.",
                    OptionKind::Integer,
                )
                .default(&DEFAULT_FILES.to_string()),
            ],
            ..Info::address("sitemap", "Sitemap", env!("CARGO_PKG_VERSION")).web("*")
        }
    }

    fn start(query: &Query) -> Result<Turn<State>> {
        Filter::of(query)?;
        let address = url::resolve(&query.text, "")
            .ok_or_else(|| Error::InvalidQuery(format!("{} is no http(s) address", query.text)))?;
        let site = ["/", "/robots.txt"].into_iter().find_map(|end| origin(&address, end));
        Ok(match site {
            Some(site) => {
                let file = Place::start(format!("{site}/robots.txt"));
                State { file, ..State::default() }.read_on(Found::default(), ROBOTS)
            }
            None => State::default().fetch(Found::default(), FILE, address),
        })
    }

    fn resume(query: &Query, state: State, answers: Vec<Answer>) -> Result<Turn<State>> {
        let filter = Filter::of(query)?;
        let Ok([answer]) = <[Answer; 1]>::try_from(answers) else {
            return Err(Error::Other("asked for one answer, was given more or fewer".to_owned()));
        };
        match answer.key.as_str() {
            ROBOTS => robots(state, &filter, answer),
            INDEX => index(state, &filter, answer),
            _ => file(state, &filter, answer),
        }
    }
}

/// Goes to the sitemaps that robots.txt names, else to where a site mostly has one.
fn robots(mut state: State, filter: &Filter<'_>, answer: Answer) -> Result<Turn<State>> {
    let site = answer.url.trim_end_matches("/robots.txt").to_owned();
    let mut level = Level { place: state.file.clone(), left: Vec::new(), more: false };
    if !matches!(&answer.outcome, Ok(Response { status: 400..=499, .. }) | Err(Failure::TooLarge(_))) {
        let text = level.place.open(open(answer)?)?;
        level.refill(&text, filter)?;
    }
    if level.left.is_empty() {
        return Ok(state.fetch(Found::default(), GUESS, format!("{site}/sitemap.xml")));
    }
    state.levels.push(level);
    state.advance(Found::default(), filter.most_files, None)
}

/// Walks the innermost index further.
fn index(mut state: State, filter: &Filter<'_>, answer: Answer) -> Result<Turn<State>> {
    let mut found = Found::default();
    let read = open(answer).and_then(|response| {
        let Some(level) = state.levels.last_mut() else { return Ok(()) };
        let text = level.place.open(response)?;
        level.refill(&text, filter)
    });
    match read {
        Err(error @ (Error::RateLimited(_) | Error::Unavailable(_))) => return Err(error),
        Err(error) => {
            found.warnings.push(format!("cannot read on: {}", words(&error)));
            state.levels.pop();
        }
        Ok(()) => {}
    }
    state.advance(found, filter.most_files, None)
}

/// Reads a file, or what of it fits a step.
fn file(mut state: State, filter: &Filter<'_>, answer: Answer) -> Result<Turn<State>> {
    let mut found = Found::default();
    match &answer.outcome {
        Err(Failure::TooLarge(_)) if !state.file.parts && !is_packed(&answer.url) => {
            state.file.parts = true;
            return Ok(state.read_on(found, &answer.key));
        }
        // The end of a file whose server did not say how long it is.
        Ok(Response { status: 416, .. }) if state.file.at > 0 => {
            return state.advance(found, filter.most_files, None);
        }
        Ok(Response { status: 404 | 410, .. }) if answer.key == GUESS => {
            let site = answer.url.trim_end_matches("/sitemap.xml");
            return Err(Error::InvalidQuery(format!(
                "{site} names no sitemap in its robots.txt and has none at /sitemap.xml; give the address of one"
            )));
        }
        _ => {}
    }
    let read = open(answer).and_then(|response| state.file.open(response));
    match read.and_then(|text| state.read(&text, filter, &mut found)) {
        Ok(Progress::Full) if state.file.parts => Ok(state.again(found)),
        // A whole document may have more than may be read with `again` in a row.
        Ok(Progress::Full | Progress::Part) => Ok(state.read_on(found, FILE)),
        Ok(Progress::End) => {
            state.counts.passing = 0;
            state.advance(found, filter.most_files, None)
        }
        Err(error @ Error::RateLimited(_)) => Err(error),
        Err(error @ Error::Unavailable(_)) if state.levels.is_empty() || state.counts.passing >= PASSING => {
            Err(error)
        }
        Err(error) => {
            state.counts.passing += u32::from(matches!(error, Error::Unavailable(_)));
            state.lose(&mut found, &words(&error));
            state.advance(found, filter.most_files, Some(error))
        }
    }
}

/// What the user wants of a site.
#[derive(Debug)]
struct Filter<'a> {
    page_contains: Option<&'a str>,
    changed_since: Option<&'a str>,
    most_files: u32,
}

impl<'a> Filter<'a> {
    fn of(query: &'a Query) -> Result<Self> {
        let changed_since = query.option("changed-since").map(str::trim);
        let is_date = |text: &str| {
            let digit = |(at, byte): (usize, u8)| {
                if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() }
            };
            text.len() == 10 && text.bytes().enumerate().all(digit)
        };
        if let Some(date) = changed_since.filter(|date| !is_date(date)) {
            return Err(Error::InvalidQuery(format!(
                "option `changed-since` is no date such as 2026-01-31: {date}"
            )));
        }
        let most_files =
            query.option("max-files").and_then(|most| most.parse().ok()).unwrap_or(DEFAULT_FILES);
        Ok(Self {
            page_contains: query.option("page-contains"),
            changed_since,
            most_files: most_files.clamp(1, MOST_FILES),
        })
    }

    /// Whether the page is wanted.
    fn page(&self, entry: &Entry) -> bool {
        let part = |part: &str| entry.location.as_deref().is_some_and(|location| location.contains(part));
        self.page_contains.is_none_or(part) && self.date(entry)
    }

    /// Whether it has changed since, or nobody knows. A date may be a year or a month only.
    fn date(&self, entry: &Entry) -> bool {
        let (Some(since), Some(changed)) = (self.changed_since, entry.changed.as_deref()) else {
            return true;
        };
        let changed = changed.trim();
        let common = since.len().min(changed.len());
        changed.get(..common) >= since.get(..common)
    }
}

fn open(answer: Answer) -> Result<Response> {
    match answer.outcome {
        Err(Failure::TooLarge(limit)) => {
            let why = if is_packed(&answer.url) {
                " unpacked, and a compressed file cannot be read in parts"
            } else {
                ", and its server does not give it in parts"
            };
            Err(Error::InvalidQuery(format!("{} is larger than {} MiB{why}", answer.url, limit >> 20)))
        }
        _ => answer.named_response(),
    }
}

/// Scheme and host of the address, if the path is that and there is no query.
fn origin<'a>(address: &'a str, path: &str) -> Option<&'a str> {
    let origin = address.strip_suffix(path)?;
    origin.split_once("://").is_some_and(|(_, host)| !host.contains(['/', '?'])).then_some(origin)
}

/// Whether it is the address of a compressed file.
fn is_packed(address: &str) -> bool {
    let path = address.split('?').next().unwrap_or(address);
    path.to_ascii_lowercase().ends_with(".gz")
}

/// What an error says.
fn words(error: &Error) -> String {
    match error {
        Error::InvalidQuery(why)
        | Error::Unauthorized(why)
        | Error::Unavailable(why)
        | Error::LayoutChanged(why)
        | Error::Other(why) => why.clone(),
        Error::RateLimited(_) => "the site limits the rate of requests".to_owned(),
    }
}
