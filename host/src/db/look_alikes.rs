//! Which pictures of a dataset, or of all datasets of a user, look alike: the hashes of all that were judged good,
//! kept or not, in one row a batch, which are compared in this process. Nearly all of that happens before the
//! dataset is locked.
//!
//! Its functions fail when the database does.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use sqlx::PgConnection;

use crate::{
    db::chunks::ClaimedChunk,
    model::{DatasetId, DuplicateScope, ImageId, Pdq, PictureHash, UserId},
};

/// Pictures of a batch, as they are compared with those of their dataset, or of all datasets of their user.
pub(super) struct LookAlikes {
    dataset: DatasetId,
    /// Whose datasets they are compared with, where it is all of them.
    user: Option<UserId>,
    /// Bits in which hashes may differ.
    distance: u32,
    /// The hashes of each picture of the batch.
    hashes: Vec<Vec<Words>>,
    /// The same, and where that is asked for those of the picture mirrored and turned, which others are compared
    /// with.
    sought: Vec<Vec<Words>>,
    /// The first halves of all of these.
    halves: Vec<[u64; 2]>,
    /// Those that look like each, as far as was read.
    found: Vec<BTreeSet<ImageId>>,
    /// The datasets that they are compared with, and the last batch that was read of each.
    read: BTreeMap<DatasetId, i32>,
}

/// A hash as numbers.
type Words = [u64; 4];

impl LookAlikes {
    /// Pictures of a batch; none in place of those that are not good.
    pub(super) fn new(chunk: &ClaimedChunk, batch: impl Iterator<Item = Option<PictureHash>>) -> Self {
        let (mut hashes, mut sought) = (Vec::new(), Vec::new());
        for hash in batch {
            let own: Vec<Words> =
                hash.iter().flat_map(PictureHash::telling).map(|hash| words(&hash.0)).collect();
            let turned = hash.filter(|_| chunk.rules.turned_duplicates);
            let turned = turned.iter().flat_map(PictureHash::telling_turned).map(|hash| words(&hash.0));
            sought.push(own.iter().copied().chain(turned).collect::<Vec<Words>>());
            hashes.push(own);
        }
        let halves = sought.iter().flatten().map(|[first, second, ..]| [*first, *second]).collect();
        let found = vec![BTreeSet::new(); hashes.len()];
        let user = (chunk.rules.duplicates_within == DuplicateScope::User).then_some(chunk.user_id);
        let read = BTreeMap::from([(chunk.dataset_id, 0)]);
        let distance = chunk.rules.near_duplicates.into();
        Self { dataset: chunk.dataset_id, user, distance, hashes, sought, halves, found, read }
    }

    /// Compares them with what was added to the datasets since the last call.
    pub(super) async fn search(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if let Some(user) = self.user {
            let datasets: Vec<DatasetId> =
                sqlx::query_scalar("select id from public.datasets where user_id = $1")
                    .bind(user)
                    .fetch_all(&mut *connection)
                    .await?;
            for dataset in datasets {
                self.read.entry(dataset).or_default();
            }
        }
        if self.hashes.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let (datasets, sequences): (Vec<DatasetId>, Vec<i32>) = self.read.clone().into_iter().unzip();
        // Each dataset by the index, whatever is thought of how many there are.
        let mut rows = sqlx::query_as::<_, (DatasetId, i32, Vec<ImageId>, Vec<u8>)>(
            "select read.dataset, added.sequence, added.images, added.hashes
               from unnest($1::integer[], $2::integer[]) as read (dataset, sequence)
              cross join lateral (
                    select b.sequence, b.images, b.hashes from pixcrawler.picture_batch b
                     where b.dataset_id = read.dataset and b.sequence > read.sequence
                     order by b.sequence) as added",
        )
        .bind(datasets)
        .bind(sequences)
        .fetch(connection);
        while let Some((dataset, sequence, images, hashes)) = rows.try_next().await? {
            self.compare(&images, &hashes);
            self.read.insert(dataset, sequence);
        }
        Ok(())
    }

    /// The datasets that they are compared with.
    pub(super) fn datasets(&self) -> Vec<DatasetId> {
        self.read.keys().copied().collect()
    }

    /// Compares them with these images, of which each has 32 bytes of `hashes`.
    pub(super) fn compare(&mut self, images: &[ImageId], hashes: &[u8]) {
        let (hashes, _) = hashes.as_chunks::<32>();
        for (image, hash) in images.iter().zip(hashes) {
            let hash = words(hash);
            // Nearly always all that is looked at, and several at a time.
            let differ =
                |half: &[u64; 2]| (half[0] ^ hash[0]).count_ones() + (half[1] ^ hash[1]).count_ones();
            if self.halves.iter().fold(u32::MAX, |least, half| least.min(differ(half))) > self.distance {
                continue;
            }
            for (sought, found) in self.sought.iter().zip(&mut self.found) {
                if sought.iter().any(|sought| are_alike(sought, &hash, self.distance)) {
                    found.insert(*image);
                }
            }
        }
    }

    /// Those of the datasets that look like this picture of the batch.
    pub(super) fn of(&self, picture: usize) -> &BTreeSet<ImageId> {
        &self.found[picture]
    }

    /// Whether two pictures of the batch look alike.
    pub(super) fn are_alike(&self, one: usize, other: usize) -> bool {
        let any = |one: &Words| self.hashes[other].iter().any(|other| are_alike(one, other, self.distance));
        self.sought[one].iter().any(any)
    }

    /// Adds pictures of the batch to those of the dataset, which is locked and was read to its end.
    pub(super) async fn add(
        &self,
        connection: &mut PgConnection,
        pictures: impl Iterator<Item = (usize, ImageId)>,
    ) -> sqlx::Result<()> {
        let (mut images, mut hashes): (Vec<ImageId>, Vec<u8>) = (Vec::new(), Vec::new());
        for (picture, image) in pictures {
            for hash in &self.hashes[picture] {
                images.push(image);
                hashes.extend(hash.iter().flat_map(|word| word.to_be_bytes()));
            }
        }
        let last = self.read.get(&self.dataset).copied().unwrap_or_default();
        append(connection, self.dataset, last + 1, images, hashes).await
    }
}

/// Adds pictures that were measured only now to those of their dataset, which is locked.
pub(super) async fn add_measured(
    connection: &mut PgConnection,
    dataset: DatasetId,
    pictures: &[(ImageId, PictureHash)],
) -> sqlx::Result<()> {
    let hashes = pictures.iter().flat_map(|(image, hash)| hash.telling().map(|hash| (*image, hash.0)));
    let (images, hashes): (Vec<_>, Vec<_>) = hashes.unzip();
    let last: Option<i32> =
        sqlx::query_scalar("select max(sequence) from pixcrawler.picture_batch where dataset_id = $1")
            .bind(dataset)
            .fetch_one(&mut *connection)
            .await?;
    append(connection, dataset, last.unwrap_or(0) + 1, images, hashes.concat()).await
}

/// All hashes of a dataset.
pub(super) async fn all(
    connection: &mut PgConnection,
    dataset: DatasetId,
) -> sqlx::Result<Vec<(ImageId, Pdq)>> {
    let mut rows = sqlx::query_as::<_, (Vec<ImageId>, Vec<u8>)>(
        "select images, hashes from pixcrawler.picture_batch where dataset_id = $1 order by sequence",
    )
    .bind(dataset)
    .fetch(connection);
    let mut all = Vec::new();
    while let Some((images, hashes)) = rows.try_next().await? {
        let (hashes, _) = hashes.as_chunks::<32>();
        all.extend(images.into_iter().zip(hashes.iter().copied().map(Pdq)));
    }
    Ok(all)
}

async fn append(
    connection: &mut PgConnection,
    dataset: DatasetId,
    sequence: i32,
    images: Vec<ImageId>,
    hashes: Vec<u8>,
) -> sqlx::Result<()> {
    if images.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into pixcrawler.picture_batch (dataset_id, sequence, images, hashes) values ($1, $2, $3, $4)",
    )
    .bind(dataset)
    .bind(sequence)
    .bind(images)
    .bind(hashes)
    .execute(connection)
    .await
    .map(drop)
}

fn words(hash: &[u8; 32]) -> Words {
    let (words, _) = hash.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_be_bytes(words[at]))
}

/// Whether hashes differ in so many bits at most.
fn are_alike(one: &Words, other: &Words, distance: u32) -> bool {
    one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones()).sum::<u32>() <= distance
}
