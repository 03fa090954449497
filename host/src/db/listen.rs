//! What other processes tell through the database.

use std::time::Duration;

use sqlx::{PgPool, postgres::PgListener};
use tokio::time::timeout;

use crate::db::progress::CHANNEL;

/// After a silence of this length the server is asked whether it is there still: who only listens does
/// not notice when the way to it is cut.
const QUIET: Duration = Duration::from_secs(20);
/// Longest wait for that answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Hands each payload to `tell`, for ever: a connection that is lost is made anew.
/// What was told meanwhile is lost, so whoever listens also looks now and then.
pub async fn listen(pool: PgPool, mut tell: impl FnMut(&str)) {
    loop {
        if let Err(error) = hear(&pool, &mut tell).await {
            tracing::warn!(%error, "cannot listen to the database; trying again");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
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

async fn hear(pool: &PgPool, tell: &mut impl FnMut(&str)) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
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
