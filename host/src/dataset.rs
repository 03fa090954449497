//! A job's images as a folder: one subfolder a class, the original bytes under their
//! hash, `metadata.jsonl` with the provenance of each, `refused.jsonl` with what was not kept and why,
//! and documents for people and programs: `README.md`, `attribution.csv`, `croissant.json`.

mod class;
mod documents;
mod draft;
pub mod export;
mod listing;
mod refusals;
pub mod report;

use std::{
    collections::BTreeSet,
    io,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    app::App,
    db::{self, export::DatasetRecord, facts::Scope, images::ImageScope},
    model::{ExportOptions, Format, ImageId, JobId, Sha256, UserId},
    private,
    store::StoreError,
};

pub use class::folder_name;
pub use listing::{ListedImage, Listing};

use draft::{Draft, Finished};
use export::{
    attribution,
    facts::{Counts, ExportFacts},
};

/// Name of the file that lists the images.
const LISTING: &str = "metadata.jsonl";
/// Name of the file with what was found and not kept.
pub const REFUSALS: &str = "refused.jsonl";
/// Name of the file that says what the dataset is.
const CARD: &str = "README.md";
/// Name of the file that says whom to name for each image.
const ATTRIBUTION: &str = "attribution.csv";
/// Name of the file that describes the dataset for programs.
const CROISSANT: &str = "croissant.json";
/// Name of the file that lists the files of an export.
const MANIFEST: &str = "manifest.json";

/// Why a folder could not be written, or not all of it. What is there is listed; the same export again
/// completes it.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// There is no such job of this user, or not any more: what is in the folder is left.
    #[error("the job was deleted")]
    Deleted,
    /// A row names an object that is not there.
    #[error("the object of image {0} is missing from the store")]
    Missing(ImageId),
    /// A row holds what this version cannot read.
    #[error("image {0} has no readable hash or format")]
    Unreadable(ImageId),
    /// A file of the export cannot be given.
    #[error(transparent)]
    File(#[from] export::ExportFileError),
    /// The folder cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What an export wrote.
#[derive(Debug)]
pub struct Exported {
    /// The image files, in the order of `metadata.jsonl`.
    pub files: Vec<PathBuf>,
    /// What was found and not kept is in `refused.jsonl`.
    pub refusals: bool,
}

/// Writes what a job of this user has kept by now into `folder`. Files that are there with the right
/// size are left alone, and `metadata.jsonl` is replaced at the end in one step: whoever reads it, also
/// while this is under way or after it was killed, sees whole lines that name files which are there.
/// Files that it listed before and no longer does are then removed, as are those that an earlier version
/// put into folders of other names. Then [`refused.jsonl`](export_refusals) is replaced in the same way, as are
/// `attribution.csv`, `croissant.json` and `README.md`, each unless it is somebody else's.
///
/// # Errors
/// See [`ExportError`].
pub async fn export(app: &App, user: UserId, job: JobId, folder: &Path) -> Result<Exported, ExportError> {
    private::shared_folder(folder).map_err(cannot_write(folder))?;
    let listing = folder.join(LISTING);
    let Written { counts, lines, attribution, files, mut failed } =
        write(app, user, job, folder, &listing).await?;
    let before = listed(&listing).await?;
    let gone = gone(folder, before, &files);
    if let Some(error) = failed.take_if(|_| !gone.is_empty()) {
        // What was listed may be all that there is of it.
        return Err(error);
    }
    let (lines, listing) = lines;
    lines.replace().await?;
    remove(gone).await?;
    if let Some(error) = failed {
        return Err(error);
    }
    let refusals = refusals::write(app, user, job, folder).await?;
    let mut attributed = None;
    if let Some((draft, finished)) = attribution {
        draft.replace().await?;
        attributed = Some(finished);
    }
    let mut connection = app.db.acquire().await?;
    let asked = ExportFacts::of(&mut connection, user, Scope::Job(job)).await?.ok_or(ExportError::Deleted)?;
    let facts = ExportFacts { counts, ..asked };
    let listings = vec![(LISTING, facts.counts.images, listing)];
    documents::write(folder, &facts, &ExportOptions::default(), listings, attributed, refusals)?;
    Ok(Exported { files, refusals })
}

/// What was listed before and is not any more.
fn gone(folder: &Path, before: Vec<PathBuf>, now: &[PathBuf]) -> Vec<PathBuf> {
    let now: BTreeSet<&PathBuf> = now.iter().collect();
    before.into_iter().map(|file| folder.join(file)).filter(|file| !now.contains(file)).collect()
}

/// Removes files of class folders, and the folders that are empty then.
async fn remove(gone: Vec<PathBuf>) -> Result<(), ExportError> {
    for gone in gone {
        match tokio::fs::remove_file(&gone).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot_write(&gone)(error)),
            _ => {}
        }
        // A class that is empty now, and a part of a split; any other folder is left.
        for folder in gone.ancestors().skip(1).take(2) {
            let _ = tokio::fs::remove_dir(folder).await;
        }
    }
    Ok(())
}

/// Writes `refused.jsonl` of a job of this user, a line for each picture that was found and not kept, or
/// takes it away where there is none; a file of this name that is somebody else's is left alone. Whether
/// there is one.
///
/// # Errors
/// See [`ExportError`].
pub async fn export_refusals(
    app: &App,
    user: UserId,
    job: JobId,
    folder: &Path,
) -> Result<bool, ExportError> {
    refusals::write(app, user, job, folder).await
}

/// The files of an export, and their listings as drafts.
struct Written {
    lines: (Draft, Finished),
    /// Whom to name; none where somebody else's is there.
    attribution: Option<(Draft, Finished)>,
    files: Vec<PathBuf>,
    counts: Counts,
    /// Why not all of them could be written.
    failed: Option<ExportError>,
}

/// Writes the files, and the listing of them as a draft. After one that cannot be written only those that
/// are there are listed.
async fn write(
    app: &App,
    user: UserId,
    job: JobId,
    folder: &Path,
    path: &Path,
) -> Result<Written, ExportError> {
    let mut listing = Listing::of(&app.db, user, ImageScope::Job(job)).await?;
    let mut lines = Draft::begin(path).await?;
    let mut attribution = documents::begin_attribution(folder).await?;
    let (mut files, mut counts, mut failed) = (Vec::new(), Counts::default(), None);
    loop {
        let page = listing.next().await?;
        if page.is_empty() {
            break;
        }
        for image in &page {
            let file = folder.join(&image.file_name);
            if !is_there(&file, &image.record).await {
                if failed.is_none() {
                    failed = write_image(app, user, image.record.id, image.object, &file).await.err();
                }
                if failed.is_some() {
                    continue;
                }
            }
            lines.push_json(image).await?;
            let record = image.export_record();
            if let Some(attribution) = &mut attribution {
                attribution.push(&attribution::row(&record)).await?;
            }
            counts.add(&record);
            files.push(file);
        }
    }
    let listed = lines.finish().await?;
    let mut attributed = None;
    if let Some(mut draft) = attribution {
        let finished = draft.finish().await?;
        attributed = Some((draft, finished));
    }
    // Its rows were going meanwhile, perhaps, and would take the files along.
    db::jobs::revision(&app.db, user, job).await?.ok_or(ExportError::Deleted)?;
    Ok(Written { lines: (lines, listed), attribution: attributed, files, counts, failed })
}

/// The files that a listing names, as far as an export could have written them.
async fn listed(listing: &Path) -> Result<Vec<PathBuf>, ExportError> {
    #[derive(Deserialize)]
    struct ListedFiles {
        file_name: PathBuf,
    }
    let text = match tokio::fs::read_to_string(listing).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_write(listing)(error)),
    };
    let files = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok().map(|ListedFiles { file_name }| file_name));
    let inside = |file: &PathBuf| {
        file.components().count() == 2 && file.components().all(|part| matches!(part, Component::Normal(_)))
    };
    Ok(files.filter(inside).collect())
}

async fn is_there(path: &Path, record: &DatasetRecord) -> bool {
    let size = u64::try_from(record.size).unwrap_or_default();
    tokio::fs::metadata(path).await.is_ok_and(|there| there.len() == size)
}

/// Writes the file of an image, whose object has this name in the store.
async fn write_image(
    app: &App,
    user: UserId,
    image: ImageId,
    (sha256, format): (Sha256, Format),
    path: &Path,
) -> Result<(), ExportError> {
    let object = app.store.get(user, &sha256, format, None).await?.ok_or(ExportError::Missing(image))?;
    put_picture(path, &object.bytes().await?).await
}

/// Puts a picture into its class folder, as a whole or not at all.
async fn put_picture(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let class = path.parent().unwrap_or(path);
    private::shared_folder(class).map_err(cannot_write(class))?;
    let draft = path.with_extension("part");
    let written = async {
        tokio::fs::write(&draft, bytes).await.map_err(cannot_write(&draft))?;
        private::share(&draft).map_err(cannot_write(&draft))?;
        tokio::fs::rename(&draft, path).await.map_err(cannot_write(path))
    };
    let written = written.await;
    if written.is_err() {
        // A full disk needs the room; the error says what matters.
        let _ = tokio::fs::remove_file(&draft).await;
    }
    written
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Write { path, source }
}
