//! What a user does to single images, and what is asked for there.

use serde_json::{Value, json};

use crate::{
    app::App,
    db::{
        self,
        activity::{self, Action},
        images, progress,
    },
    model::{ImageId, LONGEST_LABEL, UserId},
    services::{
        form::Form,
        violation::{Violation, Violations},
    },
};

/// Most labels that a person gives an image.
const MOST_LABELS: usize = 20;

/// A change of an image, as it is asked for, read like a [`JobRequest`](crate::services::create::JobRequest).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageRequest {
    labels: Option<Vec<String>>,
    misread: Violations,
}

/// Why an image was not changed; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The user has no such image.
    #[error("there is no such image")]
    NotFound,
    /// It is in no dataset.
    #[error("the image was not kept")]
    NotKept,
    /// The request is refused.
    #[error("the request breaks rules")]
    Rules(Vec<Violation>),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

impl From<Value> for ImageRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let labels = form.optional_texts("labels", MOST_LABELS);
        form.end();
        Self { labels, misread }
    }
}

impl ImageRequest {
    /// The labels that are asked for, each once; none when they are to stay.
    fn check(&self) -> Result<Option<Vec<String>>, Vec<Violation>> {
        let mut report = self.misread.clone();
        let labels = self.labels.as_ref().map(|labels| {
            if labels.is_empty() {
                report.broken("/labels", "must have at least one label, that of its folder");
            }
            let mut sound: Vec<String> = Vec::new();
            for (_, label) in report.texts("/labels", labels, MOST_LABELS, LONGEST_LABEL) {
                if !sound.contains(&label) {
                    sound.push(label);
                }
            }
            sound
        });
        report.into_result()?;
        Ok(labels)
    }
}

impl App {
    /// Changes a kept image. What a person says of its labels no crawl changes.
    ///
    /// # Errors
    /// When there is none, or the request is refused or cannot be written; then it stays as it is.
    pub async fn update_image(
        &self,
        user: UserId,
        image: ImageId,
        request: &ImageRequest,
    ) -> Result<(), ImageError> {
        let labels = request.check().map_err(ImageError::Rules)?;
        let row = images::show(&self.db, user, image).await?.ok_or(ImageError::NotFound)?;
        let Some(labels) = labels else { return Ok(()) };
        let mut tx = self.db.begin().await?;
        let set = images::set_labels(&mut tx, user, row.dataset_id, image, &labels).await?;
        let job = set.ok_or(ImageError::NotKept)?;
        if let Some(dataset) = row.dataset_id {
            let metadata = json!({ "image": image, "labels": labels });
            activity::log(&mut tx, user, Action::UpdateDataset, dataset, metadata).await?;
        }
        progress::refresh(&mut tx, job).await?;
        Ok(tx.commit().await?)
    }
}
