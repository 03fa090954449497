//! `pixcrawler.source`: how each build of each source fares, and what it did.
//!
//! Its functions fail when the database does.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool, types::Json};

use super::chunks::ClaimedChunk;
use crate::model::{Sha256, SourceStats};

/// What ails a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "kebab-case")]
pub enum SourceProblem {
    /// Its own faults.
    Fault,
    /// The site no longer looks as it expects.
    LayoutChanged,
    /// A credential is missing or refused.
    Unauthorized,
}

/// A build of a source as a process has it.
#[derive(Clone, Copy, Debug)]
pub struct BuildRef<'a> {
    /// Of the source.
    pub id: &'a str,
    /// Of the component.
    pub digest: Sha256,
    /// When it was enabled: earlier pauses do not count.
    pub enabled_at: DateTime<Utc>,
    /// Tells its configured credentials from others.
    pub credential_mark: i32,
}

/// What is known of one build of one source.
#[derive(Clone, Debug, FromRow)]
pub struct SourceRow {
    /// Of the source.
    pub id: String,
    digest: String,
    /// What ailed it last; none while it does well.
    pub trouble: Option<SourceProblem>,
    /// In words.
    pub message: Option<String>,
    /// When that began.
    pub since: Option<DateTime<Utc>>,
    /// When it was paused; whether that still counts, see [`SourceRow::pauses`].
    pub paused_at: Option<DateTime<Utc>>,
    /// When it goes on by itself.
    pub resumes_at: Option<DateTime<Utc>>,
    /// When that build was enabled that was paused.
    pub enabled_at: DateTime<Utc>,
    credential_mark: Option<i32>,
    /// Left aside for an earlier build.
    pub rolled_back: bool,
    /// Whether any of its slices ever ended well.
    pub did_well: bool,
    counts: Json<BTreeMap<String, u64>>,
    peak_memory: i64,
}

impl SourceRow {
    /// Of the component.
    #[must_use]
    pub fn digest(&self) -> Option<Sha256> {
        Sha256::parse(&self.digest)
    }

    /// Whether it is about this build, and that build is paused.
    #[must_use]
    pub fn pauses(&self, build: &BuildRef<'_>) -> bool {
        self.id == build.id
            && self.digest() == Some(build.digest)
            && self.paused_at.is_some()
            && self.resumes_at.is_none_or(|at| at > Utc::now())
            && self.enabled_at >= build.enabled_at
            && self.credential_mark.is_none_or(|mark| mark == build.credential_mark)
    }

    /// Whether it was paused for credentials other than those that this build has.
    #[must_use]
    pub fn is_of_other_credentials(&self, build: &BuildRef<'_>) -> bool {
        self.credential_mark.is_some_and(|mark| mark != build.credential_mark)
    }

    /// Adds what it did to the figures of its source.
    pub fn add_to(&self, figures: &mut SourceStats) {
        figures.add(&self.counts, self.peak_memory.unsigned_abs());
    }
}

/// How often a build has failed by its own fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct FaultCount {
    /// Slices in a row.
    #[sqlx(rename = "faults")]
    pub in_row: i32,
    /// Whether they were not all for the same input.
    pub several_inputs: bool,
    /// Whether they were not all for the same user.
    pub several_users: bool,
    /// Pauses in a row until now, of those for several users.
    pub pauses: i32,
    /// Whether any of its slices ever ended well.
    pub did_well: bool,
}

/// Everything that is known, by id and digest.
pub async fn all(pool: &PgPool) -> sqlx::Result<Vec<SourceRow>> {
    sqlx::query_as("select * from pixcrawler.source order by id, digest").fetch_all(pool).await
}

/// What is known of the build, if anything.
pub async fn find(pool: &PgPool, build: &BuildRef<'_>) -> sqlx::Result<Option<SourceRow>> {
    sqlx::query_as("select * from pixcrawler.source where id = $1 and digest = $2")
        .bind(build.id)
        .bind(build.digest.to_string())
        .fetch_optional(pool)
        .await
}

/// Notes what ails a build; a fault in the work on `chunk` counts as one more in a row. None
/// while the build is paused: then that stays which it is paused for.
pub async fn record_problem(
    pool: &PgPool,
    build: &BuildRef<'_>,
    chunk: &ClaimedChunk,
    trouble: SourceProblem,
    message: &str,
) -> sqlx::Result<Option<FaultCount>> {
    sqlx::query_as(
        "insert into pixcrawler.source as s (id, digest, trouble, message, since, faults, fault_input, fault_user)
         values ($1, $2, $3, $4, now(), case when $3 = 'fault' then 1 else 0 end,
                 sha256(convert_to($5, 'UTF8')), $6)
             on conflict (id, digest) do update
            set trouble = $3, message = $4,
                since = case when s.trouble = $3 then s.since else now() end,
                faults = s.faults + excluded.faults,
                fault_input = case when s.faults = 0 then excluded.fault_input else s.fault_input end,
                fault_user = case when s.faults = 0 then excluded.fault_user else s.fault_user end,
                several_inputs = s.several_inputs
                    or excluded.faults > 0 and s.faults > 0 and s.fault_input <> excluded.fault_input,
                several_users = s.several_users
                    or excluded.faults > 0 and s.faults > 0 and s.fault_user <> excluded.fault_user
          where s.paused_at is null or s.resumes_at <= now() or s.enabled_at < $7 or s.credential_mark <> $8
      returning faults, several_inputs, several_users, pauses, did_well",
    )
    .bind(build.id)
    .bind(build.digest.to_string())
    .bind(trouble)
    .bind(message)
    .bind(&chunk.query.text)
    .bind(chunk.user_id)
    .bind(build.enabled_at)
    .bind(build.credential_mark)
    .fetch_optional(pool)
    .await
}

/// Pauses a build, until a time or for good; whether it was not paused already. Its faults are
/// counted from zero afterwards.
pub async fn pause(
    pool: &PgPool,
    build: &BuildRef<'_>,
    resumes_at: Option<DateTime<Utc>>,
    rolled_back: bool,
) -> sqlx::Result<bool> {
    let paused = sqlx::query(
        "update pixcrawler.source
            set paused_at = now(), resumes_at = $3, rolled_back = $4, enabled_at = $5,
                pauses = pauses + several_users::integer, faults = 0, fault_input = null, fault_user = null,
                several_inputs = false, several_users = false,
                credential_mark = case when trouble = 'unauthorized' then $6 end
          where id = $1 and digest = $2
            and (paused_at is null or resumes_at <= now() or enabled_at < $5 or credential_mark <> $6)",
    )
    .bind(build.id)
    .bind(build.digest.to_string())
    .bind(resumes_at)
    .bind(rolled_back)
    .bind(build.enabled_at)
    .bind(build.credential_mark)
    .execute(pool)
    .await?;
    Ok(paused.rows_affected() == 1)
}

/// Adds what a build did. When it did `well`, earlier trouble is forgotten, but not a pause
/// that began meanwhile.
pub async fn count(
    connection: &mut PgConnection,
    build: &BuildRef<'_>,
    figures: &SourceStats,
    well: bool,
) -> sqlx::Result<()> {
    let digest = build.digest.to_string();
    sqlx::query(
        "insert into pixcrawler.source as s (id, digest, counts, peak_memory, did_well)
         values ($1, $2, $3, $4, $5)
             on conflict (id, digest) do update
            set counts = pixcrawler.add_counts(s.counts, excluded.counts),
                peak_memory = greatest(s.peak_memory, excluded.peak_memory),
                did_well = s.did_well or excluded.did_well",
    )
    .bind(build.id)
    .bind(&digest)
    .bind(Json(figures.counts()))
    .bind(i64::try_from(figures.peak_memory).unwrap_or(i64::MAX))
    .bind(well)
    .execute(&mut *connection)
    .await?;
    if well {
        sqlx::query(
            "update pixcrawler.source
                set trouble = null, message = null, since = null, faults = 0, fault_input = null,
                    fault_user = null, several_inputs = false, several_users = false, paused_at = null,
                    resumes_at = null, pauses = 0, credential_mark = null, rolled_back = false
              where id = $1 and digest = $2 and trouble is not null
                and (paused_at is null or resumes_at <= now() or enabled_at < $3 or credential_mark <> $4)",
        )
        .bind(build.id)
        .bind(&digest)
        .bind(build.enabled_at)
        .bind(build.credential_mark)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
