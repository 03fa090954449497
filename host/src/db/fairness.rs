//! Turns by start-time fair queueing: each user has a virtual time, that of the slices it
//! used, and a chunk is queued for the time at which its user would be served if all were
//! served alike. Who was away begins where the least served of the others is by now, what they
//! use at the moment included, and has no claim on the past.
//!
//! Its functions fail when the database does.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use uuid::Uuid;

use crate::model::{ChunkId, JobId, UserId};

/// What a slice is expected to take where others wait, in seconds: one round of turns.
const ROUND: f64 = 2.0;
/// After this many rounds priorities are counted anew.
const LONGEST_COUNT: i64 = 4096;
/// What waits for less may be about to be taken by a slot that is free, in seconds.
const PATIENCE: f64 = 0.5;

/// A chunk to enqueue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct QueueTurn {
    /// Which chunk.
    pub id: ChunkId,
    /// Its current run.
    pub run: i32,
    /// Least first.
    pub priority: i16,
}

/// A chunk that is worked on.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct RunningSlice {
    /// By which lease.
    pub lease: Uuid,
    /// Whose.
    pub user_id: UserId,
    /// For so long, in seconds.
    pub seconds: f64,
    /// Whether its last slice gave way before it had achieved anything, and nothing was since.
    pub gave_way: bool,
    /// When its user would be served next, in virtual time.
    pub next_turn: f64,
}

/// A user with chunks that could be worked on, if there were slots.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct WaitingUser {
    /// Who.
    pub user_id: UserId,
    /// How many.
    pub chunks: i64,
    /// When the first of them comes, in virtual time.
    pub turn: f64,
}

/// How fair it is now.
#[derive(Clone, Copy, Debug, Default, FromRow)]
pub struct Fairness {
    /// Users who wait.
    pub waiting: i64,
    /// Between the one of them that has used most and the one that has used least, in
    /// seconds of slices.
    pub spread: f64,
}

/// Gives chunks of a job their turns, to be begun `at` a time or at once: one behind the other,
/// and behind those of its user that are queued, or that wait for no later time. To be enqueued
/// in the same transaction.
pub async fn turns(
    connection: &mut PgConnection,
    job: JobId,
    chunks: &[(ChunkId, i32)],
    at: Option<DateTime<Utc>>,
) -> sqlx::Result<Vec<QueueTurn>> {
    if chunks.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, runs): (Vec<ChunkId>, Vec<i32>) = chunks.iter().copied().unzip();
    // The lock keeps the count of rounds until the messages are there to be counted anew.
    sqlx::query_as(
        "with clock as (select virtual, base from pixcrawler.clock for key share),
              served as (
                select j.user_id, greatest(coalesce(max(s.used), 0), min(c.turn)) + coalesce(
                           sum(extract(epoch from now() - c.since)) filter (where c.lease is not null), 0) as used
                  from pixcrawler.chunk c
                  join public.crawl_jobs j on j.id = c.job_id
                  left join pixcrawler.share s on s.user_id = j.user_id
                 where c.id <> all ($2)
                   and (c.lease is not null or (c.state in ('queued', 'waiting') and c.since <= now()))
                 group by j.user_id),
              owner as (
                select j.user_id, clock.base, greatest(
                           clock.virtual, s.used, (select used from served where user_id = j.user_id),
                           (select min(used) from served where user_id <> j.user_id)) as start
                  from clock, public.crawl_jobs j left join pixcrawler.share s on s.user_id = j.user_id
                 where j.id = $1),
              ahead as (
                select count(*) as chunks
                  from pixcrawler.chunk c join public.crawl_jobs j on j.id = c.job_id join owner using (user_id)
                 where j.status in ('pending', 'running') and c.id <> all ($2)
                   and case when $4 is null then c.state in ('queued', 'running')
                            else c.state = 'waiting' and c.since <= $4 end)
         update pixcrawler.chunk c
            set since = coalesce($4, now()), turn = owner.start + (ahead.chunks + place - 1) * $5
           from owner, ahead, unnest($2::integer[], $3::integer[]) with ordinality as given (id, run, place)
          where c.id = given.id
      returning c.id, given.run,
                least(greatest(floor(c.turn / $5)::bigint - owner.base, -32768), 32767)::smallint as priority",
    )
    .bind(job)
    .bind(ids)
    .bind(runs)
    .bind(at)
    .bind(ROUND)
    .fetch_all(connection)
    .await
}

/// Moves the clock to a turn that is begun, and gives the virtual time by then.
pub async fn begin(connection: &mut PgConnection, turn: f64) -> sqlx::Result<f64> {
    sqlx::query_scalar("update pixcrawler.clock set virtual = greatest(virtual, $1) returning virtual")
        .bind(turn)
        .fetch_one(connection)
        .await
}

/// Charges a user for a slice that was begun at `begun` of virtual time and took so many seconds.
pub async fn charge(
    connection: &mut PgConnection,
    user: UserId,
    begun: f64,
    seconds: f64,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into pixcrawler.share as s (user_id, used) values ($1, $2 + $3)
             on conflict (user_id) do update set used = greatest(s.used, $2) + $3",
    )
    .bind(user)
    .bind(begun)
    .bind(seconds)
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts rounds from the present one where that is due: by how much all priorities in the
/// queue must be lowered in the same transaction.
pub async fn renumber(connection: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "update pixcrawler.clock c set base = due.base
           from (select base as before, floor(virtual / $1)::bigint as base from pixcrawler.clock
                  where floor(virtual / $1)::bigint - base > $2 for update) as due
      returning due.base - due.before",
    )
    .bind(ROUND)
    .bind(LONGEST_COUNT)
    .fetch_optional(connection)
    .await
}

/// Users who wait though there is something to do for them.
pub async fn waiting(pool: &PgPool) -> sqlx::Result<Vec<WaitingUser>> {
    sqlx::query_as(
        "select j.user_id, count(*) as chunks, min(c.turn) as turn
           from pixcrawler.chunk c join public.crawl_jobs j on j.id = c.job_id
          where c.state in ('queued', 'waiting') and c.since <= now() - make_interval(secs => $1)
          group by j.user_id",
    )
    .bind(PATIENCE)
    .fetch_all(pool)
    .await
}

/// All chunks that are worked on, by all workers.
pub async fn running(pool: &PgPool) -> sqlx::Result<Vec<RunningSlice>> {
    sqlx::query_as(
        "with held as (
            select c.lease, j.user_id, extract(epoch from now() - c.since)::float8 as seconds, c.gave_way
              from pixcrawler.chunk c join public.crawl_jobs j on j.id = c.job_id
             where c.lease is not null)
         select held.*, greatest(clock.virtual, coalesce(s.used, 0) + sum(seconds) over (partition by held.user_id))
                        as next_turn
           from pixcrawler.clock, held left join pixcrawler.share s using (user_id)",
    )
    .fetch_all(pool)
    .await
}

/// How fair it is now.
pub async fn measure(pool: &PgPool) -> sqlx::Result<Fairness> {
    sqlx::query_as(
        "with waiting as (
            select distinct j.user_id
              from pixcrawler.chunk c join public.crawl_jobs j on j.id = c.job_id
             where c.state in ('queued', 'waiting') and c.since <= now() - make_interval(secs => $1))
         select count(*) as waiting, coalesce(max(used) - min(used), 0) as spread
           from (select greatest(coalesce(s.used, 0), clock.virtual) as used
                   from pixcrawler.clock, waiting left join pixcrawler.share s using (user_id)) as times",
    )
    .bind(PATIENCE)
    .fetch_one(pool)
    .await
}
