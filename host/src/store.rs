//! Objects: the original bytes, in a local folder.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{
    image::{Format, Sha256},
    job::UserId,
};

/// A folder.
pub struct Store;

/// Bytes of an object.
pub struct Object {
    /// Of the whole object.
    pub size: u64,
    /// What was asked for.
    pub bytes: BoxStream<'static, std::io::Result<Bytes>>,
}

impl Store {
    /// The bytes, or none.
    pub async fn get(
        &self,
        _user: UserId,
        _sha: Sha256,
        _format: Format,
        _range: Option<Range<u64>>,
    ) -> std::io::Result<Option<Object>> {
        Ok(None)
    }

    /// Whether it can be written.
    pub async fn check(&self) -> std::io::Result<()> {
        Ok(())
    }
}
