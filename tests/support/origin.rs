//! A server on loopback that stands for origins of the internet, to which
//! `--map-origin` sends what is asked of them.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};

/// Serves until dropped, and remembers what it was asked.
pub(crate) struct Origin {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: AbortHandle,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The public address, as `host/path?query`.
    pub(crate) url: String,
    pub(crate) authorization: Option<String>,
    /// All of them, name and value.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

pub(crate) type Reply = Response<Full<Bytes>>;

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

impl Origin {
    pub(crate) async fn start(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let server = tokio::spawn(accept(listener, Arc::new(answers), asked.clone())).abort_handle();
        Self { address, asked, server }
    }

    /// Its own address.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The setting that serves `from` from here.
    pub(crate) fn mapping(&self, from: &str) -> String {
        format!("--map-origin={from}=http://{}", self.address)
    }

    /// What was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A body of some type.
pub(crate) fn reply(content_type: &str, body: impl Into<Bytes>) -> Reply {
    Response::builder().header("content-type", content_type).body(Full::new(body.into())).unwrap()
}

/// JSON under a status that is no success.
pub(crate) fn refusal(status: u16, body: &serde_json::Value) -> Reply {
    let mut answer = reply("application/json", body.to_string());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

/// Connections end with the task, because the set that holds them does.
async fn accept(listener: TcpListener, answers: Arc<Answers>, log: Arc<Mutex<Vec<Asked>>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (answers, log) = (answers.clone(), log.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (answers, log) = (answers.clone(), log.clone());
            async move {
                let (head, body) = request.into_parts();
                let asked = Asked::new(&head, &body.collect().await.unwrap().to_bytes());
                log.lock().unwrap().push(asked.clone());
                Ok::<_, Infallible>(answers(&asked))
            }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl Asked {
    fn new(head: &Parts, body: &[u8]) -> Self {
        let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        Self {
            method: head.method.to_string(),
            url: format!("{}{}", header("host").unwrap(), head.uri),
            authorization: header("authorization"),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}
