//! A job's changes as server-sent events.

use std::time::Duration;

use chrono::Utc;
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use poem::web::{Data, sse::Event};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
    payload::EventStream,
    types::ToJSON as _,
};
use tokio::{sync::broadcast, time::Instant};
use uuid::Uuid;

use super::{
    PREFIX, Tag,
    bearer::{AccessOrLink, AuthorizedReader, Link, READ_JOBS},
    error::{NOT_FOUND, PARAMETER, ProblemSet, SIGNED_IN},
    jobs::{self, CrawlJobDetail},
};
use crate::{
    app::{App, Signal},
    db,
    model::JobId,
};

pub(super) struct EventsApi;

/// A comment is sent this often, so that nobody between takes the silence for the end.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the database is asked, in case a notice of a change was lost.
const POLL: Duration = Duration::from_secs(2);

/// No stream goes on for longer, and no clock is asked for a time that it cannot say.
const LONGEST: Duration = Duration::from_hours(24);

pub(super) type Events = EventStream<BoxStream<'static, CrawlJobDetail>>;

/// Events, or nothing more to say.
#[derive(ApiResponse)]
pub(super) enum Changes {
    #[oai(status = 200)]
    Stream(Events),
    /// The job is over and its last revision was seen.
    #[oai(status = 204)]
    Over,
}

#[OpenApi(prefix_path = "/crawl-jobs", tag = "Tag::CrawlJobs")]
impl EventsApi {
    /// Follow a crawl job
    ///
    /// Server-sent events: the job as it is, then the job after every change, each with its
    /// `revision` as event id and a `CrawlJobDetail` as data. A comment is sent every 15 seconds.
    /// The stream ends with the job, and when the token, key or link ends; a client that comes back
    /// to a job that is over is told so by 204, which stops `EventSource`. Use `events_url` of
    /// the job where no token can be sent.
    #[oai(path = "/:id/events", method = "get", operation_id = "followCrawlJob")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    pub(super) async fn follow(
        &self,
        Data(app): Data<&App>,
        access: AccessOrLink<READ_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        Path(id): Path<i32>,
        /// Of a signed link.
        Query(user): Query<Option<Uuid>>,
        /// Of a signed link that was made for an API key.
        Query(key): Query<Option<Uuid>>,
        /// Of a signed link.
        Query(expires): Query<Option<i64>>,
        /// Of a signed link.
        Query(signature): Query<Option<String>>,
        /// Last revision seen; browsers send it by themselves.
        #[oai(name = "Last-Event-ID")]
        Header(seen): Header<Option<String>>,
    ) -> Result<Changes, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let path = format!("{PREFIX}/crawl-jobs/{id}/events");
        let reader = access.reader(app, &path, &Link { user, key, expires, signature }).await?;
        // Listening comes first: a change between the snapshot and that would be missed.
        let signals = app.signals.subscribe();
        let job = jobs::find(app, reader.holder, JobId(id)).await?.ok_or_else(jobs::not_found)?;
        if job.is_over() && seen == Some(job.revision().to_string()) {
            return Ok(Changes::Over);
        }
        let follower = Follower::new(app, reader, JobId(id), signals);
        let events = stream::unfold((follower, Some(job)), Follower::next).boxed();
        let events = EventStream::new(events).keep_alive(HEARTBEAT).to_event(|job: CrawlJobDetail| {
            Event::message(job.to_json_string()).id(job.revision().to_string())
        });
        Ok(Changes::Stream(events))
    }
}

/// Waits for changes of one job.
struct Follower {
    app: App,
    reader: AuthorizedReader,
    job: JobId,
    signals: broadcast::Receiver<Signal>,
    /// Revision that was sent last.
    sent: i64,
    over: bool,
    until: Instant,
}

impl Follower {
    fn new(app: &App, reader: AuthorizedReader, job: JobId, signals: broadcast::Receiver<Signal>) -> Self {
        let left = (reader.until - Utc::now()).to_std().unwrap_or_default();
        let until = Instant::now() + left.min(LONGEST);
        Self { app: app.clone(), reader, job, signals, sent: 0, over: false, until }
    }

    /// The snapshot, or the next change; none when the job or the right to see it has ended.
    async fn next(
        (mut follower, snapshot): (Self, Option<CrawlJobDetail>),
    ) -> Option<(CrawlJobDetail, (Self, Option<CrawlJobDetail>))> {
        let job = match snapshot {
            Some(job) => job,
            None if follower.over => return None,
            None => follower.change().await?,
        };
        follower.sent = job.revision();
        follower.over = job.is_over();
        Some((job, (follower, None)))
    }

    async fn change(&mut self) -> Option<CrawlJobDetail> {
        loop {
            let noticed = tokio::select! {
                () = notice(&mut self.signals, self.job) => true,
                () = tokio::time::sleep(POLL) => false,
                () = tokio::time::sleep_until(self.until) => return None,
            };
            // A database that is away for a moment is no reason to send clients away.
            if let Ok(false) = self.reader.may_go_on(&self.app).await {
                return None;
            }
            let user = self.reader.holder.user;
            // There is nearly always something after a notice, and nearly never without one.
            if !noticed
                && let Ok(Some(revision)) = db::jobs::revision(&self.app.db, user, self.job).await
                && revision == self.sent
            {
                continue;
            }
            match jobs::find(&self.app, self.reader.holder, self.job).await {
                Ok(Some(job)) if job.revision() != self.sent => {
                    tracing::debug!(event = "change-followed", job = %self.job, noticed, "a change is sent");
                    return Some(job);
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => tracing::warn!(job = %self.job, %error, "cannot follow a job"),
            }
        }
    }
}

/// Ends with a notice about `job`, or when notices were lost and there may have been one.
async fn notice(signals: &mut broadcast::Receiver<Signal>, job: JobId) {
    loop {
        match signals.recv().await {
            Ok(signal) if signal.job() != job => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
