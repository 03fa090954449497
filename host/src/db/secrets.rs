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
/// Name of the name of the database, and of where it got that.
const NAME: &str = "database-name";
const HOME: &str = "database-home";
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

/// The name of this database, which no other has: one that finds itself elsewhere than where it got its name is a
/// copy, and gets another.
pub async fn database_name(db: &PgPool) -> sqlx::Result<String> {
    let Some(home) = home(db).await? else {
        return Ok(hex::encode(get_or_insert(db, NAME, Uuid::new_v4().as_bytes()).await?));
    };
    let mut turn = db.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.name'))").execute(&mut *turn).await?;
    let (name, known): (Option<Vec<u8>>, Option<Vec<u8>>) = sqlx::query_as(
        "select (select value from pixcrawler.secret where name = $1),
                (select value from pixcrawler.secret where name = $2)",
    )
    .bind(NAME)
    .bind(HOME)
    .fetch_one(&mut *turn)
    .await?;
    let is_copy = known.as_ref().is_some_and(|known| *known != home);
    let name = match name {
        // One that got it from an earlier version has it from here.
        Some(name) if !is_copy => name,
        _ => Uuid::new_v4().as_bytes().to_vec(),
    };
    for (row, value) in [(NAME, &name), (HOME, &home)] {
        sqlx::query(
            "insert into pixcrawler.secret (name, value) values ($1, $2)
                 on conflict (name) do update set value = excluded.value where secret.value <> excluded.value",
        )
        .bind(row)
        .bind(value)
        .execute(&mut *turn)
        .await?;
    }
    turn.commit().await?;
    if is_copy {
        tracing::warn!(
            event = "database-copied",
            "this database is a copy of another, or its server was made anew: it has a name of its own from now on"
        );
    }
    Ok(hex::encode(name))
}

/// Takes this name from a database that was restored from a backup of the one called so: who asks next makes another.
pub async fn leave_database_name(db: &PgPool, name: &str) -> sqlx::Result<()> {
    let left = sqlx::query(
        "delete from pixcrawler.secret
          where name in ($1, $2)
            and exists (select from pixcrawler.secret where name = $1 and encode(value, 'hex') = $3)",
    );
    left.bind(NAME).bind(HOME).bind(name).execute(db).await.map(drop)
}

/// What tells where a database is from where a copy of it is: its server and its number there. None where the
/// server does not tell.
async fn home(db: &PgPool) -> sqlx::Result<Option<Vec<u8>>> {
    let tells = sqlx::query_scalar("select has_function_privilege('pg_control_system()', 'execute')");
    if !tells.fetch_one(db).await? {
        return Ok(None);
    }
    let home: String = sqlx::query_scalar(
        "select system_identifier || '/' || oid from pg_control_system(), pg_database where datname = current_database()",
    )
    .fetch_one(db)
    .await?;
    Ok(Some(home.into_bytes()))
}
