//! A body off the wire: bounded before and after decompression, and not too slow.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder};
use bytes::Bytes;
use futures_util::{Stream, stream::try_unfold};
use http::{HeaderMap, header};
use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};
use tokio_util::io::StreamReader;

use super::error::{FetchError, FetchErrorKind, chain};

/// How much of a body is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyLimits {
    /// Most bytes, on the wire and decompressed.
    pub(super) bytes: u64,
    /// What is over the limit is left away instead of being an error.
    pub(super) truncates: bool,
}

/// A body on its way, decompressed.
pub(super) struct IncomingBody {
    reader: BodyReader,
    /// How it is compressed besides, in the order in which that is undone.
    codings_left: Vec<Coding>,
    limits: BodyLimits,
    /// Bytes of the whole, as declared, where that can be known before it is decompressed.
    pub(super) length: Option<u64>,
    body: Vec<u8>,
}

type Wire = Pin<Box<dyn AsyncBufRead + Send>>;

enum BodyReader {
    Plain(Wire),
    Compressed(Decompressor<Wire>),
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// Codings of one body; nobody means to use more.
const MAX_CODINGS: usize = 5;

/// The codings in the order in which they are undone. What is the name of none (`none`, `utf-8`, `8bit`)
/// says nothing of the body, as browsers have it; one that is real and was not asked for is an error.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, FetchError> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in String::from_utf8_lossy(value.as_bytes()).split(',') {
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                "br" => codings.push(Coding::Brotli),
                other @ ("zstd" | "compress" | "x-compress" | "dcb" | "dcz") => {
                    return Err(FetchError::lasting(format!("content-encoding `{other}` was not asked for")));
                }
                _ => {}
            }
        }
    }
    codings.reverse();
    if codings.len() > MAX_CODINGS {
        return Err(FetchError::lasting(format!("the answer is compressed {} times over", codings.len())));
    }
    Ok(codings)
}

impl IncomingBody {
    /// Fewer than 1 KiB/s in any `window` will be a timeout. With `accepts_partial`, what came is the body
    /// where the connection ends before its time.
    pub(super) fn new(
        response: reqwest::Response,
        limits: BodyLimits,
        window: Duration,
        accepts_partial: bool,
    ) -> Result<Self, FetchError> {
        let length = response.content_length();
        if !limits.truncates && length.is_some_and(|length| length > limits.bytes) {
            return Err(FetchErrorKind::TooLarge(limits.bytes).into());
        }
        let mut codings =
            if length == Some(0) { Vec::new() } else { codings(response.headers())? }.into_iter();
        let wire: Wire =
            Box::pin(StreamReader::new(Box::pin(wire(response, limits, window, accepts_partial))));
        let (reader, length) = match codings.next() {
            None => (BodyReader::Plain(wire), length),
            Some(coding) => (BodyReader::Compressed(Decompressor::new(coding, wire)), None),
        };
        Ok(Self { reader, codings_left: codings.collect(), limits, length, body: Vec::new() })
    }

    /// Reads on until there are `most` bytes; whether that was the end.
    pub(super) async fn read_to(&mut self, most: u64) -> Result<bool, FetchError> {
        let left = most.saturating_sub(self.body.len() as u64);
        match &mut self.reader {
            BodyReader::Plain(wire) => {
                // One allocation where the length is known, which the caller has allowed by `most`.
                let declared = self.length.unwrap_or(0).saturating_sub(self.body.len() as u64).min(left);
                self.body.reserve_exact(usize::try_from(declared).unwrap_or(0));
                let came = wire.as_mut().take(left).read_to_end(&mut self.body).await?;
                Ok((came as u64) < left)
            }
            BodyReader::Compressed(decompressor) => Ok(decompressor.read(left, &mut self.body).await?),
        }
    }

    /// Reads on to the end.
    pub(super) async fn read_to_end(mut self) -> Result<Vec<u8>, FetchError> {
        let BodyLimits { bytes, truncates } = self.limits;
        self.read_to(if truncates { bytes } else { bytes.saturating_add(1) }).await?;
        if self.body.len() as u64 > bytes {
            return Err(FetchErrorKind::TooLarge(bytes).into());
        }
        for coding in self.codings_left {
            self.body = decompress_as(coding, &self.body, self.limits).await?;
        }
        Ok(self.body)
    }
}

/// What a gzip file holds, within the same bound.
pub(super) async fn decompress(file: &[u8], limits: BodyLimits) -> Result<Vec<u8>, FetchError> {
    decompress_as(Coding::Gzip, file, limits).await
}

async fn decompress_as(coding: Coding, compressed: &[u8], limits: BodyLimits) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    let most = if limits.truncates { limits.bytes } else { limits.bytes.saturating_add(1) };
    let whole = Decompressor::new(coding, compressed).read(most, &mut body).await?;
    if whole || limits.truncates { Ok(body) } else { Err(FetchErrorKind::TooLarge(limits.bytes).into()) }
}

/// Decompresses in pieces between which others have their turn. What comes is bounded by
/// what it expands to, because every format has parts that cost time and hold nothing.
///
/// As browsers do, it takes what there is: checksums behind the data may be absent or wrong, data may
/// end without its last block, and what follows the end is left alone.
struct Decompressor<R> {
    coding: Coding,
    /// None at the end, and while one member follows another.
    part: Option<CompressedPart<R>>,
    /// Of a gzip file, so far.
    members: u32,
    /// Bytes that came out.
    produced: u64,
}

enum CompressedPart<R> {
    /// Before the head of a file or of a member.
    Head(Metered<R>),
    /// Is not compressed, though it was said.
    Plain(Metered<R>),
    Deflate(Box<DeflateDecoder<Metered<R>>>),
    Brotli(Box<BrotliDecoder<Metered<R>>>),
}

/// How pictures begin: no answer that is compressed does.
const PICTURES: [&[u8]; 4] = [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF"];
/// Most bytes, in or out, that are worked on at one go.
const PIECE: usize = 32 << 10;
/// Most members of a gzip file; each costs as much as some KiB do.
const MAX_MEMBERS: u32 = 1024;
/// Bytes that may come in beyond what came out: an honest compressor needs hardly more than
/// it was given, unless it is flushed after every few bytes.
const SLACK: u64 = 128 << 10;
/// Bytes that may come in for each that came out.
const MAX_FOR_ONE: u64 = 8;

impl<R: AsyncBufRead + Unpin + Send> Decompressor<R> {
    fn new(coding: Coding, compressed: R) -> Self {
        Self { coding, part: Some(CompressedPart::Head(Metered::new(compressed))), members: 0, produced: 0 }
    }

    /// Adds up to `most` bytes to `body`; whether that was the end.
    async fn read(&mut self, most: u64, body: &mut Vec<u8>) -> io::Result<bool> {
        let mut left = most;
        while left > 0 {
            let decoder: &mut (dyn AsyncRead + Unpin + Send) = match &mut self.part {
                None => return Ok(true),
                Some(CompressedPart::Head(_)) => {
                    self.begin().await?;
                    continue;
                }
                Some(CompressedPart::Plain(body)) => {
                    body.allow(self.produced);
                    body
                }
                Some(CompressedPart::Deflate(decoder)) => {
                    decoder.get_mut().allow(self.produced);
                    decoder
                }
                Some(CompressedPart::Brotli(decoder)) => {
                    decoder.get_mut().allow(self.produced);
                    decoder
                }
            };
            let piece = left.min(PIECE as u64);
            body.reserve(usize::try_from(piece).unwrap_or(PIECE));
            let came = decoder.take(piece).read_buf(body).await;
            let came = match came {
                Ok(came) => came as u64,
                // What there was has come out.
                Err(_) if self.is_cut() && self.produced > 0 => 0,
                Err(error) => return Err(error),
            };
            if came == 0 {
                self.end_of_part().await?;
            }
            (left, self.produced) = (left - came, self.produced + came);
            tokio::task::yield_now().await;
        }
        Ok(false)
    }

    /// Reads what stands before the data. What follows the end of a gzip file and is no member is left alone.
    async fn begin(&mut self) -> io::Result<()> {
        let Some(CompressedPart::Head(mut input)) = self.part.take() else { return Ok(()) };
        let beginning = input.peek().await?;
        let Some(&first) = beginning.first() else { return Ok(()) };
        if self.members == 0 && PICTURES.iter().any(|picture| beginning.starts_with(picture)) {
            self.part = Some(CompressedPart::Plain(input));
            return Ok(());
        }
        match self.coding {
            Coding::Brotli => {
                self.part = Some(CompressedPart::Brotli(Box::new(BrotliDecoder::new(input))));
                return Ok(());
            }
            // Behind the two bytes of zlib, which the name means, or without them, as some take it.
            Coding::Deflate if first & 0x0f == 8 => drop(input.read_u16().await?),
            Coding::Deflate => {}
            Coding::Gzip => match gzip_head(&mut input).await? {
                true => self.members += 1,
                false if self.members > 0 => return Ok(()),
                false => return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no gzip file")),
            },
        }
        if self.members > MAX_MEMBERS {
            let detail = format!("the compressed answer has more than {MAX_MEMBERS} members");
            return Err(FetchError::lasting(detail).into());
        }
        self.part = Some(CompressedPart::Deflate(Box::new(DeflateDecoder::new(input))));
        Ok(())
    }

    /// Reads what stands behind the data; of a gzip file another member may follow.
    async fn end_of_part(&mut self) -> io::Result<()> {
        if let (Some(CompressedPart::Deflate(ended)), Coding::Gzip) = (self.part.take(), self.coding) {
            let mut rest = ended.into_inner();
            let mut trailer = Vec::with_capacity(8);
            (&mut rest).take(8).read_to_end(&mut trailer).await?;
            self.part = Some(CompressedPart::Head(rest));
        }
        Ok(())
    }

    /// Whether the data ended before it was to.
    fn is_cut(&self) -> bool {
        match &self.part {
            Some(CompressedPart::Deflate(decoder)) => decoder.get_ref().ended,
            Some(CompressedPart::Brotli(decoder)) => decoder.get_ref().ended,
            Some(CompressedPart::Head(_) | CompressedPart::Plain(_)) | None => false,
        }
    }
}

/// Reads the head of a gzip member (RFC 1952, 2.3); false where there is none.
async fn gzip_head<R: AsyncBufRead + Unpin>(input: &mut R) -> io::Result<bool> {
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const RESERVED: u8 = 0xe0;
    let mut head = [0; 10];
    match input.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    let [0x1f, 0x8b, 8, flags, ..] = head else { return Ok(false) };
    if flags & RESERVED != 0 {
        return Ok(false);
    }
    if flags & EXTRA != 0 {
        let length = input.read_u16_le().await?;
        let mut extra = input.take(length.into());
        tokio::io::copy(&mut extra, &mut tokio::io::sink()).await?;
    }
    for text in [NAME, COMMENT] {
        while flags & text != 0 && input.read_u8().await? != 0 {}
    }
    if flags & HEADER_CRC != 0 {
        input.read_u16().await?;
    }
    Ok(true)
}

/// What goes into a decoder: in pieces, and not more than is allowed.
struct Metered<R> {
    input: R,
    /// Was read ahead, and comes before the rest.
    ahead: Vec<u8>,
    taken: u64,
    /// Bytes that may be taken in all.
    allowed: u64,
    /// Bytes until others have their turn.
    until_pause: usize,
    /// It was read to its end.
    ended: bool,
}

impl<R> Metered<R> {
    const fn new(input: R) -> Self {
        Self { input, ahead: Vec::new(), taken: 0, allowed: SLACK, until_pause: PIECE, ended: false }
    }

    /// Lets in what is in proportion to what came out.
    const fn allow(&mut self, produced: u64) {
        self.allowed = produced.saturating_mul(MAX_FOR_ONE).saturating_add(SLACK);
    }
}

impl<R: AsyncBufRead + Unpin> Metered<R> {
    /// The next four bytes, or those that are left.
    async fn peek(&mut self) -> io::Result<&[u8]> {
        let left = 4 - self.ahead.len().min(4);
        (&mut self.input).take(left as u64).read_to_end(&mut self.ahead).await?;
        Ok(&self.ahead)
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Metered<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            return Poll::Ready(Ok(&this.ahead));
        }
        // A decoder goes on by itself until something comes out.
        if this.until_pause == 0 {
            this.until_pause = PIECE;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = ready!(Pin::new(&mut this.input).poll_fill_buf(cx))?;
        if this.taken >= this.allowed && !piece.is_empty() {
            let detail = "the compressed answer holds too much that expands to nothing";
            return Poll::Ready(Err(FetchError::lasting(detail).into()));
        }
        this.ended = piece.is_empty();
        Poll::Ready(Ok(&piece[..piece.len().min(this.until_pause)]))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.taken += amount as u64;
        self.until_pause = self.until_pause.saturating_sub(amount);
        match self.ahead.is_empty() {
            true => Pin::new(&mut self.input).consume(amount),
            false => drop(self.ahead.drain(..amount)),
        }
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
fn wire(
    response: reqwest::Response,
    limits: BodyLimits,
    window: Duration,
    accepts_partial: bool,
) -> impl Stream<Item = Result<Bytes, FetchError>> {
    let least = window.as_millis() * 1024 / 1000;
    let begun = Instant::now() + window;
    try_unfold((response, begun, 0, 0), move |(mut response, mut end, mut in_window, mut total)| async move {
        // Time in which nobody read is not the site's.
        if end <= Instant::now() {
            (end, in_window) = (Instant::now() + window, 0);
        }
        loop {
            match timeout_at(end, response.chunk()).await {
                Ok(Ok(Some(chunk))) => {
                    in_window += chunk.len() as u128;
                    total += chunk.len() as u64;
                    if !limits.truncates && total > limits.bytes {
                        return Err(FetchErrorKind::TooLarge(limits.bytes).into());
                    }
                    return Ok(Some((chunk, (response, end, in_window, total))));
                }
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) if accepts_partial && total > 0 && is_end(&error) => return Ok(None),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) if in_window < least => {
                    return Err(FetchErrorKind::Timeout.into());
                }
                Err(_) => (end, in_window) = (Instant::now() + window, 0),
            }
        }
    })
}

/// Whether the connection was closed in the middle of a body.
fn is_end(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| {
        let end = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        end == Some(io::ErrorKind::UnexpectedEof)
            || cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
    })
}
