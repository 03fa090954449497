//! A web site on loopback that misbehaves as it is told, sees what it is asked, and lets
//! a test wait for that.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// The public name that the tests crawl; every origin is mapped to the site.
pub(crate) const ORIGIN: &str = "http://site.example";

/// Longest wait for something to happen; only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until dropped. What it does may be changed while it runs; paths that it was told
/// nothing about are answered with 404.
pub(crate) struct Site {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

/// How a path is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A page of HTML.
    Page(String),
    /// What an API says.
    Json(String),
    /// A small picture that no other path has.
    Picture,
    /// These bytes, as a picture.
    Bytes(Arc<[u8]>),
    /// Nothing, as long as the client waits.
    Hang,
    /// The picture, a byte a second.
    Trickle,
    /// Half of the picture, then nothing.
    Half,
    /// No body; with `Retry-After` in seconds when given.
    Status(u16, Option<u32>),
    /// To this address.
    Redirect(String),
    /// As the reply within, with this `Set-Cookie`.
    Cookie(String, Box<Self>),
    /// As the reply within, once the site was told to [`Site::release`] the path.
    Held(Box<Self>),
    /// This as it is, head and all; then the connection is closed.
    Raw(Vec<u8>),
    /// The first as it is, head and all, then the second again and again.
    Endless(Vec<u8>, Vec<u8>),
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// What is left to say to each path; the last reply is given again and again.
    replies: HashMap<String, VecDeque<Reply>>,
    released: BTreeSet<String>,
    /// Every request, in order: its path, and all that stands before the body.
    requests: Vec<(String, String)>,
    /// Paths whose answers are under way, with the number of bytes sent of their bodies.
    open: HashMap<u64, (String, usize)>,
    next: u64,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { state: Mutex::default(), changed: watch::channel(()).0 });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, shared.clone()));
        Self { address, shared, _server: server }
    }

    /// For `PIXCRAWLER_MAP_ORIGIN`.
    pub(crate) fn mapping(&self) -> String {
        format!("*=http://{}", self.address)
    }

    /// Where it really is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests for `path` (or `//host/path`, for that origin only) with these, one after
    /// the other, the last one for good.
    /// What is held there from now on must be released anew.
    pub(crate) fn on(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.shared.change(|state| {
            state.released.remove(path);
            state.replies.insert(path.to_owned(), replies);
        });
    }

    /// Holds the pictures at these paths until they are released.
    pub(crate) fn hold(&self, paths: &[impl AsRef<str>]) {
        for path in paths {
            self.on(path.as_ref(), [Reply::Held(Box::new(Reply::Picture))]);
        }
    }

    /// A page at `path` that shows `count` pictures, `{path}/0.png` and so on, and links to
    /// the page that follows. Gives the paths of the pictures.
    pub(crate) fn gallery(&self, path: &str, count: usize, next: Option<&str>) -> Vec<String> {
        let pictures: Vec<_> = (0..count).map(|number| format!("{path}/{number}.png")).collect();
        for picture in &pictures {
            self.on(picture, [Reply::Picture]);
        }
        self.on(path, [page(&pictures, next)]);
        pictures
    }

    /// Lets go of what is held at these paths.
    pub(crate) fn release(&self, paths: &[impl AsRef<str>]) {
        let paths = paths.iter().map(|path| path.as_ref().to_owned());
        self.shared.change(|state| state.released.extend(paths));
    }

    /// Paths that begin so, each as often as it was asked for, in order.
    pub(crate) fn requests(&self, path: &str) -> Vec<String> {
        let state = self.shared.state();
        let asked = state.requests.iter().map(|(asked, _)| asked);
        asked.filter(|asked| asked.starts_with(path)).cloned().collect()
    }

    /// What this header (in lower case) said in each request for paths that begin so, in order.
    pub(crate) fn header(&self, path: &str, name: &str) -> Vec<Option<String>> {
        let state = self.shared.state();
        let asked = state.requests.iter().filter(|(asked, _)| asked.starts_with(path));
        let value = |head: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).next()
        };
        asked.map(|(_, head)| value(head)).collect()
    }

    /// Waits until `count` requests for paths that begin so were seen.
    pub(crate) async fn seen(&self, path: &str, count: usize) {
        let what = format!("{count} requests for {path}");
        self.until(PATIENCE, &what, |state| {
            state.requests.iter().filter(|(asked, _)| asked.starts_with(path)).count() >= count
        })
        .await;
    }

    /// Waits until `count` answers to paths that begin so are under way, and gives the paths.
    pub(crate) async fn busy(&self, path: &str, count: usize) -> Vec<String> {
        let what = format!("{count} answers to {path} under way");
        self.until(PATIENCE, &what, |state| open(state, path).count() >= count).await;
        let state = self.shared.state();
        state.open.values().filter(|(open, _)| open.starts_with(path)).map(|(open, _)| open.clone()).collect()
    }

    /// Waits until at least a byte was sent of the body of each of `count` answers.
    pub(crate) async fn sending(&self, path: &str, count: usize) {
        let what = format!("{count} bodies of {path} begun");
        self.until(PATIENCE, &what, |state| open(state, path).filter(|sent| *sent > 0).count() >= count)
            .await;
    }

    /// Waits until no answer to paths that begin so is under way, which means that the
    /// client closed its sockets where the site does not end by itself.
    pub(crate) async fn closed(&self, path: &str, within: Duration) {
        let what = format!("all sockets of {path} closed");
        self.until(within, &what, |state| open(state, path).next().is_none()).await;
    }

    async fn until(&self, within: Duration, what: &str, met: impl Fn(&State) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            while !met(&self.shared.state()) {
                changed.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(within, wait).await.is_err() {
            let state = self.shared.state();
            let asked: Vec<_> = state.requests.iter().map(|(path, _)| path).collect();
            panic!("not within {within:?}: {what}; requests {asked:?}; open {:?}", state.open);
        }
    }
}

/// Bytes sent of each open answer to paths that begin so.
fn open<'a>(state: &'a State, path: &'a str) -> impl Iterator<Item = usize> + 'a {
    state.open.values().filter(move |(open, _)| open.starts_with(path)).map(|(_, sent)| *sent)
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.send_replace(());
        changed
    }
}

/// A page that shows pictures and links to the page that follows.
pub(crate) fn page(pictures: &[String], next: Option<&str>) -> Reply {
    let mut html = "<!DOCTYPE html><title>Gallery</title>".to_owned();
    for picture in pictures {
        write!(html, "<img src='{picture}'>").unwrap();
    }
    if let Some(next) = next {
        write!(html, "<a rel=next href='{next}'>Next</a>").unwrap();
    }
    Reply::Page(html)
}

/// The picture of a path: 16 × 16 pixels of noise that its name seeds.
pub(crate) fn picture(path: &str) -> Vec<u8> {
    let mut noise = Vec::new();
    for part in 0..24u8 {
        noise.extend(Sha256::new().chain_update(path).chain_update([part]).finalize());
    }
    let image = image::RgbImage::from_raw(16, 16, noise).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// SHA-256 of the picture of each path, in hexadecimal.
pub(crate) fn hashes<'a>(paths: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    paths.into_iter().map(|path| hex::encode(Sha256::digest(picture(path)))).collect()
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { return };
                connections.spawn(converse(socket, shared.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of a connection until either side closes it.
async fn converse(socket: TcpStream, shared: Arc<Shared>) {
    let mut socket = BufReader::new(socket);
    while let Some((path, head)) = request(&mut socket).await {
        let host = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
        let (answer, reply) = shared.change(|state| {
            state.requests.push((path.clone(), head));
            let answer = state.next;
            state.next += 1;
            state.open.insert(answer, (path.clone(), 0));
            let named = format!("//{host}{path}");
            let key = if state.replies.contains_key(&named) { named } else { path.clone() };
            let replies = state.replies.entry(key).or_default();
            let reply = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
            (answer, reply.unwrap_or(Reply::Status(404, None)))
        });
        // Gone when this is dropped, too: with the client, or with the site.
        let open = Open { shared: &shared, answer };
        let (path, reply) = match reply {
            Reply::Held(reply) => {
                let mut changed = shared.changed.subscribe();
                let held = async {
                    while !shared.state().released.contains(&path) {
                        changed.changed().await.unwrap();
                    }
                };
                tokio::select! {
                    () = held => {}
                    () = client_gone(&mut socket) => return,
                }
                (path, *reply)
            }
            reply => (path, reply),
        };
        if !answer_with(&mut socket, &open, &path, reply).await {
            return;
        }
    }
}

/// An answer under way.
struct Open<'a> {
    shared: &'a Shared,
    answer: u64,
}

impl Open<'_> {
    fn sent(&self, bytes: usize) {
        self.shared.change(|state| state.open.get_mut(&self.answer).unwrap().1 = bytes);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.shared.change(|state| state.open.remove(&self.answer));
    }
}

/// Path and head of the next request; none when the client is gone.
async fn request(socket: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    Some((head.split(' ').nth(1).unwrap().to_owned(), head))
}

/// Answers; whether the connection can be used again.
async fn answer_with(socket: &mut BufReader<TcpStream>, open: &Open<'_>, path: &str, reply: Reply) -> bool {
    let (cookie, reply) = match reply {
        Reply::Cookie(cookie, reply) => (format!("set-cookie: {cookie}\r\n"), *reply),
        reply => (String::new(), reply),
    };
    let (status, headers, body) = match &reply {
        Reply::Page(html) => (200, "content-type: text/html\r\n".to_owned(), html.clone().into_bytes()),
        Reply::Json(json) => {
            (200, "content-type: application/json\r\n".to_owned(), json.clone().into_bytes())
        }
        Reply::Picture | Reply::Trickle | Reply::Half => {
            (200, "content-type: image/png\r\n".to_owned(), picture(path))
        }
        Reply::Bytes(bytes) => (200, "content-type: image/webp\r\n".to_owned(), bytes.to_vec()),
        Reply::Status(status, after) => {
            let after = after.map_or_else(String::new, |after| format!("retry-after: {after}\r\n"));
            (*status, after, Vec::new())
        }
        Reply::Redirect(to) => (302, format!("location: {to}\r\n"), Vec::new()),
        Reply::Held(_) | Reply::Cookie(..) => unreachable!("nothing is wrapped twice"),
        Reply::Raw(answer) => {
            let _ = socket.write_all(answer).await;
            return false;
        }
        Reply::Endless(first, part) => {
            let mut sent = socket.write_all(first).await;
            while sent.is_ok() {
                sent = socket.write_all(part).await;
            }
            return false;
        }
        Reply::Hang => {
            client_gone(socket).await;
            return false;
        }
    };
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n{headers}{cookie}\r\n", body.len());
    let now = match reply {
        Reply::Trickle => 0,
        Reply::Half => body.len() / 2,
        _ => body.len(),
    };
    let (first, rest) = body.split_at(now);
    if socket.write_all(&[head.as_bytes(), first].concat()).await.is_err() {
        return false;
    }
    open.sent(now);
    match reply {
        Reply::Half => {
            client_gone(socket).await;
            false
        }
        Reply::Trickle => {
            for (sent, byte) in rest.iter().enumerate() {
                if socket.write_all(&[*byte]).await.is_err() {
                    return false;
                }
                open.sent(sent + 1);
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = client_gone(socket) => return false,
                }
            }
            true
        }
        _ => true,
    }
}

/// Waits until the client closes the connection; it has nothing to say before it is answered.
async fn client_gone(socket: &mut BufReader<TcpStream>) {
    let _ = socket.read_u8().await;
}
