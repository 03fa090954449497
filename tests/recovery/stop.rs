//! What ends work on purpose: a user's cancel, a signal to the process.

use super::{chunks, kept};
use crate::support::{
    database,
    process::{ENDLESS, System},
    site::{Reply, Site, hashes},
};

#[tokio::test]
async fn a_cancel_closes_the_sockets_of_a_worker() {
    cancel(1).await;
}

#[tokio::test]
async fn a_cancel_reaches_every_process_that_holds_a_chunk() {
    cancel(2).await;
}

/// Cancels while each of these workers holds a chunk, with twenty downloads together.
async fn cancel(workers: usize) {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &ENDLESS).await;
    let (mut paths, mut quick, mut running) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..workers {
        let path = format!("/{number}");
        let mut pictures = site.gallery(&path, 3 + 20 / workers, None);
        for slow in pictures.split_off(3) {
            site.on(&slow, [Reply::Trickle]);
        }
        quick.extend(pictures);
        paths.push(path);
        let settings = [("PIXCRAWLER_SLOTS", "1"), ("PIXCRAWLER_DOWNLOADS", "23")];
        running.push(system.worker(&settings).await);
    }
    let job = system.create(&paths.iter().map(String::as_str).collect::<Vec<_>>(), 100).await;
    site.sending("/", 20).await;
    system.until(job, "the quick pictures are kept", |job| job["kept"] == quick.len()).await;

    system.tell(job, "cancel").await;
    site.closed("/").await;
    let shown = system.job(job).await;
    assert_eq!(shown["status"], "cancelled");
    assert!(chunks(&shown, "state").iter().all(|state| *state == "cancelled"), "{shown:#}");
    assert_eq!(kept(&system, job).await, hashes(&quick));
    for worker in &running {
        worker.logged("cancel-heard").await;
        assert_eq!(worker.lines("chunk-claimed").len(), 1, "each held a chunk");
    }
}

#[tokio::test]
async fn a_cancel_ends_a_wait() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/gallery", 2, None);
    site.on(&all[1], [Reply::Held(Box::new(Reply::Status(429, Some(3600))))]);
    let worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 100).await;
    // It closes the host to the other one, too.
    system.until(job, "the other one is kept", |job| job["kept"] == 1).await;
    site.release(&all[1..]);
    let shown = system.until(job, "it waits", |job| chunks(job, "state")[0] == "waiting").await;
    assert!(chunks(&shown, "waiting_until")[0].is_string(), "{shown:#}");

    let shown = system.tell(job, "cancel").await;
    assert_eq!((&shown["status"], &shown["kept"]), (&"cancelled".into(), &1.into()));
    // Its message is stale: when its time comes, ahead of another job's, nothing is asked,
    // not even by a worker that does not know that the site wants to be left alone.
    worker.kill().await;
    let _worker = system.worker(&[]).await;
    let asked = site.requests("/gallery").len();
    system.hurry().await;
    site.gallery("/other", 1, None);
    system.crawl(&["/other"], 1).await;
    assert_eq!(site.requests("/gallery").len(), asked);
    assert_eq!(system.job(job).await["status"], "cancelled");
    assert_eq!(kept(&system, job).await, hashes(&all[..1]));
}

#[tokio::test]
async fn a_stop_hands_the_work_to_another_worker_at_once() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &ENDLESS).await;
    let all = site.gallery("/gallery", 8, None);
    let (quick, slow) = all.split_at(4);
    site.hold(slow);
    let mut first = system.server(&[]).await;
    let job = system.create(&["/gallery"], 100).await;
    site.busy("/gallery/", 4).await;
    system.until(job, "the quick pictures are kept", |job| job["kept"] == 4).await;
    let _second = system.worker(&[]).await;

    first.terminate();
    let status = first.exited().await;
    assert_eq!((status.code(), first.lines("stop-overdue").len()), (Some(0), 0));
    site.busy("/gallery/", 4).await;
    site.release(slow);
    system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(&all));
    for path in quick {
        assert_eq!(site.requests(path).len(), 1, "{path} was fetched again");
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/gallery", 2, None);
    site.on(&all[1], [Reply::Hang]);
    let mut worker = system.worker(&[]).await;
    system.create(&["/gallery"], 100).await;
    site.busy(&all[1], 1).await;
    worker.terminate();
    worker.logged("stopping").await;
    worker.terminate();
    // Whoever gives back what it holds ends with 0.
    assert_eq!(worker.exited().await.code(), Some(130));
}
