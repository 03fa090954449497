//! The classes of a picture: several inputs, or several lines of a list, may show the same one, and
//! then it has the classes of all, that of its folder first.
//!
//! Its functions fail when the database does.

use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, types::Json};

use crate::{
    db::chunks::ClaimedChunk,
    model::{Candidate, DatasetId, ImageId, JobId, MOST_LABELS, Sha256, UserId},
};

/// The classes of a picture of this chunk of which its source says `own`, each once: the one that the
/// user gave to the input; those that the source names; and where there is neither, the input itself.
pub(super) fn of(chunk: &ClaimedChunk, own: &[String]) -> Vec<String> {
    let is_named = chunk.label != chunk.query.text;
    let first = (is_named || own.is_empty()).then_some(&chunk.label);
    let mut labels = Vec::new();
    join(&mut labels, first.into_iter().chain(own));
    labels
}

/// Appends the classes that are not there yet, as far as there is room; whether there were any.
pub(super) fn join<'a>(labels: &mut Vec<String>, more: impl IntoIterator<Item = &'a String>) -> bool {
    let before = labels.len();
    for label in more {
        if labels.len() < MOST_LABELS && !labels.contains(label) {
            labels.push(label.clone());
        }
    }
    labels.len() > before
}

/// What the backlog says by now of the classes of these candidates, by id: others that showed them may
/// have added theirs while they were downloaded.
pub(super) async fn in_backlog(
    connection: &mut PgConnection,
    candidates: Vec<i64>,
) -> sqlx::Result<HashMap<i64, Vec<String>>> {
    let rows: Vec<(i64, Json<Vec<String>>)> = sqlx::query_as(
        "select id, coalesce(candidate -> 'labels', '[]') from pixcrawler.candidate where id = any ($1)",
    )
    .bind(candidates)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id, Json(labels))| (id, labels)).collect())
}

/// Adds the classes of what a step found, each with its `pixcrawler.candidate.url_digest`, to the
/// candidates that the job had already, and to the images that those have become. The dataset is locked.
/// Gives the jobs of these images.
pub(super) async fn add_to_known(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    found: &[(Sha256, &Candidate)],
) -> sqlx::Result<BTreeSet<JobId>> {
    /// Digest, candidate, its classes, and the kept image that has its bytes.
    type KnownCandidateRow = (Vec<u8>, i64, Json<Vec<String>>, Option<ImageId>);
    let rows: Vec<KnownCandidateRow> = sqlx::query_as(
        "select c.url_digest, c.id, coalesce(c.candidate -> 'labels', jsonb_build_array(k.label)),
                case when i.is_duplicate then i.duplicate_of else i.id end
           from pixcrawler.candidate c
           join pixcrawler.chunk k on k.id = c.chunk_id
           left join public.images i on i.id = c.image_id
          where c.job_id = $1 and c.url_digest = any ($2)",
    )
    .bind(chunk.job_id)
    .bind(found.iter().map(|(digest, _)| digest.0.to_vec()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    let mut known: HashMap<_, _> =
        rows.into_iter().map(|(digest, id, labels, image)| (digest, (id, labels, image, false))).collect();
    for (digest, candidate) in found {
        if let Some((_, Json(labels), _, has_more)) = known.get_mut(digest.0.as_slice()) {
            *has_more |= join(labels, &of(chunk, &candidate.labels));
        }
    }
    let changed: Vec<_> = known.into_values().filter(|(.., has_more)| *has_more).collect();
    sqlx::query(
        "update pixcrawler.candidate c set candidate = jsonb_set(c.candidate, '{labels}', more.labels)
           from unnest($1::bigint[], $2::jsonb[]) as more (id, labels)
          where c.id = more.id",
    )
    .bind(changed.iter().map(|(id, ..)| *id).collect::<Vec<_>>())
    .bind(changed.iter().map(|(_, labels, ..)| labels).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let images = changed.into_iter().filter_map(|(_, Json(labels), image, _)| Some((image?, labels)));
    add_to_images(connection, chunk.user_id, chunk.dataset_id, images).await
}

/// Adds classes to images that this dataset has kept. It is locked. Gives the jobs of those that had not
/// had all of them.
pub(super) async fn add_to_images(
    connection: &mut PgConnection,
    user: UserId,
    dataset: DatasetId,
    more: impl IntoIterator<Item = (ImageId, Vec<String>)>,
) -> sqlx::Result<BTreeSet<JobId>> {
    let mut added: HashMap<ImageId, Vec<String>> = HashMap::new();
    for (image, labels) in more {
        join(added.entry(image).or_default(), &labels);
    }
    if added.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<(ImageId, JobId, Option<Json<serde_json::Value>>)> = sqlx::query_as(
        "select id, crawl_job_id, to_jsonb(labels) from public.images
          where id = any ($1) and user_id = $2 and dataset_id = $3 and is_valid and not is_duplicate
            -- What a person said stays.
            and labels_set_at is null
          order by id for update",
    )
    .bind(added.keys().copied().collect::<Vec<_>>())
    .bind(user)
    .bind(dataset)
    .fetch_all(&mut *connection)
    .await?;
    let (mut images, mut all, mut jobs) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (image, job, labels) in rows {
        // The frontend may have written anything, or nothing, which is a folder, too.
        let labels = labels.and_then(|Json(labels)| serde_json::from_value::<Vec<String>>(labels).ok());
        let Some(mut labels) = labels.filter(|labels| !labels.is_empty()) else { continue };
        if join(&mut labels, &added[&image]) {
            images.push(image);
            all.push(Json(labels));
            jobs.insert(job);
        }
    }
    sqlx::query(
        "update public.images i set labels = more.labels
           from unnest($1::integer[], $2::jsonb[]) as more (id, labels)
          where i.id = more.id",
    )
    .bind(images)
    .bind(all)
    .execute(connection)
    .await?;
    Ok(jobs)
}
