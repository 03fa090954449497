//! A cassette: one query, the requests of its crawl with their answers, and what the source
//! must make of them; a TOML file that people read and write.

mod exchange;
pub(super) mod pairs;
mod text;

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CandidateView, RunEnd, SourceRun};
use crate::{
    model::{Query, SourceError, SourceInfo},
    sandbox::StepError,
};

pub use exchange::Exchange;
pub(super) use text::lines;

/// A whole cassette.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassette {
    /// Id of the source.
    pub source: String,
    /// What is looked for.
    pub query: RecordedQuery,
    /// In the order asked.
    #[serde(default, rename = "exchange")]
    pub exchanges: Vec<Exchange>,
    /// What must come of it; none while nobody has said.
    pub expect: Option<Expect>,
}

/// A query as an author writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedQuery {
    /// Keywords or an address.
    pub text: String,
    /// Images wanted.
    #[serde(default = "hundred", skip_serializing_if = "is_hundred")]
    pub limit: u32,
    /// Leave out what is not safe for work.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub safe_search: bool,
    /// BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Those that differ from the declared defaults, as a job gives them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Value>,
    /// Names of the credentials that count as configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
}

/// What must come of a cassette.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// How the crawl ends; `done` when neither this nor an error is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Ending>,
    /// The error that ends it instead, by its name in the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Part of what the error says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of `rate-limited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Exact, in order.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Names that, renamed in the answers, must give `layout-changed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_layout: Vec<String>,
    /// Exact, in order.
    #[serde(default, rename = "candidate", skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<CandidateView>,
}

/// How a crawl that is no error ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The source has no more.
    Done,
    /// The source asks on where the cassette ends.
    Open,
}

/// Why a cassette cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CassetteError {
    /// The file.
    #[error("cannot read the cassette")]
    Read(#[from] std::io::Error),
    /// It is not TOML, or not of this form; says where.
    #[error("{}", .0.to_string().trim_end())]
    Form(#[from] toml::de::Error),
    /// It does not fit the source.
    #[error("{0}")]
    Source(String),
    /// Its expectations cannot be replaced in place.
    #[error("`[expect]` must be the last part of the file, and stand on a line of its own")]
    ExpectNotLast,
}

impl Cassette {
    /// Reads the file's text.
    ///
    /// # Errors
    /// With line and column of what is wrong.
    pub fn parse(text: &str) -> Result<Self, CassetteError> {
        Ok(toml::from_str(text)?)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, and as [`parse`](Self::parse).
    pub fn read(file: &Path) -> Result<Self, CassetteError> {
        Self::parse(&std::fs::read_to_string(file)?)
    }

    /// The query as the source is given it: declared defaults filled in.
    ///
    /// # Errors
    /// When the cassette is another source's, or asks what a job may not ask of this one.
    pub fn query(&self, info: &SourceInfo) -> Result<Query, CassetteError> {
        let wrong = |message| Err(CassetteError::Source(message));
        if self.source != info.id {
            return wrong(format!("it is a cassette of `{}`, and this is `{}`", self.source, info.id));
        }
        let RecordedQuery { text, limit, safe_search, language, options, credentials } = &self.query;
        if let Some(name) = options.keys().find(|name| info.options.iter().all(|spec| spec.name != **name)) {
            let declared: Vec<&str> = info.options.iter().map(|spec| spec.name.as_str()).collect();
            let declared = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
            return wrong(format!("the source declares no option `{name}`; it declares: {declared}"));
        }
        if let Some(name) =
            credentials.iter().find(|name| info.credentials.iter().all(|spec| spec.name != **name))
        {
            return wrong(format!("the source declares no credential `{name}`"));
        }
        let mut values = BTreeMap::new();
        for spec in &info.options {
            match spec.value(options.get(&spec.name)) {
                Ok(value) => values.extend(value.map(|value| (spec.name.clone(), value))),
                Err(must) => return wrong(format!("option `{}` {must}", spec.name)),
            }
        }
        Ok(Query {
            text: text.clone(),
            limit: *limit,
            safe_search: *safe_search,
            language: language.clone(),
            options: values.into_iter().collect(),
            credentials: credentials.clone(),
        })
    }
}

impl RecordedQuery {
    /// A query as a cassette says it; what the source declares as default is left out.
    #[must_use]
    pub fn new(query: &Query, info: &SourceInfo) -> Self {
        let is_default = |name: &str, value: &str| {
            info.options.iter().any(|spec| spec.name == *name && spec.default.as_deref() == Some(value))
        };
        let options = query.options.iter().filter(|(name, value)| !is_default(name, value));
        Self {
            text: query.text.clone(),
            limit: query.limit,
            safe_search: query.safe_search,
            language: query.language.clone(),
            options: options.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect(),
            credentials: query.credentials.clone(),
        }
    }
}

impl Expect {
    /// What came of a run, said as expectations; none when it is no outcome that a cassette
    /// can expect. Where `before` expects no `message`, there is none; one that is still part of
    /// what is said stays as it is.
    #[must_use]
    pub fn outcome(run: &SourceRun, before: Option<&Self>) -> Option<Self> {
        let (end, error) = match &run.end {
            RunEnd::Done => (Some(Ending::Done), None),
            RunEnd::Open(_) => (Some(Ending::Open), None),
            RunEnd::Failed(StepError::Source(error)) => (None, Some(error)),
            RunEnd::Failed(_) | RunEnd::Deferred(_) | RunEnd::Aborted(_) => return None,
        };
        let message = match (before, error.and_then(message)) {
            (_, None) | (Some(Self { message: None, .. }), Some(_)) => None,
            (Some(Self { message: Some(part), .. }), Some(whole)) if whole.contains(part) => {
                Some(part.clone())
            }
            (_, Some(whole)) => Some(whole.to_owned()),
        };
        let seconds = match error {
            Some(SourceError::RateLimited(seconds)) => *seconds,
            _ => None,
        };
        Some(Self {
            end,
            error: error.map(|error| error.kind().to_owned()),
            message,
            seconds,
            warnings: run.warnings.clone(),
            changed_layout: before.map(|before| before.changed_layout.clone()).unwrap_or_default(),
            candidates: run.candidates.iter().cloned().map(CandidateView).collect(),
        })
    }

    /// With what an author may leave out.
    #[must_use]
    pub fn complete(&self) -> Self {
        let end = self.end.or(self.error.is_none().then_some(Ending::Done));
        Self { end, ..self.clone() }
    }
}

/// What the source says of its error.
fn message(error: &SourceError) -> Option<&str> {
    match error {
        SourceError::InvalidQuery(text)
        | SourceError::Unauthorized(text)
        | SourceError::Unavailable(text)
        | SourceError::LayoutChanged(text)
        | SourceError::Other(text) => Some(text),
        SourceError::RateLimited(_) => None,
    }
}

const fn hundred() -> u32 {
    100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_hundred(limit: &u32) -> bool {
    *limit == hundred()
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_yes(value: &bool) -> bool {
    *value
}

#[cfg(test)]
mod tests;
