//! A small copy of an image over HTTP.

use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    payload::{Binary, Payload as _},
    registry::{MetaMediaType, MetaResponses, Registry},
};

use crate::api::ranges::{meta_answer, meta_header, names};
use crate::{app, model::Sha256};

/// An answer with the copy, or the word that the client has it.
pub(super) struct Thumbnail(Response);

/// Another number makes clients ask anew, should copies be made in another way.
const WAY: u32 = 1;

impl Thumbnail {
    /// The `ETag` of a copy.
    pub(super) fn tag(sha256: &Sha256, side: u32) -> String {
        format!("\"{sha256}-{side}-{WAY}\"")
    }

    /// The word that the client has the copy, if it says so.
    pub(super) fn known(tag: &str, if_none_match: Option<&str>) -> Option<Self> {
        let is_known = if_none_match.is_some_and(|tags| names(tags, tag));
        is_known.then(|| Self(Self::head(tag).status(StatusCode::NOT_MODIFIED).finish()))
    }

    pub(super) fn new(tag: &str, made: &app::Thumbnail) -> Self {
        let response = Self::head(tag).content_type(made.format.media_type());
        Self(response.body(made.bytes.clone()))
    }

    fn head(tag: &str) -> poem::ResponseBuilder {
        Response::builder()
            .header(header::ETAG, tag)
            .header(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
            .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
    }
}

impl IntoResponse for Thumbnail {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Thumbnail {
    fn meta() -> MetaResponses {
        let tag = || vec![meta_header("ETag", "Of the original and the size.")];
        let content = ["image/jpeg", "image/png"]
            .map(|content_type| MetaMediaType { content_type, schema: Binary::<Vec<u8>>::schema_ref() });
        let responses = vec![
            meta_answer(200, "The copy.", content.into(), tag()),
            meta_answer(304, "The client has this copy.", Vec::new(), tag()),
        ];
        MetaResponses { responses }
    }

    fn register(_: &mut Registry) {}
}
