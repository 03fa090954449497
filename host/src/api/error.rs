//! The one error type of the API: problem documents by RFC 9457.

use std::{fmt, time::Duration};

use poem::{
    Response,
    error::ResponseError,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    error::{ParseParamError, ParsePathError},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::{ToJSON as _, Type as _},
};

use crate::{
    auth::AuthError,
    dataset::export::ExportFileError,
    db,
    services::{
        Violation,
        profiles::ProfileError,
        quotas::{LimitReached, QuotaError},
    },
    store::StoreError,
};

mod code;

pub(super) use code::{ProblemCode, ProblemHelp};

/// Where the pages about codes are, one for each below it.
pub(super) const PAGES: &str = "/problems";

/// Media type of problem documents.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What goes wrong in an operation: a problem whose status is one of `STATUSES`, which is
/// a sum of the constants below. The document lists exactly these for the operation.
#[derive(Debug)]
pub(super) struct ProblemSet<const STATUSES: u16>(Problem);

pub(super) const BAD_REQUEST: u16 = 1;
pub(super) const UNAUTHORIZED: u16 = 1 << 1;
pub(super) const NOT_FOUND: u16 = 1 << 2;
pub(super) const CONFLICT: u16 = 1 << 3;
pub(super) const TOO_LARGE: u16 = 1 << 4;
pub(super) const MEDIA_TYPE: u16 = 1 << 5;
pub(super) const RANGE: u16 = 1 << 6;
pub(super) const RULES: u16 = 1 << 7;
pub(super) const UNAVAILABLE: u16 = 1 << 8;
pub(super) const TOO_SLOW: u16 = 1 << 9;
pub(super) const TOO_MANY: u16 = 1 << 10;
pub(super) const BAD_GATEWAY: u16 = 1 << 11;
pub(super) const FORBIDDEN: u16 = 1 << 12;
/// Not together with `RULES`, which has the same status.
pub(super) const PARAMETER: u16 = 1 << 13;
pub(super) const PAYMENT: u16 = 1 << 14;
/// What can happen to every operation that asks who is calling.
pub(super) const SIGNED_IN: u16 = UNAUTHORIZED | UNAVAILABLE | FORBIDDEN | TOO_MANY;
/// What can be wrong with a body.
pub(super) const BODY: u16 = BAD_REQUEST | TOO_SLOW | TOO_LARGE | MEDIA_TYPE | RULES;
/// What can happen to every operation that may begin a job, or have one go on.
pub(super) const BEGINS_JOB: u16 = SIGNED_IN | RULES | PAYMENT;

/// Status and what it means here. 500 is always possible.
const MEANINGS: [(u16, u16, &str); 16] = [
    (BAD_REQUEST, 400, "A header or the JSON is malformed."),
    (UNAUTHORIZED, 401, "No token or API key, or one that is not accepted, or a signed link that is over."),
    (PAYMENT, 402, "The credits do not cover what this may cost."),
    (FORBIDDEN, 403, "Not for this API key, or not for this user; `code` says which."),
    (NOT_FOUND, 404, "There is no such thing, or it belongs to someone else."),
    (TOO_SLOW, 408, "The body did not come in time."),
    (CONFLICT, 409, "Not possible in the present state."),
    (TOO_LARGE, 413, "The body is larger than 1 MiB."),
    (MEDIA_TYPE, 415, "The body is not `application/json`."),
    (RANGE, 416, "The range asked for is not in the file."),
    (PARAMETER, 422, "A parameter is not accepted; `detail` says what it must be."),
    (RULES, 422, "The request breaks rules; `errors` lists all of them."),
    (TOO_MANY, 429, "Too much of this is under way or was asked for; try again after `Retry-After`."),
    (u16::MAX, 500, "Something failed here; the log has it under the `request_id`."),
    (BAD_GATEWAY, 502, "The source or its site does not do what it should."),
    (UNAVAILABLE, 503, "Something that is needed cannot be reached or is busy now; try again later."),
];

/// When to ask again for what is being made.
const NOT_READY: Duration = Duration::from_secs(5);

/// When to try again what others were in the way of.
const BUSY: Duration = Duration::from_secs(2);

/// Broken rules that are repeated in `detail`; all that are told stand in `errors`.
const MOST_IN_DETAIL: usize = 5;

/// Something that went wrong, as the caller is told.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: ProblemCode,
    detail: String,
    errors: Vec<Violation>,
    /// Size of the file that a range is not in.
    outside: Option<u64>,
    /// When to try again.
    retry_after: Option<Duration>,
    /// What is reached.
    limit: Option<Box<LimitReached>>,
    /// For the log, never for the caller.
    cause: Option<anyhow::Error>,
}

/// A problem document (RFC 9457).
#[derive(Object)]
#[oai(rename = "Problem")]
struct ProblemDocument {
    /// Path of the page about the `code`, such as `/problems/not-found`, for people and as JSON: what it
    /// means and what to do.
    #[oai(rename = "type")]
    kind: String,
    /// The code in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What went wrong, for people.
    detail: String,
    /// Where to look in the log; also in the header `X-Request-Id`.
    request_id: String,
    /// What went wrong, for programs; never changes. All are at `/problems`.
    code: String,
    /// Every broken rule, for 422.
    errors: Vec<BrokenRule>,
    /// The limit of the user's tier that is reached, if it is one.
    #[oai(skip_serializing_if_is_none)]
    limit: Option<TierLimit>,
}

/// A limit of a tier that is reached.
#[derive(Object)]
struct TierLimit {
    /// `images_per_job`, `images_per_day` or `jobs_per_minute`.
    limit: String,
    /// The tier: the plan of the subscription, or `free`.
    tier: String,
    /// As many as may be.
    most: i64,
    /// As many as there are, with what open jobs may still have; where waiting does not help (403), as were
    /// asked for.
    used: i64,
}

/// A rule that the request's body breaks.
#[derive(Object)]
#[oai(remote = "Violation")]
struct BrokenRule {
    /// JSON pointer (RFC 6901) into the body.
    pointer: String,
    /// What must be the case there.
    detail: String,
}

impl Problem {
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            status: code.help().status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            outside: None,
            retry_after: None,
            limit: None,
            cause: None,
        }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(ProblemCode::NotFound, format!("You have no such {what}."))
    }

    pub(super) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Unauthorized, detail)
    }

    fn anonymous() -> Self {
        let detail = "Users who signed in anonymously may not begin jobs here.";
        Self::new(ProblemCode::Anonymous, detail)
    }

    /// The caller, or all callers together, have enough under way; `retry_after` has whole seconds.
    pub(super) fn too_many(detail: impl Into<String>, retry_after: Duration) -> Self {
        let problem = Self::new(ProblemCode::TooMany, detail);
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// A key was used as often as it may be; `retry_after` has whole seconds.
    pub(super) fn of_rate(detail: impl Into<String>, retry_after: Duration) -> Self {
        let problem = Self::new(ProblemCode::KeyRate, detail);
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// What is asked for is not there yet; `retry_after` has whole seconds.
    pub(super) fn export_not_ready(detail: impl Into<String>, retry_after: Duration) -> Self {
        let problem = Self::new(ProblemCode::ExportNotReady, detail);
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// What the caller is told.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn too_slow() -> Self {
        Self::new(ProblemCode::TooSlow, "The body did not come in time.")
    }

    /// `size` is the file's, in bytes.
    pub(super) fn not_in_range(size: u64) -> Self {
        let detail = format!("The range asked for is not in the file, which has {size} bytes.");
        let problem = Self::new(ProblemCode::RangeNotSatisfiable, detail);
        Self { outside: Some(size), ..problem }
    }

    /// `must` says what the parameter must be.
    pub(super) fn parameter(name: &str, must: &str) -> Self {
        Self::new(ProblemCode::BadParameter, format!("The parameter `{name}` {must}."))
    }

    /// A list has no parameter of this name, but `known`.
    pub(super) fn unknown_parameter(name: &str, known: &[String]) -> Self {
        let there_are = match known {
            [] => "this list has none".to_owned(),
            known => format!("there are: {}", known.join(", ")),
        };
        Self::new(ProblemCode::BadParameter, format!("There is no parameter `{name}`; {there_are}."))
    }

    pub(super) fn key_reused() -> Self {
        let detail = "This Idempotency-Key was used for another request within the last day.";
        Self::new(ProblemCode::IdempotencyKeyReused, detail)
    }

    pub(super) fn rules(errors: Vec<Violation>) -> Self {
        let first = errors.iter().take(MOST_IN_DETAIL);
        let said =
            |broken: &Violation| format!("{} {}", broken.pointer, broken.detail).trim_start().to_owned();
        let mut list: Vec<_> = first.map(said).collect();
        if errors.len() > MOST_IN_DETAIL {
            list.push("and more, see `errors`".to_owned());
        }
        let problem = Self::new(ProblemCode::BrokenRules, list.join("; "));
        Self { errors, ..problem }
    }

    pub(super) fn internal(cause: impl Into<anyhow::Error>) -> Self {
        let problem = Self::new(ProblemCode::Internal, "Something failed here.");
        Self { cause: Some(cause.into()), ..problem }
    }

    /// What poem itself found wrong, such as an unknown route or a malformed parameter.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::BAD_REQUEST => (ProblemCode::BadRequest, "The request is malformed."),
            StatusCode::UNAUTHORIZED => (ProblemCode::Unauthorized, "A bearer token is needed."),
            StatusCode::NOT_FOUND => (ProblemCode::NotFound, "There is no such path; see /docs."),
            StatusCode::METHOD_NOT_ALLOWED => {
                (ProblemCode::MethodNotAllowed, "This path has no such method; see /docs.")
            }
            StatusCode::PAYLOAD_TOO_LARGE => (ProblemCode::TooLarge, "The body is larger than 1 MiB."),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                (ProblemCode::UnsupportedMediaType, "The body must be application/json.")
            }
            _ if status.is_client_error() => (ProblemCode::Refused, "The request is refused."),
            _ => (ProblemCode::Internal, "Something failed here."),
        };
        Self { status, ..Self::new(code, detail) }
    }

    /// What is to be told of an error that came out of the routes. `must_be` says what a
    /// parameter must be.
    pub(super) fn of_error<'a>(error: poem::Error, must_be: impl Fn(&str) -> Option<&'a str>) -> Self {
        match error.downcast::<Self>() {
            Ok(problem) => problem,
            Err(error) => {
                if let Some(ParseParamError { name, .. }) = error.downcast_ref() {
                    return Self::parameter(name, must_be(name).unwrap_or("must be given"));
                }
                // An id that is not a number names nothing.
                // Which of them it is, the router says in a name of its own.
                if error.is::<ParsePathError>() {
                    let detail = "There is nothing of that name: an id in the path is not one.";
                    return Self::new(ProblemCode::NotFound, detail);
                }
                let status = error.status();
                let problem = Self::of_status(status);
                let cause = status.is_server_error().then(|| anyhow::anyhow!("{error:?}"));
                Self { cause, ..problem }
            }
        }
    }

    /// The answer. What the caller is not told is logged here, once.
    pub(super) fn respond(self, request_id: &str) -> Response {
        if let Some(cause) = &self.cause {
            let cause = format!("{cause:#}");
            tracing::error!(request_id, cause, "request failed");
        }
        let (status, outside, retry_after) = (self.status, self.outside, self.retry_after);
        let document = self.document(request_id);
        let response = Response::builder().status(status).content_type(PROBLEM_JSON);
        let response = match (status, outside) {
            (StatusCode::UNAUTHORIZED, _) => response.header(header::WWW_AUTHENTICATE, "Bearer"),
            (_, Some(size)) => response.header(header::CONTENT_RANGE, format!("bytes */{size}")),
            _ => response,
        };
        let response = match retry_after {
            Some(after) => response.header(header::RETRY_AFTER, after.as_secs()),
            None => response,
        };
        response.body(document.to_json_string())
    }

    fn document(self, request_id: &str) -> ProblemDocument {
        let ProblemHelp { code, title, .. } = self.code.help();
        ProblemDocument {
            kind: format!("{PAGES}/{code}"),
            title: title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            request_id: request_id.to_owned(),
            code: code.to_owned(),
            errors: self.errors.into_iter().map(BrokenRule::from).collect(),
            limit: self.limit.map(|reached| TierLimit {
                limit: reached.kind.name().to_owned(),
                tier: reached.tier,
                most: reached.most,
                used: reached.used,
            }),
        }
    }

    /// What one of this kind and status may look like, for the document.
    fn example(kind: u16, status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST => {
                Self::new(ProblemCode::MalformedJson, "The body is not JSON: see line 1, column 9.")
            }
            StatusCode::PAYMENT_REQUIRED => {
                QuotaError::Credits { needed: 1000, balance: 300, open: 200 }.into()
            }
            StatusCode::FORBIDDEN => Self::anonymous(),
            StatusCode::NOT_FOUND => Self::not_found("crawl job"),
            StatusCode::CONFLICT => {
                Self::new(ProblemCode::WrongStatus, "A completed job cannot be cancelled.")
            }
            StatusCode::REQUEST_TIMEOUT => Self::too_slow(),
            StatusCode::RANGE_NOT_SATISFIABLE => Self::not_in_range(48_213),
            StatusCode::UNPROCESSABLE_ENTITY if kind == PARAMETER => {
                Self::parameter("limit", "must be a whole number from 1 to 100")
            }
            StatusCode::UNPROCESSABLE_ENTITY => Self::rules(vec![Violation {
                pointer: "/max_images".to_owned(),
                detail: "must be a whole number from 1 to 100000".to_owned(),
            }]),
            StatusCode::TOO_MANY_REQUESTS => {
                let detail = "You have 2 previews under way; wait for one to end.";
                Self::too_many(detail, Duration::from_secs(5))
            }
            StatusCode::BAD_GATEWAY => {
                let detail = "the site no longer looks as expected: no list of results";
                Self::new(ProblemCode::LayoutChanged, detail)
            }
            StatusCode::SERVICE_UNAVAILABLE => AuthError::KeysUnavailable.into(),
            status => Self::of_status(status),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.help().code)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Io(_) | db::Error::PoolTimedOut | db::Error::PoolClosed => {
                let detail = "The database cannot be reached.";
                let problem = Self::new(ProblemCode::DatabaseUnavailable, detail);
                Self { cause: Some(error.into()), ..problem }
            }
            error if db::is_busy(&error) => {
                let detail = "The database was busy with what this needs, and nothing was changed.";
                let problem = Self::new(ProblemCode::DatabaseBusy, detail);
                Self { cause: Some(error.into()), retry_after: Some(BUSY), ..problem }
            }
            error => Self::internal(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if !error.is_passing() {
            return Self::internal(error);
        }
        let problem = Self::new(ProblemCode::StoreUnavailable, "The pictures cannot be reached.");
        Self { cause: Some(error.into()), ..problem }
    }
}

impl From<ExportFileError> for Problem {
    fn from(error: ExportFileError) -> Self {
        match error {
            ExportFileError::Database(error) => error.into(),
            ExportFileError::Store(error) => error.into(),
            ExportFileError::NotReady(None) => {
                Self::export_not_ready("The file is not made yet; ask again.", NOT_READY)
            }
            ExportFileError::NotReady(Some(error)) => {
                let detail = format!("The file is not made yet. The last time that was tried: {error}.");
                Self::export_not_ready(detail, NOT_READY)
            }
            ExportFileError::Newer => {
                let detail = "A newer version of PixCrawler makes the file, and it alone can give it.";
                Self::export_not_ready(detail, NOT_READY)
            }
            error @ ExportFileError::Changed => {
                let detail = "Pictures are being taken out of the export.";
                let problem = Self::new(ProblemCode::DatabaseBusy, detail);
                Self { cause: Some(error.into()), retry_after: Some(BUSY), ..problem }
            }
            error @ ExportFileError::Missing(_) => {
                let detail = "A picture of the export cannot be read.";
                let problem = Self::new(ProblemCode::StoreUnavailable, detail);
                Self { cause: Some(error.into()), ..problem }
            }
            error => Self::internal(error),
        }
    }
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::UserGone => Self::unauthorized(
                "The user of this token is not in this database: deleted, or of another project.",
            ),
            ProfileError::SignedOut => Self::unauthorized("The user of this token has signed out."),
            ProfileError::Anonymous => Self::anonymous(),
            ProfileError::Database(error) => error.into(),
        }
    }
}

impl From<QuotaError> for Problem {
    fn from(error: QuotaError) -> Self {
        let said = format!("This cannot be begun: {error}.");
        match error {
            QuotaError::Database(error) => error.into(),
            QuotaError::Credits { .. } => Self::new(ProblemCode::CreditsShort, said),
            QuotaError::Limit(reached) => {
                let code = match reached.retry_after {
                    Some(_) => ProblemCode::TierLimit,
                    None => ProblemCode::BeyondTier,
                };
                let problem = Self::new(code, said);
                Self { retry_after: reached.retry_after, limit: Some(Box::new(reached)), ..problem }
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::KeysUnavailable => {
                let detail = "The keys that tokens are verified by cannot be reached.";
                Self::new(ProblemCode::KeysUnavailable, detail)
            }
            error => Self::unauthorized(format!("The token is not accepted: {error}.")),
        }
    }
}

impl<T: Into<Problem>, const STATUSES: u16> From<T> for ProblemSet<STATUSES> {
    fn from(problem: T) -> Self {
        Self(problem.into())
    }
}

impl<const STATUSES: u16> From<ProblemSet<STATUSES>> for poem::Error {
    fn from(failure: ProblemSet<STATUSES>) -> Self {
        failure.0.into()
    }
}

impl<const STATUSES: u16> ApiResponse for ProblemSet<STATUSES> {
    fn meta() -> MetaResponses {
        let possible = MEANINGS.into_iter().filter(|(bit, ..)| bit & STATUSES != 0 || *bit == u16::MAX);
        let responses = possible.map(|(kind, status, description)| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType { content_type: PROBLEM_JSON, schema: schema(kind, status) }],
            headers: Vec::new(),
        });
        MetaResponses { responses: responses.collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemDocument::register(registry);
    }
}

/// A problem document, with an example of this kind that has this status.
fn schema(kind: u16, status: u16) -> MetaSchemaRef {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let example = Problem::example(kind, status).document("0d3f3f6e-4b0c-4a5e-9c7b-3d7c2b6f9a10").to_json();
    let all_of = vec![ProblemDocument::schema_ref()];
    MetaSchemaRef::Inline(Box::new(MetaSchema { all_of, example, ..MetaSchema::ANY }))
}
