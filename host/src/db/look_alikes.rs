//! Which pictures of a dataset look alike: the hashes of all that were judged good, kept or not, in one row a
//! batch, which are compared in this process. Nearly all of that happens before the dataset is locked.
//!
//! Its functions fail when the database does.

use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use sqlx::PgConnection;

use crate::model::{DatasetId, ImageId, PictureHash};

/// Pictures of a batch, as they are compared with those of their dataset.
pub(super) struct LookAlikes {
    dataset: DatasetId,
    /// Bits in which hashes may differ.
    distance: u32,
    /// The hashes of each picture of the batch.
    hashes: Vec<Vec<Words>>,
    /// The first halves of all of them.
    halves: Vec<[u64; 2]>,
    /// Those of the dataset that look like each, as far as was read.
    found: Vec<BTreeSet<ImageId>>,
    /// The last batch that was read.
    sequence: i32,
}

/// A hash as numbers.
type Words = [u64; 4];

impl LookAlikes {
    /// Pictures of a batch; none in place of those that are not good.
    pub(super) fn new(
        dataset: DatasetId,
        distance: u8,
        batch: impl Iterator<Item = Option<PictureHash>>,
    ) -> Self {
        let hashes: Vec<Vec<Words>> = batch
            .map(|hash| hash.iter().flat_map(PictureHash::telling).map(|hash| words(&hash.0)).collect())
            .collect();
        let halves = hashes.iter().flatten().map(|[first, second, ..]| [*first, *second]).collect();
        let found = vec![BTreeSet::new(); hashes.len()];
        Self { dataset, distance: distance.into(), hashes, halves, found, sequence: 0 }
    }

    /// Compares them with what was added to the dataset since the last call.
    pub(super) async fn search(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.hashes.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let mut rows = sqlx::query_as::<_, (i32, Vec<ImageId>, Vec<u8>)>(
            "select sequence, images, hashes from pixcrawler.picture_batch
              where dataset_id = $1 and sequence > $2 order by sequence",
        )
        .bind(self.dataset)
        .bind(self.sequence)
        .fetch(connection);
        while let Some((sequence, images, hashes)) = rows.try_next().await? {
            self.compare(&images, &hashes);
            self.sequence = sequence;
        }
        Ok(())
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
            for (own, found) in self.hashes.iter().zip(&mut self.found) {
                if own.iter().any(|own| are_alike(own, &hash, self.distance)) {
                    found.insert(*image);
                }
            }
        }
    }

    /// Those of the dataset that look like this picture of the batch.
    pub(super) fn of(&self, picture: usize) -> &BTreeSet<ImageId> {
        &self.found[picture]
    }

    /// Whether two pictures of the batch look alike.
    pub(super) fn are_alike(&self, one: usize, other: usize) -> bool {
        let any = |one: &Words| self.hashes[other].iter().any(|other| are_alike(one, other, self.distance));
        self.hashes[one].iter().any(any)
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
        append(connection, self.dataset, self.sequence + 1, images, hashes).await
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
