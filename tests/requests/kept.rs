//! What a source asks for again and again is asked of the site once.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use super::{create, job, museum, thing, things};
use crate::support::{
    process::System,
    site::{Reply, Site},
};

/// Requests that count against the budget of the job's only chunk.
async fn asked(system: &System, job: i64) -> i32 {
    sqlx::query_scalar("select asked from pixcrawler.chunk where job_id = $1")
        .bind(i32::try_from(job).unwrap())
        .fetch_one(&system.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_list_is_asked_for_once_and_again_by_another_worker() {
    let site = Site::start().await;
    let (system, _plugins) = museum(&site, &[]).await;
    things(&site, "fox", 1..6);
    let worker = system.worker(&[]).await;
    let id = create(&system, &job(&["fox"])).await;
    let shown = system.until_status(id, "completed").await;
    assert_eq!(shown["kept"], 5, "{shown:#}");
    assert_eq!((site.requests("/list").len(), site.requests("/thing/").len()), (1, 5));
    assert_eq!(asked(&system, id).await, 6);
    worker.kill().await;

    things(&site, "owl", 11..16);
    let mut dying = system.worker(&[("PIXCRAWLER_KILL_AT", "after-step:3")]).await;
    let id = create(&system, &job(&["owl"])).await;
    assert_eq!(dying.exited().await.signal(), Some(Signal::KILL.as_raw()));
    let _worker = system.worker(&[]).await;
    let shown = system.until_status(id, "completed").await;
    assert_eq!(shown["kept"], 5, "{shown:#}");
    assert_eq!(site.requests("/list?q=owl").len(), 2);
    for id in 11..16 {
        assert_eq!(site.requests(&thing(id)).len(), 1);
    }
}

#[tokio::test]
async fn what_a_source_could_not_use_is_asked_for_anew() {
    let site = Site::start().await;
    let (system, _plugins) = museum(&site, &[]).await;
    let list = things(&site, "fox", 1..6);
    let slow_down = Reply::Page("slow down".to_owned());
    site.on("/list?q=fox", [slow_down, Reply::Page(list)]);
    let _worker = system.worker(&[]).await;
    let id = create(&system, &job(&["fox"])).await;
    let shown = system.until_status(id, "completed").await;
    assert_eq!(shown["kept"], 5, "{shown:#}");
    assert_eq!((site.requests("/list").len(), site.requests("/thing/").len()), (2, 5));
    assert_eq!(asked(&system, id).await, 7);
}

/// Each request but the first of a step comes too early here.
#[tokio::test]
async fn a_step_that_is_put_off_goes_on_where_it_was() {
    let site = Site::start().await;
    let (system, _plugins) = museum(&site, &[("PIXCRAWLER_LONGEST_SLEEP", "0s")]).await;
    things(&site, "fox", 1..6);
    let _worker = system.worker(&[]).await;
    let id = create(&system, &job(&["fox"])).await;
    let shown = system.until_status(id, "completed").await;
    assert_eq!(shown["kept"], 5, "{shown:#}");
    assert_eq!((site.requests("/list").len(), site.requests("/thing/").len()), (1, 5));
    assert_eq!(asked(&system, id).await, 6);
}
