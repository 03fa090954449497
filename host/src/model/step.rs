//! What a source is asked, and what comes of a step: the plugin contract as plain data.
//! The WIT types are turned into these at the edge (`sandbox`), so nothing else in the
//! host depends on a version of the contract.

use serde::{Deserialize, Serialize};

use super::{Candidate, Request};

/// What a chunk looks for. The same in every step of a crawl.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Keywords or an address.
    pub text: String,
    /// Images the whole job wants: a hint for page sizes.
    pub limit: u32,
    /// Leave out what is not safe for work, where the source can tell.
    pub safe_search: bool,
    /// BCP 47.
    pub language: Option<String>,
    /// Values for the declared options, defaults filled in.
    pub options: Vec<(String, String)>,
    /// Names of the declared credentials that are configured.
    pub credentials: Vec<String>,
}

/// What a source found and what it wants next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Pictures that may be downloaded, in order.
    pub candidates: Vec<Candidate>,
    /// What the host does next.
    pub next: Next,
    /// Handed back in the next call.
    pub state: String,
    /// For the person whose crawl it is.
    pub warnings: Vec<String>,
}

/// What the host does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// The source has no more.
    Done,
    /// Perform these, then call again with the answers in the same order.
    Fetch(Vec<Request>),
    /// Call again at once with the same answers and the new state.
    Again,
}

/// A source's own refusal to make a step. State and requests stay as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The user's; never retried.
    #[error("{0}")]
    InvalidQuery(String),
    /// The operator's; never retried.
    #[error("credential missing or refused: {0}")]
    Unauthorized(String),
    /// The site's; seconds to wait, if known.
    #[error("the site limits the rate of requests")]
    RateLimited(Option<u32>),
    /// The site's.
    #[error("the site is unavailable: {0}")]
    Unavailable(String),
    /// The plugin author's.
    #[error("the site no longer looks as expected: {0}")]
    LayoutChanged(String),
    /// Counts as the plugin's fault.
    #[error("{0}")]
    Other(String),
}

impl SourceError {
    /// Its name in the contract.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InvalidQuery(_) => "invalid-query",
            Self::Unauthorized(_) => "unauthorized",
            Self::RateLimited(_) => "rate-limited",
            Self::Unavailable(_) => "unavailable",
            Self::LayoutChanged(_) => "layout-changed",
            Self::Other(_) => "other",
        }
    }
}
