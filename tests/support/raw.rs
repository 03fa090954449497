//! A web server that reads requests as it should and answers them as it is told, right or wrong:
//! for these tests, those of the door, and `make soak`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Serves until dropped, and so do its connections.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    _server: JoinSet<()>,
}

/// What a server does with a request.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers a request (head and body as text); the connection is closed after `Break`.
    fn answer(&self, request: String, client: &mut Client) -> impl Future<Output = ControlFlow<()>> + Send;
}

/// The other end of a connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl RawServer {
    /// Listens on a free port of this address.
    pub(crate) async fn start(address: Ipv4Addr, answer: impl Answer) -> std::io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::new(answer)));
        Ok(Self { address, _server: server })
    }
}

/// Connections end with the task, because the set that holds them does.
async fn serve(listener: TcpListener, answer: Arc<impl Answer>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { return };
                let answer = Arc::clone(&answer);
                connections.spawn(async move {
                    let mut client = Client(BufReader::new(socket));
                    while let Some(request) = client.request().await
                        && answer.answer(request, &mut client).await.is_continue()
                    {}
                });
            }
        }
    }
}

impl Client {
    /// Reads the next request; none when the client is gone.
    async fn request(&mut self) -> Option<String> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        let head = request.len();
        request.resize(head + length.unwrap_or(0), 0);
        self.0.read_exact(&mut request[head..]).await.ok()?;
        Some(String::from_utf8_lossy(&request).into_owned())
    }

    /// Sends these bytes as they are; `Break` when the client is gone.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        match self.0.write_all(bytes).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Sends these bytes again and again until the client is gone.
    pub(crate) async fn send_endlessly(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        loop {
            self.send(bytes).await?;
        }
    }

    /// Waits until the client hangs up, or asks for more before it was answered.
    pub(crate) async fn gone(&mut self) -> ControlFlow<()> {
        let _ = self.0.read_u8().await;
        ControlFlow::Break(())
    }
}

/// The path and query of a request.
pub(crate) fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

/// The value of a header of a request, by its name in lower case.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let lines = request.lines().take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_once(": ")).find(|(found, _)| *found == name).map(|(_, value)| value)
}
