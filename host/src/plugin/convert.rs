//! The contract's types to and from the domain's, one to one: nothing is judged here.
//! `extra` pairs without a field in the domain are dropped, as the contract allows.

use super::bindings::pixcrawler::source::types as wit;
use crate::source;

/// What a query lends to the guest; the lists of a query have to stand somewhere during a call.
pub(super) struct QueryRef<'a> {
    query: &'a source::Query,
    options: Vec<(&'a str, &'a str)>,
    credentials: Vec<&'a str>,
}

impl<'a> QueryRef<'a> {
    /// Makes `query` ready to be lent.
    pub(super) fn new(query: &'a source::Query) -> Self {
        Self {
            query,
            options: borrowed(&query.options),
            credentials: query.credentials.iter().map(String::as_str).collect(),
        }
    }

    /// The query as the guest gets it.
    pub(super) fn query(&self) -> wit::Query<'_> {
        wit::Query {
            text: &self.query.text,
            limit: self.query.limit,
            safe_search: self.query.safe_search,
            language: self.query.language.as_deref(),
            options: &self.options,
            credentials: &self.credentials,
            extra: &[],
        }
    }
}

/// Header lists of `answers`, to be held while the answers are lent.
pub(super) fn headers(answers: &[source::Answer]) -> Vec<Vec<(&str, &str)>> {
    let outcomes = answers.iter().map(|answer| &answer.outcome);
    outcomes
        .map(|outcome| outcome.as_ref().map_or_else(|_| Vec::new(), |response| borrowed(&response.headers)))
        .collect()
}

/// One answer as the guest gets it, with its headers from [`headers`]; `too_large`
/// stands in for what does not fit.
pub(super) fn answer<'a>(
    answer: &'a source::Answer,
    headers: &'a [(&'a str, &'a str)],
    too_large: Option<u64>,
) -> wit::Answer<'a> {
    let outcome = match (too_large, &answer.outcome) {
        (Some(limit), _) => Err(wit::Failure::TooLarge(limit)),
        (None, Ok(response)) => Ok(wit::Response {
            status: response.status,
            url: &response.url,
            headers,
            body: match &response.body {
                source::Content::Text(text) => wit::ContentParam::Text(text),
                source::Content::Binary(bytes) => wit::ContentParam::Binary(bytes),
            },
        }),
        (None, Err(failure)) => Err(failure_of(failure)),
    };
    wit::Answer { key: &answer.key, url: &answer.url, outcome }
}

/// What a source found, from the guest.
pub(super) fn step(step: wit::Step) -> source::Step {
    source::Step {
        candidates: step.candidates.into_iter().map(candidate).collect(),
        next: match step.next {
            wit::Next::Done => source::Next::Done,
            wit::Next::Fetch(requests) => source::Next::Fetch(requests.into_iter().map(request).collect()),
            wit::Next::Again => source::Next::Again,
        },
        state: step.state,
        warnings: step.warnings,
    }
}

/// Why a source refused a step, from the guest.
pub(super) fn error(error: wit::Error) -> source::SourceError {
    match error {
        wit::Error::InvalidQuery(text) => source::SourceError::InvalidQuery(text),
        wit::Error::Unauthorized(text) => source::SourceError::Unauthorized(text),
        wit::Error::RateLimited(seconds) => source::SourceError::RateLimited(seconds),
        wit::Error::Unavailable(text) => source::SourceError::Unavailable(text),
        wit::Error::LayoutChanged(text) => source::SourceError::LayoutChanged(text),
        wit::Error::Other(text) => source::SourceError::Other(text),
    }
}

/// What a source says of itself, from the guest.
pub(super) fn info(info: wit::Info) -> source::SourceInfo {
    source::SourceInfo {
        id: info.id,
        name: info.name,
        version: info.version,
        description: info.description,
        homepage: info.homepage,
        terms_url: info.terms_url,
        input: match info.input {
            wit::Input::Keywords => source::Input::Keywords,
            wit::Input::Address => source::Input::Address,
        },
        hosts: info.hosts.into_iter().map(host_rule).collect(),
        ignores_robots: info.ignores_robots,
        restriction: info.restriction,
        options: info.options.into_iter().map(option).collect(),
        credentials: info.credentials.into_iter().map(credential).collect(),
        requests_per_minute: info.requests_per_minute,
        max_results: info.max_results,
    }
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn failure_of(failure: &source::Failure) -> wit::Failure<'_> {
    match failure {
        source::Failure::Denied(text) => wit::Failure::Denied(text),
        source::Failure::Robots(text) => wit::Failure::Robots(text),
        source::Failure::Skipped => wit::Failure::Skipped,
        source::Failure::TooLarge(limit) => wit::Failure::TooLarge(*limit),
        source::Failure::Timeout => wit::Failure::Timeout,
        source::Failure::Network(text) | source::Failure::Lasting(text) => wit::Failure::Network(text),
        source::Failure::Status(status) => wit::Failure::Status(*status),
        source::Failure::Other(text) => wit::Failure::Other(text),
    }
}

fn request(request: wit::Request) -> source::Request {
    source::Request {
        key: request.key,
        method: match request.method {
            wit::Method::Get => source::Method::Get,
            wit::Method::Post => source::Method::Post,
        },
        url: request.url,
        encoding: None,
        headers: request.headers,
        body: request.body.map(|body| match body {
            wit::ContentResult::Text(text) => source::Content::Text(text),
            wit::ContentResult::Binary(bytes) => source::Content::Binary(bytes),
        }),
        credential: request.credential,
        item: request.item,
        keep: request.keep,
    }
}

fn candidate(candidate: wit::Candidate) -> source::Candidate {
    source::Candidate {
        url: candidate.url,
        alternates: candidate.alternates,
        id: candidate.id,
        page_url: candidate.page_url,
        thumbnail_url: candidate.thumbnail_url,
        title: candidate.title,
        description: candidate.description,
        creator: candidate.creator,
        creator_url: candidate.creator_url,
        license: candidate.license.map(|license| source::License {
            id: license.id,
            url: license.url,
            attribution: license.attribution,
        }),
        published: candidate.published,
        dimensions: candidate.dimensions.map(|size| (size.width, size.height)),
        mime: candidate.mime,
        byte_size: candidate.byte_size,
        checksum: candidate.checksum.map(|checksum| source::Checksum {
            digest: match checksum.digest {
                wit::Digest::Md5 => source::Digest::Md5,
                wit::Digest::Sha1 => source::Digest::Sha1,
                wit::Digest::Sha256 => source::Digest::Sha256,
            },
            hex: checksum.hex.to_ascii_lowercase(),
        }),
        tags: candidate.tags,
        headers: candidate.headers,
        credential: candidate.credential,
        extra: candidate.extra,
    }
}

fn host_rule(rule: wit::HostRule) -> source::HostRule {
    let kind = match rule.kind {
        wit::HostKind::Api => source::HostKind::Api,
        wit::HostKind::Web => source::HostKind::Web,
    };
    source::HostRule { pattern: rule.pattern, kind }
}

fn option(option: wit::OptionSpec) -> source::OptionSpec {
    source::OptionSpec {
        name: option.name,
        label: option.label,
        help: option.help,
        kind: match option.kind {
            wit::OptionKind::Text => source::OptionKind::Text,
            wit::OptionKind::Integer => source::OptionKind::Integer,
            wit::OptionKind::Boolean => source::OptionKind::Boolean,
            wit::OptionKind::Choice => source::OptionKind::Choice,
            wit::OptionKind::Choices => source::OptionKind::Choices,
        },
        required: option.required,
        default: option.default,
        choices: option.choices,
    }
}

fn credential(credential: wit::CredentialSpec) -> source::CredentialSpec {
    source::CredentialSpec {
        name: credential.name,
        help: credential.help,
        required: credential.required,
        kind: match credential.kind {
            wit::CredentialKind::Header(header) => {
                source::CredentialKind::Header { name: header.name, prefix: header.prefix }
            }
            wit::CredentialKind::QueryParameter(name) => source::CredentialKind::QueryParameter { name },
            wit::CredentialKind::Basic => source::CredentialKind::Basic,
            wit::CredentialKind::Oauth2ClientCredentials(token_url) => {
                source::CredentialKind::Oauth2ClientCredentials { token_url }
            }
        },
        hosts: credential.hosts,
    }
}
