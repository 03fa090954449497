//! The beginning of an export: what a dataset has kept is fixed, cut into files, and measured.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{
    ExportFileError,
    facts::{Counts, ExportFacts},
    file::{MadeAs, measure_files},
    split::{MOST_IMAGES, Member, parts},
};
use crate::{
    app::App,
    dataset::{ATTRIBUTION, CARD, ExportError, ListedImage, class::Folders},
    db::{
        self,
        exports::{LookRow, NewExportFile, Snapshot, SnapshotRow, begin_to_settle},
        facts::Scope,
        measurements::MeasureScope,
    },
    model::{
        DatasetId, ExportFileKind, ExportFormat, ExportId, ExportItem, ExportOptions, ExportRecord, Format,
        ImageId, Sha256, SplitPart, UserId,
    },
    services::{
        Violation,
        exports::ExportRequest,
        measure::{MeasureError, measure},
    },
};

/// Exports that a dataset may have, and a user.
const MOST_OF_DATASET: i64 = 20;
const MOST_OF_USER: i64 = 100;
/// Most shards of an export: all of them are told at once.
const MOST_FILES: usize = 10_000;
/// The only data file of an archive with default options.
pub const ARCHIVE: &str = "data.zip";
/// How long whoever asks for an archive waits for checksums of pictures of earlier versions.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an export was not made; nothing of it is there.
#[derive(Debug, thiserror::Error)]
pub enum CreateExportError {
    /// The user has no such dataset.
    #[error("there is no such dataset")]
    NotFound,
    /// It asks for something that is not possible.
    #[error("the request breaks rules")]
    Rules(Vec<Violation>),
    /// One must be deleted first.
    #[error("there are {0} exports of this {1} already, and there may be no more; delete one")]
    TooMany(i64, &'static str),
    /// The same again goes on with it.
    #[error("checksums of pictures that an earlier version kept are being read; ask again")]
    Measuring,
    /// Others are being made.
    #[error("other exports are being made; ask again")]
    Busy,
    /// Some cannot be measured.
    #[error("pictures of the dataset cannot be read; `pixcrawler dataset measure` names them")]
    Unmeasured,
    /// A row cannot be understood, or what was made of it.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The files cannot be measured.
    #[error(transparent)]
    File(#[from] ExportFileError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

/// What an export is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A user wants it to be there until it is deleted.
    Asked,
    /// Whoever gets the dataset as it is, until that changes.
    Current,
}

/// Cuts the pictures of an export into shards, as they come.
struct Shards {
    most_images: u32,
    most_bytes: u64,
    /// Whether each is of one part of a split.
    is_by_part: bool,
    /// Position of the first picture of each, and its part.
    firsts: Vec<(i32, Option<SplitPart>)>,
    images: u32,
    bytes: u64,
}

impl App {
    /// Fixes what a dataset has kept by now, as it is asked for.
    ///
    /// # Errors
    /// See [`CreateExportError`].
    pub async fn create_export(
        &self,
        user: UserId,
        dataset: DatasetId,
        request: &ExportRequest,
    ) -> Result<ExportId, CreateExportError> {
        let (format, options) = request.check().map_err(CreateExportError::Rules)?;
        self.fix_export(user, dataset, (format, &options)).await
    }

    /// The same, as it was checked; in a folder, too.
    ///
    /// # Errors
    /// See [`CreateExportError`].
    pub async fn fix_export(
        &self,
        user: UserId,
        dataset: DatasetId,
        asked: (ExportFormat, &ExportOptions),
    ) -> Result<ExportId, CreateExportError> {
        self.snapshot(user, dataset, asked, Purpose::Asked).await
    }

    /// An archive of the originals that a dataset has kept by now, with default options: the one that was made the
    /// last time, where the dataset has not changed since, or a new one. Such exports are not listed and do not
    /// count as asked for; those from before go, but for the last few.
    ///
    /// # Errors
    /// See [`CreateExportError`]; neither rules nor numbers are in its way.
    pub async fn current_zip(&self, user: UserId, dataset: DatasetId) -> Result<ExportId, CreateExportError> {
        if let Some(export) = db::exports::reusable(&self.db, user, dataset).await? {
            return Ok(export);
        }
        let asked = (ExportFormat::Zip, &ExportOptions::default());
        let export = self.snapshot(user, dataset, asked, Purpose::Current).await?;
        db::exports::forget_reusable(&self.db, user, dataset).await?;
        Ok(export)
    }

    async fn snapshot(
        &self,
        user: UserId,
        dataset: DatasetId,
        (format, options): (ExportFormat, &ExportOptions),
        purpose: Purpose,
    ) -> Result<ExportId, CreateExportError> {
        let turn = tokio::time::timeout(PATIENCE, self.export_turns.acquire()).await;
        let _turn = turn.map_err(|_| CreateExportError::Busy)?;
        let needs_crc32 = format == ExportFormat::Zip && options.pictures.is_none();
        if needs_crc32 {
            let scope = MeasureScope { user: Some(user), dataset: Some(dataset), only_crc32: true };
            let measured = measure(&self.db, &self.store, scope, |_| ());
            match tokio::time::timeout(PATIENCE, measured).await {
                Err(_) => return Err(CreateExportError::Measuring),
                Ok(Err(MeasureError::Database(error))) => return Err(error.into()),
                Ok(Err(MeasureError::Store(error))) => return Err(ExportFileError::from(error).into()),
                Ok(Ok(_)) => {}
            }
        }
        let mut snapshot = Snapshot::begin(&self.db).await?;
        let facts = ExportFacts::of(snapshot.connection(), user, Scope::Dataset(dataset)).await?;
        let mut facts = facts.ok_or(CreateExportError::NotFound)?;
        if purpose == Purpose::Asked {
            allow_another(db::exports::count(snapshot.connection(), user, dataset).await?)?;
        }
        let classes = snapshot.classes(user, dataset).await?;
        let folders = Folders::new(classes.iter().map(String::as_str));
        let export = snapshot.insert(user, dataset, format, options).await?;
        if purpose == Purpose::Current {
            snapshot.reuse(user, dataset, export).await?;
        }
        divide(&mut snapshot, user, dataset, options).await?;
        snapshot.open(user, dataset, options).await?;
        let (mut position, mut counts, mut shards) = (0, Counts::default(), Shards::new(format, options));
        let made_as = MadeAs::of(options, format);
        loop {
            let page = snapshot.next().await?;
            if page.is_empty() {
                break;
            }
            let mut items = Vec::with_capacity(page.len());
            for row in page {
                let item = item(row, position, &folders)?;
                if needs_crc32 && item.crc32.is_none() {
                    return Err(CreateExportError::Unmeasured);
                }
                shards.add(&item);
                counts.add(&made_as.counted(&item.record));
                items.push(item);
                position += 1;
            }
            snapshot.add(export, &items).await?;
        }
        if shards.firsts.len() > MOST_FILES {
            return Err(CreateExportError::Rules(vec![Violation {
                pointer: "/shard_images".to_owned(),
                detail: format!("makes more than {MOST_FILES} files"),
            }]));
        }
        facts.counts = counts;
        let facts = serde_json::to_value(&facts).unwrap_or_default();
        let files = files(format, options, shards.firsts, position);
        if purpose == Purpose::Asked {
            // Again, as of now: others may have come meanwhile. At the end, so that nobody waits for the rest of it.
            snapshot.lock(user).await?;
            allow_another(db::exports::count(&self.db, user, dataset).await?)?;
        }
        snapshot.end(export, position, &facts, &files).await?;
        begin_to_settle(&self.db, export).await?;
        self.export_wake.notify_one();
        let found = db::exports::show(&self.db, user, dataset, export).await?;
        measure_files(self, &found.ok_or(CreateExportError::NotFound)?).await?;
        Ok(export)
    }
}

/// Tells whether there may be one more than these, which a dataset and its user have.
fn allow_another((of_dataset, of_user): (i64, i64)) -> Result<(), CreateExportError> {
    for (there, most, what) in [(of_dataset, MOST_OF_DATASET, "dataset"), (of_user, MOST_OF_USER, "user")] {
        if there >= most {
            return Err(CreateExportError::TooMany(there, what));
        }
    }
    Ok(())
}

/// Notes in which part each picture is, if the export is split.
async fn divide(
    snapshot: &mut Snapshot,
    user: UserId,
    dataset: DatasetId,
    options: &ExportOptions,
) -> Result<(), CreateExportError> {
    let (Some(split), seed) = (options.split, options.seed) else { return Ok(()) };
    let impossible =
        |detail: String| CreateExportError::Rules(vec![Violation { pointer: "/split".to_owned(), detail }]);
    let looks = snapshot.looks(user, dataset, MOST_IMAGES + 1).await?;
    if looks.len() > MOST_IMAGES {
        return Err(impossible(format!("is for at most {MOST_IMAGES} pictures")));
    }
    let stood_for = snapshot.stood_for(user, dataset, MOST_IMAGES).await?;
    let divided = while_awaited(move |is_over| {
        let member = |look: &LookRow| Member { label: look.label, sha256: look.sha256, hashes: look.hashes };
        let members: Vec<Member> = looks.iter().map(member).collect();
        let numbers: HashMap<ImageId, u32> = looks.iter().map(|look| look.image).zip(0..).collect();
        let stood_for = stood_for.into_iter().filter_map(|(image, hash)| Some((*numbers.get(&image)?, hash)));
        let parts = parts(&members, &stood_for.collect::<Vec<_>>(), split, seed, is_over)?;
        Some(looks.iter().map(|look| look.image).zip(parts).collect::<Vec<_>>())
    });
    let divided = divided.await.map_err(|_| ExportFileError::Stopped)?;
    let divided = divided.ok_or_else(|| {
        impossible("cannot be made: too many pictures of the dataset look nearly alike".to_owned())
    })?;
    Ok(snapshot.divide(&divided).await?)
}

/// What `work` gives on a thread of its own. It is told when nobody waits for it any more: whoever asked may leave.
async fn while_awaited<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> Result<T, JoinError> {
    let left = CancellationToken::new();
    let _guard = left.clone().drop_guard();
    spawn_blocking(move || work(&|| left.is_cancelled())).await
}

fn item(row: SnapshotRow, position: i32, folders: &Folders) -> Result<ExportItem, ExportError> {
    let SnapshotRow { record, crc32, part } = row;
    let object = Sha256::parse(&record.sha256).zip(Format::named(&record.format));
    let (sha256, format) = object.ok_or(ExportError::Unreadable(record.id))?;
    let image = record.id;
    let listed = ListedImage::new(folders, (sha256, format), record);
    let part = part.and_then(|part| SplitPart::ALL.get(usize::try_from(part).ok()?).copied());
    let record = ExportRecord { split: part, ..listed.export_record() };
    let size = record.size;
    let crc32 = crc32.and_then(|crc32| u32::try_from(crc32).ok());
    Ok(ExportItem { position, image, sha256, format, size, crc32, record })
}

impl Shards {
    fn new(format: ExportFormat, options: &ExportOptions) -> Self {
        let (most_images, most_bytes) = (options.most_images(format), options.most_bytes(format));
        // Other files say of each picture in which part it is.
        let is_by_part = matches!(format, ExportFormat::Webdataset | ExportFormat::Parquet);
        // There is always one, be it empty.
        Self { most_images, most_bytes, is_by_part, firsts: vec![(0, None)], images: 0, bytes: 0 }
    }

    fn add(&mut self, item: &ExportItem) {
        let is_full =
            self.images >= self.most_images || self.bytes.saturating_add(item.size) > self.most_bytes;
        let part = item.record.split.filter(|_| self.is_by_part);
        if self.images == 0 {
            self.firsts = vec![(item.position, part)];
        } else if is_full || self.firsts.last().is_some_and(|(_, before)| *before != part) {
            self.firsts.push((item.position, part));
            (self.images, self.bytes) = (0, 0);
        }
        self.images += 1;
        self.bytes += item.size;
    }
}

/// The files of an export whose shards begin at these positions.
fn files(
    format: ExportFormat,
    options: &ExportOptions,
    firsts: Vec<(i32, Option<SplitPart>)>,
    end: i32,
) -> Vec<NewExportFile> {
    let (kind, extension) = match format {
        // In no file that is made of several.
        ExportFormat::Folder => return documents(end),
        ExportFormat::Zip => (ExportFileKind::Zip, "zip"),
        ExportFormat::Webdataset => (ExportFileKind::Tar, "tar"),
        ExportFormat::Parquet => (ExportFileKind::Parquet, "parquet"),
        format => (ExportFileKind::Labels, format.name()),
    };
    let is_one = firsts.len() == 1 && !matches!(format, ExportFormat::Webdataset | ExportFormat::Parquet);
    let ends = firsts.iter().skip(1).map(|(first, _)| *first).chain([end]);
    let (mut files, mut numbers) = (Vec::new(), BTreeMap::new());
    for ((first, part), end) in firsts.iter().copied().zip(ends) {
        let number: &mut usize = numbers.entry(part).or_default();
        let name = part.map_or("data", SplitPart::name);
        let stem = if is_one { name.to_owned() } else { format!("{name}-{number:05}") };
        *number += 1;
        files.push(NewExportFile { name: format!("{stem}.{extension}"), kind, first, end });
        if options.parquet_beside {
            let name = format!("{stem}.parquet");
            files.push(NewExportFile { name, kind: ExportFileKind::Table, first, end });
        }
    }
    files.extend(documents(end));
    files
}

/// What lies beside the data, of all pictures.
fn documents(end: i32) -> Vec<NewExportFile> {
    let documents = [(ATTRIBUTION, ExportFileKind::Attribution), (CARD, ExportFileKind::Card)];
    documents.map(|(name, kind)| NewExportFile { name: name.to_owned(), kind, first: 0, end }).into()
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_is_told_when_nobody_waits_for_it_any_more() {
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let asked = tokio::spawn(while_awaited(move |is_over| {
            begin.send(is_over()).unwrap();
            while !is_over() {
                std::thread::yield_now();
            }
            end.send(()).unwrap();
        }));
        assert!(!begun.await.unwrap());
        asked.abort();
        ended.await.unwrap();
        assert!(asked.await.unwrap_err().is_cancelled());
        assert_eq!(while_awaited(|is_over| is_over()).await.ok(), Some(false));
    }
}
