//! What a job or a dataset has kept, as `metadata.jsonl` lists it, a page at a time.

use serde::Serialize;

use super::{ExportError, class::Folders};
use crate::{
    db::{
        PgPool,
        export::{self, DatasetRecord},
        images::ImageScope,
    },
    model::{ExportRecord, Format, ImageId, Sha256, UserId},
};

/// Rows read at a time.
pub(super) const PAGE: i64 = 500;

/// A kept image: a line of `metadata.jsonl`.
#[derive(Clone, Debug, Serialize)]
pub struct ListedImage {
    /// The path within the folder, under the key that dataset loaders of the image-folder kind look for.
    pub file_name: String,
    /// Names its object in the store.
    #[serde(skip)]
    pub object: (Sha256, Format),
    /// What is known of it.
    #[serde(flatten)]
    pub record: DatasetRecord,
}

impl ListedImage {
    /// With its path in these folders. `object` names its object in the store.
    pub(super) fn new(folders: &Folders, object: (Sha256, Format), record: DatasetRecord) -> Self {
        let file_name = format!("{}/{}.{}", folders.of(&record.label), object.0, object.1.extension());
        Self { file_name, object, record }
    }

    /// The same as exports have it.
    #[must_use]
    pub fn export_record(&self) -> ExportRecord {
        let Self { file_name, record, .. } = self;
        let mut labels = record.labels.clone();
        if let Some((_, rest)) = labels.split_first_mut() {
            rest.sort_unstable();
        }
        ExportRecord {
            file_name: file_name.clone(),
            label: record.label.clone(),
            labels,
            tags: record.tags.clone(),
            url: record.url.clone(),
            asked_url: record.asked_url.clone(),
            source: record.source.clone(),
            provenance: record.provenance.clone(),
            consent: record.consent.0.clone(),
            width: record.width.cast_unsigned(),
            height: record.height.cast_unsigned(),
            size: u64::try_from(record.size).unwrap_or_default(),
            sha256: record.sha256.clone(),
            pdq: record.pdq.clone(),
            scores: record.scores,
            split: None,
            original: None,
        }
    }
}

/// Reads what a job or a dataset of a user has kept by now, in the order in which it came.
pub struct Listing {
    db: PgPool,
    user: UserId,
    scope: ImageScope,
    folders: Folders,
    /// The last one read.
    after: ImageId,
}

impl Listing {
    /// Of this job or dataset, from its beginning; empty if there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(db: &PgPool, user: UserId, scope: ImageScope) -> Result<Self, crate::db::Error> {
        let classes = export::classes(db, user, scope).await?;
        let folders = Folders::new(classes.iter().map(String::as_str));
        Ok(Self { db: db.clone(), user, scope, folders, after: ImageId(0) })
    }

    /// The next few hundred; none when there are no more.
    ///
    /// # Errors
    /// When the database fails, or a row cannot be understood.
    pub async fn next(&mut self) -> Result<Vec<ListedImage>, ExportError> {
        let page = export::kept(&self.db, self.user, self.scope, self.after, PAGE).await?;
        if let Some(last) = page.last() {
            self.after = last.id;
        }
        page.into_iter().map(|record| self.listed(record)).collect()
    }

    fn listed(&self, record: DatasetRecord) -> Result<ListedImage, ExportError> {
        let object = Sha256::parse(&record.sha256).zip(Format::named(&record.format));
        let object = object.ok_or(ExportError::Unreadable(record.id))?;
        Ok(ListedImage::new(&self.folders, object, record))
    }
}
