//! A web server on loopback that does exactly what it is told, right or wrong.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use super::raw::{Answer, Client, RawServer};

pub(super) use super::raw::{header, path};

/// What is done with a connection after its request was read.
pub(super) enum Act {
    /// Sends this and closes.
    Send(Vec<u8>),
    /// Sends the first, then the second again and again.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends this and then nothing more until the client hangs up.
    Stall(Vec<u8>),
    /// Sends the second after this signal.
    After(Arc<Notify>, Vec<u8>),
    /// Sends this, and closes when the next request has come.
    KeepOnce(Vec<u8>),
}

pub(super) struct Site {
    pub(super) address: SocketAddr,
    state: Arc<SiteState>,
    _server: RawServer,
}

struct Script<F> {
    state: Arc<SiteState>,
    script: F,
    has_tdmrep: bool,
}

#[derive(Default)]
struct SiteState {
    requests: Mutex<Vec<String>>,
    hung_up: Notify,
}

impl Site {
    /// Answers each request (head and body as text) by `script`, but for the tdmrep.json that it has not.
    pub(super) async fn start(script: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        Self::begin(script, false).await
    }

    /// Answers each request by `script`, with its tdmrep.json.
    pub(super) async fn start_with_tdmrep(script: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        Self::begin(script, true).await
    }

    async fn begin(script: impl Fn(&str) -> Act + Send + Sync + 'static, has_tdmrep: bool) -> Self {
        let state = Arc::new(SiteState::default());
        let script = Script { state: state.clone(), script, has_tdmrep };
        let server = RawServer::start(Ipv4Addr::LOCALHOST, script).await.unwrap();
        Self { address: server.address, state, _server: server }
    }

    /// Every request so far, robots.txt left out.
    pub(super) fn requests(&self) -> Vec<String> {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().filter(|request| !request.contains(" /robots.txt ")).cloned().collect()
    }

    /// How often robots.txt was asked for.
    pub(super) fn robots_requests(&self) -> usize {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().filter(|request| request.contains(" /robots.txt ")).count()
    }

    /// Until a stalled client has closed its connection.
    pub(super) async fn hung_up(&self) {
        self.state.hung_up.notified().await;
    }
}

impl<F: Fn(&str) -> Act + Send + Sync + 'static> Answer for Script<F> {
    async fn answer(&self, request: String, client: &mut Client) -> ControlFlow<()> {
        if path(&request) == "/.well-known/tdmrep.json" && !self.has_tdmrep {
            if let Act::Send(answer) = answer(404, &[], "") {
                client.send(&answer).await?;
            }
            return ControlFlow::Break(());
        }
        self.state.requests.lock().unwrap().push(request.clone());
        match (self.script)(&request) {
            Act::Send(answer) => client.send(&answer).await,
            Act::Endless(head, part) => {
                client.send(&head).await?;
                client.send_endlessly(&part).await
            }
            Act::Stall(answer) => {
                let _ = client.send(&answer).await;
                let gone = client.gone().await;
                self.state.hung_up.notify_one();
                gone
            }
            Act::After(signal, answer) => {
                signal.notified().await;
                client.send(&answer).await
            }
            Act::KeepOnce(answer) => {
                client.send(&answer).await?;
                client.gone().await
            }
        }?;
        ControlFlow::Break(())
    }
}

/// A whole answer with these header lines.
pub(super) fn answer(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Act {
    let body = body.as_ref();
    let mut answer =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        answer += &format!("{header}\r\n");
    }
    Act::Send([answer.as_bytes(), b"\r\n", body].concat())
}

pub(super) fn redirect(to: &str) -> Act {
    answer(302, &[&format!("location: {to}")], "")
}
