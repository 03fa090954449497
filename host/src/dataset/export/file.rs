//! Files of exports as they are asked for: what is known of each, and the bytes.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use sha2::{Digest as _, Sha256 as Hash};

use super::{
    ExportFileError,
    card::Card,
    croissant::Croissant,
    facts::{Counts, ExportFacts},
    labels::LabelFormat,
    manifest::{ExportFile, Manifest},
    segments::{FixedFile, Layout, RowFile, Rows, TextMeasure},
    tar::TarFile,
    walk::{Measure, Walk},
    zip::{Describe, ZipFile, ZipText},
};
use crate::{
    app::App,
    dataset::{ATTRIBUTION, CARD, CROISSANT, LISTING, MANIFEST},
    db::{
        self, PgPool,
        exports::{self, ExportFileRow, ExportRow, LAYOUT},
    },
    error::chain,
    model::{
        DatasetId, ExportFileKind, ExportFormat, ExportId, ExportOptions, ExportRecord, Format, Sha256,
        SplitPart, UserId,
    },
    store::{MadePlace, Store},
};

/// Rows read at a time.
const PAGE: i64 = 500;
/// How often a file is opened that changes at the same time.
const TRIES: usize = 3;

/// A file of an export that can be given now, in whole or in part.
pub struct OpenFile {
    app: App,
    export: ExportRow,
    content: Content,
    /// In bytes.
    pub length: u64,
    /// Tells it from what it was before, and from every other.
    pub tag: String,
}

enum Content {
    /// Follows from rows.
    Rows(Box<Walk>, Measure),
    /// Lies in the store.
    Made(ExportFileRow),
    /// Is here.
    Text(String),
}

/// What becomes of the names of pictures that are made of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct MadeAs(Option<Format>);

impl MadeAs {
    /// Of an export with these options.
    pub(super) fn of(options: &ExportOptions, format: ExportFormat) -> Self {
        let made = options.pictures.filter(|_| format.has_pictures());
        Self(made.map(|made| made.format.format()))
    }

    /// The record as far as it is known before the picture is made, for documents.
    pub(super) fn counted(self, record: &ExportRecord) -> ExportRecord {
        match self.0 {
            None => record.clone(),
            Some(format) => {
                ExportRecord { file_name: record.made_file_name(format), size: 0, ..record.clone() }
            }
        }
    }
}

/// Deletes an export of a user with what was made of it; whether it was there. What of that cannot be deleted now
/// is left to the sweep.
///
/// # Errors
/// When the database fails.
pub async fn delete_export(
    db: &PgPool,
    store: &Store,
    user: UserId,
    dataset: DatasetId,
    export: ExportId,
) -> Result<bool, db::Error> {
    let Some(found) = exports::show(db, user, dataset, export).await? else { return Ok(false) };
    let files = exports::files(db, export).await?;
    let deleted = exports::delete(db, user, dataset, export).await?;
    for ExportFileRow { number, revision, kind, .. } in files {
        let place = MadePlace { export: found.key, number, revision };
        if kind.is_made(&found.options)
            && let Err(error) = store.delete_made(user, place).await
        {
            tracing::warn!(error = %chain(&error), "what was made of an export is left to the sweep");
        }
    }
    Ok(deleted)
}

impl App {
    /// Opens a file of an export by its name; none where there is no such.
    ///
    /// # Errors
    /// [`ExportFileError::NotReady`] when it is to be made first, [`ExportFileError::Newer`] when that is for another
    /// version, else when it cannot be read.
    pub async fn open_export_file(
        &self,
        user: UserId,
        dataset: DatasetId,
        export: ExportId,
        name: &str,
    ) -> Result<Option<OpenFile>, ExportFileError> {
        // Pictures may go while it is looked at.
        for _ in 1..TRIES {
            match self.try_to_open(user, dataset, export, name).await {
                Err(ExportFileError::Changed) => {}
                opened => return opened,
            }
        }
        self.try_to_open(user, dataset, export, name).await
    }

    /// The files of an export, in order, with lengths as far as they can be known now.
    ///
    /// # Errors
    /// When they cannot be measured.
    pub async fn export_files(&self, export: &ExportRow) -> Result<Vec<ExportFileRow>, ExportFileError> {
        measure_files(self, export).await?;
        Ok(exports::files(&self.db, export.id).await?)
    }

    async fn try_to_open(
        &self,
        user: UserId,
        dataset: DatasetId,
        export: ExportId,
        name: &str,
    ) -> Result<Option<OpenFile>, ExportFileError> {
        let export = exports::show(&self.db, user, dataset, export).await?;
        let Some(export) = export else { return Ok(None) };
        let rows = exports::files(&self.db, export.id).await?;
        if name == MANIFEST || name == CROISSANT {
            let files = known_files(self, &export).await?;
            let text = match name {
                MANIFEST => manifest(&export, &files),
                _ => {
                    let facts = facts(&self.db, &export, &rows).await?;
                    let ExportRow { format, ref options, .. } = export;
                    Croissant { facts: &facts, format, options, files: &files }.text()
                }
            };
            let (tag, length) = (format!("\"{}\"", Sha256::of(text.as_bytes())), text.len() as u64);
            let content = Content::Text(text);
            return Ok(Some(OpenFile { app: self.clone(), export, content, length, tag }));
        }
        let Some(file) = rows.iter().find(|row| row.name == name).cloned() else { return Ok(None) };
        let ExportFileRow { number, revision, .. } = file;
        let tag = Hash::digest(format!("{}/{number}/{revision}/{LAYOUT}", export.key));
        let tag = format!("\"{}\"", hex::encode(&tag[..16]));
        if file.kind.is_made(&export.options) {
            if file.is_newer {
                return Err(ExportFileError::Newer);
            }
            let Some(length) = file.length else {
                self.export_wake.notify_one();
                exports::try_again(&self.db, &file).await?;
                return Err(ExportFileError::NotReady(file.error));
            };
            let content = Content::Made(file);
            return Ok(Some(OpenFile { app: self.clone(), export, content, length, tag }));
        }
        let facts = facts(&self.db, &export, &rows).await?;
        let (length, measure) = measured(&self.db, &export, &file, &facts).await?;
        let walk = Walk::new(&self.db, &file, layout(&export, &file, &facts, &measure.texts));
        let content = Content::Rows(Box::new(walk), measure);
        Ok(Some(OpenFile { app: self.clone(), export, content, length, tag }))
    }
}

impl OpenFile {
    /// Gives the bytes of a range, which is within the file. What cannot be read to its end breaks off.
    ///
    /// # Errors
    /// [`ExportFileError::NotReady`] when it is to be made anew.
    pub async fn bytes(
        self,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, ExportFileError>>, ExportFileError> {
        let Self { app, export, content, length, .. } = self;
        Ok(match content {
            Content::Text(text) => {
                let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                let bytes = Bytes::from(text).slice(index(range.start)..index(range.end));
                futures_util::stream::once(std::future::ready(Ok(bytes))).boxed()
            }
            Content::Rows(walk, measure) => walk.bytes(&measure, range, &app.store, export.user).boxed(),
            Content::Made(file) => {
                if length == 0 || range.is_empty() {
                    return Ok(futures_util::stream::empty().boxed());
                }
                let ExportFileRow { number, revision, .. } = file;
                let place = MadePlace { export: export.key, number, revision };
                let part = (range != (0..length)).then_some(range);
                let object = app.store.get_made(export.user, place, part).await?;
                let Some(object) = object.filter(|object| object.size() == length) else {
                    exports::unmake(&app.db, &file).await?;
                    app.export_wake.notify_one();
                    return Err(ExportFileError::NotReady(None));
                };
                object.stream().map_err(ExportFileError::Store).boxed()
            }
        })
    }

    /// Reads all of it and gives its SHA-256.
    pub(super) async fn hash(self) -> Result<(u64, Sha256), ExportFileError> {
        let length = self.length;
        let mut bytes = self.bytes(0..length).await?;
        let mut hash = Hash::new();
        while let Some(bytes) = bytes.try_next().await? {
            hash.update(&bytes);
        }
        Ok((length, Sha256(hash.finalize().into())))
    }
}

impl From<ExportFileRow> for ExportFile {
    fn from(row: ExportFileRow) -> Self {
        Self {
            images: u64::try_from(row.images - row.removed).unwrap_or_default(),
            removed: u64::try_from(row.removed).unwrap_or_default(),
            name: row.name,
            bytes: row.length,
            sha256: row.sha256.map(|sha256| sha256.to_string()),
            revision: row.revision,
        }
    }
}

/// What is known of the files of an export, for what describes them.
async fn known_files(app: &App, export: &ExportRow) -> Result<Vec<ExportFile>, ExportFileError> {
    Ok(app.export_files(export).await?.into_iter().map(ExportFile::from).collect())
}

/// The text of `manifest.json`.
fn manifest(export: &ExportRow, files: &[ExportFile]) -> String {
    let name = export.facts["name"].as_str().unwrap_or_default();
    Manifest { name, format: export.format, options: &export.options, images: export.left(), files }.text()
}

/// Measures the files that need nothing else to be given. One that changes meanwhile stays unmeasured.
pub(super) async fn measure_files(app: &App, export: &ExportRow) -> Result<(), ExportFileError> {
    let rows = exports::files(&app.db, export.id).await?;
    let lacks = |row: &&ExportFileRow| row.length.is_none() && !row.kind.is_made(&export.options);
    if !rows.iter().any(|row| lacks(&row)) {
        return Ok(());
    }
    let facts = match facts(&app.db, export, &rows).await {
        Err(ExportFileError::Changed) => return Ok(()),
        facts => facts?,
    };
    for row in rows.iter().filter(lacks) {
        match measured(&app.db, export, row, &facts).await {
            Ok(_) | Err(ExportFileError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a file was measured to be, or is now.
async fn measured(
    db: &PgPool,
    export: &ExportRow,
    file: &ExportFileRow,
    facts: &ExportFacts,
) -> Result<(u64, Measure), ExportFileError> {
    if let (Some(length), Some(measure)) = (file.length, &file.measure)
        && let Ok(measure) = serde_json::from_value(measure.clone())
    {
        return Ok((length, measure));
    }
    let (length, measure) = Walk::new(db, file, layout(export, file, facts, &[])).measure().await?;
    exports::measured(db, file, length, &serde_json::to_value(&measure).unwrap_or_default()).await?;
    Ok((length, measure))
}

/// What documents say of an export, as of now.
pub(super) async fn facts(
    db: &PgPool,
    export: &ExportRow,
    files: &[ExportFileRow],
) -> Result<ExportFacts, ExportFileError> {
    let facts = serde_json::from_value(export.facts.clone());
    let mut facts: ExportFacts = facts.map_err(|_| ExportFileError::Unreadable)?;
    // Which has all pictures.
    let all = files.iter().find(|file| file.kind == ExportFileKind::Card);
    let all = all.ok_or(ExportFileError::Unreadable)?;
    if all.revision != export.revision {
        return Err(ExportFileError::Changed);
    }
    if export.facts_revision == export.revision {
        return Ok(facts);
    }
    let (mut counts, mut after) = (Counts::default(), all.first - 1);
    let made_as = MadeAs::of(&export.options, export.format);
    loop {
        let page = exports::items(db, all, after, PAGE).await?.ok_or(ExportFileError::Changed)?;
        let Some(last) = page.last() else { break };
        after = last.position;
        page.iter().for_each(|item| counts.add(&made_as.counted(&item.record)));
    }
    facts.counts = counts;
    let text = serde_json::to_value(&facts).unwrap_or_default();
    exports::write_facts(db, export.id, export.revision, &text).await?;
    Ok(facts)
}

/// How the bytes of a file follow from its items. What is to be made first has none.
pub(super) fn layout(
    export: &ExportRow,
    file: &ExportFileRow,
    facts: &ExportFacts,
    known: &[TextMeasure],
) -> Box<dyn Layout> {
    let records = usize::try_from(file.images - file.removed).unwrap_or_default();
    match file.kind {
        ExportFileKind::Zip => Box::new(zip(export, facts, records, known)),
        ExportFileKind::Tar => Box::new(TarFile),
        ExportFileKind::Attribution => Box::new(RowFile::new(attribution(export), records)),
        ExportFileKind::Card => Box::new(FixedFile(card(export, facts))),
        ExportFileKind::Labels | ExportFileKind::Parquet | ExportFileKind::Table => {
            let format = LabelFormat::of(export.format).unwrap_or(LabelFormat::Jsonl);
            Box::new(RowFile::new(Rows::Labels(format, export.options.split.is_some()), records))
        }
    }
}

/// A zip archive of so many pictures, with what lies beside them in a folder.
pub(super) fn zip(export: &ExportRow, facts: &ExportFacts, records: usize, known: &[TextMeasure]) -> ZipFile {
    let card = card(export, facts);
    let parts = facts.counts.splits.clone().into_keys();
    let (facts, options) = (facts.clone(), export.options.clone());
    let describe: Describe = Box::new(move |before| {
        let files: Vec<ExportFile> = before
            .iter()
            .filter(|(name, _)| *name != CARD)
            .map(|(name, text)| ExportFile {
                name: (*name).to_owned(),
                bytes: Some(text.size),
                sha256: Some(text.sha256.clone()),
                images: records as u64,
                ..ExportFile::default()
            })
            .collect();
        let format = ExportFormat::Folder;
        Croissant { facts: &facts, format, options: &options, files: &files }.text()
    });
    let mut texts: Vec<ZipText> =
        parts.map(|part| ZipText::of_rows(listing_of(part), Rows::Part(part), records)).collect();
    if export.options.split.is_none() {
        texts.push(ZipText::of_rows(LISTING, Rows::Labels(LabelFormat::Jsonl, false), records));
    }
    texts.extend([
        ZipText::of_rows(ATTRIBUTION, attribution(export), records),
        ZipText::fixed(CARD, Box::new(move |_| card.clone())),
        ZipText::fixed(CROISSANT, describe),
    ]);
    ZipFile::new(texts, known)
}

/// Name of the file that lists the pictures of a part, which are beside it.
pub(super) const fn listing_of(part: SplitPart) -> &'static str {
    match part {
        SplitPart::Train => "train/metadata.jsonl",
        SplitPart::Validation => "validation/metadata.jsonl",
        SplitPart::Test => "test/metadata.jsonl",
    }
}

fn attribution(export: &ExportRow) -> Rows {
    Rows::Attribution(MadeAs::of(&export.options, export.format).0)
}

fn card(export: &ExportRow, facts: &ExportFacts) -> String {
    let ExportRow { format, ref options, .. } = *export;
    Card { facts, format, options, folder: None, refusals: None }.text()
}
