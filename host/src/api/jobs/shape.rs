//! What a crawl job looks like in an answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use poem_openapi::{
    Enum, Object,
    types::{Any, Example},
};
use serde_json::Value;
use uuid::Uuid;

use super::{
    PREFIX,
    request::{RuleAnimation, RuleLevel},
};
use crate::{
    api::{compat::paging::PageNumbers, nullable::Nullable},
    app::App,
    auth::link::{LIFETIME, LinkHolder},
    db,
    model::{self, AspectRatio, Format, JobState},
};

/// Where a job stands.
#[derive(Clone, Copy, Enum)]
#[oai(rename = "CrawlJobStatus", rename_all = "lowercase", remote = "JobState")]
pub(in crate::api) enum Status {
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
    project_id: Nullable<i32>,
    /// For people.
    name: String,
    /// What it looks for.
    keywords: Vec<String>,
    /// Images wanted.
    max_images: i32,
    /// Nobody said how many: `max_images` is the default, and with fewer images nothing is missing.
    max_is_default: bool,
    /// Where it stands.
    pub(super) status: Status,
    /// Images kept of those wanted, in whole percent; falls only with a retry, 100 only when completed.
    progress: i32,
    /// Candidates judged.
    total_images: i32,
    /// Bodies received whole.
    downloaded_images: i32,
    /// Images kept.
    pub(super) valid_images: i32,
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
    /// Why it failed, or why it has fewer images than asked, or none.
    error: Nullable<String>,
    /// Moves with every change; the id of events.
    pub(super) revision: i64,
    /// When the first chunk was begun.
    started_at: Nullable<DateTime<Utc>>,
    /// When it was over.
    completed_at: Nullable<DateTime<Utc>>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// Images kept a minute, over the run; absent before the first.
    rate: Nullable<f64>,
    /// Seconds until all images that are still to come are there at this rate, while it runs: those wanted,
    /// or those that are left to try once the sources have named all that they have. Absent where nobody
    /// knows how many there are.
    eta_seconds: Nullable<i64>,
    /// Signed link to the job's events, for `EventSource`; good for 15 minutes.
    events_url: String,
    /// Signed link to the job's manifest, for programs that download all of it; good for 15 minutes, and
    /// the links in it for a day.
    manifest_url: String,
    /// The first of `sources`.
    #[oai(deprecated)]
    search_engine: String,
    /// Always empty.
    #[oai(deprecated)]
    config: BTreeMap<String, Any<Value>>,
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
    language: Nullable<String>,
}

/// What a job accepts beyond being a sound picture.
#[derive(Object)]
#[oai(rename = "CrawlJobRules")]
struct Rules {
    /// Licence ids, such as `cc0-1.0`; `*` at the end stands for any version: `cc-by-*` has
    /// `cc-by-4.0`, but not `cc-by-nc-4.0`; empty accepts all.
    licenses: Vec<String>,
    /// In pixels.
    min_width: u32,
    /// In pixels.
    min_height: u32,
    /// `jpeg`, `png`, `gif` or `webp`; empty accepts all.
    formats: Vec<String>,
    /// Bits, of 256, in which the perceptual hashes of two pictures may differ that look alike.
    near_duplicates: u8,
    /// What is made of what owners say of AI training and data mining: `record`, `respect` or `strict`.
    consent: String,
    /// What held where a rule was not given.
    level: RuleLevel,
    /// In pixels.
    max_width: Nullable<u32>,
    /// In pixels.
    max_height: Nullable<u32>,
    /// How many times as long as the shorter side the longer one may be.
    max_aspect_ratio: Nullable<f64>,
    /// Of the file.
    min_bytes: Nullable<u64>,
    /// Of the file.
    max_bytes: Nullable<u64>,
    /// Pictures of several frames; null is `allowed`.
    animation: Nullable<RuleAnimation>,
    /// Lowest `contrast`.
    min_contrast: Nullable<u8>,
    /// Lowest `brightness`.
    min_brightness: Nullable<u8>,
    /// Highest `brightness`.
    max_brightness: Nullable<u8>,
    /// Lowest `sharpness`.
    min_sharpness: Nullable<u8>,
    /// Lowest `jpeg_quality`.
    min_jpeg_quality: Nullable<u8>,
    /// Among which pictures a picture is the only one of its look.
    duplicates_within: DuplicateScope,
    /// Whether a picture that is mirrored, or turned by quarters, looks like the one that it was made of.
    turned_duplicates: bool,
}

/// Among which pictures one is looked for that looks like another.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "lowercase", remote = "model::DuplicateScope")]
pub(super) enum DuplicateScope {
    /// Those of the same dataset.
    Dataset,
    /// Those of all datasets of the same user.
    User,
}

/// A page of jobs.
#[derive(Object)]
#[oai(example)]
pub(in crate::api) struct CrawlJobPage {
    /// Newest first.
    pub(super) items: Vec<CrawlJob>,
    /// `after` of the next page; null on the last.
    pub(super) next: Nullable<i32>,
    #[oai(flatten)]
    pub(super) numbers: PageNumbers,
}

impl CrawlJob {
    pub(in crate::api) fn new(
        row: db::jobs::JobRow,
        app: &App,
        holder: LinkHolder,
        now: DateTime<Utc>,
    ) -> Self {
        let sign = |part: &str| {
            app.links.sign(&format!("{PREFIX}/crawl-jobs/{}/{part}", row.id), holder, now + LIFETIME)
        };
        let (events_url, manifest_url) = (sign("events"), sign("manifest"));
        let rate = rate(&row, now);
        let eta_seconds = seconds_left(&row, now);
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            dataset_id: row.dataset_id.0,
            project_id: row.project_id.map(|project| project.0).into(),
            name: row.name,
            keywords: row.keywords.0.0,
            max_images: row.max_images,
            max_is_default: row.max_is_default,
            status: row.status.0.into(),
            progress: row.progress,
            total_images: row.total_images,
            downloaded_images: row.downloaded_images,
            valid_images: row.valid_images,
            total_chunks: row.total_chunks,
            active_chunks: row.active_chunks,
            completed_chunks: row.completed_chunks,
            failed_chunks: row.failed_chunks,
            task_ids: row.task_ids.0.0,
            search_engine: row.sources.0.0.first().cloned().unwrap_or_default(),
            config: BTreeMap::new(),
            sources: row.sources.0.0,
            options: Options::new(row.options.0, row.input.map(|input| input.0).unwrap_or_default()),
            rules: row.rules.0.into(),
            error: row.error.into(),
            revision: row.revision,
            started_at: row.started_at.map(Into::into).into(),
            completed_at: row.completed_at.map(Into::into).into(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            rate: rate.into(),
            eta_seconds: eta_seconds.into(),
            events_url,
            manifest_url,
        }
    }
}

/// Id of the job in all examples: the first one in a new database has it.
pub(in crate::api) const fn example_id() -> i32 {
    1
}

/// Images kept a minute, from the start to the end or to now.
fn rate(row: &db::jobs::JobRow, now: DateTime<Utc>) -> Option<f64> {
    let run = row.completed_at.map_or(now, |at| at.0) - row.started_at?.0;
    let minutes = run.to_std().ok()?.as_secs_f64() / 60.0;
    (minutes > 0.0 && row.valid_images > 0).then(|| f64::from(row.valid_images) / minutes)
}

/// Until all images that are still to come are there, at the rate of the run so far, while it runs.
pub(in crate::api) fn seconds_left(row: &db::jobs::JobRow, now: DateTime<Utc>) -> Option<i64> {
    let rate = rate(row, now).filter(|_| row.status.0 == JobState::Running)?;
    Some(eta(row.images_left()?, rate))
}

#[expect(clippy::cast_possible_truncation, reason = "at most 100 000 images of which one took the whole run")]
fn eta(left: i32, rate: f64) -> i64 {
    (f64::from(left) / rate * 60.0).ceil() as i64
}

impl Options {
    fn new(options: db::jobs::JobOptions, inputs: db::jobs::Inputs) -> Self {
        let db::jobs::JobOptions { sources, safe_search, language } = options;
        let db::jobs::Inputs { urls, labels } = inputs;
        Self { urls, sources, labels, safe_search, language: language.into() }
    }
}

impl From<model::Rules> for Rules {
    fn from(rules: model::Rules) -> Self {
        Self {
            formats: rules.formats.into_iter().map(Format::name).map(str::to_owned).collect(),
            licenses: rules.licenses,
            min_width: rules.min_width,
            min_height: rules.min_height,
            near_duplicates: rules.near_duplicates,
            duplicates_within: rules.duplicates_within.into(),
            turned_duplicates: rules.turned_duplicates,
            consent: rules.consent.name().to_owned(),
            level: rules.level.into(),
            max_width: rules.max_width.into(),
            max_height: rules.max_height.into(),
            max_aspect_ratio: rules.max_aspect_ratio.map(AspectRatio::value).into(),
            min_bytes: rules.min_bytes.into(),
            max_bytes: rules.max_bytes.into(),
            animation: rules.animation.map(RuleAnimation::from).into(),
            min_contrast: rules.min_contrast.into(),
            min_brightness: rules.min_brightness.into(),
            max_brightness: rules.max_brightness.into(),
            min_sharpness: rules.min_sharpness.into(),
            min_jpeg_quality: rules.min_jpeg_quality.into(),
        }
    }
}

impl Example for CrawlJob {
    fn example() -> Self {
        Self {
            id: example_id(),
            user_id: Uuid::from_u128(1),
            dataset_id: 1,
            project_id: None.into(),
            name: "Red pandas".to_owned(),
            keywords: vec!["red panda".to_owned()],
            max_images: 200,
            max_is_default: false,
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
            search_engine: "openverse".to_owned(),
            config: BTreeMap::new(),
            sources: vec!["openverse".to_owned()],
            options: Options {
                urls: Vec::new(),
                sources: BTreeMap::from([(
                    "openverse".to_owned(),
                    BTreeMap::from([("license".to_owned(), "cc0,by".to_owned())]),
                )]),
                labels: BTreeMap::from([("red panda".to_owned(), "panda".to_owned())]),
                safe_search: true,
                language: Some("en".to_owned()).into(),
            },
            rules: Rules::from(model::Rules {
                licenses: vec!["cc0-1.0".to_owned(), "cc-by-*".to_owned()],
                formats: vec![Format::Jpeg, Format::Png],
                ..model::Level::Strict.rules()
            }),
            error: None.into(),
            revision: 17,
            started_at: Some(DateTime::UNIX_EPOCH).into(),
            completed_at: None.into(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            rate: Some(120.0).into(),
            eta_seconds: Some(75).into(),
            events_url: format!("{PREFIX}/crawl-jobs/{}/events?user=…&expires=…&signature=…", example_id()),
            manifest_url: format!(
                "{PREFIX}/crawl-jobs/{}/manifest?user=…&expires=…&signature=…",
                example_id()
            ),
        }
    }
}

impl Example for CrawlJobPage {
    fn example() -> Self {
        Self { items: vec![CrawlJob::example()], next: None.into(), numbers: PageNumbers::example() }
    }
}
