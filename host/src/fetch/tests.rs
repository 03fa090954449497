//! The outbound client against servers that misbehave, over real sockets.

mod asking;
mod cookies;
mod costly;
mod downloading;
mod manners;
#[path = "../../../tests/support/name_server.rs"]
mod name_server;
#[path = "../../../tests/support/raw.rs"]
mod raw;
mod secrets;
mod site;
mod spoken;

use std::time::Duration;

use crate::{
    config,
    model::{self, Candidate, Grants, HostKind, HostRule, Refusal},
};

use super::{Download, FetchError, Fetcher};
use site::Site;

/// As by default, with every origin served by `site`.
fn config(site: &Site) -> config::Fetch {
    config::Fetch {
        contact: Some("crawler@example.org".to_owned()),
        user_agent: Vec::new(),
        allow_private: Vec::new(),
        map_origin: vec![format!("*=http://{}", site.address).parse().unwrap()],
        name_server: None,
        max_image_bytes: 1 << 20,
        max_image_pixels: 64_000_000,
        request_timeout: Duration::from_secs(20),
        per_host: 8,
        per_host_rate: 1000,
    }
}

fn fetcher(site: &Site) -> Fetcher {
    Fetcher::new(&config(site)).unwrap()
}

fn grants(hosts: &[(&str, HostKind)]) -> Grants {
    let rule = |&(pattern, kind): &(&str, HostKind)| HostRule { pattern: pattern.to_owned(), kind };
    Grants { source: "demo".to_owned(), hosts: hosts.iter().map(rule).collect(), ..Grants::default() }
}

fn get(url: &str) -> model::Request {
    model::Request::get(url.to_owned())
}

async fn download(fetcher: &Fetcher, url: &str) -> Result<Download, FetchError> {
    fetcher.download(&Grants::default(), &Candidate::default(), url).await
}

async fn refusal(fetcher: &Fetcher, url: &str) -> Refusal {
    download(fetcher, url).await.unwrap_err().refusal()
}
