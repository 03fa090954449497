//! Verdicts on pictures, written in batches: the one place where a job's quota is counted,
//! duplicates found and image rows made, so that a job keeps exactly what was asked.
//!
//! When the database fails, nothing is written.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection, types::Json};

use crate::{
    db::{
        chunks::{ChunkProgress, ClaimedChunk, ReceivedBody, RejectedCopy},
        column::{ConsentSignals, LenientJson},
        consent,
        job_lifecycle::{self, PlaceGivenBack, ToEnqueue},
        labels,
        look_alikes::LookAlikes,
        progress,
        removals::{self, KeptOut},
    },
    model::{
        AcceptedImage, Candidate, ChunkId, ConsentSignal, DatasetId, ImageId, JobId, Pdq, Provenance,
        Rejection, Scores, Verdict, openness,
    },
};

/// A picture of the backlog that was tried to the end.
#[derive(Clone, Debug)]
pub struct JudgedImage {
    /// `pixcrawler.candidate.id`.
    pub id: i64,
    /// What the source said.
    pub candidate: Candidate,
    /// The address of the copy that the outcome is about: the candidate's own or an alternate.
    pub address: String,
    /// What was received from there, when it was received whole.
    pub body: Option<ReceivedBody>,
    /// Copies that were rejected besides.
    pub rejected_copies: Vec<RejectedCopy>,
    /// What was read of its use.
    pub consent: Vec<ConsentSignal>,
    /// Whether it is a picture that the job accepts.
    pub outcome: Result<AcceptedImage, Rejection>,
}

/// What a batch came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchResult {
    /// Images that were kept.
    pub kept: usize,
    /// Pictures that the dataset has already.
    pub duplicates: usize,
    /// Whether there was any verdict.
    pub written: bool,
    /// Whether the job's public row was refreshed.
    pub refreshed: bool,
    /// Chunks that go on because pictures of their jobs have lost their place, to enqueue in the same
    /// transaction.
    pub queued: Vec<(JobId, ToEnqueue)>,
}

/// Writes a batch in one transaction, which the caller begins and commits; none when the lease is lost, and
/// then it must be rolled back. Good pictures beyond the quota get no row and stay in the backlog. A verdict
/// makes earlier crashes of the chunk forgotten.
///
/// Of pictures that look alike, directly or by way of others, the best one is kept, whichever comes first:
/// one that takes the place of another lowers the counters of that one's job and chunk, and what that job
/// lacks then is shared out at once. Those of jobs that have ended stay.
pub async fn record(
    connection: &mut PgConnection,
    chunk: &mut ClaimedChunk,
    batch: &[JudgedImage],
) -> sqlx::Result<Option<BatchResult>> {
    let hashes = batch.iter().map(|judged| judged.outcome.as_ref().ok().map(|accepted| accepted.hash));
    let mut look_alikes = LookAlikes::new(chunk, hashes);
    let mut kept_out = KeptOut::new(chunk, batch);
    // Nearly all of them before anybody has to wait, and then those that came in between.
    look_alikes.search(connection).await?;
    kept_out.search(connection).await?;
    job_lifecycle::lock_compared(connection, chunk).await?;
    look_alikes.search(connection).await?;
    kept_out.search(connection).await?;
    let batch = consent::add_from_backlog(connection, chunk, kept_out.refuse()).await?;
    let batch = &*batch;
    let Some(quota) = Quota::lock(connection, chunk).await? else { return Ok(None) };
    let good = batch.iter().filter_map(|judged| judged.outcome.as_ref().ok());
    let good = good.map(|accepted| accepted.sha256.to_string()).collect();
    // Before it is looked what is known: nobody takes any of that out from now on.
    let gone = removals::gone(connection, chunk.user_id, good).await?;
    let known = Known { gone, ..Known::read(connection, chunk, batch, &look_alikes).await? };
    let ids = ids(connection, batch).await?;
    let labels = labels::in_backlog(connection, batch.iter().map(|judged| judged.id).collect()).await?;
    let mut verdicts = Verdicts::new(chunk, known, quota);
    verdicts.decide(batch, &ids, &labels, &look_alikes);
    let lost = verdicts.lost();
    let consent = verdicts.lacking_consent();
    let Verdicts { rows, labels, added, .. } = verdicts.settled();
    let losers: BTreeSet<JobId> = lost.iter().map(|lost| lost.job).collect();
    job_lifecycle::lock_losers(connection, &losers).await?;
    displace(connection, &lost).await?;
    insert(connection, chunk, &rows).await?;
    look_alikes.add(connection, added.into_iter()).await?;
    let mut changed = labels::add_to_images(connection, chunk.user_id, chunk.dataset_id, labels).await?;
    changed.extend(consent::add_to_images(connection, consent).await?);

    let is_kept = |row: &ImageInsert<'_>| row.verdict == Verdict::Kept;
    let kept = rows.iter().filter(|row| is_kept(row)).count();
    let duplicates = rows.iter().filter(|row| row.verdict == Verdict::Duplicate).count();
    let bytes: i64 =
        rows.iter().filter(|row| is_kept(row)).filter_map(|row| row.file_size.map(i64::from)).sum();
    let downloaded = integer(rows.iter().filter(|row| row.hash.is_some()).count());
    let got_on = !rows.is_empty();
    let progress: ChunkProgress = sqlx::query_as(
        "update pixcrawler.chunk
            set kept = kept + $2, crash_count = case when $3 then 0 else crash_count end,
                gave_way = gave_way and not $3, idle_since = case when $3 then null else idle_since end
          where id = $1
      returning kept, steps, asked, received, crash_count, errors_in_row, step_not_before, idle_since",
    )
    .bind(chunk.id)
    .bind(integer(kept))
    .bind(got_on)
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "update pixcrawler.job
            set kept = kept + $2, judged = judged + $3, downloaded = downloaded + $4, bytes = bytes + $5
          where job_id = $1",
    )
    .bind(chunk.job_id)
    .bind(integer(kept))
    .bind(integer(rows.len()))
    .bind(downloaded)
    .bind(bytes)
    .execute(&mut *connection)
    .await?;
    let queued = job_lifecycle::make_up(connection, &losers).await?;
    publish_others(connection, chunk, &lost).await?;
    let refreshed = progress::refresh_if_due(connection, chunk.job_id).await?;
    changed.extend(losers);
    changed.remove(&chunk.job_id);
    for job in changed {
        progress::refresh(connection, job).await?;
    }
    chunk.progress = progress;
    Ok(Some(BatchResult { kept, duplicates, written: got_on, refreshed, queued }))
}

/// Says in the rows of other datasets how many pictures they have lost by jobs that are over: the end of the others
/// counts anew.
async fn publish_others(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    lost: &[LostPlace],
) -> sqlx::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let fewer: Vec<(DatasetId, i64)> = sqlx::query_as(
        "select c.dataset_id, count(*) from unnest($1::integer[]) as lost (job)
           join public.crawl_jobs c on c.id = lost.job
          where c.dataset_id <> $2 and c.status in ('completed', 'failed', 'cancelled')
          group by c.dataset_id order by c.dataset_id",
    )
    .bind(lost.iter().map(|lost| lost.job).collect::<Vec<_>>())
    .bind(chunk.dataset_id)
    .fetch_all(&mut *connection)
    .await?;
    for (dataset, fewer) in fewer {
        job_lifecycle::publish_fewer(connection, dataset, fewer).await?;
    }
    Ok(())
}

/// What a batch may still add.
struct Quota {
    of_chunk: i32,
    of_job: i32,
}

impl Quota {
    /// Locks the chunk by its lease; none when that is lost. Nobody changes the counters but who has locked
    /// the dataset, as the caller has: the job's row is locked when all are known that must be, in order.
    async fn lock(connection: &mut PgConnection, chunk: &ClaimedChunk) -> sqlx::Result<Option<Self>> {
        let free: Option<(i32, i32)> = sqlx::query_as(
            "select c.share - c.kept, coalesce((select j.wanted - j.kept from pixcrawler.job j where j.job_id = c.job_id), 0)
               from pixcrawler.chunk c where c.id = $1 and c.lease = $2 for update of c",
        )
        .bind(chunk.id)
        .bind(chunk.lease)
        .fetch_optional(connection)
        .await?;
        Ok(free.map(|(of_chunk, of_job)| Self { of_chunk, of_job }))
    }

    /// Takes a place, where there is one with those that are `given` back by the chunk and by the job.
    const fn take(&mut self, given: (i32, i32)) -> bool {
        let (of_chunk, of_job) = (self.of_chunk + given.0, self.of_job + given.1);
        let is_free = of_chunk > 0 && of_job > 0;
        if is_free {
            (self.of_chunk, self.of_job) = (of_chunk - 1, of_job - 1);
        }
        is_free
    }
}

/// An id for each picture of a batch: that of its row, where it was judged before.
async fn ids(connection: &mut PgConnection, batch: &[JudgedImage]) -> sqlx::Result<Vec<ImageId>> {
    sqlx::query_scalar(
        "select coalesce(image_id, nextval('public.images_id_seq'))::integer
           from (select c.image_id from unnest($1::bigint[]) with ordinality as judged (id, number)
                   join pixcrawler.candidate c on c.id = judged.id order by number) as judged",
    )
    .bind(batch.iter().map(|judged| judged.id).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
}

/// A kept picture, as it is compared with others that look like it.
#[derive(Clone, Debug)]
struct KeptPicture {
    job: JobId,
    chunk: Option<ChunkId>,
    bytes: i64,
    labels: Vec<String>,
    /// What was read of its use; none where nobody looked.
    consent: Option<Vec<ConsentSignal>>,
    rank: Rank,
    /// It is in the dataset of the batch.
    is_here: bool,
    /// Its job has ended with it, or it is in another dataset, and its job looks at no other.
    is_fixed: bool,
    /// Its row, where it is of this batch.
    row: Option<usize>,
}

/// Which of several pictures that look alike is kept: the one with most pixels, then the more open licence,
/// and then the one with the lower hash. No two that differ are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(i64, u8, Reverse<String>);

impl Rank {
    pub(super) fn new(width: Option<i32>, height: Option<i32>, license: Option<&str>, hash: &str) -> Self {
        let side = |side: Option<i32>| i64::from(side.unwrap_or_default());
        Self(side(width) * side(height), openness(license), Reverse(hash.to_owned()))
    }
}

/// A picture that has lost its place to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostPlace {
    pub(super) image: ImageId,
    pub(super) to: ImageId,
    pub(super) job: JobId,
    pub(super) chunk: Option<ChunkId>,
    pub(super) bytes: i64,
}

/// What the dataset has that a batch has to do with.
#[derive(Default)]
struct Known {
    /// Kept pictures.
    kept: HashMap<ImageId, KeptPicture>,
    /// Which of them stands for each picture that one of the batch looks like.
    of_member: HashMap<ImageId, ImageId>,
    /// Which of them have these bytes.
    of_bytes: HashMap<String, Vec<ImageId>>,
    /// Hashes of the bytes of all these pictures, as far as they are in the dataset of the batch.
    bytes: HashSet<String>,
    /// Hashes of objects that are there no more, though they were put for this batch.
    gone: HashSet<String>,
}

impl Known {
    async fn read(
        connection: &mut PgConnection,
        chunk: &ClaimedChunk,
        batch: &[JudgedImage],
        look_alikes: &LookAlikes,
    ) -> sqlx::Result<Self> {
        #[derive(sqlx::FromRow)]
        struct KnownRow {
            member: ImageId,
            member_hash: Option<String>,
            is_member_here: bool,
            id: ImageId,
            crawl_job_id: JobId,
            chunk_id: Option<ChunkId>,
            width: Option<i32>,
            height: Option<i32>,
            license: Option<String>,
            hash: Option<String>,
            file_size: Option<i32>,
            labels: Option<Json<serde_json::Value>>,
            consent: Option<LenientJson<ConsentSignals>>,
            is_here: bool,
            is_fixed: bool,
        }
        let good: Vec<(usize, String)> = (0..)
            .zip(batch)
            .filter_map(|(at, judged)| Some((at, judged.outcome.as_ref().ok()?.sha256.to_string())))
            .collect();
        let members: BTreeSet<ImageId> =
            good.iter().flat_map(|(at, _)| look_alikes.of(*at)).copied().collect();
        // Each row is looked up by itself, behind `offset 0`: of tables that have just been filled the database has no
        // statistics, takes a dataset for one row, and would read all of it for each row of it.
        let rows: Vec<KnownRow> = sqlx::query_as(
            "select m.id as member, m.hash as member_hash, m.dataset_id = $4 as is_member_here, k.id, k.crawl_job_id,
                    k.chunk_id, k.width, k.height, k.license, k.hash, k.file_size, to_jsonb(k.labels) as labels,
                    k.consent, k.dataset_id = $4 as is_here,
                    k.id <= coalesce(j.fixed_to, k.id)
                        or k.dataset_id <> $4 and c.rules ->> 'duplicates_within' is distinct from 'user' as is_fixed
               from (select i.id, i.hash, i.dataset_id, coalesce(i.duplicate_of, i.id) as kept
                       from unnest($2::integer[]) as looked (id)
                      cross join lateral (select * from public.images where images.id = looked.id offset 0) as i
                      where i.dataset_id = any ($1) and i.is_valid
                      union all
                     select i.id, i.hash, i.dataset_id, i.id
                       from unnest($1::integer[]) as compared (dataset_id)
                      cross join unnest($3::text[]) as looked (hash)
                      cross join lateral (
                            select * from public.images
                             where images.dataset_id = compared.dataset_id and images.hash = looked.hash
                               and is_valid and not is_duplicate offset 0) as i) as m
              cross join lateral (select * from public.images where images.id = m.kept offset 0) as k
               left join pixcrawler.job j on j.job_id = k.crawl_job_id
               left join public.crawl_jobs c on c.id = k.crawl_job_id
              where k.dataset_id = any ($1) and k.is_valid and not k.is_duplicate",
        )
        .bind(look_alikes.datasets())
        .bind(members.into_iter().collect::<Vec<_>>())
        .bind(good.into_iter().map(|(_, hash)| hash).collect::<Vec<_>>())
        .bind(chunk.dataset_id)
        .fetch_all(connection)
        .await?;
        let mut known = Self::default();
        for row in rows {
            known.of_member.insert(row.member, row.id);
            if let Some(hash) = row.member_hash {
                if row.member == row.id {
                    known.of_bytes.entry(hash.clone()).or_default().push(row.id);
                }
                if row.is_member_here {
                    known.bytes.insert(hash);
                }
            }
            let hash = row.hash.unwrap_or_default();
            let labels = row.labels.and_then(|Json(labels)| serde_json::from_value(labels).ok());
            let kept = KeptPicture {
                job: row.crawl_job_id,
                chunk: row.chunk_id,
                bytes: row.file_size.map_or(0, i64::from),
                labels: labels.unwrap_or_default(),
                consent: row.consent.map(|LenientJson(signals)| signals.0),
                rank: Rank::new(row.width, row.height, row.license.as_deref(), &hash),
                is_here: row.is_here,
                is_fixed: row.is_fixed,
                row: None,
            };
            known.kept.insert(row.id, kept);
        }
        Ok(known)
    }
}

/// The verdicts on a batch, as they are made in its order.
struct Verdicts<'a> {
    chunk: &'a ClaimedChunk,
    known: Known,
    quota: Quota,
    rows: Vec<ImageInsert<'a>>,
    /// The pictures of the batch that have rows and are good: which, and which image.
    good: Vec<(usize, ImageId)>,
    /// Of these, the ones whose bytes are new.
    added: Vec<(usize, ImageId)>,
    /// Kept pictures that have lost their place, and to which.
    lost: HashMap<ImageId, ImageId>,
    /// Classes for kept pictures, from those that look like them.
    labels: Vec<(ImageId, Vec<String>)>,
    /// What was read of the use of these, likewise.
    consent: Vec<(ImageId, Vec<ConsentSignal>)>,
}

impl<'a> Verdicts<'a> {
    fn new(chunk: &'a ClaimedChunk, known: Known, quota: Quota) -> Self {
        let (rows, good, added) = (Vec::new(), Vec::new(), Vec::new());
        let (labels, consent) = (Vec::new(), Vec::new());
        Self { chunk, known, quota, rows, good, added, lost: HashMap::new(), labels, consent }
    }

    /// Decides, in the order of the batch; good pictures beyond the quota get no row.
    fn decide(
        &mut self,
        batch: &'a [JudgedImage],
        ids: &[ImageId],
        own: &HashMap<i64, Vec<String>>,
        look_alikes: &LookAlikes,
    ) {
        for (at, (judged, id)) in batch.iter().zip(ids).enumerate() {
            let labels = labels::of(self.chunk, own.get(&judged.id).map_or(&[], Vec::as_slice));
            let mut row = ImageInsert::new(*id, judged, labels);
            if let Ok(accepted) = &judged.outcome {
                let hash = accepted.sha256.to_string();
                // It stays in the backlog, and is put again.
                if self.known.gone.contains(&hash) {
                    continue;
                }
                let Some(of) = self.place(at, &row, &hash, look_alikes) else { continue };
                if of == *id {
                    self.known.of_bytes.entry(hash.clone()).or_default().push(of);
                } else {
                    self.labels.push((of, row.labels.clone()));
                    self.consent.push((of, judged.consent.clone()));
                    row.become_duplicate(of);
                }
                self.known.of_member.insert(*id, of);
                self.good.push((at, *id));
                if self.known.bytes.insert(hash) {
                    self.added.push((at, *id));
                }
            }
            self.rows.push(row);
        }
    }

    /// Which picture stands for a good one and all that look like it from now on: itself, or another. None
    /// when there is no place for it.
    fn place(
        &mut self,
        at: usize,
        row: &ImageInsert<'_>,
        hash: &str,
        look_alikes: &LookAlikes,
    ) -> Option<ImageId> {
        let near = look_alikes.of(at).iter().copied();
        let near_here = self.good.iter().filter(|(other, _)| look_alikes.are_alike(at, *other));
        let near = near.chain(near_here.map(|(_, id)| *id));
        let alike: BTreeSet<ImageId> = near
            .filter_map(|member| self.known.of_member.get(&member))
            .chain(self.known.of_bytes.get(hash).into_iter().flatten())
            .map(|kept| self.stands_for(*kept))
            .collect();
        let best = |is_fixed: bool| {
            let those = alike.iter().filter(|id| self.known.kept[*id].is_fixed == is_fixed);
            // Of those that stay in any case, one of this dataset, which gets the classes.
            let key = |id: &&ImageId| {
                let kept = &self.known.kept[*id];
                (is_fixed && kept.is_here, &kept.rank)
            };
            those.max_by_key(key).copied()
        };
        let side = |side: Option<u32>| side.map(integer);
        let rank = Rank::new(side(row.width), side(row.height), row.provenance.license.as_deref(), hash);
        let other = best(true).or_else(|| best(false).filter(|id| self.known.kept[id].rank >= rank));
        let losers: Vec<ImageId> = alike
            .iter()
            .filter(|id| Some(**id) != other && !self.known.kept[*id].is_fixed)
            .copied()
            .collect();
        let given = losers.iter().fold((0, 0), |(of_chunk, of_job), id| {
            let KeptPicture { job, chunk, .. } = &self.known.kept[id];
            let is_of_chunk = *chunk == Some(self.chunk.id);
            (of_chunk + i32::from(is_of_chunk), of_job + i32::from(*job == self.chunk.job_id))
        });
        let winner = match other {
            Some(other) => {
                self.quota.of_chunk += given.0;
                self.quota.of_job += given.1;
                other
            }
            None if self.quota.take(given) => row.id,
            None => return None,
        };
        for loser in losers {
            self.lost.insert(loser, winner);
            let kept = &self.known.kept[&loser];
            // Classes of another dataset mean nothing here.
            if kept.is_here {
                self.labels.push((winner, kept.labels.clone()));
            }
            if let Some(signals) = &kept.consent {
                self.consent.push((winner, signals.clone()));
            }
            if let Some(row) = kept.row {
                self.rows[row].become_duplicate(winner);
            }
        }
        if other.is_none() {
            let kept = KeptPicture {
                job: self.chunk.job_id,
                chunk: Some(self.chunk.id),
                bytes: row.file_size.map_or(0, i64::from),
                labels: row.labels.clone(),
                consent: Some(row.consent.to_vec()),
                rank,
                is_here: true,
                is_fixed: false,
                row: Some(self.rows.len()),
            };
            self.known.kept.insert(row.id, kept);
        }
        Some(winner)
    }

    /// The picture that has the place of one that was kept.
    fn stands_for(&self, mut kept: ImageId) -> ImageId {
        while let Some(to) = self.lost.get(&kept) {
            kept = *to;
        }
        kept
    }

    /// The pictures of earlier batches that have lost their place, by id.
    fn lost(&self) -> Vec<LostPlace> {
        let lost = self.lost.keys().map(|id| (*id, &self.known.kept[id]));
        let mut lost: Vec<LostPlace> = lost
            .filter(|(_, kept)| kept.row.is_none())
            .map(|(image, KeptPicture { job, chunk, bytes, .. })| LostPlace {
                image,
                to: self.stands_for(image),
                job: *job,
                chunk: *chunk,
                bytes: *bytes,
            })
            .collect();
        lost.sort_by_key(|lost| lost.image);
        lost
    }

    /// What the pictures of this dataset that are kept by the end of the batch lack of what was read of others.
    fn lacking_consent(&self) -> BTreeMap<ImageId, Vec<ConsentSignal>> {
        let read = self.consent.iter().map(|(id, signals)| (self.stands_for(*id), signals.as_slice()));
        let kept = |id| self.known.kept.get(&id).filter(|kept| kept.is_here);
        consent::lacking(read.filter(|(id, _)| kept(*id).is_some()), |id| kept(id)?.consent.as_deref())
    }

    /// The same, where every picture that is a duplicate says of which one, by the end of the batch.
    fn settled(mut self) -> Self {
        let mut rows = std::mem::take(&mut self.rows);
        for of in rows.iter_mut().filter_map(|row| row.duplicate_of.as_mut()) {
            *of = self.stands_for(*of);
        }
        self.labels = self.labels.iter().map(|(id, labels)| (self.stands_for(*id), labels.clone())).collect();
        Self { rows, ..self }
    }
}

/// Takes their place from pictures, which are duplicates from now on, as is what repeats them. The rows of their
/// chunks and jobs are locked.
pub(super) async fn displace(connection: &mut PgConnection, lost: &[LostPlace]) -> sqlx::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    let images: Vec<ImageId> = lost.iter().map(|lost| lost.image).collect();
    let to: Vec<ImageId> = lost.iter().map(|lost| lost.to).collect();
    for statement in [
        "update public.images i set is_duplicate = true, duplicate_of = lost.place, storage_url = null
           from unnest($1::integer[], $2::integer[]) as lost (image, place) where i.id = lost.image",
        "update public.images i set duplicate_of = lost.place
           from unnest($1::integer[], $2::integer[]) as lost (image, place) where i.duplicate_of = lost.image",
    ] {
        sqlx::query(statement).bind(&images).bind(&to).execute(&mut *connection).await?;
    }
    let given =
        lost.iter().map(|lost| PlaceGivenBack { job: lost.job, chunk: lost.chunk, bytes: lost.bytes });
    job_lifecycle::give_back(connection, &given.collect::<Vec<_>>()).await
}

/// A row of `public.images` as a batch writes it, under the names of its columns, and what
/// `pixcrawler.candidate` learns.
#[derive(Serialize)]
struct ImageInsert<'a> {
    id: ImageId,
    candidate: i64,
    verdict: Verdict,
    labels: Vec<String>,
    original_url: &'a str,
    asked_url: Option<&'a str>,
    filename: String,
    width: Option<u32>,
    height: Option<u32>,
    file_size: Option<i32>,
    format: Option<&'static str>,
    frames: Option<u32>,
    hash: Option<String>,
    crc32: Option<u32>,
    pdq: Option<Pdq>,
    pdq_quality: Option<u8>,
    pdq_trimmed: Option<Pdq>,
    #[serde(flatten)]
    scores: Scores,
    is_valid: bool,
    is_duplicate: bool,
    duplicate_of: Option<ImageId>,
    reason: Option<&'static str>,
    #[serde(flatten)]
    provenance: Provenance,
    source_id: Option<&'a str>,
    declared_width: Option<i32>,
    declared_height: Option<i32>,
    declared_mime: Option<&'a str>,
    declared_size: Option<i64>,
    consent: &'a [ConsentSignal],
    metadata: serde_json::Value,
}

impl<'a> ImageInsert<'a> {
    fn new(id: ImageId, judged: &'a JudgedImage, labels: Vec<String>) -> Self {
        let JudgedImage { candidate, address, body, outcome, .. } = judged;
        let accepted = outcome.as_ref().ok();
        let rejection = outcome.as_ref().err();
        // Of what was rejected, the address that was asked is the one to be found by.
        let original_url = if accepted.is_some() { address } else { &candidate.url };
        let final_url = body.as_ref().map_or(address, |body| &body.final_url);
        let rejected_copies = (!judged.rejected_copies.is_empty()).then_some(&judged.rejected_copies);
        Self {
            id,
            candidate: judged.id,
            verdict: if accepted.is_some() { Verdict::Kept } else { Verdict::Refused },
            labels,
            original_url,
            asked_url: (*original_url != candidate.url).then_some(&candidate.url),
            filename: accepted.map_or_else(
                || last_segment(final_url),
                |accepted| format!("{}.{}", accepted.sha256, accepted.format.extension()),
            ),
            width: accepted.map(|accepted| accepted.width),
            height: accepted.map(|accepted| accepted.height),
            file_size: body.as_ref().map(|body| integer(body.size)),
            format: accepted.map(|accepted| accepted.format.name()),
            frames: accepted.map(|accepted| accepted.frames),
            hash: body.as_ref().map(|body| body.sha256.to_string()),
            crc32: accepted.map(|accepted| accepted.crc32),
            pdq: accepted.map(|accepted| accepted.hash.pdq),
            pdq_quality: accepted.map(|accepted| accepted.hash.quality),
            pdq_trimmed: accepted.and_then(|accepted| accepted.hash.trimmed),
            scores: accepted.map(|accepted| accepted.scores).unwrap_or_default(),
            is_valid: accepted.is_some(),
            is_duplicate: false,
            duplicate_of: None,
            reason: rejection.map(|rejection| rejection.reason.code()),
            provenance: candidate.into(),
            source_id: candidate.id.as_deref(),
            declared_width: candidate.dimensions.map(|(width, _)| integer(width)),
            declared_height: candidate.dimensions.map(|(_, height)| integer(height)),
            declared_mime: candidate.mime.as_deref(),
            declared_size: candidate.byte_size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            consent: &judged.consent,
            metadata: serde_json::json!({
                "detail": rejection.map(|rejection| &rejection.detail),
                "final_url": (final_url != original_url).then_some(final_url),
                "refused_copies": rejected_copies,
                "published": candidate.published,
                "tags": candidate.tags,
                "extra": candidate.extra,
            }),
        }
    }

    const fn become_duplicate(&mut self, of: ImageId) {
        self.verdict = Verdict::Duplicate;
        self.is_duplicate = true;
        self.duplicate_of = Some(of);
    }
}

/// Writes the rows, and the verdicts into the backlog. A picture that was judged before, in an earlier try
/// of the job, has its row changed in place.
async fn insert(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    rows: &[ImageInsert<'_>],
) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "with judged as (
            select i.*, j.judged_image
              from jsonb_array_elements($5) as j (judged_image)
             cross join jsonb_populate_record(null::public.images, j.judged_image) as i),
         written as (
            insert into public.images (
                   id, crawl_job_id, chunk_id, user_id, dataset_id, source, labels, storage_url, duplicate_of,
                   original_url, asked_url, filename, width, height, file_size, format, frames, hash, crc32,
                   pdq, pdq_quality, pdq_trimmed, is_valid, is_duplicate, reason, metadata, source_id, declared_width, declared_height,
                   declared_mime, declared_size, consent, {provenance}, {scores})
            select id, $1, $2, $3, $4, $6, labels,
                   case when is_valid and not is_duplicate then '/api/v1/images/' || id || '/file' end,
                   duplicate_of,
                   original_url, asked_url, filename, width, height, file_size, format, frames, hash, crc32,
                   pdq, pdq_quality, pdq_trimmed, is_valid, is_duplicate, reason, jsonb_strip_nulls(metadata), source_id, declared_width,
                   declared_height, declared_mime, declared_size, consent, {provenance}, {scores}
              from judged
                on conflict (id) do update
               set labels = excluded.labels, original_url = excluded.original_url, asked_url = excluded.asked_url,
                   filename = excluded.filename, storage_url = excluded.storage_url, width = excluded.width,
                   height = excluded.height, file_size = excluded.file_size, format = excluded.format,
                   frames = excluded.frames, hash = excluded.hash, crc32 = excluded.crc32, pdq = excluded.pdq,
                   pdq_quality = excluded.pdq_quality, pdq_trimmed = excluded.pdq_trimmed,
                   brightness = excluded.brightness, contrast = excluded.contrast,
                   sharpness = excluded.sharpness, jpeg_quality = excluded.jpeg_quality,
                   is_valid = excluded.is_valid, is_duplicate = excluded.is_duplicate,
                   duplicate_of = excluded.duplicate_of, reason = excluded.reason,
                   consent = excluded.consent, metadata = excluded.metadata, downloaded_at = now())
         update pixcrawler.candidate c set verdict = judged.judged_image ->> 'verdict', image_id = judged.id
           from judged where c.id = (judged.judged_image ->> 'candidate')::bigint",
        provenance = Provenance::COLUMNS,
        scores = Scores::COLUMNS,
    )))
    .bind(chunk.job_id)
    .bind(chunk.id)
    .bind(chunk.user_id)
    .bind(chunk.dataset_id)
    .bind(Json(rows))
    .bind(&chunk.source)
    .execute(connection)
    .await?;
    Ok(())
}

/// The last segment of an address' path, as a name for what has no content to be named by.
fn last_segment(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or("unnamed").chars().take(255).collect()
}

/// What no column holds is the most that one does.
fn integer(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Cookies, Format, License, Pdq, PictureHash, Query, Rules, Sha256, UserId};

    /// A picture that looks like those whose `look` is at most one away.
    #[derive(Clone, Debug)]
    struct Sample {
        look: usize,
        pixels: u32,
        license: Option<&'static str>,
        bytes: u8,
    }

    impl Sample {
        fn hash(&self) -> Pdq {
            let is_set = |bit: usize| u8::from(bit < 20 * self.look);
            Pdq(std::array::from_fn(|byte| (0..8).fold(0, |bits, bit| bits << 1 | is_set(8 * byte + bit))))
        }

        fn judged(&self, id: i64) -> JudgedImage {
            let license = self.license.map(|id| License { id: id.to_owned(), url: None, attribution: None });
            let candidate = Candidate { license, ..Candidate::default() };
            let accepted = AcceptedImage {
                format: Format::Png,
                width: self.pixels,
                height: 1,
                frames: 1,
                sha256: Sha256([self.bytes; 32]),
                crc32: 0,
                hash: PictureHash { pdq: self.hash(), quality: 100, trimmed: None, turned: None },
                scores: Scores::default(),
            };
            let address = String::new();
            JudgedImage {
                id,
                candidate,
                address,
                body: None,
                rejected_copies: Vec::new(),
                consent: Vec::new(),
                outcome: Ok(accepted),
            }
        }

        fn rank(&self) -> Rank {
            let pixels = i32::try_from(self.pixels).ok();
            Rank::new(pixels, Some(1), self.license, &Sha256([self.bytes; 32]).to_string())
        }
    }

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let license = prop::sample::select(vec![None, Some("cc0-1.0"), Some("cc-by-4.0")]);
        let one = (0usize..12, 1u32..4, license);
        // Bytes that are the same have the same look and size.
        prop::collection::vec(one, 1..20).prop_map(|all| {
            let sample = |(bytes, (look, pixels, license))| Sample { look, pixels, license, bytes };
            (1u8..).zip(all).map(sample).collect()
        })
    }

    /// What the database keeps of a dataset.
    #[derive(Default)]
    struct Dataset {
        kept: HashMap<ImageId, KeptPicture>,
        of_member: BTreeMap<ImageId, ImageId>,
        hashes: Vec<(ImageId, Pdq)>,
    }

    impl Dataset {
        fn record(&mut self, chunk: &ClaimedChunk, batch: &[JudgedImage], quota: i32) -> usize {
            let hashes = batch.iter().map(|judged| Some(judged.outcome.as_ref().unwrap().hash));
            let mut look_alikes = LookAlikes::new(chunk, hashes);
            for (image, hash) in &self.hashes {
                look_alikes.compare(&[*image], &hash.0);
            }
            let known = Known {
                kept: self.kept.clone(),
                of_member: self.of_member.clone().into_iter().collect(),
                ..Known::default()
            };
            let ids: Vec<ImageId> =
                batch.iter().map(|judged| ImageId(judged.id.try_into().unwrap())).collect();
            let mut verdicts = Verdicts::new(chunk, known, Quota { of_chunk: quota, of_job: quota });
            verdicts.decide(batch, &ids, &HashMap::new(), &look_alikes);
            let lost = verdicts.lost();
            let places: HashMap<_, _> =
                self.of_member.keys().map(|id| (*id, verdicts.stands_for(self.of_member[id]))).collect();
            let Verdicts { known, rows, added, .. } = verdicts.settled();
            self.of_member.extend(places);
            for LostPlace { image, .. } in &lost {
                self.kept.remove(image);
            }
            for row in &rows {
                self.of_member.insert(row.id, row.duplicate_of.unwrap_or(row.id));
                if row.verdict == Verdict::Kept {
                    self.kept.insert(row.id, KeptPicture { row: None, ..known.kept[&row.id].clone() });
                }
            }
            let hash = |at: usize| batch[at].outcome.as_ref().unwrap().hash.pdq;
            self.hashes.extend(added.iter().map(|(at, id)| (*id, hash(*at))));
            rows.len()
        }
    }

    fn chunk() -> ClaimedChunk {
        ClaimedChunk {
            id: ChunkId(1),
            lease: uuid::Uuid::nil(),
            job_id: JobId(1),
            dataset_id: DatasetId(1),
            user_id: UserId(uuid::Uuid::nil()),
            source: String::new(),
            label: "panda".to_owned(),
            query: Query {
                text: "panda".to_owned(),
                limit: 100,
                safe_search: true,
                language: None,
                options: Vec::new(),
                credentials: Vec::new(),
            },
            rules: Rules::default(),
            share: 0,
            progress: ChunkProgress::default(),
            plugin_state: String::new(),
            plugin_digest: None,
            requests: None,
            cookies: Cookies::default(),
            source_done: false,
            paused_since: None,
            begun: 0.0,
            waited: None,
        }
    }

    proptest! {
        /// However they are ordered and cut into batches, of every group the best is kept, and everything
        /// that belongs to it says so.
        #[test]
        fn order_does_not_matter(
            (all, order) in samples().prop_flat_map(|all| {
                let order = Just((0..all.len()).collect::<Vec<_>>()).prop_shuffle();
                (Just(all), order)
            }),
            size in 1usize..8,
        ) {
            let mut dataset = Dataset::default();
            for batch in order.chunks(size) {
                let batch: Vec<_> = batch.iter().map(|at| all[*at].judged(*at as i64)).collect();
                prop_assert_eq!(dataset.record(&chunk(), &batch, 100), batch.len());
            }
            let mut looks: Vec<usize> = all.iter().map(|sample| sample.look).collect();
            looks.sort_unstable();
            looks.dedup();
            for group in looks.chunk_by(|one, next| next - one <= 1) {
                let those = || all.iter().enumerate().filter(|(_, sample)| group.contains(&sample.look));
                let (best, _) = those().max_by_key(|(_, sample)| sample.rank()).unwrap();
                for (at, _) in those() {
                    let of = dataset.of_member[&ImageId(i32::try_from(at).unwrap())];
                    prop_assert_eq!(of, ImageId(i32::try_from(best).unwrap()));
                }
            }
            prop_assert_eq!(dataset.kept.len(), looks.chunk_by(|one, next| next - one <= 1).count());
        }

        /// A batch never adds more than there is room for.
        #[test]
        fn the_quota_holds(all in samples(), quota in 0i32..6) {
            let mut dataset = Dataset::default();
            let batch: Vec<_> = (0..).zip(&all).map(|(at, sample)| sample.judged(at)).collect();
            dataset.record(&chunk(), &batch, quota);
            prop_assert!(i32::try_from(dataset.kept.len()).unwrap() <= quota);
        }
    }
}
