//! Pictures of a dataset that look alike, whoever kept them, and which of them is kept from now on.
//!
//! Its functions fail when the database does.

use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, PgPool, types::Json};

use crate::{
    db::{
        column::{ConsentSignals, LenientJson},
        consent,
        image_batch::{self, LostPlace, Rank},
        job_lifecycle::{self, ToEnqueue},
        labels, look_alikes, progress, removals,
    },
    model::{ChunkId, ConsentSignal, DatasetId, Format, ImageId, JobId, Pdq, Sha256, UserId},
};

/// What a dataset has, to be compared.
#[derive(Debug, Default)]
pub struct Pictures {
    /// Good pictures, kept or not, in order.
    pub images: Vec<ImageId>,
    /// Those of them that are duplicates, and of which.
    pub duplicates: Vec<(ImageId, ImageId)>,
    /// Their hashes; of some there is none, of some two.
    pub hashes: Vec<(ImageId, Pdq)>,
    /// Kept ones that were not measured.
    pub unmeasured: u64,
}

/// A good picture of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Which.
    pub id: ImageId,
    /// It is in the dataset.
    pub is_kept: bool,
    /// Whose it is.
    pub job: JobId,
    /// Pictures that this job may still keep.
    pub free: i32,
    /// Its object, where one can be.
    pub object: Option<(Sha256, Format)>,
    /// Of those of a group the greatest is the best.
    pub rank: Rank,
    chunk: Option<ChunkId>,
    bytes: i64,
    labels: Vec<String>,
    consent: Option<Vec<ConsentSignal>>,
}

/// Reads what a dataset has.
pub async fn read(pool: &PgPool, dataset: DatasetId) -> sqlx::Result<Pictures> {
    let mut tx = pool.begin().await?;
    let rows: Vec<(ImageId, Option<ImageId>, bool)> = sqlx::query_as(
        "select id, case when is_duplicate then duplicate_of end, not is_duplicate and pdq is null
           from public.images where dataset_id = $1 and is_valid order by id",
    )
    .bind(dataset)
    .fetch_all(&mut *tx)
    .await?;
    let hashes = look_alikes::all(&mut tx, dataset).await?;
    Ok(Pictures {
        images: rows.iter().map(|(id, ..)| *id).collect(),
        duplicates: rows.iter().filter_map(|(id, of, _)| Some((*id, (*of)?))).collect(),
        hashes,
        unmeasured: rows.iter().filter(|(.., is_unmeasured)| *is_unmeasured).count() as u64,
    })
}

/// Locks the dataset and reads the pictures of groups, those that are there still. Objects that may be there for
/// another moment only are left out.
pub async fn lock(
    connection: &mut PgConnection,
    (user, dataset): (UserId, DatasetId),
    groups: &[Vec<ImageId>],
) -> sqlx::Result<HashMap<ImageId, Member>> {
    job_lifecycle::lock_dataset(connection, dataset).await?;
    // Before they are read: what is taken out elsewhere takes its duplicates with it.
    removals::lock_objects(connection, user).await?;
    let mut members = members(connection, dataset, groups).await?;
    let objects = members.values().filter_map(|member| member.object);
    let hashes = objects.map(|(sha256, _)| sha256.to_string()).collect();
    let gone = removals::gone(connection, user, hashes).await?;
    for member in members.values_mut() {
        member.object = member.object.filter(|(sha256, _)| !gone.contains(&sha256.to_string()));
    }
    Ok(members)
}

/// Reads the pictures of groups, those that are there.
pub async fn members(
    connection: &mut PgConnection,
    dataset: DatasetId,
    groups: &[Vec<ImageId>],
) -> sqlx::Result<HashMap<ImageId, Member>> {
    #[derive(sqlx::FromRow)]
    struct MemberRow {
        id: ImageId,
        is_kept: bool,
        free: i32,
        crawl_job_id: JobId,
        chunk_id: Option<ChunkId>,
        width: Option<i32>,
        height: Option<i32>,
        license: Option<String>,
        hash: Option<String>,
        format: Option<String>,
        file_size: Option<i32>,
        labels: Option<Json<serde_json::Value>>,
        consent: Option<LenientJson<ConsentSignals>>,
    }
    let rows: Vec<MemberRow> = sqlx::query_as(
        "select i.id, not i.is_duplicate as is_kept, coalesce(j.wanted - j.kept, 0) as free, i.crawl_job_id,
                i.chunk_id, i.width, i.height, i.license, i.hash, i.format, i.file_size, i.consent,
                to_jsonb(i.labels) as labels
           from public.images i left join pixcrawler.job j on j.job_id = i.crawl_job_id
          where i.dataset_id = $1 and i.id = any ($2) and i.is_valid",
    )
    .bind(dataset)
    .bind(groups.concat())
    .fetch_all(connection)
    .await?;
    let members = rows.into_iter().map(|row| {
        let hash = row.hash.unwrap_or_default();
        let labels = row.labels.and_then(|Json(labels)| serde_json::from_value(labels).ok());
        let member = Member {
            id: row.id,
            is_kept: row.is_kept,
            free: row.free,
            object: Sha256::parse(&hash).zip(row.format.as_deref().and_then(Format::named)),
            rank: Rank::new(row.width, row.height, row.license.as_deref(), &hash),
            job: row.crawl_job_id,
            chunk: row.chunk_id,
            bytes: row.file_size.map_or(0, i64::from),
            labels: labels.unwrap_or_default(),
            consent: row.consent.map(|LenientJson(signals)| signals.0),
        };
        (row.id, member)
    });
    Ok(members.collect())
}

/// Keeps the first of each of these groups in place of the others, which are kept so far. Gives the chunks that go
/// on for what their jobs lack then, to enqueue in the same transaction.
pub async fn replace(
    connection: &mut PgConnection,
    (user, dataset): (UserId, DatasetId),
    changes: &[(Member, Vec<Member>)],
) -> sqlx::Result<Vec<(JobId, ToEnqueue)>> {
    let mut lost = Vec::new();
    let mut more = Vec::new();
    for (best, others) in changes {
        for Member { id, job, chunk, bytes, labels, .. } in others {
            lost.push(LostPlace { image: *id, to: best.id, job: *job, chunk: *chunk, bytes: *bytes });
            more.push((best.id, labels.clone()));
        }
    }
    let losers: BTreeSet<JobId> = lost.iter().map(|lost| lost.job).collect();
    let added: Vec<&Member> = changes.iter().map(|(best, _)| best).filter(|best| !best.is_kept).collect();
    let mut changed = losers.clone();
    changed.extend(added.iter().map(|best| best.job));
    job_lifecycle::lock_losers(connection, &changed).await?;
    image_batch::displace(connection, &lost).await?;
    let fewer = lost.len() as i64 - added.len() as i64;
    for Member { id, job, chunk, bytes, .. } in added {
        sqlx::query(
            "update public.images set is_duplicate = false, duplicate_of = null,
                    storage_url = '/api/v1/images/' || id || '/file' where id = $1",
        )
        .bind(id)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "update pixcrawler.chunk set kept = kept + 1, share = greatest(share, kept + 1) where id = $1",
        )
        .bind(chunk)
        .execute(&mut *connection)
        .await?;
        sqlx::query("update pixcrawler.job set kept = kept + 1, bytes = bytes + $2 where job_id = $1")
            .bind(job)
            .bind(bytes)
            .execute(&mut *connection)
            .await?;
    }
    let known: HashMap<ImageId, Option<&[ConsentSignal]>> =
        changes.iter().map(|(best, _)| (best.id, best.consent.as_deref())).collect();
    let read = changes.iter().flat_map(|(best, others)| {
        others.iter().filter_map(move |other| Some((best.id, other.consent.as_deref()?)))
    });
    let lacking = consent::lacking(read, |image| known[&image]);
    let labelled = labels::add_to_images(connection, user, dataset, more).await?;
    let told = consent::add_to_images(connection, lacking).await?;
    // Those whose rows are locked.
    let queued = job_lifecycle::make_up(connection, &changed).await?;
    changed.extend(labelled);
    changed.extend(told);
    for job in changed {
        progress::refresh(connection, job).await?;
    }
    job_lifecycle::publish_fewer(connection, dataset, fewer).await?;
    Ok(queued)
}
