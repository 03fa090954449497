//! A web server on loopback that does exactly what it is told, right or wrong.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

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
    task: JoinHandle<()>,
}

#[derive(Default)]
struct SiteState {
    requests: Mutex<Vec<String>>,
    hung_up: Notify,
}

impl Site {
    /// Answers each request (head and body as text) by `script`.
    pub(super) async fn start(script: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, script) = (Arc::new(SiteState::default()), Arc::new(script));
        let task = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (state, script) = (state.clone(), script.clone());
                    tokio::spawn(async move {
                        serve(stream, &state, &*script).await;
                    });
                }
            }
        });
        Self { address, state, task }
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

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, state: &SiteState, script: &(dyn Fn(&str) -> Act + Send + Sync)) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    state.requests.lock().unwrap().push(request.clone());
    match script(&request) {
        Act::Send(answer) => drop(stream.write_all(&answer).await),
        Act::Endless(head, part) => {
            let mut sent = stream.write_all(&head).await;
            while sent.is_ok() {
                sent = stream.write_all(&part).await;
            }
        }
        Act::Stall(answer) => {
            drop(stream.write_all(&answer).await);
            while matches!(stream.read(&mut [0; 64]).await, Ok(1..)) {}
            state.hung_up.notify_one();
        }
        Act::After(signal, answer) => {
            signal.notified().await;
            drop(stream.write_all(&answer).await);
        }
        Act::KeepOnce(answer) => {
            drop(stream.write_all(&answer).await);
            drop(stream.read(&mut [0; 64]).await);
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
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

/// The path and query of a request.
pub(super) fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap_or_default()
}

/// The value of a header of a request.
pub(super) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}
