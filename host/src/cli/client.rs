//! Calls our own API as any client would, through the one outbound door.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use clap::Parser as _;
use serde::{Serialize, de::DeserializeOwned};

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
    pub(super) fn new(api: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let fetcher = Fetcher::new(&settings(api))?;
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

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::Get, path, None).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.call(Method::Post, path, Some(serde_json::to_string(body)?)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<T> {
        let request = Request {
            method,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.map(Content::Text),
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

/// The defaults, and this machine allowed.
fn settings(api: SocketAddr) -> Fetch {
    #[derive(clap::Parser)]
    struct Defaults {
        #[command(flatten)]
        fetch: Fetch,
    }
    let fetch = Defaults::parse_from(["pixcrawler"]).fetch;
    Fetch {
        contact: Some("loopback".to_owned()),
        allow_private: vec![api.ip().into()],
        map_origin: Vec::new(),
        name_server: None,
        request_timeout: Duration::from_secs(30),
        ..fetch
    }
}
