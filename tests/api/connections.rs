//! Clients that hold connections and send nothing, or not enough.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{api::Api, site::PATIENCE};

/// Sends this and then nothing; all that comes until the connection is closed.
async fn hold(api: &Api, sent: &str) -> String {
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let closed = timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    assert!(closed.is_ok(), "still open after {sent:?}");
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn a_connection_is_not_held_for_ever() {
    let api = Api::start_with(&["--connection-timeout=300ms"]).await;
    let token = api.user("ann@example.org").token;
    let health = "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let body = format!(
        "POST /api/v1/crawl-jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"name\""
    );
    for unanswered in ["", "GET /api", "PRI * HTTP/2.0\r\n", "GET /api/v1/health HTTP/1.1\r\nHost: loc"] {
        assert_eq!(hold(&api, unanswered).await, "", "{unanswered:?}");
    }
    for answered in [health.to_owned(), format!("{health}GET /api")] {
        assert!(hold(&api, &answered).await.starts_with("HTTP/1.1 200 OK"));
    }

    assert!(hold(&api, &body).await.contains("incomplete-body"));

    // Nor by one who is never silent.
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    let trickle = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            if stream.write_all(b"GET").await.is_err() {
                return;
            }
        }
    };
    assert!(timeout(PATIENCE, trickle).await.is_ok());
    api.get("/api/v1/health").await.expect(200);
    api.stop().await;
}

#[tokio::test]
async fn connections_are_bounded_and_wait_for_room() {
    let api = Api::start_with(&["--connection-timeout=300ms", "--max-connections=1"]).await;
    let mut silent = TcpStream::connect(api.address).await.unwrap();
    api.get("/api/v1/health").await.expect(200);
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "there is room only after it was closed");
    api.stop().await;
}
