//! The bytes of an image over HTTP: conditions, ranges, and headers that keep a hostile
//! picture from being anything else.

use std::{ops::Range, time::Duration};

use futures_util::TryStreamExt as _;

use poem::{
    Body, IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    payload::{Binary, Payload as _},
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type as _,
};

use crate::{
    api::error::{Problem, ProblemSet},
    model::{Format, Sha256, UserId},
    store::Store,
};

/// How long an address in a bucket is good for.
const SIGNED: Duration = Duration::from_mins(15);

/// An answer with the bytes, some of them, where they are, or the word that the client has them.
pub(super) struct File(Response);

/// What the client asks for.
pub(super) struct Wanted {
    pub(super) if_none_match: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) range: Option<String>,
    /// The operator lets clients read from the bucket, if there is one, for so long at most.
    pub(super) redirect: Option<Duration>,
}

/// The part of a file that a `Range` header means.
#[derive(Debug, PartialEq, Eq)]
enum ByteRange {
    Whole,
    Some(Range<u64>),
    Outside,
}

impl File {
    pub(super) async fn get<const STATUSES: u16>(
        store: &Store,
        user: UserId,
        sha256: Sha256,
        format: Format,
        wanted: &Wanted,
    ) -> Result<Self, ProblemSet<STATUSES>> {
        let tag = format!("\"{sha256}\"");
        let response = Response::builder()
            .header(header::ETAG, &tag)
            .header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
        if wanted.if_none_match.as_ref().is_some_and(|tags| names(tags, &tag)) {
            return Ok(Self(response.status(StatusCode::NOT_MODIFIED).finish()));
        }
        if let Some(longest) = wanted.redirect
            && let Some(url) = store.signed_url(user, &sha256, format, SIGNED.min(longest)).await?
        {
            let response = Response::builder()
                .status(StatusCode::FOUND)
                .header(header::LOCATION, url.as_str())
                .header(header::CACHE_CONTROL, "no-store");
            return Ok(Self(response.finish()));
        }
        let response = response.content_type(format.media_type());

        let missing = || Problem::not_found("image file");
        let range = wanted.range.as_ref();
        let range = range.filter(|_| wanted.if_range.as_ref().is_none_or(|known| *known == tag));
        let part = match range {
            None => ByteRange::Whole,
            Some(range) => {
                let size = store.size(user, &sha256, format).await?.ok_or_else(missing)?;
                match part(range, size) {
                    ByteRange::Outside => return Err(Problem::not_in_range(size).into()),
                    part => part,
                }
            }
        };
        let range = match part {
            ByteRange::Some(range) => Some(range),
            ByteRange::Whole | ByteRange::Outside => None,
        };
        let object = store.get(user, &sha256, format, range.clone()).await?.ok_or_else(missing)?;
        let size = object.size();
        let (response, length) = match range {
            None => (response, size),
            Some(range) => {
                let said = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                let response =
                    response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, said);
                (response, range.end - range.start)
            }
        };
        let response = response.header(header::CONTENT_LENGTH, length);
        Ok(Self(response.body(Body::from_bytes_stream(object.stream().map_err(std::io::Error::other)))))
    }

    /// Tells of the bytes as they are sent.
    pub(super) fn counted(mut self, sent: impl Fn(usize) + Send + 'static) -> Self {
        let body = self.0.take_body().into_bytes_stream();
        self.0.set_body(Body::from_bytes_stream(body.inspect_ok(move |bytes| sent(bytes.len()))));
        self
    }
}

/// Whether a list of tags names this one.
pub(super) fn names(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// One range of bytes. What is not understood counts as not said, as the standard has it.
fn part(range: &str, size: u64) -> ByteRange {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return ByteRange::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
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

impl IntoResponse for File {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for File {
    fn meta() -> MetaResponses {
        let header = |name: &str, description: &str| MetaHeader {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            required: true,
            deprecated: false,
            schema: String::schema_ref(),
        };
        let tag = || header("ETag", "SHA-256 of the bytes, in quotes.");
        let bytes =
            || vec![MetaMediaType { content_type: "image/*", schema: Binary::<Vec<u8>>::schema_ref() }];
        let answer = |status, description, content, headers| MetaResponse {
            status: Some(status),
            description,
            status_range: None,
            content,
            headers,
        };
        let range = header("Content-Range", "Which bytes these are.");
        let location = header("Location", "Where the bytes are, for 15 minutes.");
        let responses = vec![
            answer(200, "The bytes.", bytes(), vec![tag()]),
            answer(206, "Some of the bytes.", bytes(), vec![tag(), range]),
            answer(
                302,
                "The bytes are in a bucket, where this host was told to send clients.",
                Vec::new(),
                vec![location],
            ),
            answer(304, "The client has these bytes.", Vec::new(), vec![tag()]),
        ];
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, expected) in [
            ("bytes=0-", ByteRange::Some(0..10)),
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
