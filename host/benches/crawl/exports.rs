//! What exports cost: pictures made smaller, and an archive of very many.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pixcrawler::{
    db::PgPool,
    model::{Format, Sha256, UserId},
    store::Store,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    client::{Client, Job},
    host::{Processes, Watch},
};

/// Pictures of the archive.
pub(crate) const PICTURES: usize = 100_000;
/// Bytes of each; nobody decodes them.
const SIZE: usize = 30_000;
/// Rows written at a time.
const ROWS: usize = 5000;

/// What was seen of an archive of [`PICTURES`] pictures.
pub(crate) struct Archive {
    pub(crate) megabytes: f64,
    /// From the request to the answer, which has the lengths of all files.
    pub(crate) created: Duration,
    /// Megabytes a second, while they are downloaded one after another.
    pub(crate) rate: f64,
    /// More than before, in MiB.
    pub(crate) memory: u64,
}

/// Exports the dataset of a job with pictures that fit in 256 × 256 pixels, to the end.
///
/// # Errors
/// When the API refuses.
pub(crate) async fn resized(client: &Client, job: &Job) -> anyhow::Result<()> {
    let pictures = json!({ "width": 256, "height": 256 });
    let export = client.export(job, &json!({ "format": "webdataset", "pictures": pictures })).await?;
    client.finished(&export).await.map(drop)
}

/// Fills the dataset of a job with so many pictures that are on the disk only, and downloads them in archives.
///
/// # Errors
/// When it cannot.
pub(crate) async fn archive(
    client: &Client,
    (database, store): (&PgPool, &Store),
    job: &Job,
    processes: Processes,
) -> anyhow::Result<Archive> {
    fill(database, store, job).await?;
    let idle = processes.memory();
    let watch = Watch::start(move || processes.memory());
    let begun = Instant::now();
    let export = client.export(job, &json!({ "format": "webdataset" })).await?;
    let created = begun.elapsed();
    // The background pass over the hashes would share the processors.
    let export = client.finished(&export).await?;
    let (begun, mut bytes) = (Instant::now(), 0);
    let files = export["files"].as_array().map_or(&[][..], Vec::as_slice);
    for file in files.iter().filter(|file| file["name"].as_str().is_some_and(|name| name.ends_with(".tar"))) {
        bytes += client.download(file["url"].as_str().unwrap_or_default()).await?;
    }
    let megabytes = bytes as f64 / 1e6;
    let rate = megabytes / begun.elapsed().as_secs_f64();
    Ok(Archive { megabytes, created, rate, memory: watch.peak().saturating_sub(idle) })
}

async fn fill(database: &PgPool, store: &Store, job: &Job) -> anyhow::Result<()> {
    let owner: Uuid = sqlx::query_scalar("select user_id from crawl_jobs where id = $1")
        .bind(job.id)
        .fetch_one(database)
        .await?;
    let owner = UserId(owner);
    for first in (0..PICTURES).step_by(ROWS) {
        let put = |number: usize| async move {
            let mut bytes = number.to_be_bytes().repeat(SIZE / size_of::<usize>());
            bytes.truncate(SIZE);
            let (hash, crc32) = (Sha256::of(&bytes), crc32fast::hash(&bytes));
            store.put(owner, &hash, Format::Jpeg, Bytes::from(bytes)).await?;
            anyhow::Ok((hash.to_string(), i64::from(crc32)))
        };
        let rows: Vec<_> = stream::iter(first..first + ROWS).map(put).buffered(8).try_collect().await?;
        let (hashes, crc32s): (Vec<String>, Vec<i64>) = rows.into_iter().unzip();
        sqlx::query(
            "insert into images (crawl_job_id, original_url, filename, storage_url, format, hash, file_size, width,
                                 height, is_valid, is_duplicate, labels, crc32)
             select $1, 'https://example.org/' || hash, hash || '.jpg', 'object', 'jpeg', hash, $2, 640, 480, true,
                    false, jsonb_build_array('bench'), crc32
               from unnest($3::text[], $4::bigint[]) as kept (hash, crc32)",
        )
        .bind(job.id)
        .bind(i32::try_from(SIZE)?)
        .bind(&hashes)
        .bind(&crc32s)
        .execute(database)
        .await?;
    }
    Ok(())
}
