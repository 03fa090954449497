//! A web site on loopback with sound pages, and with everything that was found to hold a crawler up.

#[path = "../../../../tests/support/bomb.rs"]
pub(crate) mod bomb;
#[path = "../../../../tests/support/film.rs"]
mod film;
#[path = "../../../../tests/support/raw.rs"]
mod raw;

use std::{net::Ipv4Addr, ops::ControlFlow, time::Duration};

use image::{ImageFormat, RgbImage};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use self::{
    film::film_of_one_colour,
    raw::{Answer, Client, RawServer},
};

/// What an attacker lets be crawled.
const PATHS: [&str; 6] = ["bombs", "continue", "members", "silent", "trickle", "later"];
/// Pictures on a page of bombs.
const BOMBS: usize = 60;
/// Of the film of one colour: pixels of a side, and frames.
const SIDE: u32 = 3400;
const FRAMES: usize = 5;

/// Runs until dropped. What is sound and each of what is not have a host of their own.
pub(crate) struct Site(RawServer);

impl Site {
    /// # Errors
    /// When there is no port.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        // An empty member of a gzip file, as many as fit in 60 MB.
        let members = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0".repeat(3_000_000);
        Ok(Self(RawServer::start(Ipv4Addr::UNSPECIFIED, Pages { members }).await?))
    }

    /// A page of pictures that no other page has.
    pub(crate) fn page(&self, name: &str, pictures: usize) -> String {
        format!("http://127.0.0.1:{}/page/{name}/{pictures}", self.0.address.port())
    }

    /// Everything that an attacker lets be crawled.
    pub(crate) fn attacks(&self) -> impl Iterator<Item = String> {
        let url = |(host, path)| format!("http://127.0.0.{}:{}/{path}", host, self.0.address.port());
        (10..).zip(PATHS).map(url)
    }
}

struct Pages {
    members: Vec<u8>,
}

impl Answer for Pages {
    async fn answer(&self, request: String, client: &mut Client) -> ControlFlow<()> {
        let path = raw::path(&request).trim_start_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["page", name, pictures] => {
                let pictures =
                    (0..pictures.parse().unwrap_or(0)).map(|number| format!("/picture/{name}/{number}.png"));
                client.send(&page(pictures)).await
            }
            ["picture", ..] => client.send(&answer("image/png", &picture(path))).await,
            ["bombs"] => {
                let bombs = (0..BOMBS).map(|number| format!("/bomb/{number}.webp"));
                client.send(&page(bombs)).await
            }
            ["bomb", name] => {
                let colour = name.trim_end_matches(".webp").parse().unwrap_or(0);
                client.send(&answer("image/webp", &film_of_one_colour(SIDE, FRAMES, colour))).await
            }
            ["continue"] => client.send_endlessly(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)).await,
            ["members"] => {
                let head = format!(
                    "HTTP/1.1 200 -\r\ncontent-type: text/html\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                    self.members.len()
                );
                client.send(head.as_bytes()).await?;
                client.send(&self.members).await
            }
            ["trickle"] => {
                let pictures = (0..100).map(|number| format!("/slow/{number}.png"));
                client.send(&page(pictures)).await
            }
            ["slow", ..] => {
                client.send(b"HTTP/1.1 200 -\r\ncontent-length: 1000000\r\n\r\n").await?;
                loop {
                    client.send(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            ["later"] => {
                let pictures = (0..100).map(|number| format!("/wait/{number}.png"));
                client.send(&page(pictures)).await
            }
            ["wait", ..] => {
                let head = b"HTTP/1.1 503 -\r\nretry-after: 1000000000\r\ncontent-length: 0\r\n\r\n";
                client.send(head).await
            }
            // Until the client has had enough.
            ["silent"] => client.gone().await,
            _ => client.send(b"HTTP/1.1 404 -\r\ncontent-length: 0\r\n\r\n").await,
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
