//! Requests to a service that belongs to the operator, such as the Supabase project. Its
//! address comes from the settings and from nobody else, so it may be a private one, and
//! what happens there has nothing to do with the throttle of crawls.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use url::{Origin, Url};

use super::{
    Fetcher,
    body::{BodyLimits, IncomingBody},
    client::OutboundClient,
    error::{FetchError, FetchErrorKind},
};

/// Of the body of an answer.
const LIMITS: BodyLimits = BodyLimits { bytes: 1 << 20, truncates: false };
/// Longest time for a request and its answer; a caller of the API may be waiting.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One configured origin. Nothing else is reached, and redirects are not followed.
#[derive(Clone)]
pub struct ServiceClient {
    client: Arc<OutboundClient>,
    origin: Origin,
}

impl Fetcher {
    /// The way to the origin of `service`, which must come from the settings.
    #[must_use]
    pub fn service(&self, service: &Url) -> ServiceClient {
        ServiceClient { client: Arc::clone(&self.client), origin: service.origin() }
    }
}

impl ServiceClient {
    /// The body of `url`, asked for once.
    ///
    /// # Errors
    /// Any status but 200, more than 1 MiB, or no answer within 10 s; says which.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let url = Url::parse(url).ok().filter(|url| url.origin() == self.origin);
        let url = url.ok_or("not an address of the configured service")?;
        let answer = tokio::time::timeout(TIMEOUT, self.get_once(url)).await;
        answer.unwrap_or_else(|_| Err(FetchErrorKind::Timeout.into())).map_err(|error| error.to_string())
    }

    async fn get_once(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let connector = &self.client.connector;
        let response = connector.send_to_service(reqwest::Request::new(Method::GET, url)).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchErrorKind::Status(response.status().as_u16()).into());
        }
        connector.io.run(IncomingBody::new(response, LIMITS, TIMEOUT, false)?.read_to_end()).await
    }
}
