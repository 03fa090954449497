//! A body off the wire: bounded before and after decompression, and not too slow.

use std::{io, pin::pin, time::Duration};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder};
use bytes::Bytes;
use futures_util::{Stream, stream::try_unfold};
use http::header;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};
use tokio_util::io::StreamReader;

use super::trouble::Trouble;

/// How much of a body is taken, and how slowly it may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Most bytes, on the wire and decompressed.
    pub(super) bytes: u64,
    /// What is over the bound is left away instead of being an error.
    pub(super) cut: bool,
    /// Over which time the rate of at least 1 KiB/s is measured.
    pub(super) window: Duration,
}

/// The whole body, decompressed.
pub(super) async fn read(response: reqwest::Response, bounds: Bounds) -> Result<Vec<u8>, Trouble> {
    let length = response.content_length();
    if !bounds.cut && length.is_some_and(|length| length > bounds.bytes) {
        return Err(Trouble::TooLarge(bounds.bytes));
    }
    let coding = match response.headers().get(header::CONTENT_ENCODING) {
        Some(coding) if length != Some(0) => coding.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
        _ => String::new(),
    };
    let wire = pin!(wire(response, bounds));
    let wire = StreamReader::new(wire);
    match coding.as_str() {
        "" | "identity" | "none" => collect(wire, length, bounds).await,
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(wire);
            decoder.multiple_members(true);
            collect(decoder, None, bounds).await
        }
        "br" => collect(BrotliDecoder::new(wire), None, bounds).await,
        "deflate" => collect(ZlibDecoder::new(wire), None, bounds).await,
        other => Err(Trouble::network(format!("content-encoding `{other}` was not asked for"))),
    }
}

/// What a gzip file holds, within the same bound.
pub(super) async fn unpack(file: &[u8], bounds: Bounds) -> Result<Vec<u8>, Trouble> {
    let mut decoder = GzipDecoder::new(file);
    decoder.multiple_members(true);
    collect(decoder, None, bounds).await
}

async fn collect(from: impl AsyncRead, length: Option<u64>, bounds: Bounds) -> Result<Vec<u8>, Trouble> {
    // A declared length is believed only so far.
    let likely = length.unwrap_or(0).min(bounds.bytes).min(1 << 20);
    let mut body = Vec::with_capacity(usize::try_from(likely).unwrap_or(0));
    let most = if bounds.cut { bounds.bytes } else { bounds.bytes.saturating_add(1) };
    pin!(from).take(most).read_to_end(&mut body).await?;
    if body.len() as u64 > bounds.bytes { Err(Trouble::TooLarge(bounds.bytes)) } else { Ok(body) }
}

/// The chunks as they come. Fewer than 1 KiB/s in any window is a timeout; compressed
/// data that expands to nothing is bounded here.
fn wire(response: reqwest::Response, bounds: Bounds) -> impl Stream<Item = io::Result<Bytes>> {
    let least = bounds.window.as_millis() * 1024 / 1000;
    let begun = Instant::now() + bounds.window;
    try_unfold((response, begun, 0, 0), move |(mut response, mut end, mut in_window, mut total)| async move {
        loop {
            match timeout_at(end, response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    in_window += chunk.len() as u128;
                    total += chunk.len() as u64;
                    if !bounds.cut && total > bounds.bytes {
                        return Err(io::Error::other(Trouble::TooLarge(bounds.bytes)));
                    }
                    return Ok(Some((chunk, (response, end, in_window, total))));
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(io::Error::other(Trouble::from(error))),
                Err(_) if in_window < least => return Err(io::Error::other(Trouble::Timeout)),
                Err(_) => (end, in_window) = (Instant::now() + bounds.window, 0),
            }
        }
    })
}
