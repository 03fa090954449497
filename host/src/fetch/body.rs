//! A body off the wire: bounded before and after decompression, and not too slow.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder};
use bytes::Bytes;
use futures_util::{Stream, stream::try_unfold};
use http::header;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt},
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
    reader: Reader,
    bounds: Bounds,
    /// Bytes of the whole, as declared, where that can be known before it is decompressed.
    pub(super) length: Option<u64>,
    body: Vec<u8>,
}

type Wire = Pin<Box<dyn AsyncBufRead + Send>>;

enum Reader {
    Plain(Wire),
    Packed(Unpacker<Wire>),
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
        let wire: Wire = Box::pin(StreamReader::new(Box::pin(wire(response, bounds))));
        let (reader, length) = match coding.as_str() {
            "" | "identity" | "none" => (Reader::Plain(wire), length),
            "gzip" | "x-gzip" => (Reader::Packed(Unpacker::gzip(wire)), None),
            "br" => {
                let decoder = Decoder::Brotli(Box::new(BrotliDecoder::new(Metered::new(wire))));
                (Reader::Packed(Unpacker::new(decoder)), None)
            }
            "deflate" => {
                let decoder = Decoder::Deflate(Box::new(ZlibDecoder::new(Metered::new(wire))));
                (Reader::Packed(Unpacker::new(decoder)), None)
            }
            other => {
                return Err(Trouble::network(format!("content-encoding `{other}` was not asked for")));
            }
        };
        Ok(Self { reader, bounds, length, body: Vec::new() })
    }

    /// Reads on until there are `most` bytes; whether that was the end.
    pub(super) async fn read_to(&mut self, most: u64) -> Result<bool, Trouble> {
        let left = most.saturating_sub(self.body.len() as u64);
        match &mut self.reader {
            Reader::Plain(wire) => {
                // One allocation where the length is known, which the caller has allowed by `most`.
                let declared = self.length.unwrap_or(0).saturating_sub(self.body.len() as u64).min(left);
                self.body.reserve_exact(usize::try_from(declared).unwrap_or(0));
                let came = wire.as_mut().take(left).read_to_end(&mut self.body).await?;
                Ok((came as u64) < left)
            }
            Reader::Packed(unpacker) => Ok(unpacker.read(left, &mut self.body).await?),
        }
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
    let mut body = Vec::new();
    let whole = Unpacker::gzip(file).read(bounds.bytes.saturating_add(1), &mut body).await?;
    if whole { Ok(body) } else { Err(Trouble::TooLarge(bounds.bytes)) }
}

/// Decompresses in pieces between which others have their turn. What comes is bounded by
/// what it expands to, because every format has parts that cost time and hold nothing.
struct Unpacker<R> {
    /// None only while one member follows another.
    decoder: Option<Decoder<R>>,
    /// Of a gzip file, so far.
    members: u32,
    /// Bytes that came out.
    produced: u64,
}

enum Decoder<R> {
    Gzip(Box<GzipDecoder<Metered<R>>>),
    Brotli(Box<BrotliDecoder<Metered<R>>>),
    Deflate(Box<ZlibDecoder<Metered<R>>>),
}

/// Most bytes, in or out, that are worked on at one go.
const PIECE: usize = 32 << 10;
/// Most members of a gzip file; each costs as much as some KiB do.
const MOST_MEMBERS: u32 = 1024;
/// Bytes that may come in beyond what came out: an honest compressor needs hardly more than
/// it was given, unless it is flushed after every few bytes.
const SLACK: u64 = 128 << 10;
/// Bytes that may come in for each that came out.
const MOST_FOR_ONE: u64 = 8;

impl<R: AsyncBufRead + Unpin + Send> Unpacker<R> {
    fn new(decoder: Decoder<R>) -> Self {
        Self { decoder: Some(decoder), members: 1, produced: 0 }
    }

    fn gzip(packed: R) -> Self {
        Self::new(Decoder::Gzip(Box::new(GzipDecoder::new(Metered::new(packed)))))
    }

    /// Adds up to `most` bytes to `body`; whether that was the end.
    async fn read(&mut self, most: u64, body: &mut Vec<u8>) -> io::Result<bool> {
        let mut left = most;
        while left > 0 {
            let Some(decoder) = &mut self.decoder else { return Ok(true) };
            decoder.input().allowed = self.produced.saturating_mul(MOST_FOR_ONE).saturating_add(SLACK);
            let piece = left.min(PIECE as u64);
            body.reserve(usize::try_from(piece).unwrap_or(PIECE));
            let came = decoder.as_read().take(piece).read_buf(body).await? as u64;
            if came == 0 && !self.next_member().await? {
                return Ok(true);
            }
            (left, self.produced) = (left - came, self.produced + came);
            tokio::task::yield_now().await;
        }
        Ok(false)
    }

    /// Whether something follows what was decompressed to its end.
    async fn next_member(&mut self) -> io::Result<bool> {
        let Some(Decoder::Gzip(ended)) = self.decoder.take() else { return Ok(false) };
        let mut rest = ended.into_inner();
        if rest.fill_buf().await?.is_empty() {
            return Ok(false);
        }
        self.members += 1;
        if self.members > MOST_MEMBERS {
            let detail = format!("the compressed answer has more than {MOST_MEMBERS} members");
            return Err(io::Error::other(Trouble::network(detail)));
        }
        self.decoder = Some(Decoder::Gzip(Box::new(GzipDecoder::new(rest))));
        Ok(true)
    }
}

impl<R: AsyncBufRead + Unpin + Send> Decoder<R> {
    fn input(&mut self) -> &mut Metered<R> {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => decoder.get_mut(),
        }
    }

    fn as_read(&mut self) -> &mut (dyn AsyncRead + Unpin + Send) {
        match self {
            Self::Gzip(decoder) => decoder,
            Self::Brotli(decoder) => decoder,
            Self::Deflate(decoder) => decoder,
        }
    }
}

/// What goes into a decoder: in pieces, and not more than is allowed.
struct Metered<R> {
    input: R,
    taken: u64,
    /// Bytes that may be taken in all.
    allowed: u64,
    /// Bytes until others have their turn.
    until_pause: usize,
}

impl<R> Metered<R> {
    const fn new(input: R) -> Self {
        Self { input, taken: 0, allowed: SLACK, until_pause: PIECE }
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Metered<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        // A decoder goes on by itself until something comes out.
        if this.until_pause == 0 {
            this.until_pause = PIECE;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(Pin::new(&mut this.input).poll_fill_buf(cx))?;
        if this.taken >= this.allowed && !piece.is_empty() {
            let detail = "the compressed answer holds too much that expands to nothing";
            return Poll::Ready(Err(io::Error::other(Trouble::network(detail))));
        }
        Poll::Ready(Ok(&piece[..piece.len().min(this.until_pause)]))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.taken += amount as u64;
        self.until_pause = self.until_pause.saturating_sub(amount);
        Pin::new(&mut self.input).consume(amount);
    }
}

impl<R: AsyncBufRead + Unpin> AsyncRead for Metered<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = piece.len().min(buffer.remaining());
        buffer.put_slice(&piece[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

/// The chunks as they come. Fewer than 1 KiB/s in any window is a timeout.
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
