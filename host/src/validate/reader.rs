//! Reading a container: a position in bytes, where every read past the end is `truncated`.

use super::Rejection;
use crate::model::Refusal;

/// A position in a file.
pub(super) struct ByteReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ByteReader<'a> {
    /// Starts at byte `at`.
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Bytes before the position.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// Whether there is nothing more.
    pub(super) const fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Rejection> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.cut())?;
        self.at += count;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let taken = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk).ok_or_else(|| self.cut())?;
        self.at += N;
        Ok(*taken)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Result<u8, Rejection> {
        Ok(self.array::<1>()?[0])
    }

    /// Goes to behind the next byte of this value.
    pub(super) fn skip_past(&mut self, value: u8) -> Result<(), Rejection> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = memchr::memchr(value, rest).ok_or_else(|| self.cut())?;
        self.at += found + 1;
        Ok(())
    }

    fn cut(&self) -> Rejection {
        Rejection::new(Refusal::Truncated, format!("ends after {} bytes", self.bytes.len()))
    }
}
