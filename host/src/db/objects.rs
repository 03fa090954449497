//! Which objects the rows name, as of one moment, for who compares the store with that: the sweep, the end
//! of a user, and backups. None of them deletes what another reads.
//!
//! Its functions fail when the database does.

use std::{collections::HashSet, time::Duration};

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::model::{Format, Sha256, UserId};

/// Set in a session that lives as long as the store is walked.
const SESSION: &str = "set statement_timeout = '10min'; set idle_in_transaction_session_timeout = 0";

/// The store is this one's: to delete from, or to read from.
pub struct StoreHold {
    connection: PgConnection,
}

/// An object as rows name it.
#[derive(Clone, Copy, Debug)]
pub struct NamedObject {
    /// Its place in the list.
    pub number: i64,
    /// Whose.
    pub user: UserId,
    /// Of its bytes.
    pub sha256: Sha256,
    /// Of the picture.
    pub format: Format,
}

/// How much there is, as of the same moment as the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize, serde::Deserialize)]
pub struct RowCounts {
    /// Profiles.
    pub users: i64,
    /// Crawl jobs.
    pub jobs: i64,
    /// Images, those included that were refused.
    pub images: i64,
    /// Objects that they name.
    pub objects: i64,
    /// Migration that was applied last.
    pub migration: i64,
    /// Major version of the server.
    pub postgres: i32,
}

impl StoreHold {
    /// To delete objects; none while others hold the store.
    pub async fn to_delete(pool: &PgPool) -> sqlx::Result<Option<Self>> {
        Self::take(pool, "select pg_try_advisory_lock(hashtext('pixcrawler.objects'))").await
    }

    /// The same for what takes a moment: others who do that are waited for, for some seconds.
    pub async fn to_delete_some(pool: &PgPool) -> sqlx::Result<Option<Self>> {
        let mut connection = pool.acquire().await?.detach();
        let lock = sqlx::query("select pg_advisory_lock(hashtext('pixcrawler.objects'))");
        match lock.execute(&mut connection).await {
            Ok(_) => Ok(Some(Self { connection })),
            Err(error) if super::is_busy(&error) => {
                connection.close().await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// To read objects, beside others who read; none while one deletes.
    pub async fn to_read(pool: &PgPool) -> sqlx::Result<Option<Self>> {
        Self::take(pool, "select pg_try_advisory_lock_shared(hashtext('pixcrawler.objects'))").await
    }

    async fn take(pool: &PgPool, lock: &'static str) -> sqlx::Result<Option<Self>> {
        // Of its own: the lock goes with it, come what may.
        let mut connection = pool.acquire().await?.detach();
        sqlx::raw_sql(SESSION).execute(&mut connection).await?;
        if sqlx::query_scalar(lock).fetch_one(&mut connection).await? {
            return Ok(Some(Self { connection }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Makes the list of what is named, in a table of this session, whose size is the disk's business.
    pub async fn list(&mut self) -> sqlx::Result<()> {
        sqlx::raw_sql(
            "set client_min_messages = warning;
             drop table if exists pg_temp.named_object;
             create temporary table named_object as
             select row_number() over () as number, user_id, hash, format, false as seen
               from (select user_id, hash, min(format) as format from public.images
                      where is_valid and not is_duplicate and user_id is not null and hash ~ '^[0-9a-f]{64}$'
                      group by user_id, hash) as named;
             create index on pg_temp.named_object (user_id, hash);
             create index on pg_temp.named_object (number);
             analyze pg_temp.named_object",
        )
        .execute(&mut self.connection)
        .await
        .map(drop)
    }

    /// The same, in a transaction whose state of all tables others can read by the name that this gives,
    /// as long as this is there.
    pub async fn list_as_of_now(&mut self) -> sqlx::Result<String> {
        sqlx::raw_sql("begin isolation level repeatable read").execute(&mut self.connection).await?;
        let name = sqlx::query_scalar("select pg_export_snapshot()").fetch_one(&mut self.connection).await?;
        self.list().await?;
        Ok(name)
    }

    /// How much there is.
    pub async fn counts(&mut self) -> sqlx::Result<RowCounts> {
        sqlx::query_as(
            "select (select count(*) from public.profiles) as users,
                    (select count(*) from public.crawl_jobs) as jobs,
                    (select count(*) from public.images) as images,
                    (select count(*) from pg_temp.named_object) as objects,
                    (select max(version) from pixcrawler.migration) as migration,
                    current_setting('server_version_num')::integer / 10000 as postgres",
        )
        .fetch_one(&mut self.connection)
        .await
    }

    /// Those of the list that come after a number, in order. What is of no known format is left out.
    pub async fn page(&mut self, after: i64, limit: i64) -> sqlx::Result<(Vec<NamedObject>, Option<i64>)> {
        let rows = sqlx::query_as(
            "select number, user_id, hash, format from pg_temp.named_object where number > $1 order by number limit $2",
        );
        Ok(page_of(rows.bind(after).bind(limit).fetch_all(&mut self.connection).await?))
    }

    /// The same, without those that were seen.
    pub async fn unseen_page(
        &mut self,
        after: i64,
        limit: i64,
    ) -> sqlx::Result<(Vec<NamedObject>, Option<i64>)> {
        let rows = sqlx::query_as(
            "select number, user_id, hash, format from pg_temp.named_object
              where number > $1 and not seen order by number limit $2",
        );
        Ok(page_of(rows.bind(after).bind(limit).fetch_all(&mut self.connection).await?))
    }

    /// Those of these hashes that a row of this user names, by the list, which have been seen in the store
    /// from now on.
    pub async fn see(&mut self, user: UserId, hashes: &[String]) -> sqlx::Result<HashSet<String>> {
        let named = sqlx::query_scalar(
            "update pg_temp.named_object set seen = true where user_id = $1 and hash = any ($2) returning hash",
        );
        let named: Vec<String> = named.bind(user).bind(hashes).fetch_all(&mut self.connection).await?;
        Ok(named.into_iter().collect())
    }

    /// Those of these hashes that a row of this user names, by the list.
    pub async fn named(&mut self, user: UserId, hashes: &[String]) -> sqlx::Result<HashSet<String>> {
        let named = sqlx::query_scalar(
            "select hash from pg_temp.named_object where user_id = $1 and hash = any ($2)",
        );
        let named: Vec<String> = named.bind(user).bind(hashes).fetch_all(&mut self.connection).await?;
        Ok(named.into_iter().collect())
    }

    /// Notes that objects in a bucket are to be deleted, by a later sweep.
    pub async fn note(&mut self, user: UserId, hashes: &[String]) -> sqlx::Result<()> {
        let noted = sqlx::query(
            "insert into pixcrawler.object_to_delete (user_id, hash) select $1, unnest($2) on conflict do nothing",
        );
        noted.bind(user).bind(hashes).execute(&mut self.connection).await.map(drop)
    }

    /// Those of these that were noted long ago: who began to put one before that is done with it.
    pub async fn noted(&mut self, user: UserId, hashes: &[String]) -> sqlx::Result<HashSet<String>> {
        let noted = sqlx::query_scalar(
            "select hash from pixcrawler.object_to_delete
              where user_id = $1 and hash = any ($2) and noted_at < now() - interval '10 minutes'",
        );
        let noted: Vec<String> = noted.bind(user).bind(hashes).fetch_all(&mut self.connection).await?;
        Ok(noted.into_iter().collect())
    }

    /// The same, and nobody puts one from now on for as long as requests may be on their way.
    pub async fn begin_deletion(&mut self, user: UserId, hashes: &[String]) -> sqlx::Result<HashSet<String>> {
        let begun = sqlx::query_scalar(
            "update pixcrawler.object_to_delete set deleting_at = now()
              where user_id = $1 and hash = any ($2) and noted_at < now() - interval '10 minutes'
             returning hash",
        );
        let begun: Vec<String> = begun.bind(user).bind(hashes).fetch_all(&mut self.connection).await?;
        Ok(begun.into_iter().collect())
    }

    /// No request is on its way any more.
    pub async fn end_deletion(&mut self, user: UserId, hashes: &[String]) -> sqlx::Result<()> {
        sqlx::query("delete from pixcrawler.object_to_delete where user_id = $1 and hash = any ($2)")
            .bind(user)
            .bind(hashes)
            .execute(&mut self.connection)
            .await
            .map(drop)
    }

    /// Forgets what was noted long ago and is there no more, or named again, at the end of a sweep.
    pub async fn forget_notes(&mut self) -> sqlx::Result<()> {
        sqlx::query("delete from pixcrawler.object_to_delete where noted_at < now() - interval '7 days'")
            .execute(&mut self.connection)
            .await
            .map(drop)
    }

    /// Whether a row of this user names it now, and not only by the list.
    pub async fn is_named(&mut self, object: NamedObject) -> sqlx::Result<bool> {
        sqlx::query_scalar(
            "select exists (select from public.datasets d join public.images i on i.dataset_id = d.id
                             where d.user_id = $1 and i.hash = $2 and i.is_valid and not i.is_duplicate)",
        )
        .bind(object.user)
        .bind(object.sha256.to_string())
        .fetch_one(&mut self.connection)
        .await
    }

    /// Rows of `auth.users` as JSON, those whose id comes after this one, in order; with the last id.
    pub async fn accounts(&mut self, after: Uuid, limit: i64) -> sqlx::Result<(Vec<String>, Option<Uuid>)> {
        let rows: Vec<(Uuid, String)> = sqlx::query_as(
            "select id, to_jsonb(u)::text from auth.users u where id > $1 order by id limit $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let last = rows.last().map(|(id, _)| *id);
        Ok((rows.into_iter().map(|(_, row)| row).collect(), last))
    }

    /// Roles to whom something is granted in these schemas, or who are named by a policy there; those that
    /// Postgres brings and Supabase's own superuser left out.
    pub async fn grantees(&mut self, schemas: &[&str]) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(
            "with place as (select oid, nspacl from pg_namespace where nspname = any ($1)),
                  granted as (
                    select nspacl as acl from place
                    union all select relacl from pg_class join place on place.oid = relnamespace
                    union all select attacl from pg_attribute a join pg_class c on c.oid = a.attrelid
                                join place on place.oid = c.relnamespace
                    union all select proacl from pg_proc join place on place.oid = pronamespace
                    union all select typacl from pg_type join place on place.oid = typnamespace),
                  named as (
                    select grantee as role from granted, aclexplode(acl)
                    union select unnest(polroles) from pg_policy p join pg_class c on c.oid = p.polrelid
                            join place on place.oid = c.relnamespace)
             select rolname::text from pg_roles join named on role = oid
              where rolname !~ '^pg_' and rolname <> 'supabase_admin' order by rolname",
        )
        .bind(schemas)
        .fetch_all(&mut self.connection)
        .await
    }

    /// Lets go of the store.
    pub async fn end(self) -> sqlx::Result<()> {
        self.connection.close().await
    }
}

/// Whether it is time to do `what` again, which nobody did for so long; then it counts as done now.
pub async fn is_due(pool: &PgPool, what: &str, every: Duration) -> sqlx::Result<bool> {
    let due: Option<(bool,)> = sqlx::query_as(
        "insert into pixcrawler.upkeep (what, last) values ($1, now())
             on conflict (what) do update set last = now()
          where upkeep.last < now() - make_interval(secs => $2)
      returning true",
    )
    .bind(what)
    .bind(every.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    Ok(due.is_some())
}

/// What was due could not be done: it is due still.
pub async fn is_due_still(pool: &PgPool, what: &str) -> sqlx::Result<()> {
    let update = sqlx::query("update pixcrawler.upkeep set last = '-infinity' where what = $1");
    update.bind(what).execute(pool).await.map(drop)
}

fn page_of(rows: Vec<(i64, UserId, String, Option<String>)>) -> (Vec<NamedObject>, Option<i64>) {
    let last = rows.last().map(|(number, ..)| *number);
    let objects = rows.into_iter().filter_map(|(number, user, hash, format)| {
        let (sha256, format) = Sha256::parse(&hash).zip(Format::named(&format?))?;
        Some(NamedObject { number, user, sha256, format })
    });
    (objects.collect(), last)
}

/// Takes an object off those that are to be deleted, before it is put. False while it is being deleted: put
/// now, it might be gone at once.
pub async fn spare(pool: &PgPool, user: UserId, sha256: &Sha256) -> sqlx::Result<bool> {
    // What a sweep left unfinished is over by then.
    sqlx::query_scalar(
        "with spared as (
             delete from pixcrawler.object_to_delete
              where user_id = $1 and hash = $2
                and (deleting_at is null or deleting_at < now() - interval '5 minutes')
             returning hash
         )
         select exists (select from spared)
             or not exists (select from pixcrawler.object_to_delete where user_id = $1 and hash = $2)",
    )
    .bind(user)
    .bind(sha256.to_string())
    .fetch_one(pool)
    .await
}

/// Whether a row names an object.
pub async fn is_any_named(pool: &PgPool) -> sqlx::Result<bool> {
    let any =
        "select exists (select from public.images where is_valid and not is_duplicate and hash is not null)";
    sqlx::query_scalar(any).fetch_one(pool).await
}

/// Waits until nobody else of this database looks at the mark of a store and writes it where it is absent;
/// those who come later wait for the end of this.
pub async fn turn_to_mark(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut turn = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.mark'))").execute(&mut *turn).await?;
    Ok(turn)
}
