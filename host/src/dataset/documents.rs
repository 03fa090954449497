//! The documents of a folder: `README.md`, `croissant.json` and `attribution.csv`. Each is written where there is
//! none or one of ours.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use super::{
    ATTRIBUTION, CARD, CROISSANT, ExportError, REFUSALS, cannot_write,
    draft::{Draft, Finished},
    export::{
        attribution,
        card::{self, Card},
        croissant::{self, Croissant},
        facts::ExportFacts,
        manifest::ExportFile,
    },
};
use crate::{
    atomic_write,
    model::{ExportFormat, ExportOptions},
    private,
};

/// Most of a file that is looked at, in bytes, to see whose it is.
const HEAD: u64 = 1 << 20;

/// Whether there is no such file, or one that was written here: it has this in it.
pub(super) fn is_ours(path: &Path, mark: &[u8]) -> bool {
    let mut head = Vec::new();
    match File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)) {
        Ok(_) => memchr::memmem::find(&head, mark).is_some(),
        // What cannot be read is not ours.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Begins the table of whom to name, where that is ours.
pub(super) async fn begin_attribution(folder: &Path) -> Result<Option<Draft>, ExportError> {
    let path = folder.join(ATTRIBUTION);
    if !is_ours(&path, &attribution::head()) {
        return Ok(None);
    }
    let mut draft = Draft::begin(&path).await?;
    draft.push(&attribution::head()).await?;
    Ok(Some(draft))
}

/// Writes the card and the description for programs. Gives what that says of the other files, of which the listings
/// are given by name, with how many pictures each lists.
pub(super) fn write(
    folder: &Path,
    facts: &ExportFacts,
    options: &ExportOptions,
    listings: Vec<(&'static str, u64, Finished)>,
    attribution: Option<Finished>,
    has_refusals: bool,
) -> Result<Vec<ExportFile>, ExportError> {
    let name = folder.canonicalize().ok();
    let name = name.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let refusals = has_refusals.then_some(REFUSALS);
    let format = ExportFormat::Folder;
    let card = Card { facts, format, options, folder: name.as_deref(), refusals };
    replace(&folder.join(CARD), &card.text(), card::MARK)?;
    let file = |(name, images, file): (&str, u64, Finished)| ExportFile {
        name: name.to_owned(),
        bytes: Some(file.bytes),
        sha256: Some(file.sha256),
        images,
        ..ExportFile::default()
    };
    let attribution = attribution.map(|finished| (ATTRIBUTION, facts.counts.images, finished));
    let files: Vec<ExportFile> = listings.into_iter().chain(attribution).map(file).collect();
    let text = Croissant { facts, format, options, files: &files }.text();
    replace(&folder.join(CROISSANT), &text, croissant::MARK)?;
    Ok(files)
}

fn replace(path: &Path, text: &str, mark: &str) -> Result<(), ExportError> {
    if !is_ours(path, mark.as_bytes()) || std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    put_text(path, text)
}

/// Puts a text in place of a file, as a whole or not at all.
pub(super) fn put_text(path: &Path, text: &str) -> Result<(), ExportError> {
    atomic_write::write(path, text.as_bytes()).and_then(|()| private::share(path)).map_err(cannot_write(path))
}
