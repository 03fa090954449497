//! Pictures in the entries of a feed that the user names: RSS, Atom, Media RSS and JSON Feed.

use pixcrawler_sdk::html::{Token, tokens};
use pixcrawler_sdk::{
    Answer, Chain, Chained, Content, Error, Failure, Found, Info, OptionKind, OptionSpec, Query, Request,
    Response, Result, url,
};
use serde::{Deserialize, Serialize};

mod reader;
mod field;
mod entry;
mod media;
mod body;
mod name;
mod json;

pub use reader::{Page, Wishes, read};

/// The source.
#[derive(Debug)]
pub struct Feed;

pixcrawler_sdk::export_source!(Chain<Feed>);

/// Documents of one crawl when the user says nothing, and at most.
const DEFAULT_PAGES: usize = 10;
const MOST_PAGES: usize = 1_000;

/// What was read of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    /// Hashes of the addresses that were asked for.
    seen: Vec<u64>,
    /// Documents read.
    pages: usize,
}

impl Chained for Feed {
    type Memo = Memo;

    fn info() -> Info {
        let previews = OptionSpec::new(
            "previews",
            "Previews",
            "Take previews of entries that have no larger picture, for example of videos.",
            OptionKind::Boolean,
        );
        let max_pages = OptionSpec::new(
            "max-pages",
            "Documents at most",
            "How many documents to read where a feed goes on in others, from 1 to 1000.",
            OptionKind::Integer,
        );
        Info {
            description:
                "Pictures in the entries of a feed (RSS, Atom, Media RSS, JSON Feed): those it names, and those in \
                its texts. The input is the address of a feed, or of a page that links to one."
                    .to_owned(),
            options: vec![previews.default("false"), max_pages.default(&DEFAULT_PAGES.to_string())],
            ..Info::address("feed", "Feed", env!("CARGO_PKG_VERSION")).web("*")
        }
    }

    fn first(query: &Query) -> Request {
        Request::get(&query.text, &[])
    }

    fn read(query: &Query, memo: &mut Memo, answer: Answer) -> Result<(Found, Option<Request>)> {
        let asked = answer.url.clone();
        let (address, text) = match open(answer) {
            Ok(response) => (response.url.clone(), into_text(response)),
            // What can be had of a feed stays good when a later document is missing.
            Err(Error::InvalidQuery(why)) if memo.pages > 0 => return Ok(over(why)),
            Err(error) => return Err(error),
        };
        let is_first = memo.seen.is_empty();
        memo.seen.extend([url::fingerprint(&asked), url::fingerprint(&address)]);
        if is_first && let Some(feed) = linked(&text, &address) {
            return Ok((Found::default(), Some(Request::get(&feed, &[]))));
        }
        let wishes =
            Wishes { previews: query.option("previews") == Some("true"), only_safe: query.safe_search };
        let mut page = match read(&text, &address, wishes) {
            Err(Error::InvalidQuery(why) | Error::LayoutChanged(why)) if memo.pages > 0 => {
                return Ok(over(why));
            }
            page => page?,
        };
        memo.pages += 1;
        let most = query.option("max-pages").and_then(|most| most.parse().ok()).unwrap_or(DEFAULT_PAGES);
        let mut next = page.next.take().filter(|next| !memo.seen.contains(&url::fingerprint(next)));
        if next.is_some() && memo.pages >= most.clamp(1, MOST_PAGES) {
            page.warnings.push(format!("stopped after {} documents, there are more", memo.pages));
            next = None;
        }
        let found = Found { candidates: page.candidates, warnings: page.warnings };
        Ok((found, next.map(|next| Request::get(&next, &[]))))
    }
}

fn over(why: String) -> (Found, Option<Request>) {
    (Found { warnings: vec![why], ..Found::default() }, None)
}

fn open(answer: Answer) -> Result<Response> {
    match answer.outcome {
        Err(Failure::TooLarge(limit)) => {
            Err(Error::InvalidQuery(format!("{} is larger than {} MiB", answer.url, limit >> 20)))
        }
        _ => answer.named_response(),
    }
}

fn into_text(response: Response) -> String {
    match response.body {
        Content::Text(text) => text,
        Content::Binary(bytes) => String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// The feed that a web page names as its own, RSS or Atom where there are several.
fn linked(page: &str, address: &str) -> Option<String> {
    let tags = tokens(page).filter_map(|token| match token {
        Token::Open(tag) => Some(tag),
        _ => None,
    });
    let (mut base, mut feeds) = (None, [None, None]);
    for (number, tag) in tags.enumerate() {
        if number == 0 && !PAGE.iter().any(|name| tag.is(name)) {
            return None;
        }
        if tag.is("base") && base.is_none() {
            base = tag.get("href").and_then(|href| url::resolve(address, &href));
        } else if tag.is("link") {
            let relation = tag.get("rel").unwrap_or_default().to_ascii_lowercase();
            let kind = tag.get("type").unwrap_or_default().to_ascii_lowercase();
            let rank = match kind.split(';').next().unwrap_or_default().trim() {
                "application/rss+xml" | "application/atom+xml" | "application/rdf+xml" => 0,
                "application/feed+json" => 1,
                _ => continue,
            };
            if relation.split_ascii_whitespace().any(|word| matches!(word, "alternate" | "feed")) {
                feeds[rank] = feeds[rank].take().or_else(|| tag.get("href"));
            }
        }
    }
    let base = base.as_deref().unwrap_or(address);
    feeds.into_iter().flatten().find_map(|href| url::resolve(base, &href))
}

/// What a web page may begin with.
const PAGE: [&str; 6] = ["html", "head", "meta", "title", "base", "link"];
