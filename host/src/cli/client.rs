//! Calls our own API as any client would, through the one outbound client.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    config::Fetch,
    fetch::Fetcher,
    model::{
        Content, CredentialKind, CredentialSpec, GrantedSecret, Grants, HostKind, HostRule, Method, Request,
        Response,
    },
};

/// A client of an API on this machine, with a bearer token.
pub(super) struct Client {
    fetcher: Fetcher,
    grants: Grants,
    base: String,
}

const TOKEN: &str = "token";

impl Client {
    /// Makes the client, whose requests go out as `settings` say, but to this machine alone.
    pub(super) fn new(api: SocketAddr, token: &str, settings: &Fetch) -> anyhow::Result<Self> {
        let fetcher = Fetcher::new(&Fetch {
            contact: Some("loopback".to_owned()),
            allow_private: vec![api.ip().into()],
            map_origin: Vec::new(),
            name_server: None,
            request_timeout: Duration::from_secs(30),
            ..settings.clone()
        })?;
        let host = api.ip().to_string();
        let spec = CredentialSpec {
            name: TOKEN.to_owned(),
            help: String::new(),
            required: true,
            kind: CredentialKind::Header { name: "authorization".to_owned(), prefix: "Bearer ".to_owned() },
            hosts: vec![host.clone()],
        };
        let grants = Grants {
            source: "pixcrawler".to_owned(),
            hosts: vec![HostRule { pattern: host, kind: HostKind::Api }],
            ignores_robots: false,
            credentials: vec![GrantedSecret { spec, secret: token.to_owned().into() }],
            declared: vec![TOKEN.to_owned()],
        };
        Ok(Self { fetcher, grants, base: format!("http://{api}") })
    }

    /// Gets what is at `path`, or posts `body` there.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let request = Request {
            method: if body.is_some() { Method::Post } else { Method::Get },
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.map(|body| Content::Text(body.to_string())),
            credential: Some(TOKEN.to_owned()),
            ..Request::get(format!("{}{path}", self.base))
        };
        let answer = self.fetcher.ask(&self.grants, &request).await;
        let Response { status, body, .. } =
            answer.map_err(|error| error.failure()).context("the API does not answer")?;
        let Content::Text(text) = body else { bail!("the API answered {status} without text") };
        if !(200..300).contains(&status) {
            bail!("the API answered {status}: {text}");
        }
        serde_json::from_str(&text).context("the API's answer is not as expected")
    }
}
