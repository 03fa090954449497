//! Requests to a service that belongs to the operator, such as the Supabase project. Its
//! address comes from the settings and from nobody else, so it may be a private one, and
//! what happens there has nothing to do with the pace of crawls.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, header};
use url::{Origin, Url};

use super::{Fetcher, Inner, error::FetchError, origin_map::authority};

/// Largest body, in bytes.
const LARGEST: usize = 1 << 20;
/// Longest time for a request and its answer; a caller of the API may be waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// One configured origin. Nothing else is reached, and redirects are not followed.
#[derive(Clone)]
pub struct ServiceClient {
    inner: Arc<Inner>,
    origin: Origin,
}

impl Fetcher {
    /// The way to the origin of `service`, which must come from the settings.
    #[must_use]
    pub fn service(&self, service: &Url) -> ServiceClient {
        ServiceClient { inner: self.inner.clone(), origin: service.origin() }
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
        let answer = tokio::time::timeout(PATIENCE, self.inner.get_own(url)).await;
        answer.unwrap_or(Err(FetchError::Timeout)).map_err(|trouble| trouble.to_string())
    }
}

impl Inner {
    async fn get_own(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let host =
            HeaderValue::from_str(authority(&url)).map_err(|_| FetchError::network("not a host name"))?;
        let target = self.origins.target(&url).unwrap_or(url);
        let request = self.mapped.keeping.get(target).header(header::HOST, host);
        let answer = async move {
            let mut response = request.send().await?;
            if response.status() != 200 {
                return Err(FetchError::Status { status: response.status().as_u16(), retry_after: None });
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if body.len() + chunk.len() > LARGEST {
                    return Err(FetchError::TooLarge(LARGEST as u64));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body)
        };
        self.io.run(answer).await
    }
}
