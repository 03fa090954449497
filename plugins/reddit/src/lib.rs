//! Pictures that people post on Reddit: single ones and galleries, found by the
//! words of their titles. Posts that only link to a page or a film are passed over.

use pixcrawler_sdk::{
    Answer, CredentialKind, CredentialSpec, Error, Found, Info, Machine, Next, OptionKind, OptionSpec, Query,
    Request, Response, Result, Turn, text,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod gallery;
mod post;

/// The source.
#[derive(Debug)]
pub struct Reddit;

pixcrawler_sdk::export_source!(Reddit);

const API: &str = "https://oauth.reddit.com";
const CREDENTIAL: &str = "app";
/// In characters; longer searches are refused.
const LONGEST_QUERY: usize = 512;
/// Posts in an answer, at most.
const PAGE: u32 = 100;
/// How far a list goes, in posts.
const DEPTH: u32 = 1_000;

/// Where a search stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The full name of the last post of the page before; empty for the first page.
    after: String,
    /// Pages read.
    pages: u32,
}

impl Machine for Reddit {
    type State = Place;

    fn info() -> Info {
        let credential = CredentialSpec {
            name: CREDENTIAL.to_owned(),
            help: "Client id and secret as `id:secret`, of an app of type `script` or `web app`. Those of before \
                November 2025 are at https://www.reddit.com/prefs/apps; a new one must be asked for and approved under \
                https://support.reddithelp.com/hc/articles/42728983564564."
                .to_owned(),
            required: true,
            kind: CredentialKind::Oauth2ClientCredentials(
                "https://www.reddit.com/api/v1/access_token".to_owned(),
            ),
            hosts: vec!["oauth.reddit.com".to_owned()],
        };
        Info {
            description:
                "Pictures and galleries posted on Reddit. Nothing is said about licences: posters keep \
                their rights, and often they did not make what they post. Commercial use and training of \
                models need a contract with Reddit. New apps need Reddit's approval."
                    .to_owned(),
            homepage: Some("https://www.reddit.com/".to_owned()),
            terms_url: Some("https://www.redditinc.com/policies/data-api-terms".to_owned()),
            options: options(),
            credentials: vec![credential],
            // Of the 100 that an app may make on average.
            requests_per_minute: Some(60),
            ..Info::keywords("reddit", "Reddit", env!("CARGO_PKG_VERSION"))
                .api("oauth.reddit.com")
                .api("www.reddit.com")
        }
    }

    fn start(query: &Query) -> Result<Turn<Place>> {
        let state = Place::default();
        let mut found = Found::default();
        if query.text.trim().chars().count() > LONGEST_QUERY {
            found.warnings.push(format!("Reddit searches for the first {LONGEST_QUERY} characters only"));
        }
        Ok(Turn { found, next: Next::Fetch(vec![page(query, &state)?]), state })
    }

    fn resume(query: &Query, place: Place, answers: Vec<Answer>) -> Result<Turn<Place>> {
        let answer = answers.into_iter().next().ok_or_else(|| Error::Other("no answer".to_owned()))?;
        let list = list(query, open(query, answer)?)?;
        let posts: Vec<_> = list.children.iter().map(|thing| &*thing.data).collect();
        Found::expect_fields(&posts, &post::FIELDS)?;
        let mut faults = Vec::new();
        let mut found = Found::each(list.children, |thing| {
            post::candidates(thing.data.get(), query.safe_search, &mut faults)
        })?;
        if let Some(fault) = faults.first() {
            found.warnings.push(format!("{} parts of posts cannot be read: {fault}", faults.len()));
        }
        let pages = place.pages.saturating_add(1);
        let is_last = pages.saturating_mul(PAGE) >= DEPTH;
        match list.after.filter(|after| *after != place.after && !is_last) {
            Some(after) => {
                let state = Place { after: text::token(&after)?, pages };
                Ok(Turn { found, next: Next::Fetch(vec![page(query, &state)?]), state })
            }
            None => {
                if is_last {
                    found.warnings.push(format!("Reddit shows about {DEPTH} posts of a search, and no more"));
                }
                Ok(Turn { found, next: Next::Done, state: Place { pages, ..place } })
            }
        }
    }
}

fn page(query: &Query, place: &Place) -> Result<Request> {
    let text: String = query.text.trim().chars().take(LONGEST_QUERY).collect();
    let size = PAGE.to_string();
    let communities = communities(query)?;
    let mut parameters = vec![("q", text.as_str()), ("type", "link"), ("limit", &size), ("raw_json", "1")];
    for (option, parameter) in [("sort", "sort"), ("time", "t")] {
        parameters.extend(query.option(option).map(|value| (parameter, value)));
    }
    if !query.safe_search {
        parameters.push(("include_over_18", "on"));
    }
    let address = if communities.is_empty() {
        format!("{API}/search")
    } else {
        parameters.push(("restrict_sr", "on"));
        format!("{API}/r/{}/search", communities.join("+"))
    };
    if !place.after.is_empty() {
        parameters.push(("after", &place.after));
    }
    Ok(Request { credential: Some(CREDENTIAL.to_owned()), ..Request::get(&address, &parameters) })
}

/// The names in the option `subreddits`; none for all of Reddit.
fn communities(query: &Query) -> Result<Vec<&str>> {
    let given = query.option("subreddits").unwrap_or_default();
    let names = given.split([',', '+', ' ']).map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let bare = name.trim_start_matches('/');
            let bare = bare.strip_prefix("r/").unwrap_or(bare).trim_end_matches('/');
            let legal = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if legal && (2..=23).contains(&bare.len()) {
                Ok(bare)
            } else {
                Err(Error::InvalidQuery(format!(
                    "option `subreddits`: `{name}` is no community; write names such as `EarthPorn`, separated by commas"
                )))
            }
        })
        .collect()
}

/// The response, where a community that cannot be read is the user's mistake.
fn open(query: &Query, answer: Answer) -> Result<Response> {
    #[derive(Deserialize)]
    struct Refusal {
        reason: String,
    }
    if let (Ok(response), Some(names)) = (&answer.outcome, query.option("subreddits"))
        && matches!(response.status, 403 | 404)
    {
        let reason = response.json::<Refusal>().map(|refusal| refusal.reason);
        if response.status == 404 || reason.is_ok() {
            let reason = reason.as_deref().unwrap_or("it does not exist");
            return Err(Error::InvalidQuery(format!("Reddit does not show `{names}`: {reason}")));
        }
    }
    answer.response()
}

#[derive(Deserialize)]
struct Listing {
    kind: String,
    data: List,
}

#[derive(Deserialize)]
struct List {
    children: Vec<Thing>,
    /// Null on the last page.
    #[serde(deserialize_with = "Option::deserialize")]
    after: Option<String>,
}

#[derive(Deserialize)]
struct Thing {
    kind: String,
    data: Box<RawValue>,
}

/// The kind of posts; `t5` are communities, for example.
const POST: &str = "t3";

fn list(query: &Query, response: Response) -> Result<List> {
    let listing: Listing = response.json()?;
    if listing.kind != "Listing" {
        return Err(Error::LayoutChanged(format!("expected a `Listing`, found a `{}`", listing.kind)));
    }
    let mut list = listing.data;
    let before = list.children.len();
    list.children.retain(|thing| thing.kind == POST);
    match query.option("subreddits") {
        _ if before == 0 || !list.children.is_empty() => Ok(list),
        // Instead of saying so, Reddit shows communities with names that are similar.
        Some(names) => Err(Error::InvalidQuery(format!("there is no community `{names}` on Reddit"))),
        None => Err(Error::LayoutChanged(format!("expected posts (`{POST}`) among the results"))),
    }
}

fn options() -> Vec<OptionSpec> {
    vec![
        OptionSpec::new(
            "subreddits",
            "Communities",
            "Only posts in these, separated by commas, for example `EarthPorn,itookapicture`.",
            OptionKind::Text,
        ),
        OptionSpec::choice(
            "sort",
            "Order",
            "Which posts come first.",
            &[
                ("relevance", "Relevance"),
                ("hot", "Hot"),
                ("top", "Most upvoted"),
                ("new", "Newest"),
                ("comments", "Most commented"),
            ],
        )
        .default("relevance"),
        OptionSpec::choice(
            "time",
            "Age",
            "Only posts of this time.",
            &[
                ("all", "Any time"),
                ("year", "Past year"),
                ("month", "Past month"),
                ("week", "Past week"),
                ("day", "Past day"),
                ("hour", "Past hour"),
            ],
        )
        .default("all"),
    ]
}
