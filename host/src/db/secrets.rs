//! `pixcrawler.secret`: keys that all processes of a system share, the name of the database, and the
//! mark of the store that its hosts share.
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

/// Name of the mark of the store.
const STORE: &str = "store";

/// The mark of the store that the hosts of this database share, if one is known.
pub async fn shared_store(db: &PgPool) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar("select value from pixcrawler.secret where name = $1")
        .bind(STORE)
        .fetch_optional(db)
        .await
}

/// Takes the store with this mark for the one that the hosts of this database share.
pub async fn share_store(db: &PgPool, mark: &str) -> sqlx::Result<()> {
    sqlx::query(
        "insert into pixcrawler.secret (name, value) values ($1, $2)
             on conflict (name) do update set value = excluded.value",
    )
    .bind(STORE)
    .bind(mark.as_bytes())
    .execute(db)
    .await?;
    Ok(())
}

/// The name of this database, which no other has but one that was restored from it.
pub async fn database_name(db: &PgPool) -> sqlx::Result<String> {
    let name = get_or_insert(db, "database-name", Uuid::new_v4().as_bytes()).await?;
    Ok(hex::encode(name))
}
