//! Counts over all users, for those who run the system. An index holds the states of chunks, so
//! that a million of them are counted in a tenth of a second.

use std::collections::BTreeMap;

use sqlx::{FromRow, PgPool, types::Json};

use crate::model::{ChunkState, JobState};

/// How much there is of what, of all users.
#[derive(Debug, FromRow)]
pub struct SystemCounts {
    jobs: Json<BTreeMap<String, i64>>,
    chunks: Json<BTreeMap<String, i64>>,
    /// Version of the server, in its own words.
    pub server_version: String,
    /// Number of the last migration that was applied.
    pub migration: i64,
}

impl SystemCounts {
    /// Jobs in this state.
    #[must_use]
    pub fn jobs(&self, state: JobState) -> i64 {
        self.jobs.get(state.name()).copied().unwrap_or(0)
    }

    /// Chunks in this state.
    #[must_use]
    pub fn chunks(&self, state: ChunkState) -> i64 {
        self.chunks.get(state.name()).copied().unwrap_or(0)
    }
}

/// Counts everything.
///
/// # Errors
/// When the database fails.
pub async fn count(pool: &PgPool) -> sqlx::Result<SystemCounts> {
    sqlx::query_as(
        "select (select coalesce(jsonb_object_agg(state, counted), '{}')
                   from (select status as state, count(*) as counted from public.crawl_jobs group by status) j) as jobs,
                (select coalesce(jsonb_object_agg(state, counted), '{}')
                   from (select state, count(*) as counted from pixcrawler.chunk group by state) c) as chunks,
                current_setting('server_version') as server_version,
                (select max(version) from pixcrawler.migration) as migration",
    )
    .fetch_one(pool)
    .await
}
