//! A small HTTP server on loopback for what is in memory.

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

use super::{Gallery, PlannedAnswer};

/// A site that is being served until this is dropped.
#[derive(Debug)]
pub(in crate::cli) struct ServedGallery {
    address: SocketAddr,
    server: AbortHandle,
}

impl ServedGallery {
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

impl Gallery {
    /// Serves the site on a free port of this machine.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub(in crate::cli) async fn serve(&self) -> io::Result<ServedGallery> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(accept(listener, Arc::new(self.files.clone())));
        Ok(ServedGallery { address, server: server.abort_handle() })
    }
}

/// Connections end with the task, because the set that holds them does.
async fn accept(listener: TcpListener, files: Arc<BTreeMap<String, PlannedAnswer>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // A connection that failed is of interest to nobody but the one who made it.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let files = Arc::clone(&files);
                let service = service_fn(move |request| {
                    let response = answer(&files, &request);
                    async { response }
                });
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        }
    }
}

fn answer(
    files: &BTreeMap<String, PlannedAnswer>,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, http::Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let (status, headers, body) = match (request.method(), files.get(path)) {
        (&Method::GET | &Method::HEAD, Some(answer)) => {
            (StatusCode::from_u16(answer.status)?, &answer.headers[..], answer.body.clone())
        }
        (&Method::GET | &Method::HEAD, None) => (StatusCode::NOT_FOUND, &[][..], Bytes::new()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, &[][..], Bytes::new()),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Full::new(body))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;
    use crate::cli::demo::gallery::Expected;

    #[tokio::test]
    async fn answers_until_dropped() {
        let files = BTreeMap::from([
            ("/".to_owned(), PlannedAnswer::new("text/html", "home")),
            ("/a?b=1".to_owned(), PlannedAnswer::redirect(302, "/")),
        ]);
        let gallery = Gallery { files, start: String::new(), expected: Expected::default() };
        let served = gallery.serve().await.unwrap();

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
