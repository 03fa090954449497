//! The web site that is crawled: pictures from memory on loopback, in a process of its
//! own so that its CPU time is not counted.

use std::{
    convert::Infallible,
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

/// First argument of the process that serves.
pub(crate) const SERVE: &str = "serve-gallery";
/// Pictures on a page.
const PAGE: usize = 100;

/// The site's process; it ends with this.
pub(crate) struct Gallery {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Gallery {
    /// Starts this very program a second time.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn start(pictures: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg(SERVE)
            .arg(pictures)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().context("no output of the gallery")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(Self { address: line.trim().parse().context("the gallery did not start")?, process })
    }

    /// The first page of a list of `pictures` pictures from the one with number `first` on. Each number is
    /// a picture of its own bytes: what was seen before is not decoded again.
    pub(crate) fn list(&self, first: usize, pictures: usize) -> String {
        format!("http://{}/list/{}/{first}", self.address, first + pictures)
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The process that serves; ends when it is killed.
///
/// # Errors
/// When the pictures cannot be read, or there is no port.
pub(crate) fn serve(folder: &Path) -> anyhow::Result<()> {
    let mut names: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    names.sort();
    let read = |path: std::path::PathBuf| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        Ok((extension, fs::read(path)?))
    };
    let site = Arc::new(Site { bases: names.into_iter().map(read).collect::<anyhow::Result<_>>()? });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let site = Arc::clone(&site);
            let service = service_fn(move |request: Request<Incoming>| {
                let response = site.answer(request.uri().path());
                async { Ok::<_, Infallible>(response) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

struct Site {
    /// Extension and bytes.
    bases: Vec<(String, Vec<u8>)>,
}

impl Site {
    fn answer(&self, path: &str) -> Response<Full<Bytes>> {
        let mut parts = path.trim_start_matches('/').split(['/', '.']);
        let kind = parts.next().unwrap_or_default();
        let mut number = || parts.next()?.parse::<usize>().ok();
        let body = match (kind, number(), number()) {
            ("list", Some(all), Some(first)) => self.list(all, first).into(),
            ("picture", Some(at), _) => {
                let (_, base) = &self.bases[at % self.bases.len()];
                [base.as_slice(), format!("#{at}").as_bytes()].concat().into()
            }
            _ => {
                let mut missing = Response::default();
                *missing.status_mut() = StatusCode::NOT_FOUND;
                return missing;
            }
        };
        let mut response = Response::new(Full::new(body));
        if kind == "list" {
            response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/html"));
        }
        response
    }

    fn list(&self, all: usize, first: usize) -> String {
        let end = all.min(first + PAGE);
        let mut html = String::from("<!doctype html><title>Gallery</title>");
        for at in first..end {
            let (extension, _) = &self.bases[at % self.bases.len()];
            html += &format!("<img src=\"/picture/{at}.{extension}\" alt=\"Picture {at}\">\n");
        }
        if end < all {
            html += &format!("<a rel=next href=\"/list/{all}/{end}\">next</a>");
        }
        html
    }
}
