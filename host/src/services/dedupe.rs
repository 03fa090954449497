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
    model::{DatasetId, Format, ImageId, JobId, Sha256, UserId},
    queue::{Queue, QueueError},
    services::jobs::messages,
    store::{Store, StoreError},
};

/// Groups that are settled in one transaction, for which crawls into the dataset wait.
const GROUPS: usize = 50;
/// Objects that are looked for at a time.
const LOOKS_AT_A_TIME: usize = 8;
/// Pictures between two looks whether it is to stop.
const LOOK: usize = 1024;
/// Hashes are found by parts of 16 bits: of as many as differ in all, fewer than two differ in one of them.
const PARTS: usize = 16;

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
    let number: HashMap<ImageId, usize> =
        pictures.images.iter().enumerate().map(|(number, image)| (*image, number)).collect();
    let mut sets = Sets::new(pictures.images.len());
    for (image, of) in &pictures.duplicates {
        if let Some((image, of)) = number.get(image).zip(number.get(of)) {
            sets.join(*image, *of);
        }
    }
    let hashes: Vec<(usize, [u64; 4])> =
        pictures.hashes.iter().filter_map(|(image, hash)| Some((*number.get(image)?, *hash))).collect();
    for part in 0..PARTS {
        let of = |hash: &[u64; 4]| (hash[part / 4] >> (16 * (part % 4))) as u16;
        let mut by_part: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (at, (_, hash)) in hashes.iter().enumerate() {
            by_part.entry(of(hash)).or_default().push(at);
        }
        for (at, (image, hash)) in hashes.iter().enumerate() {
            if at % LOOK == 0 && stop.is_cancelled() {
                return None;
            }
            let own = of(hash);
            // Where fewer bits may differ than there are parts, one part is the same.
            let others = (0..16).filter(|_| usize::from(distance) >= PARTS).map(|bit| own ^ (1 << bit));
            for other in std::iter::once(own).chain(others).filter_map(|part| by_part.get(&part)).flatten() {
                let (other, with) = &hashes[*other];
                // Each pair once.
                if other <= image {
                    continue;
                }
                let differ: u32 = hash.iter().zip(with).map(|(one, with)| (one ^ with).count_ones()).sum();
                if differ <= distance.into() {
                    sets.join(*image, *other);
                }
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<ImageId>> = BTreeMap::new();
    for (number, image) in pictures.images.iter().enumerate() {
        groups.entry(sets.find(number)).or_default().push(*image);
    }
    Some(groups.into_values().filter(|group| group.len() > 1).collect())
}

/// Sets of numbers that only grow together.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The least number of the set of this one.
    fn find(&mut self, mut number: usize) -> usize {
        while self.0[number] != number {
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.find(one), self.find(other));
        self.0[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The same as where all are compared with all.
        #[test]
        fn groups_are_those_of_all_pairs(
            seeds in prop::collection::vec((0u64..6, prop::collection::vec(0usize..256, 0..20)), 1..40),
            distance in 0u8..=31,
        ) {
            let hashes: Vec<(ImageId, [u64; 4])> = (1..)
                .zip(&seeds)
                .map(|(id, (seed, flipped))| {
                    let mut hash = [1, 2, 3, 4].map(|word: u64| (seed * 4 + word).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                    flipped.iter().for_each(|bit| hash[bit / 64] ^= 1 << (bit % 64));
                    (ImageId(id), hash)
                })
                .collect();
            let images: Vec<ImageId> = hashes.iter().map(|(id, _)| *id).collect();
            let mut sets = Sets::new(images.len());
            for (one, (_, hash)) in hashes.iter().enumerate() {
                for (other, (_, with)) in hashes.iter().enumerate() {
                    let differ: u32 = hash.iter().zip(with).map(|(one, with)| (one ^ with).count_ones()).sum();
                    if differ <= distance.into() {
                        sets.join(one, other);
                    }
                }
            }
            let mut expect: BTreeMap<usize, Vec<ImageId>> = BTreeMap::new();
            for (number, image) in images.iter().enumerate() {
                expect.entry(sets.find(number)).or_default().push(*image);
            }
            let expect: Vec<_> = expect.into_values().filter(|group| group.len() > 1).collect();
            let pictures = dedupe::Pictures { images, duplicates: Vec::new(), hashes, unmeasured: 0 };
            prop_assert_eq!(groups(&pictures, distance, &CancellationToken::new()).unwrap(), expect);
        }
    }
}
