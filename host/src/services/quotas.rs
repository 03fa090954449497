//! What users may have, by the tier of their subscription and by their credit, and what they are shown
//! of what they had.

use std::time::Duration;

use crate::{
    app::App,
    config::LimitKind,
    db::{self, PgConnection},
    error::chain,
    model::{JobId, UserId},
};

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct LimitReached {
    /// Which.
    pub kind: LimitKind,
    /// Whose tier it is of.
    pub tier: String,
    /// As many as may be.
    pub most: i64,
    /// As many as there are; where waiting does not help, as were asked for.
    pub used: i64,
    /// When there may be more; none where waiting does not help.
    pub retry_after: Option<Duration>,
}

/// Why a job is not begun.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// The tier has no more.
    #[error(transparent)]
    Limit(#[from] LimitReached),
    /// The user has not so many credits.
    #[error(
        "it may cost {needed} credits, and of the {balance} that you have open jobs may need {open}; ask for fewer images, or get more credits"
    )]
    Credits {
        /// What the job may cost.
        needed: i64,
        /// Credits that there are.
        balance: i64,
        /// What open jobs may cost.
        open: i64,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

/// A job that is to be begun, or to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A new one, for so many images.
    New(i32),
    /// One that is there, as it is now.
    Again(JobId),
}

impl LimitReached {
    fn text(&self) -> String {
        let Self { kind, tier, most, used, retry_after } = self;
        match kind {
            LimitKind::ImagesPerDay if retry_after.is_none() => {
                format!("the tier `{tier}` has {most} images a day, and the job asks for {used}")
            }
            LimitKind::JobsPerMinute if retry_after.is_none() => {
                format!("the tier `{tier}` may begin no jobs")
            }
            LimitKind::ImagesPerJob => {
                format!("a job of the tier `{tier}` may have at most {most} images, and it asks for {used}")
            }
            LimitKind::ImagesPerDay => format!(
                "the tier `{tier}` has {most} images a day, and {used} are kept or may still be by open jobs; \
                 ask for fewer, or wait for the next day in UTC"
            ),
            LimitKind::JobsPerMinute => {
                format!("the tier `{tier}` may begin {most} jobs a minute, and {used} were begun")
            }
        }
    }
}

impl App {
    /// Whether anything is limited or costs anything.
    fn has_quotas(&self) -> bool {
        !self.config.crawl.limits.is_empty() || self.config.crawl.credits_per_image > 0
    }

    /// Lets nobody else open a job for this user until the end of the transaction, where that is counted.
    pub(super) async fn lock_quotas(&self, tx: &mut PgConnection, user: UserId) -> Result<(), db::Error> {
        if self.has_quotas() {
            db::usage::lock(tx, user).await?;
        }
        Ok(())
    }

    /// Whether a job may be begun or go on, with regard to all that open ones may still have. The user's
    /// quotas are locked, so that two at a time cannot both have the last of it.
    pub(super) async fn admit(
        &self,
        tx: &mut PgConnection,
        user: UserId,
        job: Admission,
    ) -> Result<(), QuotaError> {
        if !self.has_quotas() {
            return Ok(());
        }
        let (id, (asked, more)) = match job {
            Admission::New(images) => (None, (images.into(), images.into())),
            Admission::Again(id) => (Some(id), db::usage::of_job(tx, id).await?),
        };
        let standing = db::usage::standing(tx, user, id).await?;
        let limit = |kind| self.config.crawl.limit(&standing.tier, kind);
        let reached = |kind, most, used, retry_after| LimitReached {
            kind,
            tier: standing.tier.clone(),
            most,
            used,
            retry_after,
        };
        if let Some(most) = limit(LimitKind::ImagesPerJob)
            && asked > most
        {
            return Err(reached(LimitKind::ImagesPerJob, most, asked, None).into());
        }
        if let (Admission::New(_), Some(most)) = (job, limit(LimitKind::JobsPerMinute))
            && let Some(seconds) = db::usage::wait(tx, user, most).await?
        {
            if most <= 0 {
                return Err(reached(LimitKind::JobsPerMinute, most, 1, None).into());
            }
            let retry_after = Duration::from_secs(seconds.ceil() as u64);
            return Err(reached(LimitKind::JobsPerMinute, most, most, Some(retry_after)).into());
        }
        if let Some(most) = limit(LimitKind::ImagesPerDay) {
            if more > most {
                return Err(reached(LimitKind::ImagesPerDay, most, more, None).into());
            }
            let used = standing.images_today + standing.images_open;
            if used + more > most {
                let retry_after = Duration::from_secs(standing.seconds_left.max(1).unsigned_abs().into());
                return Err(reached(LimitKind::ImagesPerDay, most, used, Some(retry_after)).into());
            }
        }
        let needed = more * i64::from(self.config.crawl.credits_per_image);
        if needed > 0 && needed + standing.credits_open > standing.balance {
            let (balance, open) = (standing.balance, standing.credits_open);
            return Err(QuotaError::Credits { needed, balance, open });
        }
        Ok(())
    }

    /// As many images as a job may have, where these are fewer than it has by default.
    pub(super) async fn most_by_default(
        &self,
        tx: &mut PgConnection,
        user: UserId,
        default: i32,
    ) -> Result<Option<i32>, db::Error> {
        if self.config.crawl.limits.is_empty() {
            return Ok(None);
        }
        let tier = db::usage::standing(tx, user, None).await?.tier;
        let most = self.config.crawl.limit(&tier, LimitKind::ImagesPerJob);
        Ok(most.and_then(|most| i32::try_from(most).ok()).filter(|most| (1..default).contains(most)))
    }

    /// Bytes that are stored for a user, and how many images they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stored_for(&self, user: UserId) -> Result<(i64, i64), db::Error> {
        db::usage::stored(&mut *self.db.acquire().await?, user).await
    }

    /// Shows users what they had, in `usage_metrics`, for ever.
    pub(crate) async fn publish_usage(self) {
        loop {
            tokio::time::sleep(self.config.database.usage_every).await;
            if let Err(error) = self.publish_new_usage().await {
                tracing::debug!(error = %chain(&error), "what users had is not shown yet");
            }
        }
    }

    async fn publish_new_usage(&self) -> Result<(), db::Error> {
        let mut before = None;
        loop {
            let mut tx = self.db.begin().await?;
            let Some(usage) = db::usage::take_new(&mut tx, before.as_ref()).await? else { return Ok(()) };
            let limit = self.config.crawl.limit(&usage.tier, LimitKind::ImagesPerDay);
            let limit = limit.and_then(|most| i32::try_from(most).ok());
            match db::usage::publish(&mut tx, &usage, limit).await {
                Ok(()) => tx.commit().await?,
                // It stays new, and does not hold up those of others.
                Err(error) => {
                    let (user, day) = (usage.user_id, usage.day);
                    tracing::warn!(%user, %day, error = %chain(&error), "what a user had is not shown");
                    tx.rollback().await?;
                }
            }
            before = Some(usage);
        }
    }

    /// Counts what jobs kept that an older version has ended.
    pub(crate) async fn settle_left(&self) -> Result<(), db::Error> {
        for (user, job) in db::usage::unsettled(&self.db).await? {
            let mut tx = self.db.begin().await?;
            if let Some(found) = db::job_lifecycle::lock(&mut tx, user, job).await?
                && found.status.0.is_over()
            {
                db::usage::settle(&mut tx, user, job).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }
}
