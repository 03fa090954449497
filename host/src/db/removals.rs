//! What was taken out of datasets and is kept out since: of one, of all of a user, or of everybody's.
//!
//! Its functions fail when the database does.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, PgPool};

use crate::{
    db::{
        activity::{self, Action},
        chunks::ClaimedChunk,
        image_batch::JudgedImage,
        job_lifecycle::{self, PlaceGivenBack, ToEnqueue},
        progress,
    },
    model::{
        ChunkId, DatasetId, ExportKey, Format, ImageId, JobId, Pdq, PictureHash, Refusal, Rejection,
        RemovalCriterion, RemovalKey, RemovalScope, Sha256, UserId,
    },
};

/// Rows that are looked at in one go.
const PAGE: i64 = 2000;

/// A removal that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct RemovalId(pub i64);

impl fmt::Display for RemovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was asked to be taken out, and is kept out until that is lifted.
#[derive(Clone, Debug, FromRow, Serialize)]
#[expect(missing_docs, reason = "columns; meanings are in the API's document")]
pub struct RemovalRow {
    pub id: RemovalId,
    /// None where it is of everybody's.
    pub user_id: Option<UserId>,
    pub dataset_id: Option<DatasetId>,
    pub kind: String,
    pub value: String,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// At most `limit` removals of this user, or of one dataset of theirs, newest first, older than `after`.
pub async fn list(
    pool: &PgPool,
    user: UserId,
    dataset: Option<DatasetId>,
    after: Option<RemovalId>,
    limit: i64,
) -> sqlx::Result<Vec<RemovalRow>> {
    sqlx::query_as(
        "select * from pixcrawler.removal
          where user_id = $1 and ($2::integer is null or dataset_id = $2) and ($3::bigint is null or id < $3)
          order by id desc limit $4",
    )
    .bind(user)
    .bind(dataset)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// At most `limit` removals that concern this user, those of everybody's included, or all, newest first.
pub async fn concerning(pool: &PgPool, user: Option<UserId>, limit: i64) -> sqlx::Result<Vec<RemovalRow>> {
    sqlx::query_as(
        "select * from pixcrawler.removal
          where $1::uuid is null or user_id = $1 or user_id is null
          order by id desc limit $2",
    )
    .bind(user)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Lifts a removal of this user, or of anybody: what it kept out may come in from now on, and what it took out or
/// refused stays refused. Whether there was one.
pub async fn lift(pool: &PgPool, user: Option<UserId>, removal: RemovalId) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    let lifted: Option<RemovalRow> = sqlx::query_as(
        "delete from pixcrawler.removal where id = $1 and ($2::uuid is null or user_id = $2) returning *",
    )
    .bind(removal)
    .bind(user)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(RemovalRow { user_id, dataset_id, kind, value, .. }) = lifted else { return Ok(false) };
    let metadata = json!({ "lifted": { kind.as_str(): value.as_str() } });
    match (user_id, dataset_id) {
        (Some(user), Some(dataset)) => {
            activity::log(&mut tx, user, Action::UpdateDataset, dataset, metadata).await?;
        }
        (Some(user), None) => activity::log_of_all(&mut tx, user, Action::UpdateDataset, metadata).await?,
        (None, _) => {}
    }
    tx.commit().await?;
    if user_id.is_none() {
        // Nobody's activity has it.
        tracing::warn!(
            event = "removal-lifted",
            %removal, kind, value,
            "this is no longer kept out of everybody's datasets"
        );
    }
    Ok(true)
}

/// Whether a removal was not lifted. If so, nobody does before the end of the transaction.
async fn stands(connection: &mut PgConnection, removal: RemovalId) -> sqlx::Result<bool> {
    let found: Option<RemovalId> =
        sqlx::query_scalar("select id from pixcrawler.removal where id = $1 for key share")
            .bind(removal)
            .fetch_optional(connection)
            .await?;
    Ok(found.is_some())
}

/// Notes what is to be taken out, and keeps it out from now on. What was asked for before is the same removal, with
/// the first reason that was given.
pub async fn begin(
    connection: &mut PgConnection,
    scope: RemovalScope,
    criterion: &RemovalCriterion,
    reason: Option<&str>,
) -> sqlx::Result<RemovalId> {
    let (id, is_new): (RemovalId, bool) = sqlx::query_as(
        "insert into pixcrawler.removal as asked (user_id, dataset_id, kind, value, digest, reason)
         values ($1, $2, $3, $4, $5, $6)
             on conflict (digest, user_id, dataset_id) do update set reason = coalesce(asked.reason, excluded.reason)
      returning id, xmax = 0",
    )
    .bind(scope.user())
    .bind(scope.dataset())
    .bind(criterion.kind())
    .bind(criterion.value())
    .bind(criterion.key().digest.0)
    .bind(reason)
    .fetch_one(&mut *connection)
    .await?;
    if is_new {
        let hashes = if let RemovalCriterion::Pdq(pdq) = criterion { pdq.0.to_vec() } else { Vec::new() };
        keep_out(connection, scope, id, criterion.kept_out().as_slice(), hashes).await?;
    }
    Ok(id)
}

async fn keep_out(
    connection: &mut PgConnection,
    scope: RemovalScope,
    removal: RemovalId,
    keys: &[RemovalKey],
    hashes: Vec<u8>,
) -> sqlx::Result<()> {
    if keys.is_empty() && hashes.is_empty() {
        return Ok(());
    }
    // Until the end of the transaction: a number that can be seen has none below it that cannot.
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.removals'))")
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "with batch as (
             insert into pixcrawler.removal_batch (removal_id, user_id, dataset_id, hashes)
             values ($1, $2, $3, $4) returning sequence)
         insert into pixcrawler.removal_key (digest, sequence)
         select distinct digest, sequence from unnest($5::bytea[]) as digest, batch",
    )
    .bind(removal)
    .bind(scope.user())
    .bind(scope.dataset())
    .bind(hashes)
    .bind(keys.iter().map(|key| key.digest.0.to_vec()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Whether anything at all is kept out of a dataset of a user.
pub async fn any(pool: &PgPool, user: UserId, dataset: DatasetId) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from pixcrawler.removal_batch where user_id is null and dataset_id is null)
             or exists (select from pixcrawler.removal_batch where user_id = $1 and dataset_id is null)
             or exists (select from pixcrawler.removal_batch where user_id = $1 and dataset_id = $2)",
    )
    .bind(user)
    .bind(dataset)
    .fetch_one(pool)
    .await
}

/// Why a picture is refused of which one of these is kept out of a dataset of a user, if one is.
pub async fn kept_out(
    pool: &PgPool,
    user: UserId,
    dataset: DatasetId,
    keys: &[RemovalKey],
) -> sqlx::Result<Option<Rejection>> {
    let mut connection = pool.acquire().await?;
    let found = keys_after(&mut connection, user, dataset, 0, keys.iter()).await?;
    Ok(keys.iter().find_map(|key| removed(*key, &found)))
}

/// Those of these digests that are kept out, by batches after `sequence`, each with its first removal; none in place
/// of one of the operator, which its user does not see.
async fn keys_after(
    connection: &mut PgConnection,
    user: UserId,
    dataset: DatasetId,
    sequence: i64,
    keys: impl Iterator<Item = &RemovalKey>,
) -> sqlx::Result<HashMap<Vec<u8>, Option<RemovalId>>> {
    let found: Vec<(Vec<u8>, Option<RemovalId>)> = sqlx::query_as(
        "select digest, case when b.user_id is not null then b.removal_id end
           from pixcrawler.removal_key join pixcrawler.removal_batch b using (sequence)
          where digest = any ($1) and sequence > $2
            and (b.user_id is null or b.user_id = $3) and (b.dataset_id is null or b.dataset_id = $4)
          order by sequence desc",
    )
    .bind(keys.map(|key| key.digest.0.to_vec()).collect::<Vec<_>>())
    .bind(sequence)
    .bind(user)
    .bind(dataset)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().collect())
}

/// What a batch of verdicts has that is kept out of its dataset.
pub(super) struct KeptOut<'a> {
    user: UserId,
    dataset: DatasetId,
    batch: &'a [JudgedImage],
    /// Of each good picture of the batch.
    keys: Vec<Vec<RemovalKey>>,
    /// Why each is refused, as far as was read.
    rejections: HashMap<usize, Rejection>,
    /// The last batch of removals that was there at the last look, whomever it concerns.
    sequence: i64,
}

impl<'a> KeptOut<'a> {
    pub(super) fn new(chunk: &ClaimedChunk, batch: &'a [JudgedImage]) -> Self {
        let keys = batch.iter().map(|judged| match &judged.outcome {
            Ok(accepted) => {
                let addresses = judged.body.iter().map(|body| &body.final_url).chain([&judged.address]);
                let mut keys = RemovalKey::of_candidate(&judged.candidate);
                keys.extend(addresses.flat_map(|address| RemovalKey::of_address(address)));
                keys.push(RemovalKey::of_bytes(&accepted.sha256));
                keys
            }
            Err(_) => Vec::new(),
        });
        let (user, dataset) = (chunk.user_id, chunk.dataset_id);
        Self { user, dataset, batch, keys: keys.collect(), rejections: HashMap::new(), sequence: 0 }
    }

    /// Looks at what was kept out since the last call.
    pub(super) async fn search(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let before = self.sequence;
        // It is lower than before when removals were lifted and none came since: no number is given twice.
        let last: Option<i64> = sqlx::query_scalar("select max(sequence) from pixcrawler.removal_batch")
            .fetch_one(&mut *connection)
            .await?;
        let Some(last) = last.filter(|last| *last > before) else { return Ok(()) };
        loop {
            let page: Vec<(i64, Option<RemovalId>, Vec<u8>)> = sqlx::query_as(
                "select sequence, case when user_id is not null then removal_id end, hashes
                   from pixcrawler.removal_batch
                  where sequence > $1 and sequence <= $4 and (user_id is null or user_id = $2)
                    and (dataset_id is null or dataset_id = $3)
                  order by sequence limit 1000",
            )
            .bind(self.sequence)
            .bind(self.user)
            .bind(self.dataset)
            .bind(last)
            .fetch_all(&mut *connection)
            .await?;
            let Some((read, ..)) = page.last() else { break };
            self.sequence = *read;
            for (_, removal, hashes) in &page {
                self.compare(*removal, hashes);
            }
        }
        let is_any = self.sequence > before;
        self.sequence = last;
        if !is_any {
            return Ok(());
        }
        let keys = self.keys.iter().flatten();
        let found = keys_after(connection, self.user, self.dataset, before, keys).await?;
        for (at, keys) in self.keys.iter().enumerate() {
            if let Some(rejection) = keys.iter().find_map(|key| removed(*key, &found)) {
                self.rejections.insert(at, rejection);
            }
        }
        Ok(())
    }

    fn compare(&mut self, removal: Option<RemovalId>, hashes: &[u8]) {
        for (at, judged) in self.batch.iter().enumerate() {
            let Ok(accepted) = &judged.outcome else { continue };
            if let Some(bits) = accepted.hash.nearest(hashes) {
                let by = named(removal);
                let detail = format!("it looks like a picture that was taken out: {bits} bits differ ({by})");
                self.rejections.entry(at).or_insert_with(|| Rejection::new(Refusal::Removed, detail));
            }
        }
    }

    /// The batch with these refused.
    pub(super) fn refuse(self) -> Cow<'a, [JudgedImage]> {
        if self.rejections.is_empty() {
            return Cow::Borrowed(self.batch);
        }
        let mut batch = self.batch.to_vec();
        for (at, rejection) in self.rejections {
            batch[at].outcome = Err(rejection);
        }
        Cow::Owned(batch)
    }
}

/// Why a picture is refused that has this, if it is among what is kept out.
fn removed(key: RemovalKey, found: &HashMap<Vec<u8>, Option<RemovalId>>) -> Option<Rejection> {
    let by = named(*found.get(key.digest.0.as_slice())?);
    let what = match key.kind {
        "url" => "its address, or that of its page, was taken out",
        "host" => "what its host has was taken out",
        "creator" => "what its creator made was taken out",
        _ => "the same picture was taken out",
    };
    Some(Rejection::new(Refusal::Removed, format!("{what} ({by})")))
}

/// What tells a user which removal it was; none is one of the operator.
fn named(removal: Option<RemovalId>) -> String {
    removal.map_or_else(|| "by the operator".to_owned(), |removal| format!("removal {removal}"))
}

/// At most a thousand datasets in this scope, in order, after `after`, each with whose it is.
pub async fn datasets(
    pool: &PgPool,
    scope: RemovalScope,
    after: Option<DatasetId>,
) -> sqlx::Result<Vec<(DatasetId, UserId)>> {
    sqlx::query_as(
        "select id, user_id from public.datasets
          where ($1::uuid is null or user_id = $1) and ($2::integer is null or id = $2) and id > coalesce($3, 0)
          order by id limit 1000",
    )
    .bind(scope.user())
    .bind(scope.dataset())
    .bind(after)
    .fetch_all(pool)
    .await
}

/// Waits for those who write verdicts on pictures of a dataset at the moment: whoever does after that sees what
/// is kept out by now.
pub async fn wait_for_verdicts(pool: &PgPool, dataset: DatasetId) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    super::lock_dataset(&mut tx, dataset).await?;
    tx.commit().await
}

/// A search for the pictures of a dataset that are to be taken out.
#[derive(Debug)]
pub struct Search<'a> {
    dataset: DatasetId,
    criterion: &'a RemovalCriterion,
    after: i32,
}

/// What tells whether a picture is meant.
#[derive(FromRow)]
struct PlaceRow {
    id: ImageId,
    original_url: String,
    asked_url: Option<String>,
    final_url: Option<String>,
    page_url: Option<String>,
    creator: Option<String>,
}

impl PlaceRow {
    fn has(&self, wanted: RemovalKey) -> bool {
        let Self { original_url, asked_url, final_url, page_url, creator, .. } = self;
        let addresses = [Some(original_url), asked_url.as_ref(), final_url.as_ref(), page_url.as_ref()];
        if wanted.kind == "creator" {
            return creator.as_deref().is_some_and(|creator| RemovalKey::of_creator(creator) == wanted);
        }
        addresses
            .into_iter()
            .flatten()
            .any(|address| RemovalKey::of_address(address).any(|key| key == wanted))
    }
}

impl<'a> Search<'a> {
    /// Begins one.
    #[must_use]
    pub const fn new(dataset: DatasetId, criterion: &'a RemovalCriterion) -> Self {
        Self { dataset, criterion, after: 0 }
    }

    /// The next of them, those that were taken out before included; none at the end.
    pub async fn next(&mut self, pool: &PgPool) -> sqlx::Result<Option<Vec<ImageId>>> {
        match self.criterion {
            RemovalCriterion::Image(image) => {
                let is_first = std::mem::replace(&mut self.after, i32::MAX) == 0;
                Ok(is_first.then(|| vec![*image]))
            }
            RemovalCriterion::Pdq(pdq) => self.next_alike(pool, *pdq).await,
            RemovalCriterion::Sha256(sha256) => {
                let found: Vec<ImageId> = sqlx::query_scalar(
                    "select id from public.images
                      where dataset_id = $1 and hash = $2 and id > $3
                        and (is_valid or is_duplicate or reason = $5)
                      order by id limit $4",
                )
                .bind(self.dataset)
                .bind(sha256.to_string())
                .bind(self.after)
                .bind(PAGE)
                .bind(Refusal::Removed.code())
                .fetch_all(pool)
                .await?;
                Ok(self.page(found.last().copied(), found))
            }
            RemovalCriterion::Url(_) | RemovalCriterion::Host(_) | RemovalCriterion::Creator(_) => {
                let rows: Vec<PlaceRow> = sqlx::query_as(
                    "select id, original_url, asked_url, page_url, creator,
                            to_jsonb(metadata) ->> 'final_url' as final_url
                       from public.images
                      where dataset_id = $1 and id > $2
                        and (is_valid or is_duplicate or reason = $4 and hash is not null)
                      order by id limit $3",
                )
                .bind(self.dataset)
                .bind(self.after)
                .bind(PAGE)
                .bind(Refusal::Removed.code())
                .fetch_all(pool)
                .await?;
                let wanted = self.criterion.key();
                let last = rows.last().map(|row| row.id);
                let found = rows.into_iter().filter(|row| row.has(wanted)).map(|row| row.id).collect();
                Ok(self.page(last, found))
            }
        }
    }

    fn page(&mut self, last: Option<ImageId>, found: Vec<ImageId>) -> Option<Vec<ImageId>> {
        self.after = last?.0;
        Some(found)
    }

    async fn next_alike(&mut self, pool: &PgPool, pdq: Pdq) -> sqlx::Result<Option<Vec<ImageId>>> {
        let batches: Vec<(i32, Vec<ImageId>, Vec<u8>)> = sqlx::query_as(
            "select sequence, images, hashes from pixcrawler.picture_batch
              where dataset_id = $1 and sequence > $2 order by sequence limit 100",
        )
        .bind(self.dataset)
        .bind(self.after)
        .fetch_all(pool)
        .await?;
        let Some((last, ..)) = batches.last() else { return Ok(None) };
        self.after = *last;
        let picture = PictureHash { pdq, quality: 100, trimmed: None, turned: None };
        let found = batches.iter().flat_map(|(_, images, hashes)| {
            let (hashes, _) = hashes.as_chunks::<32>();
            images.iter().zip(hashes).filter(|(_, hash)| picture.nearest(hash.as_slice()).is_some())
        });
        Ok(Some(found.map(|(image, _)| *image).collect()))
    }
}

/// Those of these pictures that the dataset has, duplicates included: what was taken out is left out.
pub async fn not_yet_out(
    pool: &PgPool,
    dataset: DatasetId,
    images: &[ImageId],
) -> sqlx::Result<Vec<ImageId>> {
    sqlx::query_scalar(
        "select id from public.images
          where dataset_id = $1 and id = any ($2) and (is_valid or is_duplicate) order by id",
    )
    .bind(dataset)
    .bind(images)
    .fetch_all(pool)
    .await
}

/// The pictures that stand for these: themselves, or those of which they are duplicates. What is not of the
/// dataset, or was taken out, is left out.
pub async fn heads(
    connection: &mut PgConnection,
    dataset: DatasetId,
    images: &[ImageId],
) -> sqlx::Result<Vec<ImageId>> {
    sqlx::query_scalar(
        "select distinct coalesce(duplicate_of, id) from public.images
          where dataset_id = $1 and id = any ($2) and (is_valid or is_duplicate)",
    )
    .bind(dataset)
    .bind(images)
    .fetch_all(connection)
    .await
}

/// How many pictures of these groups, as far as they are in this scope, were kept, how many are duplicates, and of
/// how many of all of these it is not known what they look like.
pub async fn count(pool: &PgPool, scope: RemovalScope, heads: &[ImageId]) -> sqlx::Result<(i64, i64, i64)> {
    sqlx::query_as(
        "select count(*) filter (where not is_duplicate), count(*) filter (where is_duplicate),
                count(*) filter (where pdq is null)
           from public.images
          where (id = any ($2) or duplicate_of = any ($2)) and (is_valid or is_duplicate)
            and ($1::integer is null or dataset_id = $1)",
    )
    .bind(scope.dataset())
    .bind(heads)
    .fetch_one(pool)
    .await
}

/// What was taken out, and what is to be deleted for it.
#[derive(Debug, Default)]
pub struct Taken {
    /// Pictures that were kept.
    pub images: u64,
    /// Duplicates of them.
    pub duplicates: u64,
    /// Those of all of these that were never measured: what looks like them is not kept out.
    pub unmeasured: u64,
    /// Objects that no row of the user names any more. Nobody puts one of them for some minutes, unless
    /// [`objects_are_gone`] says that they are.
    pub objects: Vec<(Sha256, Format)>,
    /// Not later than these were noted.
    pub noted_at: DateTime<Utc>,
    /// Files that were made of exports that had one of them: export, number and revision.
    pub made: Vec<(ExportKey, i32, i32)>,
    /// Chunks that go on because their jobs lack pictures now, to enqueue in the same transaction.
    pub queued: Vec<(JobId, ToEnqueue)>,
}

/// A picture that is taken out.
#[derive(FromRow)]
struct TakenRow {
    id: ImageId,
    dataset_id: Option<DatasetId>,
    crawl_job_id: JobId,
    chunk_id: Option<ChunkId>,
    hash: Option<String>,
    format: Option<String>,
    file_size: Option<i32>,
    pdq: Option<String>,
    pdq_quality: Option<i16>,
    pdq_trimmed: Option<String>,
    is_duplicate: bool,
}

impl TakenRow {
    const COLUMNS: &'static str = "id, dataset_id, crawl_job_id, chunk_id, hash, format, file_size, pdq, pdq_quality, pdq_trimmed, is_duplicate";

    fn picture(&self) -> Option<PictureHash> {
        let quality = self.pdq_quality.and_then(|quality| u8::try_from(quality).ok())?;
        let parse = |hash: &Option<String>| hash.as_deref().and_then(Pdq::parse);
        let (pdq, trimmed) = (parse(&self.pdq)?, parse(&self.pdq_trimmed));
        Some(PictureHash { pdq, quality, trimmed, turned: None })
    }

    fn sha256(&self) -> Option<Sha256> {
        self.hash.as_deref().and_then(Sha256::parse)
    }

    fn object(&self) -> Option<(Sha256, Format)> {
        self.sha256().zip(self.format.as_deref().and_then(Format::named))
    }

    /// Of its bytes.
    fn key(&self) -> Option<RemovalKey> {
        self.sha256().map(|sha256| RemovalKey::of_bytes(&sha256))
    }

    /// The hashes by which others are found to look like it.
    fn looks(&self) -> impl Iterator<Item = [u8; 32]> + use<> {
        self.picture().into_iter().flat_map(|picture| picture.telling()).map(|hash| hash.0)
    }
}

/// Takes pictures out of a dataset, each with those that it is a duplicate of or that are duplicates of it, as far
/// as these are in the scope, in one transaction: their rows are refusals from now on, the counters of their jobs are
/// lower, and what looks like them is kept out. None when the removal was lifted meanwhile: then the transaction must
/// be rolled back.
pub async fn take_out(
    connection: &mut PgConnection,
    scope: RemovalScope,
    removal: RemovalId,
    (dataset, user): (DatasetId, UserId),
    images: &[ImageId],
    criterion: &RemovalCriterion,
    reason: Option<&str>,
) -> sqlx::Result<Option<Taken>> {
    let datasets = datasets_of_groups(connection, scope, dataset, images).await?;
    for dataset in &datasets {
        job_lifecycle::lock_dataset(connection, *dataset).await?;
    }
    // Before any other row: duplicates are changed in datasets that are not locked, and who writes verdicts there
    // has this lock before rows of jobs and images.
    lock_objects_alone(connection, user).await?;
    let heads = heads(connection, dataset, images).await?;
    if heads.is_empty() {
        return Ok(Some(Taken::default()));
    }
    let rows: Vec<TakenRow> = sqlx::query_as(AssertSqlSafe(format!(
        "select {}
           from public.images
          where (id = any ($1) or duplicate_of = any ($1)) and (is_valid or is_duplicate)
            -- A duplicate takes no place, wherever it is.
            and (dataset_id = any ($2) or is_duplicate and $3)
          order by id",
        TakenRow::COLUMNS,
    )))
    .bind(&heads)
    .bind(datasets.iter().copied().collect::<Vec<_>>())
    .bind(scope.dataset().is_none())
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<ImageId> = rows.iter().map(|row| row.id).collect();
    let kept: Vec<&TakenRow> = rows.iter().filter(|row| !row.is_duplicate).collect();
    let given: Vec<PlaceGivenBack> = kept
        .iter()
        .map(|row| PlaceGivenBack {
            job: row.crawl_job_id,
            chunk: row.chunk_id,
            bytes: row.file_size.map_or(0, i64::from),
        })
        .collect();
    let losers: BTreeSet<JobId> = kept.iter().map(|row| row.crawl_job_id).collect();
    job_lifecycle::lock_losers(connection, &losers).await?;
    job_lifecycle::give_back(connection, &given).await?;
    let made = made_of(connection, &ids).await?;
    refuse(connection, &ids, criterion, reason).await?;
    let (images, duplicates) = (kept.len(), rows.len() - kept.len());
    let unmeasured = rows.iter().filter(|row| row.pdq.is_none()).count();
    let noted_at = Utc::now();
    let objects = forget_objects(connection, user, &rows).await?;
    let queued = job_lifecycle::make_up(connection, &losers).await?;
    for job in &losers {
        progress::refresh(connection, *job).await?;
    }
    // The counters of the others, whose rows are not locked, are the same as before.
    let others: BTreeSet<JobId> = rows.iter().map(|row| row.crawl_job_id).collect();
    for job in others.difference(&losers) {
        progress::notify(connection, &format!("job:{job}")).await?;
    }
    for dataset in datasets {
        let fewer = kept.iter().filter(|row| row.dataset_id == Some(dataset)).count();
        job_lifecycle::publish_fewer(connection, dataset, fewer as i64).await?;
    }
    let metadata = json!({ "removed": { criterion.kind(): criterion.value(), "images": images } });
    activity::log(connection, user, Action::UpdateDataset, dataset, metadata).await?;
    // Not earlier: who lifts the removal waits for the end of the transaction from here on.
    if !stands(connection, removal).await? {
        return Ok(None);
    }
    // Last, because everybody who takes something out waits for that, too.
    keep_out_rows(connection, scope, removal, &rows.iter().collect::<Vec<_>>()).await?;
    let [images, duplicates, unmeasured] = [images, duplicates, unmeasured].map(|pictures| pictures as u64);
    Ok(Some(Taken { images, duplicates, unmeasured, objects, noted_at, made, queued }))
}

/// Keeps out what these are and what looks like them.
async fn keep_out_rows(
    connection: &mut PgConnection,
    scope: RemovalScope,
    removal: RemovalId,
    rows: &[&TakenRow],
) -> sqlx::Result<()> {
    let keys: Vec<RemovalKey> = rows.iter().filter_map(|row| row.key()).collect();
    let hashes: BTreeSet<[u8; 32]> = rows.iter().flat_map(|row| row.looks()).collect();
    keep_out(connection, scope, removal, &keys, hashes.into_iter().collect::<Vec<_>>().concat()).await
}

/// Keeps out what those of these pictures of a dataset are that were taken out, with those that they were duplicates
/// of or that were duplicates of them, whichever removal did it, and what looks like them, as far as this removal does
/// not do so yet: its scope may be wider, or the other is lifted. False when it was lifted meanwhile: then the
/// transaction must be rolled back.
pub async fn keep_out_too(
    connection: &mut PgConnection,
    scope: RemovalScope,
    removal: RemovalId,
    dataset: DatasetId,
    images: &[ImageId],
) -> sqlx::Result<bool> {
    let heads: Vec<ImageId> = sqlx::query_scalar(
        "select distinct coalesce(duplicate_of, id) from public.images
          where dataset_id = $1 and id = any ($2) and not is_valid and not is_duplicate and reason = $3",
    )
    .bind(dataset)
    .bind(images)
    .bind(Refusal::Removed.code())
    .fetch_all(&mut *connection)
    .await?;
    let rows: Vec<TakenRow> = sqlx::query_as(AssertSqlSafe(format!(
        "select {}
           from public.images
          where (id = any ($1) or duplicate_of = any ($1)) and not is_valid and not is_duplicate and reason = $2
            and hash is not null and (dataset_id = $3 or $4)",
        TakenRow::COLUMNS,
    )))
    .bind(&heads)
    .bind(Refusal::Removed.code())
    .bind(dataset)
    .bind(scope.dataset().is_none())
    .fetch_all(&mut *connection)
    .await?;
    // The same again goes on, so that most may be kept out by now.
    let noted: Vec<(Vec<u8>, Vec<Vec<u8>>)> = sqlx::query_as(
        "select b.hashes, array_agg(k.digest)
           from pixcrawler.removal_batch b join pixcrawler.removal_key k on k.sequence = b.sequence
          where b.removal_id = $1 and k.digest = any ($2)
          group by b.sequence",
    )
    .bind(removal)
    .bind(rows.iter().filter_map(TakenRow::key).map(|key| key.digest.0.to_vec()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    let digests: HashSet<&[u8]> = noted.iter().flat_map(|(_, digests)| digests).map(Vec::as_slice).collect();
    let looks: HashSet<&[u8; 32]> = noted.iter().flat_map(|(hashes, _)| hashes.as_chunks::<32>().0).collect();
    let new: Vec<&TakenRow> = rows
        .iter()
        .filter(|row| {
            row.key().is_some_and(|key| !digests.contains(key.digest.0.as_slice()))
                || row.looks().any(|hash| !looks.contains(&hash))
        })
        .collect();
    if new.is_empty() {
        return Ok(true);
    }
    if !stands(connection, removal).await? {
        return Ok(false);
    }
    keep_out_rows(connection, scope, removal, &new).await?;
    Ok(true)
}

/// The datasets that have the pictures that stand for these, in order, and that of these themselves: pictures may
/// be duplicates of one in another dataset of their user. Only the latter, where nothing is taken out of others.
async fn datasets_of_groups(
    connection: &mut PgConnection,
    scope: RemovalScope,
    dataset: DatasetId,
    images: &[ImageId],
) -> sqlx::Result<BTreeSet<DatasetId>> {
    let mut datasets = BTreeSet::from([dataset]);
    if scope.dataset().is_none() {
        let others: Vec<DatasetId> = sqlx::query_scalar(
            "select distinct head.dataset_id from public.images member
               join public.images head on head.id = member.duplicate_of and head.user_id = member.user_id
              where member.dataset_id = $1 and member.id = any ($2) and head.dataset_id is not null",
        )
        .bind(dataset)
        .bind(images)
        .fetch_all(connection)
        .await?;
        datasets.extend(others);
    }
    Ok(datasets)
}

/// Files that were made of exports that have one of these pictures, as of now.
async fn made_of(
    connection: &mut PgConnection,
    images: &[ImageId],
) -> sqlx::Result<Vec<(ExportKey, i32, i32)>> {
    sqlx::query_as(
        "select distinct e.key, f.number, f.revision
           from pixcrawler.export_item i
           join pixcrawler.export e on e.id = i.export_id
           join pixcrawler.export_file f on f.export_id = e.id
            and (f.kind = 'zip' or i.position >= f.first_position and i.position < f.end_position)
          where i.image_id = any ($1)",
    )
    .bind(images)
    .fetch_all(connection)
    .await
}

async fn refuse(
    connection: &mut PgConnection,
    images: &[ImageId],
    criterion: &RemovalCriterion,
    reason: Option<&str>,
) -> sqlx::Result<()> {
    let what = match criterion {
        RemovalCriterion::Image(_) => "taken out".to_owned(),
        other => format!("taken out with {} {}", other.kind(), other.value()),
    };
    let detail = reason.map_or_else(|| what.clone(), |reason| format!("{what}: {reason}"));
    // What duplicates repeated stays in their rows: they belong together also when they are kept out again.
    sqlx::query(
        "update public.images
            set is_valid = false, is_duplicate = false, storage_url = null, reason = $2,
                metadata = coalesce(to_jsonb(metadata), '{}') || jsonb_build_object('detail', $3::text, 'removed_at', now())
          where id = any ($1)",
    )
    .bind(images)
    .bind(Refusal::Removed.code())
    .bind(detail)
    .execute(&mut *connection)
    .await?;
    // No retry or update of a job tries these again.
    sqlx::query("update pixcrawler.candidate set verdict = 'refused' where image_id = any ($1) and verdict is not null")
        .bind(images)
        .execute(connection)
        .await
        .map(drop)
}

/// Waits for those who write rows of a user and did not find notes of objects that are to be deleted, and keeps
/// others from it: what they wrote counts, and those who come later find what is noted in this transaction.
async fn lock_objects_alone(connection: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.gone'), hashtext($1::text))")
        .bind(user)
        .execute(connection)
        .await
        .map(drop)
}

/// Keeps everybody from taking out pictures of a user until the end of the transaction, and waits for those who do.
pub(super) async fn lock_objects(connection: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock_shared(hashtext('pixcrawler.gone'), hashtext($1::text))")
        .bind(user)
        .execute(connection)
        .await
        .map(drop)
}

/// Notes which objects of these rows no other row of the user names, so that nobody takes one for kept that is
/// about to be deleted: who puts one from now on waits, and who has put one before finds the note. The caller has
/// [locked](lock_objects_alone) them.
async fn forget_objects(
    connection: &mut PgConnection,
    user: UserId,
    rows: &[TakenRow],
) -> sqlx::Result<Vec<(Sha256, Format)>> {
    let objects: HashMap<String, (Sha256, Format)> =
        rows.iter().filter_map(TakenRow::object).map(|object| (object.0.to_string(), object)).collect();
    // The clock is that of the statement: the transaction may have begun long before it had its locks.
    let noted: Vec<String> = sqlx::query_scalar(
        "insert into pixcrawler.object_to_delete (user_id, hash, deleting_at)
         select $1, gone.hash, clock_timestamp() from unnest($2::text[]) as gone (hash)
          where not exists (select from public.datasets d join public.images i on i.dataset_id = d.id
                             where d.user_id = $1 and i.hash = gone.hash and i.is_valid and not i.is_duplicate)
          order by 2
             on conflict (user_id, hash) do update set noted_at = clock_timestamp(), deleting_at = clock_timestamp()
      returning hash",
    )
    .bind(user)
    .bind(objects.keys().collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(noted.iter().filter_map(|hash| objects.get(hash).copied()).collect())
}

/// Of these objects, which are to get rows now, those that a removal has deleted since they were put, or is
/// about to. They may be put again.
pub(super) async fn gone(
    connection: &mut PgConnection,
    user: UserId,
    hashes: Vec<String>,
) -> sqlx::Result<HashSet<String>> {
    if hashes.is_empty() {
        return Ok(HashSet::new());
    }
    lock_objects(connection, user).await?;
    let gone: Vec<String> = sqlx::query_scalar(
        "select hash from pixcrawler.object_to_delete where user_id = $1 and hash = any ($2)",
    )
    .bind(user)
    .bind(hashes)
    .fetch_all(connection)
    .await?;
    Ok(gone.into_iter().collect())
}

/// No request that deletes one of these is on its way any more: whoever wants one may put it.
pub async fn objects_are_gone(pool: &PgPool, user: UserId, objects: &[(Sha256, Format)]) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.object_to_delete set deleting_at = null where user_id = $1 and hash = any ($2)",
    )
    .bind(user)
    .bind(objects.iter().map(|(sha256, _)| sha256.to_string()).collect::<Vec<_>>())
    .execute(pool)
    .await
    .map(drop)
}
