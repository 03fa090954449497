//! The contract's types to and from the domain's, one to one: nothing is judged here.
//! `extra` pairs that have a field in the domain go there; of the others only those of candidates are kept.

use super::bindings::pixcrawler::source::types as wit;
use crate::model;

/// A query as it is lent to the guest; its lists have to stand somewhere during a call.
pub(super) struct QueryRef<'a> {
    query: &'a model::Query,
    options: Vec<(&'a str, &'a str)>,
    credentials: Vec<&'a str>,
}

impl<'a> QueryRef<'a> {
    /// Borrows the lists of `query`.
    pub(super) fn new(query: &'a model::Query) -> Self {
        Self {
            query,
            options: borrowed(&query.options),
            credentials: query.credentials.iter().map(String::as_str).collect(),
        }
    }

    /// Gives the query as the guest gets it.
    pub(super) fn as_wit(&self) -> wit::Query<'_> {
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

/// Borrows the header lists of `answers`, to be held while the answers are lent.
pub(super) fn headers(answers: &[model::Answer]) -> Vec<Vec<(&str, &str)>> {
    let outcomes = answers.iter().map(|answer| &answer.outcome);
    outcomes
        .map(|outcome| outcome.as_ref().map_or_else(|_| Vec::new(), |response| borrowed(&response.headers)))
        .collect()
}

/// Lends one answer to the guest, with its headers from [`headers`]; `too_large`
/// stands in for what does not fit.
pub(super) fn answer<'a>(
    answer: &'a model::Answer,
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
                model::Content::Text(text) => wit::ContentParam::Text(text),
                model::Content::Binary(bytes) => wit::ContentParam::Binary(bytes),
            },
        }),
        (None, Err(failure)) => Err(failure_of(failure)),
    };
    wit::Answer { key: &answer.key, url: &answer.url, outcome }
}

/// Takes over what a source found.
pub(super) fn step(step: wit::Step) -> model::Step {
    model::Step {
        candidates: step.candidates.into_iter().map(candidate).collect(),
        next: match step.next {
            wit::Next::Done => model::Next::Done,
            wit::Next::Fetch(requests) => model::Next::Fetch(requests.into_iter().map(request).collect()),
            wit::Next::Again => model::Next::Again,
        },
        state: step.state,
        warnings: step.warnings,
    }
}

/// Takes over why a source refused a step.
pub(super) fn error(error: wit::Error) -> model::SourceError {
    match error {
        wit::Error::InvalidQuery(text) => model::SourceError::InvalidQuery(text),
        wit::Error::Unauthorized(text) => model::SourceError::Unauthorized(text),
        wit::Error::RateLimited(seconds) => model::SourceError::RateLimited(seconds),
        wit::Error::Unavailable(text) => model::SourceError::Unavailable(text),
        wit::Error::LayoutChanged(text) => model::SourceError::LayoutChanged(text),
        wit::Error::Other(text) => model::SourceError::Other(text),
    }
}

/// Takes over what a source says of itself.
pub(super) fn info(info: wit::Info) -> model::SourceInfo {
    model::SourceInfo {
        id: info.id,
        name: info.name,
        version: info.version,
        description: info.description,
        homepage: info.homepage,
        terms_url: info.terms_url,
        input: match info.input {
            wit::Input::Keywords => model::Input::Keywords,
            wit::Input::Address => model::Input::Address,
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

fn failure_of(failure: &model::Failure) -> wit::Failure<'_> {
    match failure {
        model::Failure::Denied(text) => wit::Failure::Denied(text),
        model::Failure::Robots(text) => wit::Failure::Robots(text),
        model::Failure::Skipped => wit::Failure::Skipped,
        model::Failure::TooLarge(limit) => wit::Failure::TooLarge(*limit),
        model::Failure::Timeout => wit::Failure::Timeout,
        model::Failure::Network(text) | model::Failure::Lasting(text) => wit::Failure::Network(text),
        model::Failure::Status(status) => wit::Failure::Status(*status),
        model::Failure::Other(text) => wit::Failure::Other(text),
    }
}

fn request(request: wit::Request) -> model::Request {
    model::Request {
        key: request.key,
        method: match request.method {
            wit::Method::Get => model::Method::Get,
            wit::Method::Post => model::Method::Post,
        },
        url: request.url,
        encoding: None,
        headers: request.headers,
        body: request.body.map(|body| match body {
            wit::ContentResult::Text(text) => model::Content::Text(text),
            wit::ContentResult::Binary(bytes) => model::Content::Binary(bytes),
        }),
        credential: request.credential,
        item: request.item,
        keep: request.keep,
    }
}

/// The name under which `extra` of a candidate has a class, once for each.
const LABEL: &str = "label";

fn candidate(candidate: wit::Candidate) -> model::Candidate {
    let (labels, extra): (Vec<_>, Vec<_>) = candidate.extra.into_iter().partition(|(name, _)| name == LABEL);
    model::Candidate {
        url: candidate.url,
        alternates: candidate.alternates,
        id: candidate.id,
        page_url: candidate.page_url,
        thumbnail_url: candidate.thumbnail_url,
        title: candidate.title,
        description: candidate.description,
        creator: candidate.creator,
        creator_url: candidate.creator_url,
        license: candidate.license.map(|license| model::License {
            id: license.id,
            url: license.url,
            attribution: license.attribution,
        }),
        published: candidate.published,
        dimensions: candidate.dimensions.map(|size| (size.width, size.height)),
        mime: candidate.mime,
        byte_size: candidate.byte_size,
        checksum: candidate.checksum.map(|checksum| model::Checksum {
            digest: match checksum.digest {
                wit::Digest::Md5 => model::Digest::Md5,
                wit::Digest::Sha1 => model::Digest::Sha1,
                wit::Digest::Sha256 => model::Digest::Sha256,
            },
            hex: checksum.hex.to_ascii_lowercase(),
        }),
        tags: candidate.tags,
        labels: labels.into_iter().map(|(_, label)| label).collect(),
        headers: candidate.headers,
        credential: candidate.credential,
        extra,
        consent: Vec::new(),
    }
}

fn host_rule(rule: wit::HostRule) -> model::HostRule {
    let kind = match rule.kind {
        wit::HostKind::Api => model::HostKind::Api,
        wit::HostKind::Web => model::HostKind::Web,
    };
    model::HostRule { pattern: rule.pattern, kind }
}

fn option(option: wit::OptionSpec) -> model::OptionSpec {
    model::OptionSpec {
        name: option.name,
        label: option.label,
        help: option.help,
        kind: match option.kind {
            wit::OptionKind::Text => model::OptionKind::Text,
            wit::OptionKind::Integer => model::OptionKind::Integer,
            wit::OptionKind::Boolean => model::OptionKind::Boolean,
            wit::OptionKind::Choice => model::OptionKind::Choice,
            wit::OptionKind::Choices => model::OptionKind::Choices,
        },
        required: option.required,
        default: option.default,
        choices: option.choices,
    }
}

fn credential(credential: wit::CredentialSpec) -> model::CredentialSpec {
    model::CredentialSpec {
        name: credential.name,
        help: credential.help,
        required: credential.required,
        kind: match credential.kind {
            wit::CredentialKind::Header(header) => {
                model::CredentialKind::Header { name: header.name, prefix: header.prefix }
            }
            wit::CredentialKind::QueryParameter(name) => model::CredentialKind::QueryParameter { name },
            wit::CredentialKind::Basic => model::CredentialKind::Basic,
            wit::CredentialKind::Oauth2ClientCredentials(token_url) => {
                model::CredentialKind::Oauth2ClientCredentials { token_url }
            }
        },
        hosts: credential.hosts,
    }
}
