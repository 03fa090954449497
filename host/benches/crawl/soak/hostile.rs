//! A web site on loopback with sound pages, and with everything that was found to hold a crawler up.

#[path = "../../../../tests/support/bomb.rs"]
pub(crate) mod bomb;
#[path = "../../../../tests/support/film.rs"]
mod film;

use std::{sync::Arc, time::Duration};

use image::{ImageFormat, RgbImage};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use self::film::film_of_one_colour;

/// What an attacker lets be crawled.
const PATHS: [&str; 6] = ["bombs", "continue", "members", "silent", "trickle", "later"];
/// Pictures on a page of bombs.
const BOMBS: usize = 60;
/// Of the film of one colour: pixels of a side, and frames.
const SIDE: u32 = 3400;
const FRAMES: usize = 5;

/// Runs until the process ends. What is sound and each of what is not have a host of their own.
pub(crate) struct Site {
    port: u16,
}

impl Site {
    /// # Errors
    /// When there is no port.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("0.0.0.0:0").await?;
        let port = listener.local_addr()?.port();
        // An empty member of a gzip file, as many as fit in 60 MB.
        let members: Arc<[u8]> =
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".repeat(3_000_000).into();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let members = Arc::clone(&members);
                // A client that is gone is what it is.
                tokio::spawn(async move { converse(socket, &members).await });
            }
        });
        Ok(Self { port })
    }

    /// A page of pictures that no other page has.
    pub(crate) fn page(&self, name: &str, pictures: usize) -> String {
        format!("http://127.0.0.1:{}/page/{name}/{pictures}", self.port)
    }

    /// Everything that an attacker lets be crawled.
    pub(crate) fn attacks(&self) -> impl Iterator<Item = String> {
        let url = |(host, path)| format!("http://127.0.0.{}:{}/{path}", host, self.port);
        (10..).zip(PATHS).map(url)
    }
}

async fn converse(socket: TcpStream, members: &[u8]) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if socket.read_until(b'\n', &mut head).await? == 0 {
                return Ok(());
            }
        }
        let head = String::from_utf8_lossy(&head);
        let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["page", name, pictures] => {
                let pictures =
                    (0..pictures.parse().unwrap_or(0)).map(|number| format!("/picture/{name}/{number}.png"));
                socket.write_all(&page(pictures)).await?;
            }
            ["picture", ..] => socket.write_all(&answer("image/png", &picture(path))).await?,
            ["bombs"] => {
                let bombs = (0..BOMBS).map(|number| format!("/bomb/{number}.webp"));
                socket.write_all(&page(bombs)).await?;
            }
            ["bomb", name] => {
                let colour = name.trim_end_matches(".webp").parse().unwrap_or(0);
                socket.write_all(&answer("image/webp", &film_of_one_colour(SIDE, FRAMES, colour))).await?;
            }
            ["continue"] => {
                let many = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
                loop {
                    socket.write_all(&many).await?;
                }
            }
            ["members"] => {
                let head = format!(
                    "HTTP/1.1 200 -\r\ncontent-type: text/html\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                    members.len()
                );
                socket.write_all(head.as_bytes()).await?;
                socket.write_all(members).await?;
            }
            ["trickle"] => {
                let pictures = (0..100).map(|number| format!("/slow/{number}.png"));
                socket.write_all(&page(pictures)).await?;
            }
            ["slow", ..] => {
                socket.write_all(b"HTTP/1.1 200 -\r\ncontent-length: 1000000\r\n\r\n").await?;
                loop {
                    socket.write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            ["later"] => {
                let pictures = (0..100).map(|number| format!("/wait/{number}.png"));
                socket.write_all(&page(pictures)).await?;
            }
            ["wait", ..] => {
                let head = b"HTTP/1.1 503 -\r\nretry-after: 1000000000\r\ncontent-length: 0\r\n\r\n";
                socket.write_all(head).await?;
            }
            ["silent"] => {
                // Until the client has had enough.
                socket.read_until(b'\n', &mut Vec::new()).await?;
                return Ok(());
            }
            _ => socket.write_all(b"HTTP/1.1 404 -\r\ncontent-length: 0\r\n\r\n").await?,
        }
    }
}

fn answer(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 -\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn page(pictures: impl Iterator<Item = String>) -> Vec<u8> {
    let pictures: String = pictures.map(|picture| format!("<img src='{picture}'>")).collect();
    answer("text/html", format!("<!DOCTYPE html><title>Page</title>{pictures}").as_bytes())
}

/// 64 × 64 pixels of noise that the path seeds.
fn picture(path: &str) -> Vec<u8> {
    let seed = path.bytes().fold(7u64, |seed, byte| seed.wrapping_mul(1_099_511_628_211) ^ u64::from(byte));
    let mut noise = vec![0; 64 * 64 * 3];
    SmallRng::seed_from_u64(seed).fill_bytes(&mut noise);
    let mut png = std::io::Cursor::new(Vec::new());
    if let Some(image) = RgbImage::from_raw(64, 64, noise) {
        let _ = image.write_to(&mut png, ImageFormat::Png);
    }
    png.into_inner()
}
