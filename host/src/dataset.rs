//! A job's images as a folder: one subfolder a class, the original bytes under their
//! hash, and `metadata.jsonl` with the provenance of each.

mod class;

use std::{
    collections::BTreeSet,
    io,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWriteExt as _, BufWriter};

use crate::{
    app::App,
    db::{
        self,
        export::{self, DatasetRecord},
    },
    model::{Format, ImageId, JobId, Sha256, UserId},
    private,
    store::StoreError,
};

pub use class::folder_name;

use class::Folders;

/// Rows read at a time.
const PAGE: i64 = 500;
/// Name of the file that lists the images.
const LISTING: &str = "metadata.jsonl";

/// What an export wrote.
#[derive(Clone, Debug, Default)]
pub struct Exported {
    /// The image files, in the order of `metadata.jsonl`.
    pub files: Vec<PathBuf>,
}

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
    /// The folder cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes what a job of this user has kept by now into `folder`. Files that are there with the right
/// size are left alone, and `metadata.jsonl` is replaced at the end in one step: whoever reads it, also
/// while this is under way or after it was killed, sees whole lines that name files which are there.
/// Files that it listed before and no longer does are then removed, as are those that an earlier version
/// put into folders of other names.
///
/// # Errors
/// See [`ExportError`].
pub async fn export(app: &App, user: UserId, job: JobId, folder: &Path) -> Result<Exported, ExportError> {
    make_dir(folder)?;
    let listing = folder.join(LISTING);
    let draft = folder.join(format!(".{LISTING}.part"));
    let written = write(app, user, job, folder, &draft).await;
    let (exported, mut failed) = drop_if_failed(&draft, written).await?;
    let before = listed(&listing).await?;
    let now: BTreeSet<&PathBuf> = exported.files.iter().collect();
    let gone: Vec<PathBuf> =
        before.into_iter().map(|file| folder.join(file)).filter(|file| !now.contains(file)).collect();
    if let Some(error) = failed.take_if(|_| !gone.is_empty()) {
        // What was listed may be all that there is of it.
        return drop_if_failed(&draft, Err(error)).await;
    }
    let replaced = tokio::fs::rename(&draft, &listing).await.map_err(cannot_write(&listing));
    drop_if_failed(&draft, replaced).await?;
    for gone in gone {
        match tokio::fs::remove_file(&gone).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot_write(&gone)(error)),
            _ => {}
        }
        // A class that is empty now; any other folder is left.
        if let Some(class) = gone.parent() {
            let _ = tokio::fs::remove_dir(class).await;
        }
    }
    failed.map_or(Ok(exported), Err)
}

/// Writes the files, and the listing of them as a draft. After one that cannot be written only those that
/// are there are listed.
async fn write(
    app: &App,
    user: UserId,
    job: JobId,
    folder: &Path,
    draft: &Path,
) -> Result<(Exported, Option<ExportError>), ExportError> {
    let classes = export::classes(&app.db, user, job).await?;
    let folders = Folders::new(classes.iter().map(String::as_str));
    let mut lines = BufWriter::new(tokio::fs::File::create(draft).await.map_err(cannot_write(draft))?);
    let (mut exported, mut failed) = (Exported::default(), None);
    let mut after = ImageId(0);
    loop {
        let page = export::kept(&app.db, user, job, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for image in &page {
            let file = file_name(image, &folders.of(&image.label))?;
            if !is_there(&folder.join(&file), image).await {
                if failed.is_none() {
                    failed = write_image(app, user, image, &folder.join(&file)).await.err();
                }
                if failed.is_some() {
                    continue;
                }
            }
            let mut line = serde_json::to_vec(&ListingLine::new(image, &file)).unwrap_or_default();
            line.push(b'\n');
            lines.write_all(&line).await.map_err(cannot_write(draft))?;
            exported.files.push(folder.join(file));
        }
    }
    // Its rows were going meanwhile, perhaps, and would take the files along.
    if db::jobs::revision(&app.db, user, job).await?.is_none() {
        return Err(ExportError::Deleted);
    }
    lines.flush().await.map_err(cannot_write(draft))?;
    lines.get_ref().sync_all().await.map_err(cannot_write(draft))?;
    private::share(draft).map_err(cannot_write(draft))?;
    Ok((exported, failed))
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

/// One line of `metadata.jsonl`. `file_name` is the key that dataset loaders of the
/// image-folder kind look for.
#[derive(Serialize)]
struct ListingLine<'a> {
    file_name: &'a str,
    label: &'a str,
    url: &'a str,
    asked_url: Option<&'a str>,
    source: Option<&'a str>,
    page_url: Option<&'a str>,
    title: Option<&'a str>,
    description: Option<&'a str>,
    creator: Option<&'a str>,
    creator_url: Option<&'a str>,
    license: Option<&'a str>,
    license_url: Option<&'a str>,
    attribution: Option<&'a str>,
    width: i32,
    height: i32,
    size: i32,
    sha256: &'a str,
    phash: Option<String>,
}

impl<'a> ListingLine<'a> {
    fn new(image: &'a DatasetRecord, file: &'a str) -> Self {
        Self {
            file_name: file,
            label: &image.label,
            url: &image.original_url,
            asked_url: image.asked_url.as_deref(),
            source: image.source.as_deref(),
            page_url: image.page_url.as_deref(),
            title: image.title.as_deref(),
            description: image.description.as_deref(),
            creator: image.creator.as_deref(),
            creator_url: image.creator_url.as_deref(),
            license: image.license.as_deref(),
            license_url: image.license_url.as_deref(),
            attribution: image.attribution.as_deref(),
            width: image.width,
            height: image.height,
            size: image.file_size,
            sha256: &image.hash,
            phash: image.phash.map(|phash| format!("{phash:016x}")),
        }
    }
}

/// The path of an image within the folder.
fn file_name(image: &DatasetRecord, class: &str) -> Result<String, ExportError> {
    let (sha256, format) = object(image)?;
    Ok(format!("{class}/{sha256}.{}", format.extension()))
}

fn object(image: &DatasetRecord) -> Result<(Sha256, Format), ExportError> {
    let format = Format::ALL.into_iter().find(|format| format.name() == image.format);
    Sha256::parse(&image.hash).zip(format).ok_or(ExportError::Unreadable(image.id))
}

async fn is_there(path: &Path, image: &DatasetRecord) -> bool {
    let size = u64::try_from(image.file_size).unwrap_or_default();
    tokio::fs::metadata(path).await.is_ok_and(|there| there.len() == size)
}

/// Writes one image.
async fn write_image(app: &App, user: UserId, image: &DatasetRecord, path: &Path) -> Result<(), ExportError> {
    let (sha256, format) = object(image)?;
    make_dir(path.parent().unwrap_or(path))?;
    let object = app.store.get(user, &sha256, format, None).await?.ok_or(ExportError::Missing(image.id))?;
    let bytes = object.bytes().await?;
    let draft = path.with_extension("part");
    let written = async {
        tokio::fs::write(&draft, &bytes).await.map_err(cannot_write(&draft))?;
        private::share(&draft).map_err(cannot_write(&draft))?;
        tokio::fs::rename(&draft, path).await.map_err(cannot_write(path))
    };
    drop_if_failed(&draft, written.await).await
}

/// Takes a draft away of which nothing came: a full disk needs the room.
async fn drop_if_failed<T>(draft: &Path, written: Result<T, ExportError>) -> Result<T, ExportError> {
    if written.is_err() {
        // The error says what matters.
        let _ = tokio::fs::remove_file(draft).await;
    }
    written
}

fn make_dir(folder: &Path) -> Result<(), ExportError> {
    private::shared_folder(folder).map_err(cannot_write(folder))
}

fn cannot_write(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::Write { path, source }
}
