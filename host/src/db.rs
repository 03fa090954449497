//! The only place that holds SQL.

pub mod idempotency;
pub mod images;
pub mod jobs;
pub mod profiles;
pub mod secrets;

pub use sqlx::Error;

/// Whether the database answers.
pub async fn ping(db: &sqlx::PgPool) -> Result<(), Error> {
    sqlx::query("select 1").execute(db).await.map(drop)
}
