//! `pixcrawler.host`: the hosts that run, and which credentials each has.
//!
//! Its functions fail when the database does.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool, types::Json};
use uuid::Uuid;

/// A host that says that it runs.
#[derive(Clone, Debug, FromRow)]
pub struct HostRow {
    /// Of this run of it.
    pub id: Uuid,
    /// `server` or `worker`.
    pub role: String,
    /// On its machine.
    pub pid: i32,
    /// Name of the machine, where the system tells.
    pub machine: Option<String>,
    /// By source.
    #[sqlx(json)]
    pub credentials: BTreeMap<String, HostCredentials>,
}

/// What a host has for one source: no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCredentials {
    /// Of the credentials.
    pub names: Vec<String>,
    /// Tells them from others.
    pub mark: i32,
}

/// Says that a host runs and what it has. Forgets those that have said nothing for a day.
pub async fn announce(pool: &PgPool, host: &HostRow) -> sqlx::Result<()> {
    sqlx::query(
        "with old as (delete from pixcrawler.host where seen_at < now() - interval '1 day')
         insert into pixcrawler.host (id, role, pid, machine, credentials) values ($1, $2, $3, $4, $5)
             on conflict (id) do update set credentials = excluded.credentials, seen_at = now()",
    )
    .bind(host.id)
    .bind(&host.role)
    .bind(host.pid)
    .bind(&host.machine)
    .bind(Json(&host.credentials))
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets a host that ends.
pub async fn leave(pool: &PgPool, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from pixcrawler.host where id = $1").bind(id).execute(pool).await?;
    Ok(())
}

/// Those that have said so within this time, servers before workers, and who runs longest first.
pub async fn running(pool: &PgPool, within: Duration) -> sqlx::Result<Vec<HostRow>> {
    sqlx::query_as(
        "select id, role, pid, machine, credentials from pixcrawler.host
          where seen_at > now() - make_interval(secs => $1)
          order by role, started_at, id",
    )
    .bind(within.as_secs_f64())
    .fetch_all(pool)
    .await
}
