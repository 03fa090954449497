//! Creating a job: from a request to a checked [`JobSpec`], and from that to rows and queue
//! messages, all in one transaction.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    auth::Caller,
    db,
    model::{Destination, JobId, JobSpec, UserId},
    plugins::LoadedPlugin,
    services::{
        Violation,
        jobs::{JobError, messages},
        quotas::Admission,
        sources::{self, HealthReport, SourceStates},
    },
};

mod check;
mod request;

pub(super) use check::{IDS, LONGEST_KEYWORD, LONGEST_NAME, LONGEST_URL, MAX_IMAGES, MOST_PUBLISHED};
pub use check::{ParseUrl, SourceOffer, check_rules};
pub(crate) use request::MOST_UNLIKE;
pub use request::{JobRequest, QueryRequest, RetryRequest};
pub(super) use request::{MOST_KEYWORDS, MOST_SOURCES};

/// What became of a request for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// There is a new job.
    New(JobId),
    /// The same request was made before, under the same key.
    Before(JobId),
}

impl App {
    /// Creates and starts the job that is asked for. With a key, which comes with the request's JSON,
    /// the same JSON sent again within a day gives the same job.
    ///
    /// # Errors
    /// When the request is refused or cannot be written; then nothing was written.
    pub async fn create_job(
        &self,
        caller: &Caller,
        request: &JobRequest,
        key: Option<(&str, &Value)>,
    ) -> Result<CreateOutcome, JobError> {
        self.may_crawl(caller).await?;
        let user = caller.user;
        let key = key.map(|(key, body)| (key, Sha256::digest(body.to_string())));
        let offered = self.offered().await?;
        let mut transaction = self.db.begin().await?;
        if let Some((key, digest)) = &key {
            db::idempotency::lock(&mut transaction, user, key).await?;
            if let Some(before) = db::idempotency::find(&mut transaction, user, key).await? {
                let is_same = before.request_digest == digest[..];
                return if is_same {
                    Ok(CreateOutcome::Before(before.job_id))
                } else {
                    Err(JobError::KeyReused)
                };
            }
        }
        let mut spec = self.check(request, &offered).map_err(JobError::Rules)?;
        self.profile_in(&mut transaction, caller).await?;
        if let Some(most) = self.too_many_open(&mut transaction, user).await? {
            return Err(JobError::TooMany(most));
        }
        if spec.max_is_default
            && let Some(most) = self.most_by_default(&mut transaction, user, spec.max_images).await?
        {
            let request = JobRequest { max_images: Some(most.into()), ..request.clone() };
            let limited = self.check(&request, &offered).map_err(JobError::Rules)?;
            spec = JobSpec { max_is_default: true, ..limited };
        }
        let job = self.begin(&mut transaction, user, &spec).await?;
        if let Some((key, digest)) = &key {
            db::idempotency::keep(&mut transaction, user, key, digest, job).await?;
        }
        transaction.commit().await?;
        tracing::info!(%job, chunks = spec.chunks.len(), "job created");
        Ok(CreateOutcome::New(job))
    }

    /// Writes a job that was checked, whose user may have one more, within their quotas, and queues its chunks.
    pub(super) async fn begin(
        &self,
        transaction: &mut db::PgConnection,
        user: UserId,
        spec: &JobSpec,
    ) -> Result<JobId, JobError> {
        self.admit(transaction, user, Admission::New(spec.max_images)).await?;
        let created =
            db::jobs::insert(transaction, user, spec).await.map_err(|error| refused(error, spec))?;
        db::usage::set_price(transaction, created.job, self.config.crawl.credits_per_image).await?;
        let turns = db::fairness::turns(transaction, created.job, &created.queued, None).await?;
        self.queue.enqueue(transaction, created.job, &messages(&turns), None).await?;
        Ok(created.job)
    }

    /// What a request asks for, by the sources that are offered.
    pub(super) fn check(
        &self,
        request: &JobRequest,
        offered: &[SourceOffer],
    ) -> Result<JobSpec, Vec<Violation>> {
        let parse_url =
            |text: &str| self.fetcher.check(text).map_err(|blocked| format!("cannot be crawled: {blocked}"));
        request.check(offered, &parse_url)
    }

    /// The installed sources, each with why it cannot be crawled now, if so.
    pub(super) async fn offered(&self) -> Result<Vec<SourceOffer>, db::Error> {
        let states = SourceStates::read(&self.db).await?;
        let credentials = self.credentials.now();
        let offered = |source: LoadedPlugin| {
            let health = states.health(&source, credentials.mark(&source.info.id));
            self.offer(source, &health)
        };
        Ok(self.plugins.list().into_iter().map(offered).collect())
    }

    /// One source, with why it cannot be crawled now, if so.
    #[must_use]
    pub fn offer(&self, source: LoadedPlugin, health: &HealthReport) -> SourceOffer {
        let grants = self.grants(&source);
        let unavailable = sources::unavailable(&source, |name| grants.has(name), health);
        let credentials = grants.credentials.into_iter().map(|credential| credential.spec.name).collect();
        SourceOffer { unavailable, credentials, info: source.info }
    }

    /// Why no crawl of a source can be begun now.
    #[must_use]
    pub fn unavailable(&self, source: &LoadedPlugin, health: &HealthReport) -> Option<String> {
        let grants = self.grants(source);
        sources::unavailable(source, |name| grants.has(name), health)
    }
}

fn refused(error: db::jobs::InsertError, spec: &JobSpec) -> JobError {
    if let db::jobs::InsertError::Database(error) = error {
        return JobError::Database(error);
    }
    let (pointer, id) = match spec.destination {
        Destination::Dataset(id) => ("/dataset_id", id.0),
        Destination::Project(id) => ("/project_id", id.0),
        Destination::New => ("", 0),
    };
    let detail = format!("you have none with id {id}");
    JobError::NoDestination(Violation { pointer: pointer.to_owned(), detail })
}
