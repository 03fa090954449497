//! What happens to every request before and after its route: request id, spelling of the
//! path, CORS, one form of errors, one line of log.

use std::{
    collections::BTreeSet,
    str::FromStr as _,
    sync::Arc,
    time::{Duration, Instant},
};

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
};
use poem_openapi::OperationId;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{connection::ConnectionTable, error::Problem, operations::Operations};
use crate::app::App;

/// Names a request in the answer and the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const ALLOWED_METHODS: &str = "GET, HEAD, POST, PATCH, PUT, DELETE";
const ALLOWED_HEADERS: &str =
    "authorization, content-type, idempotency-key, if-none-match, last-event-id, range, x-request-id";
const EXPOSED_HEADERS: &str =
    "accept-ranges, allow, content-range, etag, location, retry-after, www-authenticate, x-request-id";

/// For a client that has its share of what is being answered.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The routes, and what stands before them.
pub(super) struct Middleware<E> {
    app: App,
    operations: Operations,
    origins: BTreeSet<String>,
    connections: Arc<ConnectionTable>,
    routes: E,
}

impl<E> Middleware<E> {
    /// Lets browsers call `routes` from the configured origins; `*` is all.
    pub(super) fn new(
        app: App,
        operations: Operations,
        connections: Arc<ConnectionTable>,
        routes: E,
    ) -> Self {
        let origins = &app.config.http.allowed_origins;
        let origins = origins.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect();
        Self { app, operations, origins, connections, routes }
    }

    /// What is wrong with a request of a list that filters by what the list does not know, or twice by
    /// the same.
    fn wrong_parameter(&self, request: &Request) -> Option<Problem> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let query = request.uri().query().filter(|_| reads)?;
        let path = request.uri().path();
        if let Some((name, known)) = self.operations.unknown_in_list(path, query) {
            return Some(Problem::unknown_parameter(&name, known));
        }
        let name = self.operations.repeated_in_list(path, query)?;
        Some(Problem::parameter(&name, "must be given once"))
    }

    fn allow_origin(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let is_known = |origin: &str| self.origins.contains(origin) || self.origins.contains("*");
        let known = origin.filter(|origin| origin.to_str().is_ok_and(is_known));
        if let Some(origin) = known {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
        }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Middleware<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let begun = Instant::now();
        let busy = self.connections.answers(&request);
        let refused = busy.is_err();
        let busy = busy.unwrap_or_default();
        let id = request_id(&request);
        let method = request.method().clone();
        let origin = request.headers().get(header::ORIGIN).cloned();
        let path = request.uri().path().to_owned();
        trim_slash(&mut request);

        let mut operation = None;
        let mut response = if is_preflight(&request) {
            preflight()
        } else {
            let span = tracing::info_span!("request", request_id = id);
            let problem = if refused {
                let detail = "Your address has as many requests under way as one may.";
                Some(Problem::too_many(detail, RETRY_AFTER))
            } else {
                self.wrong_parameter(&request)
            };
            let answer = match problem {
                Some(problem) => Err(problem.into()),
                None => self.routes.call(request).instrument(span).await,
            };
            operation = answer.as_ref().map_or_else(poem::Error::data, Response::data).copied();
            let must_be = |parameter: &str| {
                let OperationId(operation) = operation?;
                self.operations.must_be(operation, parameter)
            };
            match answer {
                Ok(response) if is_bare_failure(&response) => {
                    Problem::of_status(response.status()).respond(&id)
                }
                Ok(response) => response,
                Err(error) => Problem::of_error(error, must_be).respond(&id),
            }
        };
        let not_allowed = response.status() == StatusCode::METHOD_NOT_ALLOWED;
        let headers = response.headers_mut();
        if let Some(Ok(allowed)) =
            self.operations.allowed(&path).filter(|_| not_allowed).map(HeaderValue::from_str)
        {
            headers.insert(header::ALLOW, allowed);
        }
        self.allow_origin(origin.as_ref(), headers);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
            // Else nginx and others hand events on when they have some kilobytes of them.
            headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        // Without the query: it may hold the signature of a link.
        let (status, took) = (response.status().as_u16(), begun.elapsed());
        let operation = operation.map_or("none", |OperationId(operation)| operation);
        self.app.metrics.http_request(operation, status, took);
        if method.is_safe() && status < 400 {
            // Clients look again and again, and so do probes and Prometheus.
            tracing::debug!(event = "request", request_id = id, %method, path, status, ?took, "request");
        } else {
            tracing::info!(event = "request", request_id = id, %method, path, status, ?took, "request");
        }
        if let Some(busy) = busy {
            let body = busy.until_end_of(response.take_body());
            response.set_body(body);
        }
        Ok(response)
    }
}

/// Gives the caller's own id where it is harmless in a log, else a new one.
fn request_id(request: &Request) -> String {
    let harmless = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    request.header(&REQUEST_ID).filter(harmless).map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Removes the slash at the end of the path: paths work with and without; the routes are without.
fn trim_slash(request: &mut Request) {
    let uri = request.uri();
    let path = uri.path().trim_end_matches('/');
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    if let Ok(trimmed) = Uri::from_str(&format!("/{}{query}", path.trim_start_matches('/'))) {
        *request.uri_mut() = trimmed;
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, "600")
        .finish()
}

/// Tells whether it is a failure that says nothing in JSON, such as the answer to a panic.
fn is_bare_failure(response: &Response) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && response.content_type().is_none_or(|kind| !kind.starts_with("application/"))
}
