//! A body off the wire: bounded before and after decompression, and not too slow.

use std::{io, pin::Pin, time::Duration};

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

/// A body on its way, decompressed.
pub(super) struct Incoming {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    bounds: Bounds,
    /// Bytes of the whole, as declared, where that can be known before it is decompressed.
    pub(super) length: Option<u64>,
    body: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(response: reqwest::Response, bounds: Bounds) -> Result<Self, Trouble> {
        let length = response.content_length();
        if !bounds.cut && length.is_some_and(|length| length > bounds.bytes) {
            return Err(Trouble::TooLarge(bounds.bytes));
        }
        let coding = match response.headers().get(header::CONTENT_ENCODING) {
            Some(coding) if length != Some(0) => coding.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        let wire = StreamReader::new(Box::pin(wire(response, bounds)));
        let (reader, length): (Pin<Box<dyn AsyncRead + Send>>, _) = match coding.as_str() {
            "" | "identity" | "none" => (Box::pin(wire), length),
            "gzip" | "x-gzip" => {
                let mut decoder = GzipDecoder::new(wire);
                decoder.multiple_members(true);
                (Box::pin(decoder), None)
            }
            "br" => (Box::pin(BrotliDecoder::new(wire)), None),
            "deflate" => (Box::pin(ZlibDecoder::new(wire)), None),
            other => {
                return Err(Trouble::network(format!("content-encoding `{other}` was not asked for")));
            }
        };
        Ok(Self { reader, bounds, length, body: Vec::new() })
    }

    /// Reads on until there are `most` bytes; whether that was the end.
    pub(super) async fn read_to(&mut self, most: u64) -> Result<bool, Trouble> {
        let left = most.saturating_sub(self.body.len() as u64);
        // One allocation where the length is known, which the caller has allowed by `most`.
        let declared = self.length.unwrap_or(0).saturating_sub(self.body.len() as u64).min(left);
        self.body.reserve_exact(usize::try_from(declared).unwrap_or(0));
        let came = (&mut self.reader).take(left).read_to_end(&mut self.body).await?;
        Ok((came as u64) < left)
    }

    /// Reads on to the end.
    pub(super) async fn read_to_end(mut self) -> Result<Vec<u8>, Trouble> {
        let Bounds { bytes, cut, .. } = self.bounds;
        self.read_to(if cut { bytes } else { bytes.saturating_add(1) }).await?;
        if self.body.len() as u64 > bytes { Err(Trouble::TooLarge(bytes)) } else { Ok(self.body) }
    }
}

/// What a gzip file holds, within the same bound.
pub(super) async fn unpack(file: &[u8], bounds: Bounds) -> Result<Vec<u8>, Trouble> {
    let mut decoder = GzipDecoder::new(file);
    decoder.multiple_members(true);
    let mut body = Vec::new();
    decoder.take(bounds.bytes.saturating_add(1)).read_to_end(&mut body).await?;
    if body.len() as u64 > bounds.bytes { Err(Trouble::TooLarge(bounds.bytes)) } else { Ok(body) }
}

/// The chunks as they come. Fewer than 1 KiB/s in any window is a timeout; compressed
/// data that expands to nothing is bounded here.
fn wire(response: reqwest::Response, bounds: Bounds) -> impl Stream<Item = io::Result<Bytes>> {
    let least = bounds.window.as_millis() * 1024 / 1000;
    let begun = Instant::now() + bounds.window;
    try_unfold((response, begun, 0, 0), move |(mut response, mut end, mut in_window, mut total)| async move {
        // Time in which nobody read is not the site's.
        if end <= Instant::now() {
            (end, in_window) = (Instant::now() + bounds.window, 0);
        }
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
