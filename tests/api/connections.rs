//! Clients that hold connections and send nothing, or not enough.

use std::{net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::support::{
    api::{Api, send},
    events::Events,
    site::PATIENCE,
};

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
    let body = unfinished(&token);
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
async fn a_request_has_ten_seconds_to_begin_and_more_to_end() {
    let api = Api::start().await;
    let token = api.user("ann@example.org").token;
    let mut honest = TcpStream::connect(api.address).await.unwrap();
    honest.write_all(unfinished(&token).as_bytes()).await.unwrap();
    let (silent, slow) = tokio::join!(hold(&api, ""), hold(&api, "GET /api/v1/health HTTP/1.1\r\nHost: loc"));
    assert_eq!((&*silent, &*slow), ("", ""));
    // Those that had as long, and no head, are gone.
    honest.write_all(&[b' '; 92]).await.unwrap();
    assert!(answer(&mut honest).await.contains("malformed-json"));
    api.stop().await;
}

/// The head of a request with a body of 100 bytes, and the first of these.
fn unfinished(token: &str) -> String {
    format!(
        "POST /api/v1/crawl-jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"name\":"
    )
}

/// What comes next.
async fn answer(stream: &mut TcpStream) -> String {
    let mut part = vec![0; 4096];
    let read = timeout(PATIENCE, stream.read(&mut part)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&part[..read]).into_owned()
}

/// Connected from this address of the machine.
async fn connect(from: [u8; 4], api: &Api) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(api.address).await.unwrap()
}

/// Waits until the other side has closed the connection; gives its number.
async fn closed(number: usize, stream: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    // A reset is as good.
    let _ = stream.read_to_end(&mut rest).await;
    number
}

#[tokio::test]
async fn one_address_does_not_shut_the_others_out() {
    let api = Api::start_with(&["--max-connections=16"]).await;
    let ann = api.user("ann@example.org");
    let job = ann.create(&json!({ "name": "Pandas", "keywords": ["red panda"] })).await;
    let path = format!("/api/v1/crawl-jobs/{job}");
    let mut events = Events::open(ann.request("GET", &format!("{path}/events"))).await;
    events.next().await.unwrap();

    let unfinished = unfinished(&ann.token);
    let mut held = Vec::new();
    for number in 0..48 {
        let mut stream = connect([127, 0, 0, 2], &api).await;
        let sent = ["", "GET /api/v1/health HTTP/1.1\r\nHost: loc", &unfinished][number % 3];
        // Closed already, perhaps.
        let _ = stream.write_all(sent.as_bytes()).await;
        held.push(stream);
    }
    // All but its share, which is a quarter, and nobody else.
    let closing = held.iter_mut().enumerate().map(|(number, stream)| closed(number, stream));
    assert_eq!(closing.collect::<FuturesUnordered<_>>().take(44).count().await, 44);
    send(reqwest::Client::new().get(format!("http://{}/api/v1/health", api.address))).await.expect(200);

    // What is being answered goes on.
    send(ann.request("POST", &format!("{path}/cancel"))).await.expect(200);
    assert_eq!(events.next().await.unwrap().1["status"], "cancelled");
    drop(held);
    api.stop().await;
}

#[tokio::test]
async fn many_addresses_do_not_shut_the_others_out() {
    let api = Api::start_with(&["--max-connections=8"]).await;
    let mut held = Vec::new();
    for number in 0..20 {
        held.push(connect([127, 0, 1, number], &api).await);
    }
    api.get("/api/v1/health").await.expect(200);
    let closing = held.iter_mut().enumerate().map(|(number, stream)| closed(number, stream));
    let closed: Vec<_> = closing.collect::<FuturesUnordered<_>>().take(13).collect().await;
    assert!(closed.iter().all(|number| *number < 13), "those that waited longest: {closed:?}");
    drop(held);
    api.stop().await;
}

/// Nor by asking for more than they take.
#[tokio::test]
async fn answers_that_nobody_takes_do_not_shut_the_others_out() {
    // None of them goes by itself as long as somebody waits here.
    let api = Api::start_with(&["--max-connections=8", "--connection-timeout=1h"]).await;
    let asked = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500);
    let mut held = Vec::new();
    for number in 0..8 {
        let mut stream = connect([127, 0, 2, number / 2], &api).await;
        // As much as it can be sent without reading.
        let _ = timeout(Duration::from_millis(200), stream.write_all(asked.as_bytes())).await;
        held.push(stream);
    }
    let caller = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    send(caller.get(format!("http://{}/api/v1/health", api.address))).await.expect(200);
    drop(held);
    api.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_may_have_more_than_its_share() {
    let api = Api::start_with(&["--max-connections=8", "--trusted-proxies=127.0.0.2/32"]).await;
    let mut proxy = Vec::new();
    for _ in 0..8 {
        proxy.push(connect([127, 0, 0, 2], &api).await);
    }
    for stream in &mut proxy {
        stream.write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert!(answer(stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    // For another the one goes that was answered first.
    api.get("/api/v1/health").await.expect(200);
    assert_eq!(proxy[0].read(&mut [0; 1]).await.unwrap_or(0), 0);
    api.stop().await;
}

#[tokio::test]
async fn connections_are_bounded_and_the_oldest_makes_room() {
    let api = Api::start_with(&["--max-connections=1"]).await;
    let mut silent = TcpStream::connect(api.address).await.unwrap();
    api.get("/api/v1/health").await.expect(200);
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0, "there is room only after it was closed");

    // What is being answered is not closed, and who comes waits.
    let ann = api.user("ann@example.org");
    let job = ann.create(&json!({ "name": "Pandas", "keywords": ["red panda"] })).await;
    let mut events = Events::open(ann.request("GET", &format!("/api/v1/crawl-jobs/{job}/events"))).await;
    let mut waiting = connect([127, 0, 0, 2], &api).await;
    waiting.write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    events.next().await.unwrap();
    drop(events);
    assert!(answer(&mut waiting).await.starts_with("HTTP/1.1 200 OK"));
    api.stop().await;
}

/// Behind a proxy it is the client that counts; nobody speaks for another.
#[tokio::test]
async fn a_client_of_a_proxy_has_its_share() {
    // This test is the proxy.
    let settings = ["--max-connections=16", "--trusted-proxies=127.0.0.1/32,10.0.0.0/8"];
    let api = Api::start_with(&settings).await;
    let ann = api.user("ann@example.org");
    let job = ann.create(&json!({ "name": "Pandas", "keywords": ["red panda"] })).await;
    let path = format!("/api/v1/crawl-jobs/{job}");
    let follow = |client: &str| {
        ann.request("GET", &format!("{path}/events")).header("x-forwarded-for", client.to_owned())
    };
    let look = |client: &str| ann.request("GET", &path).header("x-forwarded-for", client.to_owned());

    // The share, however the same client is written, and whatever it writes before itself.
    let mut streams = Vec::new();
    for client in
        ["203.0.113.5", "198.51.100.1, 203.0.113.5:4711", "203.0.113.5, 10.1.2.3", "::ffff:203.0.113.5"]
    {
        let mut events = Events::open(follow(client)).await;
        events.next().await.unwrap();
        streams.push(events);
    }
    let refused = look("198.51.100.9, 203.0.113.5").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"5".parse().unwrap()));
    let told: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(told["code"], "too-many", "{told}");
    // Others are not held up: other clients, and who asks without a proxy, whatever they write.
    for client in ["203.0.113.6", "2001:db8::1", "203.0.113.5, unreadable", ""] {
        send(look(client)).await.expect(200);
    }
    let direct = "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n";
    let mut stranger = connect([127, 0, 0, 9], &api).await;
    stranger.write_all(direct.as_bytes()).await.unwrap();
    assert!(answer(&mut stranger).await.starts_with("HTTP/1.1 200 OK"));

    // What is over is given back.
    send(look("203.0.113.7")).await.expect(200);
    drop(streams.pop());
    let again = async { while look("203.0.113.5").send().await.unwrap().status() != 200 {} };
    timeout(PATIENCE, again).await.unwrap();
    drop(streams);
    api.stop().await;
}
