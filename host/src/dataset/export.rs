//! Exports: what a dataset has kept, as of one moment, packed so that others can read it.
//!
//! What a file is made of (the text of each record in each format, archives, tables, the documents beside the data)
//! follows from records and facts alone: the same give the same bytes, on whatever machine. Most files are never
//! there: their bytes are worked out from the rows as they are asked for. The others are made in the background.

pub mod attribution;
mod background;
pub mod card;
mod columns;
pub mod croissant;
mod csv;
pub mod facts;
mod file;
pub mod labels;
pub mod local;
pub mod make;
pub mod manifest;
pub mod parquet;
pub mod segments;
mod snapshot;
mod split;
pub mod tar;
mod walk;
pub mod zip;

use std::io;

use crate::{db, model::Sha256, store::StoreError};

pub use columns::Besides;
pub use file::{OpenFile, delete_export};
pub use snapshot::{ARCHIVE, CreateExportError};

/// Why a file of an export cannot be given, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportFileError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Pictures were taken out at the same time, or the export is gone.
    #[error("the export has changed meanwhile")]
    Changed,
    /// A picture is not there, or not as it was.
    #[error("the object of picture {0} is missing from the store, or another")]
    Missing(Sha256),
    /// It is to be made first; with what went wrong last time.
    #[error("the file is not made yet")]
    NotReady(Option<String>),
    /// A process of a later version has made it, or is to.
    #[error("a newer version of PixCrawler makes the file, and it alone can give it")]
    Newer,
    /// The row is of a later version.
    #[error("what is stored of the export cannot be read")]
    Unreadable,
    /// A picture cannot be made of another.
    #[error("nothing can be made of picture {0}: {1}")]
    Derive(Sha256, String),
    /// A table cannot be written.
    #[error(transparent)]
    Table(#[from] parquet::ParquetWriteError),
    /// There is no room for it, perhaps.
    #[error("cannot write a temporary file")]
    Write(#[source] io::Error),
    /// The process ends, or somebody else makes it.
    #[error("it was not finished")]
    Stopped,
}

#[cfg(test)]
mod tests;
