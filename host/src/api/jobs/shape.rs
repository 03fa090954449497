//! What a crawl job looks like in an answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::{Enum, Object, types::Example};
use uuid::Uuid;

use super::PREFIX;
use crate::{
    app::App,
    db,
    image::{self, Format},
    job::JobState,
};

/// Where a job stands.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "CrawlJobStatus", rename_all = "lowercase")]
pub(super) enum Status {
    /// Not begun.
    Pending,
    /// Being worked on.
    Running,
    /// Over; with fewer images than asked when the sources have no more.
    Completed,
    /// Over without anything usable; `error` says why.
    Failed,
    /// Stopped by its user.
    Cancelled,
}

/// A row of `crawl_jobs`.
#[derive(Object)]
#[oai(example)]
pub(in crate::api) struct CrawlJob {
    /// Id of the job.
    id: i32,
    /// Whose it is.
    user_id: Uuid,
    /// Where its images go.
    dataset_id: i32,
    /// The dataset's project.
    project_id: Option<i32>,
    /// For people.
    name: String,
    /// What it looks for.
    keywords: Vec<String>,
    /// Images wanted.
    max_images: i32,
    /// Where it stands.
    status: Status,
    /// Images kept of those wanted, in whole percent; never falls, 100 only when completed.
    progress: i32,
    /// Candidates judged.
    total_images: i32,
    /// Bodies received whole.
    downloaded_images: i32,
    /// Images kept.
    valid_images: i32,
    /// All chunks; a chunk is one input at one source.
    total_chunks: i32,
    /// Chunks being worked on.
    active_chunks: i32,
    /// Chunks that are over.
    completed_chunks: i32,
    /// Chunks that ended by an error.
    failed_chunks: i32,
    /// Always empty; kept for the original's column.
    task_ids: Vec<String>,
    /// Ids of its sources, in the order of preference.
    sources: Vec<String>,
    /// What it was asked for beyond its keywords.
    options: Options,
    /// What it accepts.
    rules: Rules,
    /// Why it failed, or why it has fewer images than asked.
    error: Option<String>,
    /// Moves with every change; the id of events.
    revision: i64,
    /// When the first chunk was begun.
    started_at: Option<DateTime<Utc>>,
    /// When it was over.
    completed_at: Option<DateTime<Utc>>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// Images kept a minute, over the run; absent before the first.
    rate: Option<f64>,
    /// Seconds until all images wanted are there at this rate, while it runs.
    eta_seconds: Option<i64>,
    /// Signed link to the job's events, for `EventSource`; good for 15 minutes.
    events_url: String,
}

/// What a job was asked for beyond its keywords.
#[derive(Object)]
#[oai(rename = "CrawlJobOptions")]
struct Options {
    /// Addresses to crawl.
    urls: Vec<String>,
    /// Values by source and option, defaults filled in.
    sources: BTreeMap<String, BTreeMap<String, String>>,
    /// Class by keyword or address.
    labels: BTreeMap<String, String>,
    /// Leave out what is not safe for work, where the source can tell.
    safe_search: bool,
    /// BCP 47.
    language: Option<String>,
}

/// What a job accepts beyond being a sound picture.
#[derive(Object)]
#[oai(rename = "CrawlJobRules", default, example)]
pub(super) struct Rules {
    /// Licence ids, such as `cc0-1.0`; `*` at the end stands for anything; empty accepts all.
    licenses: Vec<String>,
    /// In pixels.
    min_width: u32,
    /// In pixels.
    min_height: u32,
    /// `jpeg`, `png`, `gif` or `webp`; empty accepts all.
    formats: Vec<String>,
}

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
    /// What the sources said, for the person whose crawl it is.
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
    /// `pending`, `processing`, `completed` or `failed`.
    status: String,
    /// `queued`, `running`, `waiting`, `satisfied` (has its share), `exhausted` (the source has
    /// no more), `failed` or `cancelled`.
    state: String,
    /// Why it waits, or how it ended.
    state_detail: Option<String>,
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
    error: Option<String>,
    /// Nothing happens before this time.
    waiting_until: Option<DateTime<Utc>>,
}

/// A page of jobs.
#[derive(Object)]
#[oai(example)]
pub(super) struct CrawlJobPage {
    /// Newest first.
    pub(super) items: Vec<CrawlJob>,
    /// `after` of the next page; null on the last.
    pub(super) next: Option<i32>,
}

impl CrawlJob {
    pub(super) fn new(row: db::jobs::Job, app: &App, now: DateTime<Utc>) -> Self {
        let events = format!("{PREFIX}/crawl-jobs/{}/events", row.id);
        let events_url = app.links.sign(&events, row.user_id, now);
        let rate = rate(&row, now);
        let eta_seconds = rate.filter(|_| row.status == JobState::Running).map(|rate| eta(&row, rate));
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            dataset_id: row.dataset_id.0,
            project_id: row.project_id,
            name: row.name,
            keywords: row.keywords.0,
            max_images: row.max_images,
            status: row.status.into(),
            progress: row.progress,
            total_images: row.total_images,
            downloaded_images: row.downloaded_images,
            valid_images: row.valid_images,
            total_chunks: row.total_chunks,
            active_chunks: row.active_chunks,
            completed_chunks: row.completed_chunks,
            failed_chunks: row.failed_chunks,
            task_ids: row.task_ids.0,
            sources: row.sources.0,
            options: row.options.0.into(),
            rules: row.rules.0.into(),
            error: row.error,
            revision: row.revision,
            started_at: row.started_at,
            completed_at: row.completed_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            rate,
            eta_seconds,
            events_url,
        }
    }
}

impl CrawlJobDetail {
    pub(super) fn new(job: CrawlJob, chunks: Vec<db::jobs::Chunk>, tallies: Vec<db::jobs::Tally>) -> Self {
        let (refused, duplicates) = db::jobs::Tally::split(tallies);
        let kept = job.valid_images;
        let mut warnings: Vec<String> = Vec::new();
        for warning in chunks.iter().flat_map(|chunk| &chunk.warnings.0) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        let chunks = chunks.into_iter().map(Chunk::from).collect();
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

/// Images kept a minute, from the start to the end or to now.
fn rate(row: &db::jobs::Job, now: DateTime<Utc>) -> Option<f64> {
    let run = row.completed_at.unwrap_or(now) - row.started_at?;
    let minutes = run.to_std().ok()?.as_secs_f64() / 60.0;
    (minutes > 0.0 && row.valid_images > 0).then(|| f64::from(row.valid_images) / minutes)
}

#[expect(clippy::cast_possible_truncation, reason = "at most 100 000 images of which one took the whole run")]
fn eta(row: &db::jobs::Job, rate: f64) -> i64 {
    (f64::from(row.max_images - row.valid_images) / rate * 60.0).ceil() as i64
}

impl From<JobState> for Status {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Pending => Self::Pending,
            JobState::Running => Self::Running,
            JobState::Completed => Self::Completed,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<Status> for JobState {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

impl From<db::jobs::Options> for Options {
    fn from(options: db::jobs::Options) -> Self {
        let db::jobs::Options { urls, sources, labels, safe_search, language } = options;
        Self { urls, sources, labels, safe_search, language }
    }
}

impl From<image::Rules> for Rules {
    fn from(rules: image::Rules) -> Self {
        let image::Rules { licenses, min_width, min_height, formats } = rules;
        let formats = formats.into_iter().map(Format::name).map(str::to_owned).collect();
        Self { licenses, min_width, min_height, formats }
    }
}

impl From<db::jobs::Chunk> for Chunk {
    fn from(row: db::jobs::Chunk) -> Self {
        Self {
            id: row.id.0,
            chunk_index: row.chunk_index,
            status: row.status,
            state: row.state.name().to_owned(),
            state_detail: row.reason,
            source: row.source,
            keyword: row.keyword,
            label: row.label,
            share: row.share,
            kept: row.kept,
            error: row.error,
            waiting_until: row.waiting_until,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        image::Rules::default().into()
    }
}

impl Example for Rules {
    fn example() -> Self {
        Self {
            licenses: vec!["cc0-1.0".to_owned(), "cc-by-*".to_owned()],
            min_width: 256,
            min_height: 256,
            formats: vec!["jpeg".to_owned(), "png".to_owned()],
        }
    }
}

impl Example for CrawlJob {
    fn example() -> Self {
        let options = db::jobs::Options { safe_search: true, ..db::jobs::Options::default() };
        Self {
            id: 42,
            user_id: Uuid::from_u128(1),
            dataset_id: 7,
            project_id: None,
            name: "Red pandas".to_owned(),
            keywords: vec!["red panda".to_owned()],
            max_images: 200,
            status: Status::Running,
            progress: 25,
            total_images: 61,
            downloaded_images: 58,
            valid_images: 50,
            total_chunks: 1,
            active_chunks: 1,
            completed_chunks: 0,
            failed_chunks: 0,
            task_ids: Vec::new(),
            sources: vec!["openverse".to_owned()],
            options: options.into(),
            rules: Rules::default(),
            error: None,
            revision: 17,
            started_at: Some(DateTime::UNIX_EPOCH),
            completed_at: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            rate: Some(120.0),
            eta_seconds: Some(75),
            events_url: format!("{PREFIX}/crawl-jobs/42/events?user=…&expires=…&signature=…"),
        }
    }
}

impl Example for CrawlJobDetail {
    fn example() -> Self {
        let chunk = Chunk {
            id: 99,
            chunk_index: 0,
            status: "processing".to_owned(),
            state: "running".to_owned(),
            state_detail: None,
            source: "openverse".to_owned(),
            keyword: "red panda".to_owned(),
            label: "red panda".to_owned(),
            share: 200,
            kept: 50,
            error: None,
            waiting_until: None,
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

impl Example for CrawlJobPage {
    fn example() -> Self {
        Self { items: vec![CrawlJob::example()], next: Some(42) }
    }
}
