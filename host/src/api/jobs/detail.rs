//! A crawl job with everything that is known of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};

use super::shape::CrawlJob;
use crate::{
    api::{nullable::Nullable, word},
    app::App,
    auth::link::LinkHolder,
    db,
    model::{ChunkState, JobState},
};

/// A crawl job with everything that is known of it.
#[derive(Object)]
#[oai(example)]
pub(in crate::api) struct CrawlJobDetail {
    #[oai(flatten)]
    job: CrawlJob,
    /// Images kept.
    kept: i32,
    /// Candidates refused, by code.
    refused: BTreeMap<String, i64>,
    /// Candidates that were like another picture of the dataset.
    duplicates: i64,
    /// One input at one source each.
    chunks: Vec<Chunk>,
    /// What the sources said, and what was made of the request, for the person whose crawl it is.
    warnings: Vec<String>,
}

/// One input at one source.
#[derive(Object)]
#[oai(rename = "CrawlJobChunk")]
struct Chunk {
    /// `job_chunks.id`.
    id: i32,
    /// Position in the job.
    chunk_index: i32,
    /// Where it stands, in the words of the frontend.
    status: ChunkStage,
    /// What it is doing, or how it ended.
    state: ChunkStatus,
    /// Why it waits, or how it ended.
    state_detail: Nullable<String>,
    /// Id of the source.
    source: String,
    /// The keyword or address.
    keyword: String,
    /// Class of the images.
    label: String,
    /// Images it may keep for now; 0 waits as reserve.
    share: i32,
    /// Images it has kept.
    kept: i32,
    /// Why it failed.
    error: Nullable<String>,
    /// Nothing happens before this time.
    waiting_until: Nullable<DateTime<Utc>>,
}

/// Where a chunk stands, in the words of the frontend.
#[derive(Enum)]
#[oai(rename = "CrawlJobChunkStatus", rename_all = "lowercase")]
enum ChunkStage {
    /// Waits.
    Pending,
    /// Being worked on.
    Processing,
    /// Has what it was to have, or all that there is.
    Completed,
    /// Ended by an error, or by the end of its job.
    Failed,
}

/// What a chunk is doing, or how it ended.
#[derive(Enum)]
#[oai(rename = "CrawlJobChunkState", rename_all = "lowercase", remote = "ChunkState")]
enum ChunkStatus {
    /// Waits for a worker.
    Queued,
    /// Being worked on.
    Running,
    /// Waits for a time.
    Waiting,
    /// Has its share; more may be asked of it.
    Satisfied,
    /// Its source has no more.
    Exhausted,
    /// Ended by an error.
    Failed,
    /// Its job was cancelled.
    Cancelled,
}

impl CrawlJobDetail {
    pub(super) fn new(detail: db::jobs::JobDetail, app: &App, holder: LinkHolder) -> Self {
        let job = CrawlJob::new(detail.job, app, holder, Utc::now());
        let (refused, duplicates) = db::jobs::ReasonCount::split(detail.reasons.0);
        let kept = job.valid_images;
        let mut warnings: Vec<String> = Vec::new();
        for warning in detail.chunks.0.iter().flat_map(|chunk| &chunk.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        let chunks = detail.chunks.0.into_iter().map(Chunk::from).collect();
        Self { job, kept, refused, duplicates, chunks, warnings }
    }

    /// Moves with every change.
    pub(in crate::api) const fn revision(&self) -> i64 {
        self.job.revision
    }

    /// Whether nothing more happens by itself.
    pub(in crate::api) fn is_over(&self) -> bool {
        JobState::from(self.job.status).is_over()
    }
}

impl From<db::jobs::ChunkDetail> for Chunk {
    fn from(row: db::jobs::ChunkDetail) -> Self {
        Self {
            id: row.id.0,
            chunk_index: row.chunk_index,
            status: word(&row.status).unwrap_or(ChunkStage::Failed),
            state: row.state.into(),
            state_detail: row.reason.into(),
            source: row.source,
            keyword: row.keyword,
            label: row.label,
            share: row.share,
            kept: row.kept,
            error: row.error.into(),
            waiting_until: row.waiting_until.into(),
        }
    }
}

impl Example for CrawlJobDetail {
    fn example() -> Self {
        let chunk = Chunk {
            id: 1,
            chunk_index: 0,
            status: ChunkStage::Processing,
            state: ChunkStatus::Running,
            state_detail: None.into(),
            source: "openverse".to_owned(),
            keyword: "red panda".to_owned(),
            label: "panda".to_owned(),
            share: 200,
            kept: 50,
            error: None.into(),
            waiting_until: None.into(),
        };
        Self {
            job: CrawlJob::example(),
            kept: 50,
            refused: BTreeMap::from([("not-found".to_owned(), 3), ("truncated".to_owned(), 1)]),
            duplicates: 7,
            chunks: vec![chunk],
            warnings: Vec::new(),
        }
    }
}
