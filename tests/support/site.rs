//! A web site on loopback that misbehaves as it is told, sees what it is asked, and lets
//! a test wait for that.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use image::{DynamicImage, ImageFormat, imageops::FilterType};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::raw::{Answer, Client, RawServer, header, path};

/// The public name that the tests crawl; every origin is mapped to the site.
pub(crate) const ORIGIN: &str = "http://site.example";

/// Longest wait for something to happen; only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs until dropped. What it does may be changed while it runs; paths that it was told
/// nothing about are answered with 404.
pub(crate) struct Site {
    shared: Arc<Shared>,
    server: RawServer,
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
    /// A picture that does not end: 2 KiB now and again every second, so that nobody calls it too slow.
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
    /// Every request, in order.
    requests: Vec<String>,
    /// Paths whose answers are under way, with the number of bytes sent of their bodies.
    open: HashMap<u64, (String, usize)>,
    next: u64,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: watch::channel(()).0 });
        let server = RawServer::start(Ipv4Addr::LOCALHOST, shared.clone()).await.unwrap();
        Self { shared, server }
    }

    /// For `PIXCRAWLER_MAP_ORIGIN`.
    pub(crate) fn mapping(&self) -> String {
        format!("*=http://{}", self.address())
    }

    /// Where it really is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
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

    /// Puts these pictures on a page, below which each has a number.
    pub(crate) fn show(&self, path: &str, pictures: impl IntoIterator<Item = Vec<u8>>) {
        self.show_named(path, (0..).map(|number: u32| number.to_string()).zip(pictures));
    }

    /// The same, each under its name.
    pub(crate) fn show_named(&self, path: &str, pictures: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let put = |(name, bytes): (String, Vec<u8>)| {
            let address = format!("{path}/{name}");
            self.on(&address, [Reply::Bytes(bytes.into())]);
            address
        };
        let addresses: Vec<String> = pictures.into_iter().map(put).collect();
        self.on(path, [page(&addresses, None)]);
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
    pub(crate) fn requests(&self, start: &str) -> Vec<String> {
        asked(&self.shared.state(), start).map(|request| path(request).to_owned()).collect()
    }

    /// What this header (in lower case) said in each request for paths that begin so, in order.
    pub(crate) fn header(&self, start: &str, name: &str) -> Vec<Option<String>> {
        let state = self.shared.state();
        asked(&state, start).map(|request| header(request, name).map(str::to_owned)).collect()
    }

    /// Waits until `count` requests for paths that begin so were seen.
    pub(crate) async fn seen(&self, path: &str, count: usize) {
        let what = format!("{count} requests for {path}");
        self.until(&what, |state| asked(state, path).count() >= count).await;
    }

    /// Waits until `count` answers to paths that begin so are under way, and gives the paths.
    pub(crate) async fn busy(&self, path: &str, count: usize) -> Vec<String> {
        let what = format!("{count} answers to {path} under way");
        self.until(&what, |state| open(state, path).count() >= count).await;
        let state = self.shared.state();
        state.open.values().filter(|(open, _)| open.starts_with(path)).map(|(open, _)| open.clone()).collect()
    }

    /// Waits until at least a byte was sent of the body of each of `count` answers.
    pub(crate) async fn sending(&self, path: &str, count: usize) {
        let what = format!("{count} bodies of {path} begun");
        self.until(&what, |state| open(state, path).filter(|sent| *sent > 0).count() >= count).await;
    }

    /// Waits until no answer to paths that begin so is under way, which means that the
    /// client closed its sockets where the site does not end by itself.
    pub(crate) async fn closed(&self, path: &str) {
        let what = format!("all sockets of {path} closed");
        self.until(&what, |state| open(state, path).next().is_none()).await;
    }

    async fn until(&self, what: &str, met: impl Fn(&State) -> bool) {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            while !met(&self.shared.state()) {
                changed.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let state = self.shared.state();
            let asked: Vec<_> = state.requests.iter().map(|request| path(request)).collect();
            panic!("not within {PATIENCE:?}: {what}; requests {asked:?}; open {:?}", state.open);
        }
    }
}

/// The requests for paths that begin so, but for that file of the site which is asked for beside any picture.
fn asked<'a>(state: &'a State, start: &'a str) -> impl Iterator<Item = &'a String> {
    const BESIDE: &str = "/.well-known/tdmrep.json";
    let meant = move |asked: &str| asked.starts_with(start) && (asked != BESIDE || start == BESIDE);
    state.requests.iter().filter(move |request| meant(path(request)))
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
    encoded(image::RgbImage::from_raw(16, 16, noise).unwrap(), ImageFormat::Png)
}

/// The file of a picture.
pub(crate) fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The same picture with so many times the pixels on each side.
pub(crate) fn enlarged(path: &str, times: u32) -> Vec<u8> {
    encoded(resized(path, times, FilterType::Nearest), ImageFormat::Png)
}

/// The picture of a path as a JPEG, soft and with so many times the pixels on each side: it looks like the others.
pub(crate) fn soft(path: &str, times: u32) -> Vec<u8> {
    encoded(resized(path, times, FilterType::Triangle), ImageFormat::Jpeg)
}

fn resized(path: &str, times: u32, filter: FilterType) -> DynamicImage {
    let small = image::load_from_memory(&picture(path)).unwrap();
    small.resize_exact(16 * times, 16 * times, filter)
}

/// SHA-256 of the picture of each path, in hexadecimal.
pub(crate) fn hashes<'a>(paths: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    paths.into_iter().map(|path| hex::encode(Sha256::digest(picture(path)))).collect()
}

impl Answer for Arc<Shared> {
    async fn answer(&self, request: String, client: &mut Client) -> ControlFlow<()> {
        let path = path(&request).to_owned();
        let named = format!("//{}{path}", header(&request, "host").unwrap_or_default());
        let (answer, reply) = self.change(|state| {
            state.requests.push(request);
            let answer = state.next;
            state.next += 1;
            state.open.insert(answer, (path.clone(), 0));
            let key = if state.replies.contains_key(&named) { named } else { path.clone() };
            let replies = state.replies.entry(key).or_default();
            let reply = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
            (answer, reply.unwrap_or(Reply::Status(404, None)))
        });
        // Gone when this is dropped, too: with the client, or with the site.
        let open = Open { shared: self, answer };
        let reply = match reply {
            Reply::Held(reply) => {
                let mut changed = self.changed.subscribe();
                let held = async {
                    while !self.state().released.contains(&path) {
                        changed.changed().await.unwrap();
                    }
                };
                tokio::select! {
                    () = held => {}
                    gone = client.gone() => return gone,
                }
                *reply
            }
            reply => reply,
        };
        answer_with(client, &open, &path, reply).await
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

async fn answer_with(client: &mut Client, open: &Open<'_>, path: &str, reply: Reply) -> ControlFlow<()> {
    let (cookie, reply) = match reply {
        Reply::Cookie(cookie, reply) => (format!("set-cookie: {cookie}\r\n"), *reply),
        reply => (String::new(), reply),
    };
    let (status, headers, body) = match &reply {
        Reply::Page(html) => (200, "content-type: text/html\r\n".to_owned(), html.clone().into_bytes()),
        Reply::Json(json) => {
            (200, "content-type: application/json\r\n".to_owned(), json.clone().into_bytes())
        }
        Reply::Picture | Reply::Half => (200, "content-type: image/png\r\n".to_owned(), picture(path)),
        Reply::Bytes(bytes) => (200, "content-type: image/webp\r\n".to_owned(), bytes.to_vec()),
        Reply::Status(status, after) => {
            let after = after.map_or_else(String::new, |after| format!("retry-after: {after}\r\n"));
            (*status, after, Vec::new())
        }
        Reply::Redirect(to) => (302, format!("location: {to}\r\n"), Vec::new()),
        Reply::Held(_) | Reply::Cookie(..) => unreachable!("nothing is wrapped twice"),
        Reply::Raw(answer) => {
            client.send(answer).await?;
            return ControlFlow::Break(());
        }
        Reply::Endless(first, part) => {
            client.send(first).await?;
            return client.send_endlessly(part).await;
        }
        Reply::Hang => return client.gone().await,
        Reply::Trickle => return trickle(client, open, path).await,
    };
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n{headers}{cookie}\r\n", body.len());
    let is_half = matches!(reply, Reply::Half);
    let now = if is_half { &body[..body.len() / 2] } else { &body[..] };
    client.send(&[head.as_bytes(), now].concat()).await?;
    open.sent(now.len());
    if is_half { client.gone().await } else { ControlFlow::Continue(()) }
}

async fn trickle(client: &mut Client, open: &Open<'_>, path: &str) -> ControlFlow<()> {
    let mut part = picture(path);
    part.resize(2 << 10, 0);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    client.send(b"HTTP/1.1 200 -\r\ncontent-type: image/png\r\n\r\n").await?;
    for parts in 1.. {
        tokio::select! {
            _ = second.tick() => {}
            gone = client.gone() => return gone,
        }
        client.send(&part).await?;
        open.sent(parts * part.len());
    }
    ControlFlow::Break(())
}
