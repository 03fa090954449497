//! `pixcrawler.secret`: keys that all processes of a system share, the name of the database, and the
//! mark of the store that its hosts share.
//!
//! Its functions fail when the database does.

use std::time::Duration;

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

/// A key that was changed, with the one before it.
pub struct ChangedKey {
    /// The newest.
    pub current: Vec<u8>,
    /// Since it was made, up to a day.
    pub age: Duration,
    /// The one before, where it counts still.
    pub previous: Option<Vec<u8>>,
}

/// The key of this name, and the one before. Where there is none, `fresh` becomes it.
pub async fn changed_key(db: &PgPool, name: &str, fresh: &[u8]) -> sqlx::Result<ChangedKey> {
    get_or_insert(db, name, fresh).await?;
    let (current, age, previous): (_, f64, _) = sqlx::query_as(
        "select value, extract(epoch from now() - greatest(created_at, now() - interval '1 day'))::float8,
                (select value from pixcrawler.secret where name = $1 || $2)
           from pixcrawler.secret where name = $1",
    )
    .bind(name)
    .bind(PREVIOUS)
    .fetch_one(db)
    .await?;
    Ok(ChangedKey { current, age: Duration::from_secs_f64(age.max(0.0)), previous })
}

/// Makes `fresh` the key of this name. The one before stays beside it where it is to be kept, and the one
/// before that goes.
pub async fn change_key(db: &PgPool, name: &str, fresh: &[u8], keep: bool) -> sqlx::Result<()> {
    let mut transaction = db.begin().await?;
    sqlx::query("delete from pixcrawler.secret where name = $1 || $2")
        .bind(name)
        .bind(PREVIOUS)
        .execute(&mut *transaction)
        .await?;
    let before = if keep {
        "update pixcrawler.secret set name = $1 || $2 where name = $1"
    } else {
        "delete from pixcrawler.secret where name = $1 and $2 <> ''"
    };
    sqlx::query(before).bind(name).bind(PREVIOUS).execute(&mut *transaction).await?;
    sqlx::query("insert into pixcrawler.secret (name, value) values ($1, $2)")
        .bind(name)
        .bind(fresh)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// How the name of a key ends that was changed for another.
const PREVIOUS: &str = "-previous";
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
