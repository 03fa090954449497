//! The way to a database, which may be cut without either end being told.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};
use url::Url;

/// What speaks TLS with the certificate and the key in a file.
pub(crate) fn acceptor(pem: &[u8]) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A port of loopback that leads to the socket of a server.
pub(crate) struct Relay {
    address: SocketAddr,
    open: watch::Sender<bool>,
    database: String,
    _server: JoinSet<()>,
}

impl Relay {
    /// To the database at this address.
    pub(crate) async fn to(url: &SecretString) -> Self {
        Self::with(url, None).await
    }

    /// By TLS, with the certificate and the key in a file.
    pub(crate) async fn encrypted(url: &SecretString, pem: &[u8]) -> Self {
        Self::with(url, Some(acceptor(pem))).await
    }

    async fn with(url: &SecretString, tls: Option<TlsAcceptor>) -> Self {
        let url = Url::parse(url.expose_secret()).unwrap();
        let folder = url.query_pairs().find(|(name, _)| name == "host").unwrap().1.into_owned();
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = watch::Sender::new(true);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, socket, tls, open.clone()));
        Self { address, open, database: url.path().trim_start_matches('/').to_owned(), _server: server }
    }

    /// The address of the database by this way.
    pub(crate) fn url(&self) -> SecretString {
        format!("postgres://pixcrawler@{}/{}", self.address, self.database).into()
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address of the database under the name of the machine, checked as of a server elsewhere.
    pub(crate) fn verified_url(&self) -> SecretString {
        format!("postgres://pixcrawler@localhost:{}/{}?sslmode=verify-full", self.port(), self.database)
            .into()
    }

    /// Nothing comes through, in either direction, and nothing is closed.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    /// All goes on as if nothing had been.
    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn serve(listener: TcpListener, socket: PathBuf, tls: Option<TlsAcceptor>, open: watch::Sender<bool>) {
    let mut ways = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let server = UnixStream::connect(&socket).await.unwrap();
        let (from_server, to_server) = server.into_split();
        let (there, back) = (open.subscribe(), open.subscribe());
        let Some(tls) = &tls else {
            let (from_client, to_client) = client.into_split();
            ways.spawn(carry(from_client, to_server, there));
            ways.spawn(carry(from_server, to_client, back));
            continue;
        };
        // The client asks whether there is TLS, and is told yes.
        let mut asks = [0; 8];
        if client.read_exact(&mut asks).await.is_err() || client.write_all(b"S").await.is_err() {
            continue;
        }
        if let Ok(client) = tls.accept(client).await {
            let (from_client, to_client) = tokio::io::split(client);
            ways.spawn(carry(from_client, to_server, there));
            ways.spawn(carry(from_server, to_client, back));
        }
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let open = open.wait_for(|open| *open).await.is_ok();
        if !open || to.write_all(&bytes[..count]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
