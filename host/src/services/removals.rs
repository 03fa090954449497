//! Taking pictures out of datasets, and keeping them out.

use std::collections::HashSet;

use chrono::Utc;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    db::{
        self, PgPool, datasets, fairness,
        images::{self, ImageRow},
        objects::StoreHold,
        removals::{self, RemovalId, Search, Taken},
    },
    error::chain,
    model::{DatasetId, ImageId, Pdq, Refusal, RemovalCriterion, RemovalScope, Sha256, UserId},
    queue::{Queue, QueueError},
    services::{
        create::LONGEST_URL,
        form::Form,
        jobs::messages,
        objects::{BEGUN, DELETIONS_AT_A_TIME, Share},
        violation::{Violation, Violations},
    },
    store::{MadePlace, Store, StoreError},
};

/// Longest creator, in characters.
const LONGEST_CREATOR: usize = 1_000;
/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;
/// Pictures that are looked for in a dataset and taken out in one transaction, without their duplicates.
const AT_A_TIME: usize = 200;
/// Pictures after which a request of the API ends: the same again goes on.
const MOST_AT_ONCE: u64 = 10_000;

/// What is to be taken out, as it is asked for, read like a [`JobRequest`](crate::services::create::JobRequest).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "meanings are in the API's document")]
pub struct RemovalRequest {
    /// Named by the path of the API, and so not in its JSON.
    pub image: Option<ImageId>,
    pub url: Option<String>,
    pub host: Option<String>,
    pub creator: Option<String>,
    pub sha256: Option<String>,
    pub pdq: Option<String>,
    pub reason: Option<String>,
    pub dry_run: Option<bool>,
    pub misread: Violations,
}

/// A removal that keeps the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovalSpec {
    /// Which pictures.
    pub criterion: RemovalCriterion,
    /// For people.
    pub reason: Option<String>,
    /// Nothing is taken out: it is only counted.
    pub dry_run: bool,
}

/// What was taken out so far, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Removed {
    /// Pictures that were kept.
    pub images: u64,
    /// Their duplicates.
    pub duplicates: u64,
    /// Those of all of these that were never measured: their bytes are kept out, and what looks like them is not.
    pub unmeasured: u64,
    /// Datasets that had one.
    pub datasets: u64,
    /// Objects that were deleted.
    pub objects: u64,
    /// Those of them that are left to a sweep: a backup reads them, another database may name them, or the
    /// store failed.
    pub objects_left: u64,
    /// It ended before the last: the same again goes on.
    pub more: bool,
}

/// Why pictures were not taken out, or not all.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// The user has no such dataset.
    #[error("there is no such dataset")]
    NoDataset,
    /// The user has no such image.
    #[error("there is no such image")]
    NoImage,
    /// It was refused for another reason, or before it was in a dataset: there is nothing to keep out.
    #[error("the image was not kept")]
    NotKept,
    /// Somebody lifted the removal meanwhile, which ends it.
    #[error("the removal was lifted meanwhile: what was taken out is gone, and the rest stays")]
    Lifted,
    /// The request is refused.
    #[error("the request breaks rules")]
    Rules(Vec<Violation>),
    /// The database failed.
    #[error("the database failed; the same again goes on")]
    Database(#[from] db::Error),
    /// What goes on cannot be queued.
    #[error("a crawl that goes on cannot be queued; the same again goes on")]
    Queue(#[from] QueueError),
}

impl From<Value> for RemovalRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            image: None,
            url: form.text("url"),
            host: form.text("host"),
            creator: form.text("creator"),
            sha256: form.text("sha256"),
            pdq: form.text("pdq"),
            reason: form.text("reason"),
            dry_run: form.boolean("dry_run"),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl RemovalRequest {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self) -> Result<RemovalSpec, Vec<Violation>> {
        let mut report = self.misread.clone();
        let mut given: Vec<_> =
            self.image.map(|image| Some(RemovalCriterion::Image(image))).into_iter().collect();
        let mut read = |place: &str, text: &Option<String>, longest, must: &str, read: &dyn Fn(&str) -> _| {
            let Some(text) = text else { return };
            let criterion = report.text(place, text, longest).map(|text| read(&text));
            if let Some(None) = criterion {
                report.broken(place, must);
            }
            given.push(criterion.flatten());
        };
        read(
            "/url",
            &self.url,
            LONGEST_URL,
            "must be an address that begins with http:// or https://",
            &|text| RemovalCriterion::url(text),
        );
        read(
            "/host",
            &self.host,
            LONGEST_URL,
            "must be the name of a host without scheme and port, such as `example.org`",
            &|text| RemovalCriterion::host(text),
        );
        read("/creator", &self.creator, LONGEST_CREATOR, "must be a name", &|text| {
            RemovalCriterion::creator(text)
        });
        read("/sha256", &self.sha256, 64, "must be a SHA-256: 64 hexadecimal digits", &|text| {
            Sha256::parse(text).map(RemovalCriterion::Sha256)
        });
        read("/pdq", &self.pdq, 64, "must be a PDQ hash: 64 hexadecimal digits", &|text| {
            Pdq::parse(text).map(RemovalCriterion::Pdq)
        });
        let reason = self.reason.as_ref().and_then(|reason| report.text("/reason", reason, LONGEST_REASON));
        if given.len() != 1 {
            report.broken("", "exactly one of `url`, `host`, `creator`, `sha256` and `pdq` must be given");
        }
        report.into_result()?;
        let criterion = given.into_iter().flatten().next();
        // What is not read is reported.
        let criterion = criterion.ok_or_else(Vec::new)?;
        Ok(RemovalSpec { criterion, reason, dry_run: self.dry_run.unwrap_or_default() })
    }
}

impl App {
    /// Takes pictures out of a dataset of a user, or of all, ten thousand at most: where there are more, the
    /// same again goes on.
    ///
    /// # Errors
    /// When there is no such dataset, the request is refused, or not all could be done.
    pub async fn remove(
        &self,
        user: UserId,
        dataset: Option<DatasetId>,
        request: &RemovalRequest,
    ) -> Result<Removed, RemovalError> {
        let spec = request.check().map_err(RemovalError::Rules)?;
        let scope = match dataset {
            Some(dataset) if datasets::exists(&self.db, user, dataset).await? => {
                RemovalScope::Dataset(dataset, user)
            }
            Some(_) => return Err(RemovalError::NoDataset),
            None => RemovalScope::User(user),
        };
        self.remove_in(scope, spec).await
    }

    /// Takes one picture out of its dataset, with its duplicates. One that was taken out before is kept out again,
    /// if that was lifted.
    ///
    /// # Errors
    /// When there is none, it was never in a dataset, or it could not be done.
    pub async fn remove_image(
        &self,
        user: UserId,
        image: ImageId,
        reason: Option<String>,
    ) -> Result<Removed, RemovalError> {
        let row = images::show(&self.db, user, image).await?.ok_or(RemovalError::NoImage)?;
        let dataset = dataset_to_leave(&row)?;
        let spec = RemovalSpec { criterion: RemovalCriterion::Image(image), reason, dry_run: false };
        self.remove_in(RemovalScope::Dataset(dataset, user), spec).await
    }

    /// To its end, whoever waits for it.
    async fn remove_in(&self, scope: RemovalScope, spec: RemovalSpec) -> Result<Removed, RemovalError> {
        let app = self.clone();
        let removal = tokio::spawn(async move {
            let never = CancellationToken::new();
            remove(&app.db, &app.store, scope, &spec, Some(MOST_AT_ONCE), &never, |_| {}).await
        });
        removal.await.unwrap_or_else(|panicked| Err(db::Error::Io(std::io::Error::other(panicked)).into()))
    }
}

/// The dataset that a picture can be taken out of, or was and can be kept out of again.
///
/// # Errors
/// When there is none: nothing would be kept out.
pub fn dataset_to_leave(image: &ImageRow) -> Result<DatasetId, RemovalError> {
    let was_taken_out = image.reason.as_deref() == Some(Refusal::Removed.code()) && image.hash.is_some();
    let is_one = image.is_valid || image.is_duplicate || was_taken_out;
    image.dataset_id.filter(|_| is_one).ok_or(RemovalError::NotKept)
}

/// Takes pictures out, dataset by dataset and some at a time, until all are out, `most` are, or it is to `stop`;
/// what is out stays out. From the beginning on nothing of that address, host, creator or look comes in, unless
/// somebody lifts the removal, which ends it. What other removals took out before is kept out by this one, too.
///
/// # Errors
/// When not all could be done; the same again goes on.
pub async fn remove(
    db: &PgPool,
    store: &Store,
    scope: RemovalScope,
    spec: &RemovalSpec,
    most: Option<u64>,
    stop: &CancellationToken,
    tell: impl Fn(&Removed),
) -> Result<Removed, RemovalError> {
    let mut removed = Removed::default();
    let removal = if spec.dry_run {
        None
    } else {
        let mut tx = db.begin().await?;
        let removal = removals::begin(&mut tx, scope, &spec.criterion, spec.reason.as_deref()).await?;
        tx.commit().await?;
        Some(removal)
    };
    let (mut after, mut seen) = (None, HashSet::new());
    loop {
        let page = removals::datasets(db, scope, after).await?;
        let Some((last, _)) = page.last() else { return Ok(removed) };
        after = Some(*last);
        for owned in page {
            let (images, duplicates) = (removed.images, removed.duplicates);
            let mut dataset = DatasetRemoval { db, store, scope, spec, owned, removed: &mut removed };
            let is_over = match removal {
                Some(removal) => dataset.take_out(removal, most, stop, &tell).await?,
                None => dataset.count(&mut seen, stop).await?,
            };
            removed.datasets += u64::from((removed.images, removed.duplicates) != (images, duplicates));
            tell(&removed);
            if !is_over {
                removed.more = true;
                return Ok(removed);
            }
        }
    }
}

/// What is done in one dataset.
struct DatasetRemoval<'a> {
    db: &'a PgPool,
    store: &'a Store,
    scope: RemovalScope,
    spec: &'a RemovalSpec,
    /// Which dataset, and whose it is.
    owned: (DatasetId, UserId),
    removed: &'a mut Removed,
}

impl DatasetRemoval<'_> {
    /// Counts what would be taken out, of groups that were not seen before; false when it ended before.
    async fn count(
        &mut self,
        seen: &mut HashSet<ImageId>,
        stop: &CancellationToken,
    ) -> Result<bool, RemovalError> {
        let Self { db, scope, spec, owned: (dataset, _), .. } = *self;
        let mut search = Search::new(dataset, &spec.criterion);
        while let Some(found) = search.next(db).await? {
            let mut connection = db.acquire().await?;
            let mut heads = removals::heads(&mut connection, dataset, &found).await?;
            drop(connection);
            heads.retain(|head| seen.insert(*head));
            let (images, duplicates, unmeasured) = removals::count(db, scope, &heads).await?;
            self.removed.images += images.unsigned_abs();
            self.removed.duplicates += duplicates.unsigned_abs();
            self.removed.unmeasured += unmeasured.unsigned_abs();
            if stop.is_cancelled() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes them out; false when it ended before.
    async fn take_out(
        &mut self,
        removal: RemovalId,
        most: Option<u64>,
        stop: &CancellationToken,
        tell: &impl Fn(&Removed),
    ) -> Result<bool, RemovalError> {
        let Self { db, scope, spec, owned, .. } = *self;
        // Those whose verdicts are on their way have rows after that, or see that they are kept out.
        removals::wait_for_verdicts(db, owned.0).await?;
        let queue = Queue::new(db);
        let mut search = Search::new(owned.0, &spec.criterion);
        while let Some(found) = search.next(db).await? {
            if found.is_empty() {
                continue;
            }
            let left = removals::not_yet_out(db, owned.0, &found).await?;
            for images in left.chunks(AT_A_TIME) {
                if stop.is_cancelled() || most.is_some_and(|most| self.removed.images >= most) {
                    return Ok(false);
                }
                let mut tx = db.begin().await?;
                let reason = spec.reason.as_deref();
                let taken =
                    removals::take_out(&mut tx, scope, removal, owned, images, &spec.criterion, reason);
                let Some(taken) = taken.await? else { return Err(RemovalError::Lifted) };
                for (job, chunks) in &taken.queued {
                    let turns = fairness::turns(&mut tx, *job, chunks, None).await?;
                    queue.enqueue(&mut tx, *job, &messages(&turns), None).await?;
                }
                tx.commit().await?;
                self.removed.images += taken.images;
                self.removed.duplicates += taken.duplicates;
                self.removed.unmeasured += taken.unmeasured;
                self.delete(&taken).await?;
                tell(self.removed);
            }
            // After that, because others may have taken some out meanwhile.
            let mut tx = db.begin().await?;
            if !removals::keep_out_too(&mut tx, scope, removal, owned.0, &found).await? {
                return Err(RemovalError::Lifted);
            }
            tx.commit().await?;
        }
        Ok(true)
    }

    /// Deletes what no row names any more, as far as it may be.
    async fn delete(&mut self, taken: &Taken) -> Result<(), RemovalError> {
        let user = self.owned.1;
        if taken.objects.is_empty() && taken.made.is_empty() {
            return Ok(());
        }
        let before = self.removed.objects;
        let mut unanswered = HashSet::new();
        if let Err(error) = self.delete_objects(taken, &mut unanswered).await {
            tracing::warn!(%user, error = %chain(&error), "not all that was taken out is deleted yet; a sweep does that");
        }
        let objects = taken.objects.len() as u64;
        self.removed.objects_left += objects - (self.removed.objects - before).min(objects);
        // A request without an answer may be on its way.
        let over: Vec<_> =
            taken.objects.iter().filter(|(sha256, _)| !unanswered.contains(sha256)).copied().collect();
        Ok(removals::objects_are_gone(self.db, user, &over).await?)
    }

    /// Deletes objects, some at a time and within a minute of their note: later somebody may have put one again.
    /// Adds those to `unanswered` whose requests failed.
    async fn delete_objects(
        &mut self,
        taken: &Taken,
        unanswered: &mut HashSet<Sha256>,
    ) -> Result<(), DeletionError> {
        let Self { db, store, owned: (_, user), .. } = *self;
        let Some(hold) = StoreHold::to_delete_some(db).await? else { return Ok(()) };
        let share = Share::of::<DeletionError>(db, store).await?;
        let (share, noted_at) = (&share, taken.noted_at);
        // All of them: a request that is on its way is waited for, also where another failed.
        let deleted: Vec<_> = futures_util::stream::iter(taken.objects.clone())
            .map(|(sha256, format)| async move {
                let deleted: Result<bool, StoreError> = async {
                    let written = store.written(user, &sha256, format).await?;
                    let is_shared = written.is_some_and(|written| !share.is_own_since(written));
                    if is_shared || Utc::now() - noted_at > BEGUN {
                        return Ok(false);
                    }
                    store.remove(user, &sha256, format).await.map(|_| true)
                }
                .await;
                (sha256, deleted)
            })
            .buffer_unordered(DELETIONS_AT_A_TIME)
            .collect()
            .await;
        let mut failure: Option<StoreError> = None;
        for (sha256, deleted) in deleted {
            match deleted {
                Ok(is_deleted) => self.removed.objects += u64::from(is_deleted),
                Err(error) => {
                    unanswered.insert(sha256);
                    failure = Some(error);
                }
            }
        }
        if let Some(error) = failure {
            return Err(error.into());
        }
        if share.is_own_since(Utc::now()) {
            for (export, number, revision) in &taken.made {
                let place = MadePlace { export: *export, number: *number, revision: *revision };
                store.delete_made(user, place).await?;
            }
        }
        hold.end().await?;
        Ok(())
    }
}

/// Why objects were not deleted.
#[derive(Debug, thiserror::Error)]
enum DeletionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database failed")]
    Database(#[from] db::Error),
}
