//! What other processes tell through the database.

use std::time::{Duration, Instant};

use sqlx::{PgPool, postgres::PgListener};
use tokio::time::timeout;

use crate::db::progress::CHANNEL;

/// After a silence of this length the server is asked whether it is there still: who only listens does
/// not notice when the way to it is cut.
const QUIET: Duration = Duration::from_secs(20);
/// Longest wait for that answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Hands each payload to `tell`, for ever: a connection that is lost is made anew.
/// What was told meanwhile is lost, so whoever listens also looks now and then. As it always tries, it
/// also logs for all when the database is out of reach, and when it is back.
pub async fn listen(pool: PgPool, mut tell: impl FnMut(&str)) {
    let mut lost: Option<Instant> = None;
    loop {
        match open(&pool).await {
            Ok(listener) => {
                if let Some(since) = lost.take() {
                    tracing::info!(
                        event = "database-back",
                        seconds = since.elapsed().as_secs(),
                        "the database is back"
                    );
                }
                if let Err(error) = hear(listener, &mut tell).await {
                    tracing::debug!(%error, "the session that listens to the database has ended");
                }
            }
            Err(error) => {
                if lost.is_none() {
                    tracing::warn!(event = "database-lost", %error, "the database is out of reach; trying again");
                }
                lost.get_or_insert_with(Instant::now);
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn open(pool: &PgPool) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Whether what is told is heard: poolers that share sessions swallow it.
///
/// # Errors
/// When the database fails.
pub async fn is_heard(pool: &PgPool, patience: Duration) -> sqlx::Result<bool> {
    const TRIAL: &str = "pixcrawler_trial";
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(TRIAL).await?;
    sqlx::query("select pg_notify($1, '')").bind(TRIAL).execute(pool).await?;
    match timeout(patience, listener.recv()).await {
        Ok(heard) => heard.map(|_| true),
        Err(_) => Ok(false),
    }
}

async fn hear(mut listener: PgListener, tell: &mut impl FnMut(&str)) -> sqlx::Result<()> {
    loop {
        match timeout(QUIET, listener.try_recv()).await {
            Ok(heard) => match heard? {
                Some(notification) => tell(notification.payload()),
                None => return Ok(()),
            },
            Err(_) => {
                let answered = timeout(ANSWER, sqlx::query("select 1").execute(&mut listener)).await;
                answered.map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}
