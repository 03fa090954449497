//! A bucket on loopback, as Supabase Storage has it: below a path, with signatures that somebody else's library
//! checks (`s3s`, with the objects in a folder by `s3s-fs`), deaf to conditions and tags, particular about the
//! deletion of several objects at once; and it can misbehave as it is told.

use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use hyper::{
    HeaderMap, Method, Response, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use s3s::{
    Body, HttpRequest, HttpResponse, S3Request, S3Response, S3Result,
    auth::SimpleAuth,
    route::S3Route,
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{relay::acceptor, site::PATIENCE};

/// What is before the bucket's name in every address.
const PREFIX: &str = "/storage/v1/s3";
const BUCKET: &str = "pictures";
const REGION: &str = "eu-central-1";
const ID: &str = "the-keys-id";
pub(crate) const SECRET: &str = "Canary+bucket/of?40&bytes=or~somewhat-more!";

/// Serves until dropped.
pub(crate) struct BucketServer {
    address: SocketAddr,
    scheme: &'static str,
    root: tempfile::TempDir,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

/// What it does with a request instead of doing what is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Answers with a status and a code of S3.
    Answer(u16, &'static str),
    /// Says nothing.
    Hang,
    /// Does it, once it is told to go on.
    Hold,
}

struct Shared {
    judge: S3Service,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// For requests of this method, or of all, whose key has this text in it.
    faults: Vec<(Option<Method>, String, Fault)>,
    /// Method and key of each, in order.
    requests: Vec<String>,
}

impl BucketServer {
    /// An empty bucket.
    pub(crate) async fn start() -> Self {
        Self::with("http", None).await
    }

    /// The same by TLS, with the certificate and the key in a file.
    pub(crate) async fn encrypted(pem: &[u8]) -> Self {
        Self::with("https", Some(acceptor(pem))).await
    }

    async fn with(scheme: &'static str, tls: Option<TlsAcceptor>) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(BUCKET)).unwrap();
        let objects = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap()).build();
        // The judge sees requests as they come. Whoever keeps the objects knows of no path before the bucket.
        let mut judge = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        judge.set_auth(SimpleAuth::from_single(ID, SECRET));
        judge.set_route(Judged(objects));
        let shared =
            Arc::new(Shared { judge: judge.build(), state: Mutex::default(), changed: watch::channel(()).0 });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, tls, shared.clone()));
        Self { address, scheme, root, shared, _server: server }
    }

    /// Where it is.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}{PREFIX}", self.scheme, self.address)
    }

    /// Settings of a process that keeps its objects here.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        [
            ("PIXCRAWLER_S3_ENDPOINT", &*self.endpoint()),
            ("PIXCRAWLER_S3_BUCKET", BUCKET),
            ("PIXCRAWLER_S3_REGION", REGION),
            ("PIXCRAWLER_S3_ACCESS_KEY_ID", ID),
            ("PIXCRAWLER_S3_SECRET_ACCESS_KEY", SECRET),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
    }

    /// The same as flags.
    pub(crate) fn flags(&self) -> Vec<String> {
        let flag = |name: &str| name.trim_start_matches("PIXCRAWLER_").to_lowercase().replace('_', "-");
        self.settings().iter().map(|(name, value)| format!("--{}={value}", flag(name))).collect()
    }

    /// From now on these requests are answered so: of this method, or of all, whose key has this text in it.
    pub(crate) fn fault(&self, method: Option<Method>, key: &str, fault: Fault) {
        self.change(|state| {
            state.requests.clear();
            state.faults.push((method, key.to_owned(), fault));
        });
    }

    /// All is well again; what was held goes on.
    pub(crate) fn mend(&self) {
        self.change(|state| state.faults.clear());
    }

    /// Method and key of each request that came since it was last told of a fault.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }

    /// Waits for a request that is so, of those that came since it was last told of a fault.
    pub(crate) async fn asked(&self, met: impl Fn(&str) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            while !self.requests().iter().any(|request| met(request)) {
                changed.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("not asked in time; there were {:?}", self.requests()));
    }

    /// Where the objects are files.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }

    /// Makes an object one that was put so many hours ago.
    pub(crate) fn age(&self, key: &str, hours: u64) {
        age(&self.folder().join(key), hours);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.shared.change(change)
    }
}

/// Makes a file one that was written so many hours ago.
pub(crate) fn age(path: &Path, hours: u64) {
    let time = SystemTime::now() - Duration::from_secs(hours * 3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
        changed
    }

    /// What is to be done instead, if anything.
    fn fault(&self, method: &Method, key: &str) -> Option<Fault> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut faults = state.faults.iter();
        let meant =
            faults.find(|(of, text, _)| of.as_ref().is_none_or(|of| of == method) && key.contains(text));
        meant.map(|(.., fault)| *fault)
    }

    async fn answer(&self, request: HttpRequest) -> HttpResponse {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let key = uri.path().trim_start_matches(PREFIX).trim_start_matches('/').to_owned();
        let mut changed = self.changed.subscribe();
        self.change(|state| state.requests.push(format!("{method} {key}")));
        loop {
            match self.fault(&method, &key) {
                None => break,
                Some(Fault::Answer(status, code)) => return refuse(status, code),
                Some(Fault::Hang) => std::future::pending().await,
                Some(Fault::Hold) => changed.changed().await.unwrap(),
            }
        }
        let is_xml = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/xml");
        if method == Method::POST && !is_xml {
            return refuse(400, "InvalidRequest");
        }
        self.judge.call(request).await.unwrap_or_else(|_| refuse(500, "InternalError"))
    }
}

fn refuse(status: u16, code: &str) -> HttpResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>Told to.</Message></Error>"
    );
    Response::builder().status(status).body(Body::from(body)).unwrap()
}

/// Whoever comes here has signed.
struct Judged(S3Service);

#[async_trait::async_trait]
impl S3Route for Judged {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut hyper::http::Extensions) -> bool {
        true
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        if request.region.as_ref().is_some_and(|region| region.as_str() != REGION) {
            return Err(s3_error!(AuthorizationHeaderMalformed, "the region is wrong"));
        }
        let path = request.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        if path.split('/').nth(1) != Some(BUCKET) {
            return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
        }
        let signed = |name: &str| name.to_ascii_lowercase().starts_with("x-amz-");
        let query = request.uri.query().unwrap_or_default().split('&');
        let query: Vec<&str> = query.filter(|pair| !signed(pair)).collect();
        let mut inner = HttpRequest::new(request.input);
        *inner.method_mut() = request.method;
        *inner.uri_mut() = format!("{path}?{}", query.join("&")).parse().unwrap();
        *inner.headers_mut() = request.headers;
        let headers = inner.headers_mut();
        // Supabase does not heed the latter two, and does not say so.
        for name in [AUTHORIZATION, IF_MATCH, IF_NONE_MATCH] {
            headers.remove(name);
        }
        for name in ["x-amz-date", "x-amz-content-sha256", "x-amz-tagging"] {
            headers.remove(name);
        }
        let answer = self.0.call(inner).await.map_err(|_| s3_error!(InternalError))?;
        let (head, body) = answer.into_parts();
        let mut answer = S3Response::with_headers(body, head.headers);
        answer.status = Some(head.status);
        Ok(answer)
    }
}

/// Connections end with the task, because the set that holds them does.
async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { return };
                let shared = shared.clone();
                match tls.clone() {
                    None => connections.spawn(converse(socket, shared)),
                    Some(tls) => connections.spawn(async move {
                        // Who does not trust the certificate goes away.
                        if let Ok(socket) = tls.accept(socket).await {
                            converse(socket, shared).await;
                        }
                    }),
                };
            }
        }
    }
}

async fn converse(socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.answer(request.map(Body::from)).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}
