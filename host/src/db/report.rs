//! What the report of a dataset shows beside its statistics: samples of pictures, those that look alike, and
//! histograms of scores.
//!
//! Its functions fail when the database does.

use sqlx::{AssertSqlSafe, FromRow, PgPool};

use super::statistics::Bins;
use crate::model::{DatasetId, ImageId, UserId};

/// A number that each picture may have.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// What it is, for people.
    pub title: &'static str,
    /// What it means, for people.
    pub meaning: &'static str,
    /// How it comes out of a row of `public.images`; null is none.
    expression: &'static str,
    /// Of the histogram.
    pub bins: Bins,
}

/// The scores of which there are histograms.
pub const SCORES: &[Score] = &[
    Score {
        title: "Detail",
        meaning: "quality of the PDQ hash; below 50 a picture is told from others by its bytes alone",
        expression: "pdq_quality",
        bins: TENTHS,
    },
    Score { title: "Brightness", meaning: "0 is black, 100 white", expression: "brightness", bins: TENTHS },
    Score {
        title: "Contrast",
        meaning: "0 is one shade; photographs have 20 to 60",
        expression: "contrast",
        bins: TENTHS,
    },
    Score { title: "Sharpness", meaning: "photographs have 45 to 85", expression: "sharpness", bins: TENTHS },
    Score {
        title: "JPEG quality",
        meaning: "by the quantization table",
        expression: "jpeg_quality",
        bins: TENTHS,
    },
];

/// Of scores from 0 to 100.
const TENTHS: Bins = &[0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0];

/// A first label, and how many kept pictures have it.
#[derive(Clone, Debug, FromRow)]
pub struct LabelRow {
    /// Empty where there is none.
    pub label: String,
    /// How many.
    pub images: i64,
}

/// A picture, kept or not.
#[derive(Clone, Debug, FromRow)]
pub struct PictureRow {
    /// In hexadecimal.
    pub sha256: Option<String>,
    /// Format, as in `Format::name`.
    pub format: Option<String>,
    /// In pixels.
    pub width: Option<i32>,
    /// In pixels.
    pub height: Option<i32>,
    /// In bytes.
    pub size: Option<i32>,
    /// Its first label; empty where there is none.
    pub label: String,
    /// As the source has it.
    pub title: Option<String>,
    /// As the source has it.
    pub license: Option<String>,
    /// Which plugin.
    pub source: Option<String>,
    /// Where it came from.
    pub url: String,
    /// The page that shows it.
    pub page_url: Option<String>,
}

/// A kept picture that others look like, which were not kept.
#[derive(Clone, Debug, FromRow)]
pub struct GroupRow {
    /// The kept one.
    #[sqlx(flatten)]
    pub kept: PictureRow,
    /// Which row it is.
    pub id: ImageId,
    /// How many others.
    pub others: i64,
}

const KEPT: &str = "is_valid and not is_duplicate";

/// A picture of `public.images` by this name.
fn picture(of: &str) -> String {
    format!(
        "{of}.hash as sha256, {of}.format, {of}.width, {of}.height, {of}.file_size as size,
         coalesce({of}.labels ->> 0, '') as label, {of}.title, {of}.license, {of}.source,
         {of}.original_url as url, {of}.page_url"
    )
}

/// The first labels of what a dataset of this user has kept, those of most pictures first.
pub async fn labels(pool: &PgPool, user: UserId, dataset: DatasetId) -> sqlx::Result<Vec<LabelRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select coalesce(labels ->> 0, '') as label, count(*) as images from public.images
          where user_id = $1 and dataset_id = $2 and {KEPT}
          group by 1 order by 2 desc, coalesce(labels ->> 0, '') collate \"C\""
    )))
    .bind(user)
    .bind(dataset)
    .fetch_all(pool)
    .await
}

/// Some kept pictures of a first label: by hash, which is by chance and the same each time.
pub async fn sample(
    pool: &PgPool,
    user: UserId,
    dataset: DatasetId,
    label: &str,
    limit: i64,
) -> sqlx::Result<Vec<PictureRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {picture} from public.images
          where user_id = $1 and dataset_id = $2 and {KEPT} and coalesce(labels ->> 0, '') = $3
          order by hash collate \"C\", original_url collate \"C\" limit $4",
        picture = picture("images"),
    )))
    .bind(user)
    .bind(dataset)
    .bind(label)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// The kept pictures that most others look like, and how many there are; the same bytes count once, and those of
/// the kept one not at all.
pub async fn groups(
    pool: &PgPool,
    user: UserId,
    dataset: DatasetId,
    limit: i64,
) -> sqlx::Result<(Vec<GroupRow>, i64)> {
    let alike = "select duplicate_of, count(distinct hash) as others from public.images other
                  where user_id = $1 and dataset_id = $2 and is_duplicate and exists (
                        select from public.images kept
                         where kept.id = other.duplicate_of and kept.hash <> other.hash
                           and kept.dataset_id = $2 and kept.is_valid and not kept.is_duplicate)
                  group by duplicate_of";
    let rows = sqlx::query_as(AssertSqlSafe(format!(
        "select {picture}, kept.id, alike.others from ({alike}) as alike
           join public.images kept on kept.id = alike.duplicate_of
          order by alike.others desc, kept.hash collate \"C\" limit $3",
        picture = picture("kept"),
    )));
    let rows = rows.bind(user).bind(dataset).bind(limit).fetch_all(pool).await?;
    let count = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from ({alike}) as alike")));
    Ok((rows, count.bind(user).bind(dataset).fetch_one(pool).await?))
}

/// Some of those that look like a kept picture, each once, the largest first.
pub async fn alike(pool: &PgPool, user: UserId, kept: ImageId, limit: i64) -> sqlx::Result<Vec<PictureRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select * from (
             select distinct on (other.hash) {picture}
               from public.images other join public.images kept on kept.id = other.duplicate_of
              where other.user_id = $1 and other.duplicate_of = $2 and other.is_duplicate and kept.hash <> other.hash
              order by other.hash, other.original_url collate \"C\") as alike
          order by width::bigint * height desc nulls last, sha256 collate \"C\" limit $3",
        picture = picture("other"),
    )))
    .bind(user)
    .bind(kept)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// How many kept pictures of a dataset have a score in each of its bins.
pub async fn histogram(
    pool: &PgPool,
    user: UserId,
    dataset: DatasetId,
    score: &Score,
) -> sqlx::Result<Vec<i64>> {
    let rows: Vec<(i32, i64)> = sqlx::query_as(AssertSqlSafe(format!(
        "select width_bucket(({expression})::float8, $3), count(*) from public.images
          where user_id = $1 and dataset_id = $2 and {KEPT} and ({expression}) is not null group by 1",
        expression = score.expression,
    )))
    .bind(user)
    .bind(dataset)
    .bind(score.bins)
    .fetch_all(pool)
    .await?;
    let mut counts = vec![0; score.bins.len()];
    for (bin, images) in rows {
        // From 1 on; what is below all bins is in the first.
        let bin = usize::try_from(bin).unwrap_or_default().saturating_sub(1);
        if let Some(count) = counts.get_mut(bin) {
            *count += images;
        }
    }
    Ok(counts)
}
