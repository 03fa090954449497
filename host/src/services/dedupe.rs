//! The rule of one picture of each look, applied to what a dataset has: of pictures that look alike the best is
//! kept, also where crawls that have ended kept another one, or several.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::{
    db::{
        self, PgPool,
        dedupe::{self, Member},
        fairness,
        objects::StoreHold,
    },
    model::{self, DatasetId, Format, ImageId, JobId, Pdq, Sha256, UserId},
    queue::{Queue, QueueError},
    services::jobs::messages,
    store::{Store, StoreError},
};

/// Groups that are settled in one transaction, for which crawls into the dataset wait.
const GROUPS: usize = 50;
/// Objects that are looked for at a time.
const LOOKS_AT_A_TIME: usize = 8;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DedupeProgress {
    /// Good pictures of the dataset, kept or not.
    pub images: u64,
    /// Kept ones that have no perceptual hash yet, and are compared by their bytes only.
    pub unmeasured: u64,
    /// Groups of pictures that look alike.
    pub groups: u64,
    /// Pictures in them.
    pub grouped: u64,
    /// Of the groups, the ones that were looked at.
    pub settled: u64,
    /// Of the groups, the ones of which others are kept now than before, or would be.
    pub changed: u64,
    /// Pictures that are no more kept, or would not be.
    pub removed: u64,
    /// Better ones that are kept in their place and were not before, or would be.
    pub added: u64,
}

/// Why not all was looked at.
#[derive(Debug, thiserror::Error)]
pub enum DedupeError {
    /// What the best picture needs may be deleted at the moment.
    #[error("a sweep or the deletion of a user is under way; try again when it is done")]
    Busy,
    /// It was told to.
    #[error("interrupted; the same command again goes on")]
    Stopped,
    /// The store failed.
    #[error("the store failed; the same command again goes on")]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("the database failed; the same command again goes on")]
    Database(#[from] db::Error),
    /// What goes on cannot be queued.
    #[error("a crawl that goes on cannot be queued; the same command again goes on")]
    Queue(#[from] QueueError),
    /// The comparison ended before its end.
    #[error("pictures cannot be compared")]
    Compare(#[from] tokio::task::JoinError),
}

/// Keeps the best of all pictures of a dataset that look alike, in up to `distance` bits of their hashes, directly
/// or by way of others; or only counts them. What a better picture needs that is not kept so far is its object, as
/// long as no sweep has taken it, and a place in its own crawl. The tables must be up to date.
///
/// # Errors
/// When not all was looked at; what was settled stays.
pub async fn dedupe(
    db: &PgPool,
    store: &Store,
    (user, dataset): (UserId, DatasetId),
    distance: u8,
    dry_run: bool,
    stop: &CancellationToken,
    tell: impl Fn(&DedupeProgress),
) -> Result<DedupeProgress, DedupeError> {
    let hold = StoreHold::to_read(db).await?.ok_or(DedupeError::Busy)?;
    let pictures = dedupe::read(db, dataset).await?;
    let mut progress = DedupeProgress {
        images: pictures.images.len() as u64,
        unmeasured: pictures.unmeasured,
        ..DedupeProgress::default()
    };
    tell(&progress);
    let stopping = stop.clone();
    let groups = tokio::task::spawn_blocking(move || groups(&pictures, distance, &stopping)).await?;
    let groups = groups.ok_or(DedupeError::Stopped)?;
    progress.groups = groups.len() as u64;
    progress.grouped = groups.iter().map(|group| group.len() as u64).sum();
    let queue = Queue::new(db);
    for some in groups.chunks(GROUPS) {
        if stop.is_cancelled() {
            return Err(DedupeError::Stopped);
        }
        let there = there(db, store, (user, dataset), some).await?;
        let mut tx = db.begin().await?;
        let mut members = dedupe::lock(&mut tx, (user, dataset), some).await?;
        let mut free: HashMap<JobId, i32> =
            members.values().map(|member| (member.job, member.free)).collect();
        let mut changes = Vec::new();
        for group in some {
            let group: Vec<Member> = group.iter().filter_map(|id| members.remove(id)).collect();
            let Some(best) = best(&group, &there, &free) else { continue };
            let lost: Vec<&Member> =
                group.iter().filter(|member| member.is_kept && member.id != best.id).collect();
            if lost.is_empty() {
                continue;
            }
            for member in &lost {
                *free.entry(member.job).or_default() += 1;
            }
            if !best.is_kept {
                *free.entry(best.job).or_default() -= 1;
            }
            progress.changed += 1;
            progress.removed += lost.len() as u64;
            progress.added += u64::from(!best.is_kept);
            changes.push((best.clone(), lost.into_iter().cloned().collect()));
        }
        if !dry_run {
            for (job, chunks) in dedupe::replace(&mut tx, (user, dataset), &changes).await? {
                let turns = fairness::turns(&mut tx, job, &chunks, None).await?;
                queue.enqueue(&mut tx, job, &messages(&turns), None).await?;
            }
            tx.commit().await?;
        }
        progress.settled += some.len() as u64;
        tell(&progress);
    }
    hold.end().await?;
    Ok(progress)
}

/// Those of the objects of pictures that could be kept in place of others that are there. It is looked for them before
/// anybody has to wait for the answers; no sweep deletes one meanwhile.
async fn there(
    db: &PgPool,
    store: &Store,
    (user, dataset): (UserId, DatasetId),
    groups: &[Vec<ImageId>],
) -> Result<HashSet<Sha256>, DedupeError> {
    let mut connection = db.acquire().await?;
    let mut members = dedupe::members(&mut connection, dataset, groups).await?;
    drop(connection);
    let mut objects: HashSet<(Sha256, Format)> = HashSet::new();
    for group in groups {
        let group: Vec<Member> = group.iter().filter_map(|id| members.remove(id)).collect();
        let Some(kept) = best_kept(&group) else { continue };
        objects.extend(better(&group, kept).filter_map(|member| member.object));
    }
    let looks = futures_util::stream::iter(objects).map(|(sha256, format)| async move {
        let size = store.size(user, &sha256, format).await?;
        Ok::<_, StoreError>(size.map(|_| sha256))
    });
    let there: Vec<Option<Sha256>> = looks.buffer_unordered(LOOKS_AT_A_TIME).try_collect().await?;
    Ok(there.into_iter().flatten().collect())
}

fn best_kept(group: &[Member]) -> Option<&Member> {
    group.iter().filter(|member| member.is_kept).max_by_key(|member| &member.rank)
}

/// Those that are not kept and better than this one.
fn better<'a>(group: &'a [Member], kept: &'a Member) -> impl Iterator<Item = &'a Member> {
    group.iter().filter(move |member| !member.is_kept && member.rank > kept.rank)
}

/// The best of a group that is kept, or could be, where its object is there; none where nothing of it is kept.
fn best<'a>(group: &'a [Member], there: &HashSet<Sha256>, free: &HashMap<JobId, i32>) -> Option<&'a Member> {
    let kept = best_kept(group)?;
    // Those of its own job give way to it.
    let has_place = |member: &Member| {
        let gives_way = |other: &&Member| other.is_kept && other.job == member.job;
        free.get(&member.job).is_some_and(|free| *free > 0) || group.iter().any(|other| gives_way(&other))
    };
    let is_there = |member: &Member| member.object.is_some_and(|(sha256, _)| there.contains(&sha256));
    let better = better(group, kept).filter(|member| has_place(member) && is_there(member));
    Some(better.max_by_key(|member| &member.rank).unwrap_or(kept))
}

/// Groups of more than one picture, or none when it is to stop.
fn groups(pictures: &dedupe::Pictures, distance: u8, stop: &CancellationToken) -> Option<Vec<Vec<ImageId>>> {
    let numbers: HashMap<ImageId, u32> = pictures.images.iter().copied().zip(0..).collect();
    let number = |image: &ImageId| numbers.get(image).copied();
    let duplicates = pictures.duplicates.iter();
    let equal: Vec<(u32, u32)> = duplicates.filter_map(|(image, of)| number(image).zip(number(of))).collect();
    let hashes: Vec<(u32, Pdq)> =
        pictures.hashes.iter().filter_map(|(image, hash)| Some((number(image)?, *hash))).collect();
    let is_over = || stop.is_cancelled();
    let firsts = model::groups(pictures.images.len(), &hashes, &equal, distance, u64::MAX, is_over)?;
    let mut groups: BTreeMap<u32, Vec<ImageId>> = BTreeMap::new();
    for (image, first) in pictures.images.iter().zip(firsts) {
        groups.entry(first).or_default().push(*image);
    }
    Some(groups.into_values().filter(|group| group.len() > 1).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_and_look_alikes_are_of_one_group() {
        let ids = |ids: &[i32]| ids.iter().copied().map(ImageId).collect::<Vec<_>>();
        let hash = |bits: u8| Pdq(std::array::from_fn(|byte| if byte == 0 { bits } else { 0 }));
        let pictures = dedupe::Pictures {
            images: ids(&[3, 5, 7, 8, 9]),
            duplicates: vec![(ImageId(7), ImageId(3)), (ImageId(9), ImageId(4))],
            hashes: vec![(ImageId(5), hash(0b111)), (ImageId(7), hash(0)), (ImageId(8), hash(0b1111_0000))],
            unmeasured: 0,
        };
        let found = |distance| groups(&pictures, distance, &CancellationToken::new()).unwrap();
        assert_eq!(found(2), [ids(&[3, 7])]);
        assert_eq!(found(3), [ids(&[3, 5, 7])]);
        assert_eq!(found(4), [ids(&[3, 5, 7, 8])]);
    }
}
