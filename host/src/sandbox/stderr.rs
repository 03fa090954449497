//! What a guest writes to stderr: the only place where a panic says why.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use super::text::printable;

/// Bytes that are kept.
const CAPACITY: usize = 16 << 10;

/// Keeps the last 16 KiB, because the reason of a trap is written last.
#[derive(Clone, Default)]
pub(super) struct Stderr {
    tail: Arc<Mutex<VecDeque<u8>>>,
}

impl Stderr {
    /// Gives what is kept, without terminal escapes and surrounding white space.
    pub(super) fn contents(&self) -> String {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        printable(&String::from_utf8_lossy(tail.make_contiguous()), CAPACITY).trim().to_owned()
    }

    fn keep(&self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(CAPACITY)..];
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = (tail.len() + bytes.len()).saturating_sub(CAPACITY);
        tail.drain(..surplus);
        tail.extend(bytes);
    }
}

impl IsTerminal for Stderr {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stderr {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for Stderr {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CAPACITY {
            return Err(StreamError::trap("cannot write more than `check_write` allows"));
        }
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CAPACITY)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stderr {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Stderr {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let stderr = Stderr::default();
        stderr.keep(&[b'a'; CAPACITY - 1]);
        stderr.keep(b"\x1b[31mpanicked\n");
        let kept = stderr.contents();
        assert!(kept.starts_with("aaa") && kept.ends_with("a[31mpanicked"), "{kept}");
        stderr.keep(&[b'b'; 3 * CAPACITY]);
        assert_eq!(stderr.contents(), "b".repeat(CAPACITY));
    }
}
