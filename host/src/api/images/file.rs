//! The bytes of an image over HTTP: conditions, ranges, and headers that keep a hostile
//! picture from being anything else.

use std::time::Duration;

use futures_util::TryStreamExt as _;

use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    payload::{Binary, Payload as _},
    registry::{MetaMediaType, MetaResponses, Registry},
};

use crate::{
    api::{
        error::{Problem, ProblemSet},
        ranges::{self, Conditions},
    },
    model::{Format, Sha256, UserId},
    store::Store,
};

/// How long an address in a bucket is good for.
const SIGNED: Duration = Duration::from_mins(15);

/// An answer with the bytes, some of them, where they are, or the word that the client has them.
pub(super) struct File(Response);

/// What the client asks for.
pub(super) struct Wanted {
    pub(super) conditions: Conditions,
    /// The operator lets clients read from the bucket, if there is one, for so long at most.
    pub(super) redirect: Option<Duration>,
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
        let conditions = &wanted.conditions;
        let response = ranges::head(&tag, "private, max-age=31536000, immutable");
        if conditions.has(&tag) {
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
        let part = if conditions.asks_for_part(&tag) {
            let size = store.size(user, &sha256, format).await?.ok_or_else(missing)?;
            conditions.part(&tag, size)?
        } else {
            None
        };
        let object = store.get(user, &sha256, format, part.clone()).await?.ok_or_else(missing)?;
        let size = object.size();
        Ok(Self(ranges::answer(response, part, size, object.stream().map_err(std::io::Error::other))))
    }

    /// Tells of the bytes as they are sent.
    pub(super) fn counted(self, sent: impl Fn(usize) + Send + 'static) -> Self {
        Self(ranges::counted(self.0, sent))
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for File {
    fn meta() -> MetaResponses {
        let tag = || ranges::meta_header("ETag", "SHA-256 of the bytes, in quotes.");
        let bytes =
            || vec![MetaMediaType { content_type: "image/*", schema: Binary::<Vec<u8>>::schema_ref() }];
        let range = ranges::meta_header("Content-Range", "Which bytes these are.");
        let location = ranges::meta_header("Location", "Where the bytes are, for 15 minutes.");
        let responses = vec![
            ranges::meta_answer(200, "The bytes.", bytes(), vec![tag()]),
            ranges::meta_answer(206, "Some of the bytes.", bytes(), vec![tag(), range]),
            ranges::meta_answer(
                302,
                "The bytes are in a bucket, where this host was told to send clients.",
                Vec::new(),
                vec![location],
            ),
            ranges::meta_answer(304, "The client has these bytes.", Vec::new(), vec![tag()]),
        ];
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}
