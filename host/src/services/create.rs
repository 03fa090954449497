//! Creating a job: from a request to a checked [`JobSpec`], and from that to rows and queue
//! messages, all in one transaction.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    auth::Caller,
    db,
    model::{Destination, JobId, JobSpec},
    plugins::LoadedPlugin,
    queue::QueueError,
    services::{
        jobs::messages,
        profiles::ProfileError,
        sources::{self, HealthReport, SourceStates},
    },
};

mod check;
mod request;
mod violation;

pub use check::{ParseUrl, SourceOffer};
pub use request::{JobRequest, QueryRequest};
pub use violation::{Violation, Violations};

/// What became of a request for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// There is a new job.
    New(JobId),
    /// The same request was made before, under the same key.
    Before(JobId),
}

/// Why there is no new job.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The body breaks rules: all of them.
    #[error("the request breaks {} rules", .0.len())]
    Rules(Vec<Violation>),
    /// The key was used for another request less than a day ago.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The caller may not.
    #[error(transparent)]
    Caller(#[from] ProfileError),
    /// The user has as many jobs under way as are allowed.
    #[error("{0} jobs of yours are under way, which is as many as are allowed; wait for one to end")]
    TooMany(i64),
    /// The database failed; nothing was written.
    #[error("the job cannot be written")]
    Database(#[from] db::Error),
    /// The queue failed; nothing was written.
    #[error("the job cannot be queued")]
    Queue(#[from] QueueError),
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
    ) -> Result<CreateOutcome, CreateError> {
        self.may_crawl(caller).await?;
        let user = caller.user;
        let key = key.map(|(key, body)| (key, Sha256::digest(body.to_string())));
        if let Some((key, digest)) = &key {
            let mut connection = self.db.acquire().await?;
            if let Some(before) = db::idempotency::find(&mut connection, user, key).await? {
                return replay(&before, digest);
            }
        }
        let spec = self.check(request, &self.offered().await?).map_err(CreateError::Rules)?;

        let mut transaction = self.db.begin().await?;
        if let Some((key, digest)) = &key {
            db::idempotency::lock(&mut transaction, user, key).await?;
            if let Some(before) = db::idempotency::find(&mut transaction, user, key).await? {
                return replay(&before, digest);
            }
        }
        self.profile_in(&mut transaction, caller).await?;
        if let Some(most) = self.too_many_open(&mut transaction, user).await? {
            return Err(CreateError::TooMany(most));
        }
        let created =
            db::jobs::insert(&mut transaction, user, &spec).await.map_err(|error| refused(error, &spec))?;
        if let Some((key, digest)) = &key {
            db::idempotency::keep(&mut transaction, user, key, digest, created.job).await?;
        }
        let turns = db::fairness::turns(&mut transaction, created.job, &created.queued, None).await?;
        self.queue.enqueue(&mut transaction, created.job, &messages(&turns), None).await?;
        transaction.commit().await?;
        tracing::info!(job = %created.job, chunks = spec.chunks.len(), "job created");
        Ok(CreateOutcome::New(created.job))
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
        let offered = |source: LoadedPlugin| {
            let health = states.health(&source, &self.fingerprints);
            self.offer(source, &health)
        };
        Ok(self.plugins.list().into_iter().map(offered).collect())
    }

    /// One source, with why it cannot be crawled now, if so.
    #[must_use]
    pub fn offer(&self, source: LoadedPlugin, health: &HealthReport) -> SourceOffer {
        let granted = self.grants(&source).credentials.into_iter();
        let credentials = granted.map(|credential| credential.spec.name).collect();
        SourceOffer { unavailable: self.unavailable(&source, health), credentials, info: source.info }
    }

    /// Why no crawl of a source can be begun now.
    #[must_use]
    pub fn unavailable(&self, source: &LoadedPlugin, health: &HealthReport) -> Option<String> {
        sources::unavailable(source, &self.grants(source), health)
    }
}

fn replay(before: &db::idempotency::EarlierRequest, digest: &[u8]) -> Result<CreateOutcome, CreateError> {
    if before.request_digest == digest {
        Ok(CreateOutcome::Before(before.job_id))
    } else {
        Err(CreateError::KeyReused)
    }
}

fn refused(error: db::jobs::InsertError, spec: &JobSpec) -> CreateError {
    let (pointer, id) = match (&error, spec.destination) {
        (db::jobs::InsertError::Database(_), _) | (_, Destination::New) => (String::new(), 0),
        (_, Destination::Dataset(id)) => ("/dataset_id".to_owned(), id.0),
        (_, Destination::Project(id)) => ("/project_id".to_owned(), id),
    };
    match error {
        db::jobs::InsertError::Database(error) => CreateError::Database(error),
        db::jobs::InsertError::NoDestination => {
            CreateError::Rules(vec![Violation { pointer, detail: format!("you have none with id {id}") }])
        }
    }
}
