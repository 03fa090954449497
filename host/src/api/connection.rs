//! Connections of clients: no more than can be served, and none that is only held.
//!
//! The server below has no time limit for a request's head, and its limit for idle
//! connections only begins to wait for the request to end. So the limit is put beneath it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use poem::{
    http::uri::Scheme,
    listener::{Acceptor, TcpAcceptor},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};

/// Pause after a connection could not be accepted, most often for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections as long as there are not too many.
pub(super) struct Connections {
    acceptor: TcpAcceptor,
    room: Arc<Semaphore>,
    patience: Duration,
}

/// A connection that fails when nothing is sent on it for too long: after it was opened, after
/// the last that was sent, and after the first bytes of the next request. It does not help a
/// client to send slowly, or to receive nothing.
pub(super) struct Connection {
    stream: TcpStream,
    patience: Duration,
    end: Pin<Box<Sleep>>,
    /// Something was sent since something was last received.
    answered: bool,
    _room: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(acceptor: TcpAcceptor, most: usize, patience: Duration) -> Self {
        // More than the type can count is no bound.
        Self { acceptor, room: Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))), patience }
    }
}

impl Acceptor for Connections {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.acceptor.local_addr()
    }

    async fn accept(&mut self) -> io::Result<(Connection, LocalAddr, RemoteAddr, Scheme)> {
        let room = self.room.clone().acquire_owned().await.map_err(io::Error::other)?;
        match self.acceptor.accept().await {
            Ok((stream, local, remote, scheme)) => {
                let connection = Connection {
                    stream,
                    patience: self.patience,
                    end: Box::pin(tokio::time::sleep(self.patience)),
                    answered: false,
                    _room: room,
                };
                Ok((connection, local, remote, scheme))
            }
            Err(error) => {
                // The server asks again at once.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                Err(error)
            }
        }
    }
}

impl Connection {
    fn begin_again(&mut self) {
        self.end.as_mut().reset(Instant::now() + self.patience);
    }

    /// Waits, but not longer than until the end.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Pending => self.wait(cx),
            written => {
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
