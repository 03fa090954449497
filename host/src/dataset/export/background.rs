//! What is done for exports while nobody waits: files are made, and all are read through for their SHA-256. Of all
//! processes one does it for a file at a time; when that one dies, another begins anew.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    ExportFileError,
    file::facts,
    make::{Made, make},
};
use crate::{
    app::App,
    db::{
        self,
        exports::{self, ExportFileRow, FileClaim},
    },
    error::chain,
    model::ExportId,
    store::MadePlace,
};

/// How often it is looked whether another process has begun an export.
const LOOK: Duration = Duration::from_secs(5);

impl App {
    /// Makes and reads files of exports, one after another, until `stop`.
    pub async fn keep_exports(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.finish_exports(stop).await {
                tracing::warn!(error = %chain(&error), "exports wait");
            }
            let rest = async {
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = self.export_wake.notified() => {}
                }
            };
            stop.run_until_cancelled(rest).await;
        }
    }

    /// Makes and reads files of exports until there is no more to be done now, or `stop`. What fails is left to
    /// a later time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_exports(&self, stop: &CancellationToken) -> Result<(), db::Error> {
        self.work_on_exports(None, stop).await
    }

    /// The same for one export, which somebody waits for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_export(&self, export: ExportId) -> Result<(), db::Error> {
        self.work_on_exports(Some(export), &CancellationToken::new()).await
    }

    async fn work_on_exports(
        &self,
        only: Option<ExportId>,
        stop: &CancellationToken,
    ) -> Result<(), db::Error> {
        loop {
            // Before each file: pictures that went while an export was made are to go from it soon.
            exports::settle(&self.db).await?;
            if stop.is_cancelled() || !self.work_on_file(only, stop).await? {
                return Ok(());
            }
        }
    }

    /// Works on one file, if there is one; whether there was.
    async fn work_on_file(
        &self,
        only: Option<ExportId>,
        stop: &CancellationToken,
    ) -> Result<bool, db::Error> {
        let Some(claim) = exports::claim(&self.db, only).await? else { return Ok(false) };
        // What is being made stops with the claim.
        let over = stop.child_token();
        let _guard = over.clone().drop_guard();
        let outcome = tokio::select! {
            outcome = self.complete(&claim, &over) => Some(outcome),
            kept = self.keep_claim(&claim) => { kept?; None }
            () = stop.cancelled() => None,
        };
        let file = &claim.file;
        match outcome {
            Some(Ok(())) => {
                tracing::info!(event = "export-file", export = %file.export, file = file.name, "a file of an export is complete");
            }
            // By itself: it would be begun again and again.
            Some(Err(ExportFileError::Stopped)) if !stop.is_cancelled() => {
                claim.failed(&self.db, "it was not made to its end").await?;
            }
            // Whoever asks for it next finds it as it is then.
            None | Some(Err(ExportFileError::Changed | ExportFileError::Stopped)) => {
                claim.release(&self.db).await?
            }
            Some(Err(error)) => {
                let error = chain(&error);
                tracing::warn!(export = %file.export, file = file.name, error, "a file of an export waits");
                claim.failed(&self.db, &error).await?;
            }
        }
        Ok(true)
    }

    /// Says again and again that it goes on; ends when the claim does not count any more.
    async fn keep_claim(&self, claim: &FileClaim) -> Result<(), db::Error> {
        loop {
            tokio::time::sleep(FileClaim::KEEP).await;
            if !claim.keep(&self.db).await? {
                return Ok(());
            }
        }
    }

    async fn complete(&self, claim: &FileClaim, stop: &CancellationToken) -> Result<(), ExportFileError> {
        let FileClaim { export, file, .. } = claim;
        if !file.kind.is_made(&export.options) {
            let opened = self.open_export_file(export.user, export.dataset, export.id, &file.name).await?;
            let Some(opened) = opened else { return Ok(()) };
            let (length, sha256) = opened.hash().await?;
            claim.done(&self.db, length, sha256, None).await?;
            return Ok(());
        }
        let files = exports::files(&self.db, export.id).await?;
        let facts = facts(&self.db, export, &files).await?;
        let Made { file: made, length, sha256, note } = make(self, export, file, facts, stop).await?;
        let ExportFileRow { number, revision, .. } = *file;
        let place = MadePlace { export: export.key, number, revision };
        self.store.put_made(export.user, place, made).await?;
        if !claim.done(&self.db, length, sha256, note.as_deref()).await? {
            // Another revision is wanted by now, or none.
            self.forget_made(claim, place).await?;
        }
        // What was made of it before.
        for revision in 0..revision {
            self.store.delete_made(export.user, MadePlace { revision, ..place }).await?;
        }
        Ok(())
    }

    /// Deletes what was made in vain, unless another one has made the same.
    async fn forget_made(&self, claim: &FileClaim, place: MadePlace) -> Result<(), ExportFileError> {
        let made = [(place.export, place.number, place.revision)];
        if exports::wanted(&self.db, claim.export.user, &made).await?.is_empty() {
            self.store.delete_made(claim.export.user, place).await?;
        }
        Ok(())
    }
}
