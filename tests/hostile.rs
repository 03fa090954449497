//! Plugins and addresses that mean harm: each is stopped by a rule that has a name, and
//! the host goes on.

mod addresses;
mod bombs;
mod components;
mod flood;
mod pictures;
mod plugins;
mod rubbish;
mod servers;

use crate::support::{
    api::{Api, User},
    plugins::{folder, guest},
    site::{ORIGIN, Site},
};

/// Lets the guest `steps` find one picture for `query`, and gives a job that keeps it.
async fn sound_job(site: &Site, user: &User<'_>, query: &str) -> i64 {
    site.on(
        &format!("/page/1?q={query}"),
        [crate::support::site::Reply::Page(format!("{ORIGIN}/{query}.png"))],
    );
    site.on(&format!("/{query}.png"), [crate::support::site::Reply::Picture]);
    let body = serde_json::json!({ "name": "sound", "keywords": [query], "sources": ["steps"] });
    user.create(&body).await
}

/// Whether a job of [`sound_job`] did all it could.
async fn assert_sound(user: &User<'_>, job: i64) {
    let job = user.over(job).await;
    assert_eq!((&job["status"], &job["kept"]), (&"completed".into(), &1.into()), "{job:#}");
}

/// What the rows say of the chunks of a job, without an order.
async fn chunk_errors(api: &Api, job: i64) -> Vec<Option<String>> {
    sqlx::query_scalar("select error_message from job_chunks where job_id = $1")
        .bind(i32::try_from(job).unwrap())
        .fetch_all(&api.database.pool)
        .await
        .unwrap()
}
