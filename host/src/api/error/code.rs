//! Every code of a problem, with what it says to those who meet it.

use poem::http::StatusCode;
use serde::{Deserialize, Serialize};

/// What went wrong, for programs. A code never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::api) enum ProblemCode {
    BadRequest,
    BadIdempotencyKey,
    IncompleteBody,
    MalformedJson,
    Unauthorized,
    CreditsShort,
    Anonymous,
    KeyNotEnough,
    BeyondTier,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    WrongStatus,
    NothingMissing,
    SourceUnavailable,
    ExportNotReady,
    TooManyExports,
    TooLarge,
    UnsupportedMediaType,
    RangeNotSatisfiable,
    BadParameter,
    BrokenRules,
    IdempotencyKeyReused,
    TooMany,
    KeyRate,
    TierLimit,
    Refused,
    Internal,
    CredentialRefused,
    LayoutChanged,
    PluginFault,
    DatabaseUnavailable,
    DatabaseBusy,
    KeysUnavailable,
    SiteUnavailable,
    StoreUnavailable,
}

/// What a code says, in Markdown.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct ProblemHelp {
    /// As in `code`.
    pub(in crate::api) code: &'static str,
    /// The HTTP status.
    pub(in crate::api) status: StatusCode,
    /// In a few words.
    pub(in crate::api) title: &'static str,
    /// What was the case, and by what it is caused.
    pub(in crate::api) meaning: &'static str,
    /// What the caller can do.
    pub(in crate::api) advice: &'static str,
}

impl ProblemCode {
    /// All of them, by status.
    pub(in crate::api) const ALL: [Self; 36] = [
        Self::BadRequest,
        Self::BadIdempotencyKey,
        Self::IncompleteBody,
        Self::MalformedJson,
        Self::Unauthorized,
        Self::CreditsShort,
        Self::Anonymous,
        Self::KeyNotEnough,
        Self::BeyondTier,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::WrongStatus,
        Self::NothingMissing,
        Self::SourceUnavailable,
        Self::ExportNotReady,
        Self::TooManyExports,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::RangeNotSatisfiable,
        Self::BadParameter,
        Self::BrokenRules,
        Self::IdempotencyKeyReused,
        Self::TooMany,
        Self::KeyRate,
        Self::TierLimit,
        Self::Refused,
        Self::Internal,
        Self::CredentialRefused,
        Self::LayoutChanged,
        Self::PluginFault,
        Self::DatabaseUnavailable,
        Self::DatabaseBusy,
        Self::KeysUnavailable,
        Self::SiteUnavailable,
        Self::StoreUnavailable,
    ];

    /// What it says.
    pub(in crate::api) const fn help(self) -> ProblemHelp {
        let (code, status, title, meaning, advice) = match self {
            Self::BadRequest => (
                "bad-request",
                StatusCode::BAD_REQUEST,
                "The request is malformed",
                "The request breaks HTTP, or a header in it cannot be read.",
                "Compare it with the operation in `/docs`, and with what a client such as curl sends.",
            ),
            Self::BadIdempotencyKey => (
                "bad-idempotency-key",
                StatusCode::BAD_REQUEST,
                "The Idempotency-Key is malformed",
                "The header `Idempotency-Key` is not 1 to 255 visible ASCII characters.",
                "Send a UUID, a new one for each job that you mean.",
            ),
            Self::IncompleteBody => (
                "incomplete-body",
                StatusCode::BAD_REQUEST,
                "The body did not come whole",
                "The connection ended before as many bytes were there as the request announced.",
                "Send the request again; with an `Idempotency-Key` no second job is made.",
            ),
            Self::MalformedJson => (
                "malformed-json",
                StatusCode::BAD_REQUEST,
                "The body is not JSON",
                "The body cannot be read as JSON; `detail` has the line and the column.",
                "Correct that place. In a shell, put the body in single quotes or in a file (`curl -d @body.json`).",
            ),
            Self::Unauthorized => (
                "unauthorized",
                StatusCode::UNAUTHORIZED,
                "No token, or one that is not accepted",
                "There is no bearer token, it is over, of another issuer or of a user who is gone; or an API key is unknown, revoked or expired; or a signed link is over or was changed. `detail` says which.",
                "Send `Authorization: Bearer TOKEN` with a new token: of the Supabase project, or from `pixcrawler token --email you@example.org` where there is none; or an API key from `POST /api/v1/api-keys`. For a signed link, ask again for what contained it.",
            ),
            Self::CreditsShort => (
                "credits-short",
                StatusCode::PAYMENT_REQUIRED,
                "The credits do not cover it",
                "Each image that is kept costs credits. What the job may cost, with what your open jobs may, is more than there are.",
                "Ask for fewer images, wait for or cancel open jobs, or get more credits; `GET /api/v1/credits/balance` has what there is.",
            ),
            Self::Anonymous => (
                "anonymous",
                StatusCode::FORBIDDEN,
                "Not for users who signed in anonymously",
                "Whoever signed in anonymously may look, but begin no jobs.",
                "Sign in with an address; or have the operator set `PIXCRAWLER_ANONYMOUS_JOBS`.",
            ),
            Self::KeyNotEnough => (
                "key-not-enough",
                StatusCode::FORBIDDEN,
                "The API key may not do this",
                "The API key is good, but lacks a permission for this operation; or the operation is for users alone, such as making keys and deleting the account.",
                "`detail` names the permissions of which one is needed: make a key that has it. What is for users alone takes the token of one who is signed in.",
            ),
            Self::BeyondTier => (
                "beyond-tier",
                StatusCode::FORBIDDEN,
                "The job is larger than your tier allows",
                "A job of your tier may have fewer images than this one asks for, or asks for more than your tier has a whole day, or your tier may begin no jobs; `limit` says which, and how many there may be. Waiting does not help.",
                "Ask for fewer, in several jobs into one dataset (`dataset_id`), or take another plan.",
            ),
            Self::NotFound => (
                "not-found",
                StatusCode::NOT_FOUND,
                "There is no such thing",
                "The path does not exist, or nothing has this id, or it belongs to someone else, which is not told apart.",
                "Look at the id in the list, with the token of the user whose it is; paths are in `/docs`.",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The path has no such method",
                "The path exists, but not for this method; the header `Allow` has those that it has.",
                "Use one of them; see `/docs`.",
            ),
            Self::TooSlow => (
                "too-slow",
                StatusCode::REQUEST_TIMEOUT,
                "The body did not come in time",
                "The body of a request must be there within 30 seconds.",
                "Send it again over a better connection; with an `Idempotency-Key` no second job is made.",
            ),
            Self::WrongStatus => (
                "wrong-status",
                StatusCode::CONFLICT,
                "The job is in another state",
                "A job that is over cannot be cancelled. One that goes on cannot be retried, but be given another `max_images`; one that completed with nothing that failed can be retried with a larger `max_images`, or with `update`.",
                "Look at `status` and `valid_images` of the job; cancel it before you retry it as it is.",
            ),
            Self::NothingMissing => (
                "nothing-missing",
                StatusCode::CONFLICT,
                "Nothing is missing",
                "An update of a job and a build of a dataset look for more images, and there are as many as were asked for.",
                "Give the retry, or the dataset, a larger `max_images`.",
            ),
            Self::SourceUnavailable => (
                "source-unavailable",
                StatusCode::CONFLICT,
                "The source cannot be used now",
                "The source is off, not granted, without a credential that it needs, being compiled, or paused for its faults; `detail` says which.",
                "`GET /api/v1/sources/{id}` says why and until when; what must be allowed or configured is for the operator.",
            ),
            Self::ExportNotReady => (
                "export-not-ready",
                StatusCode::CONFLICT,
                "The file is not made yet",
                "Tables, and files whose pictures are made of others, are made in the background, as are checksums of pictures that an earlier version kept. `detail` says what went wrong, where something did.",
                "Ask again after the seconds in `Retry-After`; the list of the export's files says which are there.",
            ),
            Self::TooManyExports => (
                "too-many-exports",
                StatusCode::CONFLICT,
                "There are as many exports as there may be",
                "A dataset has at most 20 exports, and a user 100.",
                "Delete one that is not needed any more: `DELETE /api/v1/datasets/{id}/exports/{export_id}`.",
            ),
            Self::TooLarge => (
                "too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
                "A body has at most 1 MiB.",
                "Make several jobs into one dataset (`dataset_id`), or put the addresses into a file on the web for the source `url-list`.",
            ),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body is not declared as JSON",
                "The header `Content-Type` is missing or is not `application/json`.",
                "Send `Content-Type: application/json`; curl's `-d` alone says something else.",
            ),
            Self::RangeNotSatisfiable => (
                "range-not-satisfiable",
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The range is not in the file",
                "The header `Range` asks for bytes beyond the end; `Content-Range` has the size.",
                "The file is complete where the download is as long as that; else begin it anew.",
            ),
            Self::BadParameter => (
                "bad-parameter",
                StatusCode::UNPROCESSABLE_ENTITY,
                "A parameter is not accepted",
                "A parameter of the query has a value that it cannot have, or a list has no parameter of that name.",
                "`detail` names the parameter and what it must be, or those that there are.",
            ),
            Self::BrokenRules => (
                "broken-rules",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The body breaks rules",
                "The body is JSON, but asks for something that is not possible. Nothing was done.",
                "`errors` lists every broken rule with the place in the body (a JSON pointer): correct all of them at once.",
            ),
            Self::IdempotencyKeyReused => (
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key was used for something else",
                "Within the last day another request had the same `Idempotency-Key`.",
                "Use a new key for a new request; the same key only to send the same request again.",
            ),
            Self::TooMany => (
                "too-many",
                StatusCode::TOO_MANY_REQUESTS,
                "Too much is under way",
                "You, or all together, have as many jobs or previews under way as are allowed; or your address has as many requests under way as one may.",
                "Wait for one to end; the header `Retry-After` has the seconds after which to try again.",
            ),
            Self::KeyRate => (
                "key-rate",
                StatusCode::TOO_MANY_REQUESTS,
                "The API key was used too often",
                "Within this hour, which began on the hour, the API key was used as often as its `rate_limit` says.",
                "The header `Retry-After` has the seconds until the next hour. Look less often, follow a job by its events, or make a key with a larger `rate_limit`.",
            ),
            Self::TierLimit => (
                "tier-limit",
                StatusCode::TOO_MANY_REQUESTS,
                "Your tier has no more for now",
                "Your tier has so many images a day, in UTC, and may begin so many jobs a minute; `limit` says which is reached. Images that open jobs may still keep count, too.",
                "Wait for the seconds in `Retry-After`, ask for fewer images, or wait for open jobs to end: what they do not keep is free again.",
            ),
            Self::Refused => (
                "refused",
                StatusCode::BAD_REQUEST,
                "The request is refused",
                "The request is wrong in a way that has no code of its own; the HTTP status says more.",
                "Compare it with the operation in `/docs`.",
            ),
            Self::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something failed here",
                "An error of the host that the request did not cause.",
                "Try again; if it stays, give `request_id` to the operator, whose log has the cause under it.",
            ),
            Self::CredentialRefused => (
                "credential-refused",
                StatusCode::BAD_GATEWAY,
                "The site refuses the source's credential",
                "The key or secret that is configured for the source is not accepted by its site.",
                "It is for the operator: replace it in `PIXCRAWLER_CREDENTIALS`.",
            ),
            Self::LayoutChanged => (
                "layout-changed",
                StatusCode::BAD_GATEWAY,
                "The source no longer understands its site",
                "The site answers in another form than the source knows.",
                "Use another source; the source needs a new version from its author.",
            ),
            Self::PluginFault => (
                "plugin-fault",
                StatusCode::BAD_GATEWAY,
                "The source failed",
                "The plugin broke one of its limits, or ended by an error of its own.",
                "Try other keywords or another source; if it stays, report `detail` to the author of the source.",
            ),
            Self::DatabaseUnavailable => (
                "database-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The database cannot be reached",
                "The database is away or has no session left. Nothing is lost.",
                "Try again in some seconds; if it stays, `pixcrawler doctor` tells the operator why.",
            ),
            Self::DatabaseBusy => (
                "database-busy",
                StatusCode::SERVICE_UNAVAILABLE,
                "The database is busy with what this needs",
                "Something else held what the request needs for longer than it waits, or two changes stood against one another. Nothing was changed by it, or what was is gone on with by the same again.",
                "Send the request again after the seconds in `Retry-After`; if it stays, give `request_id` to the operator, whose log has the cause under it.",
            ),
            Self::KeysUnavailable => (
                "keys-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The project's keys cannot be reached",
                "Tokens are verified by keys that the Supabase project publishes, and these could not be had so far.",
                "Try again in some seconds; if it stays, `pixcrawler doctor` tells the operator why.",
            ),
            Self::SiteUnavailable => (
                "site-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The source's site does not answer",
                "The site failed, is too slow, or wants to be left alone for a while.",
                "Try again later, or use another source.",
            ),
            Self::StoreUnavailable => (
                "store-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The pictures cannot be reached",
                "The store of the pictures is away, or fails for now. Nothing is lost.",
                "Try again in some seconds; if it stays, `pixcrawler doctor` tells the operator why.",
            ),
        };
        ProblemHelp { code, status, title, meaning, advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_under_its_name() {
        // Serde knows all variants, and names them to whoever gives it none of them.
        let unknown = serde_json::from_str::<ProblemCode>("\"none of them\"").unwrap_err().to_string();
        let named: Vec<&str> = unknown.split('`').skip(1).step_by(2).skip(1).collect();
        assert_eq!(named, ProblemCode::ALL.map(|code| code.help().code), "{unknown}");
    }
}
