//! How long a batch of 50 pictures takes in a dataset of many: the search for look-alikes, and all that is written
//! of it. Each has to look at the hashes of all pictures of the dataset, which come from Postgres.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::time::Instant;

use pixcrawler::{
    db::{
        self, PgPool,
        chunks::{ChunkProgress, ClaimedChunk, ReceivedBody},
        image_batch::{self, JudgedImage},
    },
    model::{
        AcceptedImage, Candidate, ChunkId, Cookies, DatasetId, Format, JobId, Pdq, PictureHash, Query, Rules,
        Scores, Sha256, UserId,
    },
    postgres::{Durability, PrivatePostgres},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Pictures of a batch.
const BATCH: i64 = 50;
/// Batches of each dataset.
const BATCHES: i64 = 40;
/// Pictures of the datasets: what a batch takes in an empty one is what writing it takes.
const SIZES: [i64; 4] = [0, 10_000, 100_000, 1_000_000];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let data = tempfile::TempDir::new()?;
    let postgres = PrivatePostgres::start(data.path(), None, Durability::ThrownAway).await?;
    let pool = db::connect(&postgres.url(), 4).await?;
    db::prepare(&pool).await?;
    db::migrate(&pool).await?;
    for (number, size) in (1..).zip(SIZES) {
        let chunk = fill(&pool, number, size).await?;
        let mut times = Vec::new();
        for batch in 0..BATCHES {
            let pictures = pictures(&pool, &chunk, batch).await?;
            let mut chunk = chunk.clone();
            let begun = Instant::now();
            let mut tx = pool.begin().await?;
            let recorded = image_batch::record(&mut tx, &mut chunk, &pictures).await?;
            tx.commit().await?;
            times.push(begun.elapsed());
            let kept = recorded.map(|recorded| recorded.kept);
            anyhow::ensure!(kept == Some(pictures.len()), "{kept:?} of {} were kept", pictures.len());
        }
        times.sort_unstable();
        println!(
            "a batch of {BATCH} into a dataset of {size}: p50 {:.1?}, p95 {:.1?}",
            times[times.len() / 2],
            times[times.len() * 95 / 100]
        );
    }
    pool.close().await;
    postgres.stop().await?;
    Ok(())
}

/// Makes a dataset with the hashes of so many pictures, and a chunk of a job of it that is worked on.
async fn fill(pool: &PgPool, number: i32, size: i64) -> anyhow::Result<ClaimedChunk> {
    let (user, lease) = (Uuid::from_u128(1), Uuid::from_u128(2));
    // The rows of users and jobs matter only as far as others name them.
    sqlx::raw_sql(AssertSqlSafe(format!(
        "begin;
         set local session_replication_role = replica;
         insert into public.datasets (id, user_id, name, keywords) values ({number}, '{user}', 'bench', '[]');
         insert into public.crawl_jobs (id, dataset_id, user_id, name, keywords, status)
         values ({number}, {number}, '{user}', 'bench', '[]', 'running');
         insert into public.job_chunks (id, job_id, chunk_index, image_range) values ({number}, {number}, 0, '{{}}');
         insert into pixcrawler.job (job_id, dataset_id, wanted) values ({number}, {number}, 1000000);
         insert into pixcrawler.chunk (id, job_id, source, label, input, rank, query, state, share, lease)
         values ({number}, {number}, 'bench', 'bench', 0, 0, '{{}}', 'running', 1000000, '{lease}');
         insert into pixcrawler.candidate (job_id, chunk_id, position, url_digest, candidate)
         select {number}, {number}, n, sha256(n::text::bytea), '{{}}' from generate_series(1, {BATCH} * {BATCHES}) as n;
         insert into pixcrawler.picture_batch (dataset_id, sequence, images, hashes)
         select {number}, s, array_agg(-n), string_agg(sha256(n::text::bytea), ''::bytea)
           from generate_series(1, {size}) as n, lateral (select (n - 1) / {BATCH} + 1 as s) as batch group by s;
         commit;"
    )))
    .execute(pool)
    .await?;
    sqlx::query("analyze pixcrawler.picture_batch").execute(pool).await?;
    Ok(ClaimedChunk {
        id: ChunkId(number),
        lease,
        job_id: JobId(number),
        dataset_id: DatasetId(number),
        user_id: UserId(user),
        source: "bench".to_owned(),
        label: "bench".to_owned(),
        query: Query {
            text: "bench".to_owned(),
            limit: 100,
            safe_search: true,
            language: None,
            options: Vec::new(),
            credentials: Vec::new(),
        },
        rules: Rules::default(),
        share: 1_000_000,
        progress: ChunkProgress::default(),
        plugin_state: String::new(),
        plugin_digest: None,
        requests: None,
        cookies: Cookies::default(),
        source_done: false,
        paused_since: None,
        begun: 0.0,
        waited: None,
    })
}

/// Pictures that nothing looks like, of the next part of the backlog.
async fn pictures(pool: &PgPool, chunk: &ClaimedChunk, batch: i64) -> anyhow::Result<Vec<JudgedImage>> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "select id from pixcrawler.candidate where job_id = $1 order by position offset $2 limit $3",
    )
    .bind(chunk.job_id)
    .bind(batch * BATCH)
    .bind(BATCH)
    .fetch_all(pool)
    .await?;
    let judged = ids.into_iter().map(|id| {
        let sha256 = Sha256(rand::random());
        let address = format!("http://site.example/{id}");
        let body = ReceivedBody { final_url: address.clone(), size: 100_000, sha256 };
        let hash = PictureHash { pdq: Pdq(rand::random()), quality: 100, trimmed: None, turned: None };
        let accepted = AcceptedImage {
            scores: Scores::default(),
            format: Format::Jpeg,
            width: 800,
            height: 600,
            frames: 1,
            sha256,
            crc32: 1,
            hash,
        };
        JudgedImage {
            id,
            candidate: Candidate { url: address.clone(), ..Candidate::default() },
            address,
            body: Some(body),
            rejected_copies: Vec::new(),
            consent: Vec::new(),
            outcome: Ok(accepted),
        }
    });
    Ok(judged.collect())
}
