//! A small HTTP server on loopback for a site in memory.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};

/// A site: what is answered for each path.
pub(super) type Site = BTreeMap<String, PlannedAnswer>;

/// What a site answers for one path.
#[derive(Clone, Debug)]
pub(super) struct PlannedAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl PlannedAnswer {
    pub(super) fn new(media_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status: 200, headers: vec![("content-type", media_type.to_owned())], body: body.into() }
    }

    pub(super) fn redirect(status: u16, location: &str) -> Self {
        Self { status, headers: vec![("location", location.to_owned())], body: Bytes::new() }
    }

    pub(super) fn error(status: u16) -> Self {
        Self { status, ..Self::new("text/html", format!("<h1>{status}</h1>")) }
    }
}

/// A site that is being served until this is dropped.
#[derive(Debug)]
pub(in crate::cli) struct ServedGallery {
    address: SocketAddr,
    server: AbortHandle,
}

impl ServedGallery {
    /// Serves a site on a free port of this machine.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub(super) async fn start(site: Site) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, server: tokio::spawn(accept(listener, Arc::new(site))).abort_handle() })
    }

    /// Where it is served, on loopback.
    #[must_use]
    pub(in crate::cli) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ServedGallery {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Connections end with the task, because the set that holds them does.
async fn accept(listener: TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // A connection that failed is of interest to nobody but the one who made it.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let site = Arc::clone(&site);
                let service = service_fn(move |request| {
                    let response = answer(&site, &request);
                    async { response }
                });
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        }
    }
}

fn answer(site: &Site, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, http::Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let refused = |status| Response::builder().status(status).body(Full::default());
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return refused(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Some(PlannedAnswer { status, headers, body }) = site.get(path) else {
        return refused(StatusCode::NOT_FOUND);
    };
    let response = Response::builder().status(*status);
    let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, value));
    response.body(Full::new(body.clone()))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    #[tokio::test]
    async fn answers_until_dropped() {
        let site = Site::from([
            ("/".to_owned(), PlannedAnswer::new("text/html", "home")),
            ("/a?b=1".to_owned(), PlannedAnswer::redirect(302, "/")),
        ]);
        let served = ServedGallery::start(site).await.unwrap();

        let mut stream = TcpStream::connect(served.address()).await.unwrap();
        let mut ask = async |request: &str, last: &str| {
            stream
                .write_all(format!("{request} HTTP/1.1\r\nhost: gallery.example\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let mut response = Vec::new();
            while !response.ends_with(last.as_bytes()) {
                assert_ne!(stream.read_buf(&mut response).await.unwrap(), 0, "{request}");
            }
            String::from_utf8(response).unwrap().to_ascii_lowercase()
        };
        let home = ask("GET /", "home").await;
        assert!(home.starts_with("http/1.1 200") && home.contains("content-length: 4"), "{home}");
        assert!(home.contains("content-type: text/html"), "{home}");
        let head = ask("HEAD /", "\r\n\r\n").await;
        assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 4"), "{head}");
        let redirect = ask("GET /a?b=1", "\r\n\r\n").await;
        assert!(redirect.starts_with("http/1.1 302") && redirect.contains("location: /"), "{redirect}");
        assert!(ask("GET /b", "\r\n\r\n").await.starts_with("http/1.1 404"));
        assert!(ask("POST /", "\r\n\r\n").await.starts_with("http/1.1 405"));

        drop(served);
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "the connection ends");
    }
}
