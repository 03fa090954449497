//! The listener.

use std::{io, net::SocketAddr, time::Duration};

use poem::listener::{Acceptor as _, Listener as _, TcpAcceptor, TcpListener};
use tokio_util::sync::CancellationToken;

use crate::{api, app::App};

/// Requests under way at a stop are given this long; event streams end with it.
const GRACE: Duration = Duration::from_secs(3);

/// A bound server, so that its address is known before it serves.
pub struct Server {
    app: App,
    acceptor: TcpAcceptor,
    address: SocketAddr,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}; choose another with --host and --port")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl Server {
    /// Binds the configured address.
    ///
    /// # Errors
    /// When it is in use or not this machine's.
    pub async fn bind(app: App) -> Result<Self, BindError> {
        let wanted = app.config.listen();
        let failed = |source| BindError { address: wanted, source };
        let acceptor = TcpListener::bind(wanted).into_acceptor().await.map_err(failed)?;
        let address = acceptor
            .local_addr()
            .first()
            .and_then(|address| address.as_socket_addr().copied())
            .unwrap_or(wanted);
        Ok(Self { app, acceptor, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        poem::Server::new_with_acceptor(self.acceptor)
            .run_with_graceful_shutdown(
                api::service(self.app),
                async move { stop.cancelled().await },
                Some(GRACE),
            )
            .await
    }
}
