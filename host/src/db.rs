//! The only place that holds SQL.

pub mod chunks;
pub mod export;
pub mod listen;
pub mod pace;
pub mod progress;
pub mod settle;
pub mod verdicts;

pub use sqlx::{Error, PgConnection, PgPool};

use crate::job::DatasetId;

/// Waits for and takes the lock of a dataset until the end of the transaction: whoever
/// counts slots, looks for duplicates or moves shares holds it.
async fn lock_dataset(connection: &mut PgConnection, dataset: DatasetId) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.dataset'), $1)")
        .bind(dataset)
        .execute(connection)
        .await?;
    Ok(())
}
