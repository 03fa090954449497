//! A file of JSON, one value a line, that is replaced as a whole or not at all.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::{
    fs::File,
    io::{AsyncWriteExt as _, BufWriter},
};

use super::{ExportError, cannot_write};
use crate::private;

/// The draft of such a file. Dropped, it goes: a full disk needs the room.
pub(super) struct JsonLines {
    path: PathBuf,
    draft: PathBuf,
    lines: BufWriter<File>,
    count: usize,
}

impl JsonLines {
    /// Begins to write what is to replace the file at `path`.
    pub(super) async fn begin(path: &Path) -> Result<Self, ExportError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.part"));
        let file = File::create(&draft).await.map_err(cannot_write(&draft))?;
        Ok(Self { path: path.to_owned(), draft, lines: BufWriter::new(file), count: 0 })
    }

    /// Adds a line.
    pub(super) async fn push(&mut self, value: &impl Serialize) -> Result<(), ExportError> {
        let mut line = serde_json::to_vec(value).unwrap_or_default();
        line.push(b'\n');
        self.count += 1;
        self.lines.write_all(&line).await.map_err(cannot_write(&self.draft))
    }

    /// Whether there is no line.
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Has all lines on the disk, still as a draft.
    pub(super) async fn finish(&mut self) -> Result<(), ExportError> {
        let draft = &self.draft;
        self.lines.flush().await.map_err(cannot_write(draft))?;
        self.lines.get_ref().sync_all().await.map_err(cannot_write(draft))?;
        private::share(draft).map_err(cannot_write(draft))
    }

    /// Puts the finished draft in place of the file.
    pub(super) async fn replace(self) -> Result<(), ExportError> {
        tokio::fs::rename(&self.draft, &self.path).await.map_err(cannot_write(&self.path))
    }
}

impl Drop for JsonLines {
    fn drop(&mut self) {
        // Not there any more once it has replaced the file.
        let _ = std::fs::remove_file(&self.draft);
    }
}
