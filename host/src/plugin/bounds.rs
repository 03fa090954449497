//! What one step may carry. What would harm the host is refused with the limit and the
//! number; what is only too long for one picture is cut or left out, and said.

use super::{StepError, text::printable};
use crate::source::{Answer, Candidate, Content, Next, Request, SourceError, Step};

/// Bytes of state.
const MAX_STATE: usize = 64 << 10;
/// Requests of one step.
const MAX_REQUESTS: usize = 64;
/// Bytes of one request: address, key, headers and body together.
const MAX_REQUEST: usize = 64 << 10;
/// Bytes of all answers handed in together.
const MAX_ANSWERS: usize = 16 << 20;
/// Characters of a candidate's address.
const MAX_URL: usize = 2048;
/// Characters of a title, a name, an id.
const MAX_LINE: usize = 500;
/// Characters of a description.
const MAX_TEXT: usize = 5000;
/// Elements of a candidate's lists: tags, alternates, headers, extra.
const MAX_LIST: usize = 100;
/// Warnings of one step.
const MAX_WARNINGS: usize = 20;
/// Characters of a warning or of an error.
const MAX_WARNING: usize = 500;

/// Which answers no longer fit in 16 MiB together, in their order; the guest is told
/// `too-large` with that number of bytes.
pub(super) fn surplus_answers(answers: &[Answer]) -> Vec<Option<u64>> {
    let mut left = MAX_ANSWERS;
    let surplus = |answer: &Answer| {
        let size = answer.key.len()
            + answer.url.len()
            + answer
                .outcome
                .as_ref()
                .map_or(0, |response| response.body.len() + pairs_len(&response.headers));
        match left.checked_sub(size) {
            Some(rest) => {
                left = rest;
                None
            }
            None => Some(MAX_ANSWERS as u64),
        }
    };
    answers.iter().map(surplus).collect()
}

/// The step within its bounds.
///
/// # Errors
/// `TooMuch` and `Invalid`: the step must not be taken.
pub(super) fn step(mut step: Step) -> Result<Step, StepError> {
    within("bytes of state", step.state.len(), MAX_STATE)?;
    // Postgres cannot hold it, and cutting it out would change what the plugin reads back.
    if step.state.contains('\0') {
        return Err(StepError::Invalid { what: "the state contains U+0000, which cannot be stored" });
    }
    if let Next::Fetch(requests) = &step.next {
        if requests.is_empty() {
            return Err(StepError::Invalid {
                what: "`fetch` without a request; the end of a crawl is `done`",
            });
        }
        within("requests in one step", requests.len(), MAX_REQUESTS)?;
        requests.iter().try_for_each(request)?;
    }
    let found = step.candidates.len();
    step.candidates.retain(|candidate| is_url(&candidate.url));
    let left_out = found - step.candidates.len();
    step.candidates.iter_mut().for_each(trim);
    step.warnings = warnings(step.warnings, left_out);
    Ok(step)
}

/// The error with texts that can be shown.
pub(super) fn error(error: SourceError) -> SourceError {
    let shown = |text: String| printable(&text, MAX_WARNING);
    match error {
        SourceError::InvalidQuery(text) => SourceError::InvalidQuery(shown(text)),
        SourceError::Unauthorized(text) => SourceError::Unauthorized(shown(text)),
        SourceError::RateLimited(seconds) => SourceError::RateLimited(seconds),
        SourceError::Unavailable(text) => SourceError::Unavailable(shown(text)),
        SourceError::LayoutChanged(text) => SourceError::LayoutChanged(shown(text)),
        SourceError::Other(text) => SourceError::Other(shown(text)),
    }
}

const fn within(what: &'static str, found: usize, limit: usize) -> Result<(), StepError> {
    if found > limit { Err(StepError::TooMuch { what, limit, found: Some(found) }) } else { Ok(()) }
}

fn request(request: &Request) -> Result<(), StepError> {
    let size = request.url.len()
        + request.key.len()
        + request.item.as_ref().map_or(0, String::len)
        + request.credential.as_ref().map_or(0, String::len)
        + pairs_len(&request.headers)
        + request.body.as_ref().map_or(0, Content::len);
    within("bytes in one request", size, MAX_REQUEST)?;
    let texts = [Some(&request.url), Some(&request.key), request.item.as_ref()];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(StepError::Invalid { what: "a request contains U+0000, which cannot be stored" });
    }
    Ok(())
}

fn pairs_len(pairs: &[(String, String)]) -> usize {
    pairs.iter().map(|(name, value)| name.len() + value.len()).sum()
}

fn is_url(url: &str) -> bool {
    url.chars().count() <= MAX_URL && !url.chars().any(char::is_control)
}

/// Cuts what is shown, leaves out addresses that are too long.
fn trim(candidate: &mut Candidate) {
    let line = |text: &mut Option<String>| cut(text, MAX_LINE);
    line(&mut candidate.id);
    line(&mut candidate.title);
    line(&mut candidate.creator);
    line(&mut candidate.published);
    line(&mut candidate.mime);
    cut(&mut candidate.description, MAX_TEXT);
    for url in [&mut candidate.page_url, &mut candidate.thumbnail_url, &mut candidate.creator_url] {
        url.take_if(|url| !is_url(url));
    }
    if let Some(license) = &mut candidate.license {
        license.id = printable(&license.id, MAX_LINE);
        license.url.take_if(|url| !is_url(url));
        line(&mut license.attribution);
    }
    candidate.alternates.retain(|url| is_url(url));
    candidate.alternates.truncate(MAX_LIST);
    candidate.tags.truncate(MAX_LIST);
    candidate.tags.iter_mut().for_each(|tag| *tag = printable(tag, MAX_LINE));
    for pairs in [&mut candidate.headers, &mut candidate.extra] {
        pairs.truncate(MAX_LIST);
        for (name, value) in pairs {
            *name = printable(name, MAX_LINE);
            *value = printable(value, MAX_URL);
        }
    }
    candidate.checksum.take_if(|checksum| !checksum.hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

fn cut(text: &mut Option<String>, max: usize) {
    if let Some(text) = text {
        *text = printable(text, max);
    }
}

fn warnings(mut warnings: Vec<String>, left_out: usize) -> Vec<String> {
    let more = warnings.len().saturating_sub(MAX_WARNINGS);
    warnings.truncate(MAX_WARNINGS);
    warnings.iter_mut().for_each(|warning| *warning = printable(warning, MAX_WARNING));
    if more > 0 {
        warnings.push(format!("{more} more warnings left out"));
    }
    if left_out > 0 {
        warnings.push(format!(
            "{left_out} candidates left out: address longer than {MAX_URL} characters or with control characters"
        ));
    }
    warnings
}
