//! A file that is written bit by bit and replaced as a whole or not at all.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::File,
    io::{AsyncWriteExt as _, BufWriter},
};

use super::{ExportError, cannot_write};
use crate::private;

/// What is to replace a file. Dropped, it goes: a full disk needs the room.
pub(super) struct Draft {
    path: PathBuf,
    draft: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    sha256: Sha256,
}

/// What a finished draft holds.
#[derive(Debug)]
pub(super) struct Finished {
    /// Its length.
    pub(super) bytes: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
}

impl Draft {
    /// Begins to write what is to replace the file at `path`.
    pub(super) async fn begin(path: &Path) -> Result<Self, ExportError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.part"));
        let file = File::create(&draft).await.map_err(cannot_write(&draft))?;
        Ok(Self { path: path.to_owned(), draft, file: BufWriter::new(file), bytes: 0, sha256: Sha256::new() })
    }

    /// Adds what is next.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
        self.file.write_all(bytes).await.map_err(cannot_write(&self.draft))
    }

    /// Adds a line of JSON.
    pub(super) async fn push_json(&mut self, value: &impl Serialize) -> Result<(), ExportError> {
        let mut line = serde_json::to_vec(value).unwrap_or_default();
        line.push(b'\n');
        self.push(&line).await
    }

    /// Whether there is nothing in it.
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Has all of it on the disk, still as a draft.
    pub(super) async fn finish(&mut self) -> Result<Finished, ExportError> {
        let draft = &self.draft;
        self.file.flush().await.map_err(cannot_write(draft))?;
        self.file.get_ref().sync_all().await.map_err(cannot_write(draft))?;
        private::share(draft).map_err(cannot_write(draft))?;
        Ok(Finished { bytes: self.bytes, sha256: hex::encode(self.sha256.clone().finalize()) })
    }

    /// Puts the finished draft in place of the file.
    pub(super) async fn replace(self) -> Result<(), ExportError> {
        tokio::fs::rename(&self.draft, &self.path).await.map_err(cannot_write(&self.path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Not there any more once it has replaced the file.
        let _ = std::fs::remove_file(&self.draft);
    }
}
