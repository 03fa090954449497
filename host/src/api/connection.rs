//! Connections of clients: no more than can be served, none that is only held, and a share
//! of them for each address. Behind a proxy that the operator trusts, what it asks for a client counts
//! for that.
//!
//! The server below has no time limit for a request's head, and its limit for idle
//! connections only begins to wait for the request to end. So the limits are put beneath it.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::{Bytes, Frame, SizeHint};
use ipnet::IpNet;
use poem::{
    Body, Request,
    http::uri::Scheme,
    listener::{Acceptor, TcpAcceptor},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::{Instant, Sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::config;

/// Pause after a connection could not be accepted, most often for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest time until the first request's head is whole; a client that means it sends at once.
const FIRST_HEAD: Duration = Duration::from_secs(10);
/// An answer may wait this long for its client to take any of it, where others want the place.
const FULL: Duration = Duration::from_secs(2);
/// What part of all places one address may take.
const SHARE: usize = 4;

/// Accepts connections as long as there are not too many.
pub(super) struct Connections {
    acceptor: TcpAcceptor,
    table: Arc<ConnectionTable>,
    patience: Duration,
}

/// A connection that fails when nothing is sent on it for too long: after it was opened, after
/// the last that was sent, and after the first bytes of the next request. It does not help a
/// client to send slowly, or to receive nothing.
pub(super) struct Connection {
    stream: TcpStream,
    place: ConnectionPermit,
    patience: Duration,
    /// No request has come yet, as far as is known here.
    is_new: bool,
    opened: Instant,
    end: Pin<Box<Sleep>>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Something was sent since something was last received.
    answered: bool,
    /// The client does not take what is sent as fast as it is there.
    is_full: bool,
}

/// Who is connected. A place is taken from who has kept the host waiting longest: the idle,
/// those whose request does not come whole, and those who do not take their answer. What else is
/// being answered is never closed.
pub(super) struct ConnectionTable {
    most: usize,
    share: usize,
    trusted: Vec<IpNet>,
    open: Mutex<Open>,
    /// A place became free, or its client idle.
    changed: Notify,
}

#[derive(Default)]
struct Open {
    entries: HashMap<SocketAddr, ConnectionEntry>,
    next: u64,
    /// Requests that trusted proxies have passed on and that are being answered, by client.
    passed_on: HashMap<IpAddr, usize>,
}

struct ConnectionEntry {
    id: u64,
    /// None for a proxy that the operator trusts.
    client: Option<IpAddr>,
    /// Requests that are being answered.
    busy: usize,
    /// A request has come.
    asked: bool,
    /// Since when an answer waits for its client to take any of it.
    full_since: Option<Instant>,
    waits_since: Instant,
    close: CancellationToken,
}

/// Whether a connection finds a place.
enum Admission {
    Place(ConnectionPermit, WaitForCancellationFutureOwned),
    /// Its address has its share, and all of that is being answered.
    Refused,
    /// Everything is being answered.
    Full,
}

/// A connection in the table; gone when dropped.
struct ConnectionPermit {
    table: Arc<ConnectionTable>,
    address: SocketAddr,
    id: u64,
}

/// A request that is being answered, or (then `waits`) that does not come whole.
pub(super) struct Busy {
    table: Arc<ConnectionTable>,
    address: SocketAddr,
    waits: bool,
    /// For whom a trusted proxy asks.
    client: Option<IpAddr>,
}

/// A client has as many requests under way as one may.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShareTaken;

impl Connections {
    pub(super) const fn new(acceptor: TcpAcceptor, table: Arc<ConnectionTable>, patience: Duration) -> Self {
        Self { acceptor, table, patience }
    }

    /// Gives the connection its place; none when its address has too many. Waits while all are in use.
    async fn admit(&self, stream: TcpStream, address: SocketAddr) -> Option<Connection> {
        loop {
            let changed = self.table.changed.notified();
            match self.table.find(address) {
                Admission::Place(place, closed) => {
                    let opened = Instant::now();
                    return Some(Connection {
                        stream,
                        place,
                        patience: self.patience,
                        is_new: true,
                        opened,
                        end: Box::pin(tokio::time::sleep_until(opened + self.patience.min(FIRST_HEAD))),
                        closed: Box::pin(closed),
                        answered: false,
                        is_full: false,
                    });
                }
                Admission::Refused => return None,
                // It is not told when an answer has waited for long enough.
                Admission::Full => drop(tokio::time::timeout(FULL / 4, changed).await),
            }
        }
    }
}

impl Acceptor for Connections {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.acceptor.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Connection, LocalAddr, RemoteAddr, Scheme)> {
        loop {
            match self.acceptor.accept().await {
                Ok((stream, local, remote, scheme)) => {
                    let Some(address) = remote.as_socket_addr().copied() else { continue };
                    if let Some(connection) = self.admit(stream, address).await {
                        return Ok((connection, local, remote, scheme));
                    }
                    tracing::debug!(%address, "too many connections of one address");
                }
                Err(error) => {
                    // The server asks again at once.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                    return Err(error);
                }
            }
        }
    }
}

impl ConnectionTable {
    pub(super) fn new(http: &config::Http) -> Self {
        let most = http.max_connections.max(1);
        Self {
            most,
            share: most.div_ceil(SHARE),
            trusted: http.trusted_proxies.clone(),
            open: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Notes that `request` is being answered, for as long as what is returned lives.
    ///
    /// # Errors
    /// When it comes through a trusted proxy, whose connections are not counted, and its client has its share.
    pub(super) fn answers(self: &Arc<Self>, request: &Request) -> Result<Option<Busy>, ShareTaken> {
        let client = self.passed_on_for(request).and_then(|address| self.client(address));
        if let Some(client) = client {
            let mut open = self.open();
            let count = open.passed_on.entry(client).or_default();
            if *count >= self.share {
                return Err(ShareTaken);
            }
            *count += 1;
        }
        Ok(Busy::begin(self, request, false, client))
    }

    /// Notes that the body of `request` is waited for, for as long as what is returned lives.
    pub(super) fn waits_for(self: &Arc<Self>, request: &Request) -> Option<Busy> {
        Busy::begin(self, request, true, None)
    }

    fn find(self: &Arc<Self>, address: SocketAddr) -> Admission {
        let client = self.client(address.ip());
        let mut open = self.open();
        if client.is_some() && open.of(client).count() >= self.share && !open.close_one(client) {
            return Admission::Refused;
        }
        if open.entries.len() >= self.most && !open.close_one(None) {
            return Admission::Full;
        }
        let (id, close) = (open.next, CancellationToken::new());
        open.next += 1;
        let closed = close.clone().cancelled_owned();
        let waits_since = Instant::now();
        let entry =
            ConnectionEntry { id, client, busy: 0, asked: false, full_since: None, waits_since, close };
        open.entries.insert(address, entry);
        Admission::Place(ConnectionPermit { table: Arc::clone(self), address, id }, closed)
    }

    /// The address that a request came from: its own, or for whom a trusted proxy passes it on.
    pub(super) fn address_of(&self, request: &Request) -> Option<IpAddr> {
        let peer = request.remote_addr().as_socket_addr()?.ip().to_canonical();
        Some(self.passed_on_for(request).unwrap_or(peer))
    }

    /// For whom a trusted proxy passes a request on: the last of `X-Forwarded-For` that is no trusted proxy
    /// itself. What stands before it anybody may have written, and so may whoever is no trusted proxy.
    fn passed_on_for(&self, request: &Request) -> Option<IpAddr> {
        let peer = request.remote_addr().as_socket_addr()?.ip().to_canonical();
        if !self.is_proxy(peer) {
            return None;
        }
        let lines = request.headers().get_all("x-forwarded-for").into_iter();
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        hops.map_while(|hop| parse_hop(hop.trim())).find(|address| !self.is_proxy(*address))
    }

    /// Whether the operator trusts it; the address is canonical.
    fn is_proxy(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(&address))
    }

    /// Finds whose share a connection belongs to. A network is handed out to one customer as /64 at least.
    fn client(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        if self.is_proxy(address) {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
        })
    }

    fn passed_on_one_less(&self, client: IpAddr) {
        let mut open = self.open();
        if let Some(count) = open.passed_on.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                open.passed_on.remove(&client);
            }
        }
    }

    /// Locks the table: a panic elsewhere cannot leave entries half changed.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, address: SocketAddr, change: impl FnOnce(&mut ConnectionEntry)) {
        if let Some(entry) = self.open().entries.get_mut(&address) {
            let waited = entry.waits();
            change(entry);
            if entry.waits() && !waited {
                entry.waits_since = Instant::now();
                self.changed.notify_waiters();
            }
        }
    }
}

impl Open {
    fn of(&self, client: Option<IpAddr>) -> impl Iterator<Item = (&SocketAddr, &ConnectionEntry)> {
        self.entries.iter().filter(move |(_, entry)| client.is_none() || entry.client == client)
    }

    /// Closes the connection (of this client, if one is given) that waits longest; false if none does.
    fn close_one(&mut self, client: Option<IpAddr>) -> bool {
        let now = Instant::now();
        let waiting =
            self.of(client).filter_map(|(address, entry)| Some((entry.kept_waiting(now)?, *address)));
        let oldest = waiting.min().map(|(_, address)| address);
        // Its place is free at once, and the rest of it goes when its task is next polled.
        let closed = oldest.and_then(|address| self.entries.remove(&address));
        closed.inspect(|entry| entry.close.cancel()).is_some()
    }
}

impl ConnectionEntry {
    /// Tells whether the next word is the client's.
    const fn waits(&self) -> bool {
        self.busy == 0 && self.full_since.is_none()
    }

    /// Says since when its client keeps the host waiting, if for long enough to lose its place.
    fn kept_waiting(&self, now: Instant) -> Option<Instant> {
        match self.full_since {
            Some(since) => (since + FULL <= now).then_some(since),
            None => (self.busy == 0).then_some(self.waits_since),
        }
    }
}

impl ConnectionPermit {
    fn change(&self, change: impl FnOnce(&mut ConnectionEntry)) {
        self.table.change(self.address, |entry| {
            if entry.id == self.id {
                change(entry);
            }
        });
    }

    fn was_asked(&self) -> bool {
        let open = self.table.open();
        open.entries.get(&self.address).is_some_and(|entry| entry.id == self.id && entry.asked)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.table.open();
        if open.entries.get(&self.address).is_some_and(|entry| entry.id == self.id) {
            open.entries.remove(&self.address);
            self.table.changed.notify_waiters();
        }
    }
}

impl Busy {
    fn begin(
        table: &Arc<ConnectionTable>,
        request: &Request,
        waits: bool,
        client: Option<IpAddr>,
    ) -> Option<Self> {
        let address = *request.remote_addr().as_socket_addr()?;
        let busy = Self { table: Arc::clone(table), address, waits, client };
        busy.count(!waits);
        Some(busy)
    }

    fn count(&self, more: bool) {
        self.table.change(self.address, |entry| {
            entry.asked = true;
            entry.busy = if more { entry.busy + 1 } else { entry.busy.saturating_sub(1) };
        });
    }

    /// Closes the connection: its client is not to take what it got for the whole.
    fn break_off(&self) {
        self.table.change(self.address, |entry| entry.close.cancel());
    }

    /// Wraps `body`, with which is being answered until its end. A body that fails closes the connection.
    pub(super) fn until_end_of(self, body: Body) -> Body {
        Body::from(BoxBody::new(CountedBody { body: body.into(), busy: self }))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.count(self.waits);
        if let Some(client) = self.client {
            self.table.passed_on_one_less(client);
        }
    }
}

/// Reads an address as proxies write it: bare, or with the port of the client.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse().map(|address: SocketAddr| address.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address: IpAddr = hop.parse().or_else(|_| with_port()).ok().or_else(bracketed)?;
    Some(address.to_canonical())
}

type BoxBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// The body of an answer on its way.
struct CountedBody {
    body: BoxBody,
    busy: Busy,
}

impl hyper::body::Body for CountedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(_))) = frame {
            // Else poem, which polls a connection again that has failed, would have the body end as if
            // it were whole.
            self.busy.break_off();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Connection {
    fn begin_again(&mut self) {
        self.is_new = false;
        self.end.as_mut().reset(Instant::now() + self.patience);
    }

    /// Fails once the place was given to another.
    fn check_place(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.closed.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Waits, but not longer than until the end.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.end.as_mut().poll(cx));
        // The head came, and only the rest does not.
        if self.is_new && self.place.was_asked() {
            self.is_new = false;
            self.end.as_mut().reset(self.opened + self.patience);
            ready!(self.end.as_mut().poll(cx));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn set_full(&mut self, is_full: bool) {
        if self.is_full != is_full {
            self.is_full = is_full;
            self.place.change(|entry| entry.full_since = is_full.then(Instant::now));
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_place(cx)?;
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Pending => self.wait(cx),
            read => {
                if std::mem::take(&mut self.answered) {
                    self.begin_again();
                }
                read
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_place(cx)?;
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Pending => {
                self.set_full(true);
                self.wait(cx)
            }
            written => {
                self.set_full(false);
                self.answered = true;
                self.begin_again();
                written
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
