//! `pixcrawler.secret`: keys that all processes of a system share, and the name of the database.
//!
//! Its functions fail when the database does.

use sqlx::PgPool;
use uuid::Uuid;

/// The secret of this name. Where there is none, `fresh` becomes it; of two processes that
/// do this at the same time both get the same.
pub async fn get_or_insert(db: &PgPool, name: &str, fresh: &[u8]) -> sqlx::Result<Vec<u8>> {
    sqlx::query("insert into pixcrawler.secret (name, value) values ($1, $2) on conflict (name) do nothing")
        .bind(name)
        .bind(fresh)
        .execute(db)
        .await?;
    sqlx::query_scalar("select value from pixcrawler.secret where name = $1").bind(name).fetch_one(db).await
}

/// The name of this database, which no other has but one that was restored from it.
pub async fn database_name(db: &PgPool) -> sqlx::Result<String> {
    let name = get_or_insert(db, "database-name", Uuid::new_v4().as_bytes()).await?;
    Ok(hex::encode(name))
}
