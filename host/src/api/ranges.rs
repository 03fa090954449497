//! Files over HTTP: which version of one a client has, and which part of it is wanted.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use poem::{
    Body, Response, ResponseBuilder,
    http::{StatusCode, header},
};
use poem_openapi::{
    registry::{MetaHeader, MetaMediaType, MetaResponse},
    types::Type as _,
};

use super::error::Problem;

/// A header of an answer, for the document.
pub(super) fn meta_header(name: &str, description: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: String::schema_ref(),
    }
}

/// An answer, for the document.
pub(super) const fn meta_answer(
    status: u16,
    description: &'static str,
    content: Vec<MetaMediaType>,
    headers: Vec<MetaHeader>,
) -> MetaResponse {
    MetaResponse { status: Some(status), description, status_range: None, content, headers }
}

/// What a request says of both.
pub(super) struct Conditions {
    /// Tags that the client has.
    pub(super) if_none_match: Option<String>,
    /// Only with this tag does the range count.
    pub(super) if_range: Option<String>,
    /// What is wanted.
    pub(super) range: Option<String>,
}

/// The part of a file that a `Range` header means.
#[derive(Debug, PartialEq, Eq)]
enum ByteRange {
    Whole,
    Some(Range<u64>),
    Outside,
}

impl Conditions {
    /// Whether the client has what has this tag.
    pub(super) fn has(&self, tag: &str) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| names(tags, tag))
    }

    /// Whether only a part of what has this tag is wanted, perhaps.
    pub(super) fn asks_for_part(&self, tag: &str) -> bool {
        self.counting_range(tag).is_some()
    }

    /// The part that is wanted of what has this tag and size in bytes; none for the whole.
    pub(super) fn part(&self, tag: &str, size: u64) -> Result<Option<Range<u64>>, Problem> {
        match self.counting_range(tag).map_or(ByteRange::Whole, |range| part(range, size)) {
            ByteRange::Whole => Ok(None),
            ByteRange::Some(range) => Ok(Some(range)),
            ByteRange::Outside => Err(Problem::not_in_range(size)),
        }
    }

    fn counting_range(&self, tag: &str) -> Option<&str> {
        self.range.as_deref().filter(|_| self.if_range.as_ref().is_none_or(|known| known == tag))
    }
}

/// The head of an answer about what has this tag: what it is, and what a browser must not take it for.
pub(super) fn head(tag: &str, cache: &str) -> ResponseBuilder {
    Response::builder()
        .header(header::ETAG, tag)
        .header(header::CACHE_CONTROL, cache)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
}

/// The answer with a part, or all, of a file of this size in bytes.
pub(super) fn answer(
    head: ResponseBuilder,
    part: Option<Range<u64>>,
    size: u64,
    bytes: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
) -> Response {
    let (head, length) = match part {
        None => (head, size),
        Some(range) => {
            let said = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let head = head.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, said);
            (head, range.end - range.start)
        }
    };
    head.header(header::CONTENT_LENGTH, length).body(Body::from_bytes_stream(bytes))
}

/// Tells of the bytes of an answer as they are sent.
pub(super) fn counted(mut response: Response, sent: impl Fn(usize) + Send + 'static) -> Response {
    let body = response.take_body().into_bytes_stream();
    response.set_body(Body::from_bytes_stream(body.inspect_ok(move |bytes| sent(bytes.len()))));
    response
}

/// Whether a list of tags names this one.
pub(super) fn names(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// One range of bytes. What is not understood counts as not said, as the standard has it.
fn part(range: &str, size: u64) -> ByteRange {
    let range = range.trim().split_once('=').filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((first, last)) = range.and_then(|(_, range)| range.split_once('-')) else {
        return ByteRange::Whole;
    };
    // A sign is none of a number here.
    let number = |text: &str| text.trim().parse().ok().filter(|_| !text.contains('+'));
    match (number(first), number(last)) {
        (Some(first), _) if last.trim().is_empty() => within(first, size, size),
        (Some(first), Some(last)) if first <= last => within(first, last.saturating_add(1), size),
        (None, Some(0)) if first.trim().is_empty() => ByteRange::Outside,
        (None, Some(length)) if first.trim().is_empty() => within(size.saturating_sub(length), size, size),
        _ => ByteRange::Whole,
    }
}

fn within(start: u64, end: u64, size: u64) -> ByteRange {
    if start >= size { ByteRange::Outside } else { ByteRange::Some(start..end.min(size)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-", ByteRange::Some(0..10)),
            ("Bytes=0-", ByteRange::Some(0..10)),
            ("bytes=+0-5", ByteRange::Whole),
            ("bytes=--5", ByteRange::Whole),
            ("bytes=0-0", ByteRange::Some(0..1)),
            ("bytes=2-5", ByteRange::Some(2..6)),
            ("bytes=2-500", ByteRange::Some(2..10)),
            ("bytes=-3", ByteRange::Some(7..10)),
            ("bytes=-30", ByteRange::Some(0..10)),
            ("bytes=-0", ByteRange::Outside),
            ("bytes=10-", ByteRange::Outside),
            ("bytes=10-12", ByteRange::Outside),
            ("bytes=5-2", ByteRange::Whole),
            ("bytes=0-1,4-5", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=0-18446744073709551615", ByteRange::Some(0..10)),
            ("items=0-1", ByteRange::Whole),
            ("", ByteRange::Whole),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), ByteRange::Outside);
    }

    #[test]
    fn etags() {
        for (tags, expected) in [
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(names(tags, "\"a\""), expected, "{tags}");
        }
    }
}
