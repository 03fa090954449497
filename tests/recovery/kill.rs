//! `kill -9` at every point that matters.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt as _};

use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{chunks, kept};
use crate::support::{
    database,
    process::System,
    site::{Reply, Site, enlarged, hashes},
};

/// A point at which a worker that takes the two halves of a job one after the other dies
/// in the second one.
const POINTS: [(&str, &str); 5] = [
    ("after the claim", "after-claim:2"),
    ("in mid-download", ""),
    ("after the object is put and before the commit", "stored@second"),
    ("after a batch", "after-batch"),
    ("between a step and its batch", "after-step:4"),
];

/// Pictures on each of the two pages.
const EACH: usize = 8;

#[tokio::test]
async fn a_source_with_no_more_than_asked_gives_the_same_whatever_dies() {
    check(100).await;
}

#[tokio::test]
async fn a_source_with_more_than_asked_gives_exactly_that_many() {
    check(12).await;
}

async fn check(wanted: usize) {
    let site = Site::start().await;
    let system = System::start(&site).await;
    for (number, (point, kill_at)) in POINTS.into_iter().enumerate() {
        let (first, second) = (format!("/{number}/first"), format!("/{number}/second"));
        let all = [site.gallery(&first, EACH, None), site.gallery(&second, EACH, None)].concat();
        let cut = format!("{second}/2.png");
        if kill_at.is_empty() {
            site.on(&cut, [Reply::Half, Reply::Picture]);
        }
        let settings = [("PIXCRAWLER_SLOTS", "1"), ("PIXCRAWLER_KILL_AT", kill_at)];
        let mut worker = system.worker(&settings[..if kill_at.is_empty() { 1 } else { 2 }]).await;
        let job = system.create(&[&first, &second], wanted).await;
        if kill_at.is_empty() {
            site.sending(&cut, 1).await;
            worker.kill().await;
        } else {
            let status = worker.exited().await;
            assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{point}");
        }
        let before = kept(&system, job).await.len();
        let whole = wanted.min(all.len());
        assert!(0 < before && before < whole, "{point}: {before} of {whole} were there");

        let worker = system.worker(&[]).await;
        let shown = system.until_status(job, "completed").await;
        let after = kept(&system, job).await;
        assert_eq!(shown["valid_images"], whole, "{point}: {shown:#}");
        if wanted > all.len() {
            assert_eq!(after, hashes(&all), "{point}");
        } else {
            assert_eq!(after.len(), wanted, "{point}");
        }
        worker.kill().await;
    }
}

/// Which of pictures that look alike is kept says their size, whichever comes first and whatever dies.
#[tokio::test]
async fn of_pictures_that_look_alike_the_same_are_kept_whatever_dies() {
    check_look_alikes(|_, first, second| [vec![first, second], Vec::new()]).await;
}

/// The same where they are of two jobs of one dataset.
#[tokio::test]
async fn of_jobs_that_run_together_the_same_are_kept_whatever_dies() {
    check_look_alikes(|number, first, second| {
        let (one, other) = if number % 2 == 0 { (first, second) } else { (second, first) };
        [vec![one], vec![other]]
    })
    .await;
}

/// Kills the worker at each point while it works on these jobs of one dataset: the addresses of each, made of
/// the number of the point and the two pages.
async fn check_look_alikes(jobs_of: impl for<'a> Fn(usize, &'a str, &'a str) -> [Vec<&'a str>; 2]) {
    let site = Site::start().await;
    let system = System::start(&site).await;
    for (number, (point, kill_at)) in
        POINTS.into_iter().filter(|(_, kill_at)| !kill_at.is_empty()).enumerate()
    {
        let (first, second) = (format!("/{number}/first"), format!("/{number}/second"));
        let all = [site.gallery(&first, EACH, None), site.gallery(&second, EACH, None)].concat();
        // The first four of a page are the first four of the other, half of them larger there.
        let mut expect = hashes(&all[4..EACH]);
        expect.extend(hashes(&all[EACH + 4..]));
        for at in 0..4 {
            let name = format!("alike {number} {at}");
            let (here, there) = if at % 2 == 0 { (1, 3) } else { (4, 2) };
            for (path, times) in [(&all[at], here), (&all[EACH + at], there)] {
                site.on(path, [Reply::Bytes(enlarged(&name, times).into())]);
            }
            expect.insert(hex::encode(Sha256::digest(enlarged(&name, here.max(there)))));
        }
        let mut jobs = Vec::new();
        let mut beside = json!({});
        for addresses in jobs_of(number, &first, &second).iter().filter(|addresses| !addresses.is_empty()) {
            let job = system.create_with(addresses, 100, beside).await;
            beside = json!({ "dataset_id": system.job(job).await["dataset_id"] });
            jobs.push(job);
        }
        let settings = [("PIXCRAWLER_SLOTS", "1"), ("PIXCRAWLER_KILL_AT", kill_at)];
        let mut worker = system.worker(&settings).await;
        let status = worker.exited().await;
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{point}");
        let worker = system.worker(&[]).await;
        for job in &jobs {
            system.until_status(*job, "completed").await;
        }
        let (mut all_kept, mut counted) = (BTreeSet::new(), [0, 0]);
        for job in jobs {
            let shown = system.job(job).await;
            all_kept.extend(kept(&system, job).await);
            counted[0] += shown["valid_images"].as_u64().unwrap();
            counted[1] += shown["duplicates"].as_u64().unwrap();
        }
        assert_eq!(all_kept, expect, "{point}");
        assert_eq!(counted, [expect.len() as u64, 4], "{point}");
        worker.kill().await;
    }
}

/// Whom a dying worker takes along comes back apart from the guilty one.
#[tokio::test]
async fn a_picture_that_kills_its_worker_ends_only_its_own_part() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &[("PIXCRAWLER_SLICE", "1s")]).await;
    let poison = site.gallery("/poison", 1, None);
    let good = [site.gallery("/a", 2, None), site.gallery("/b", 2, None)].concat();
    site.hold(&good);
    site.hold(&poison);

    let settings = [("PIXCRAWLER_SLOTS", "3"), ("PIXCRAWLER_KILL_AT", "decode@poison")];
    let job = system.create(&["/poison", "/a", "/b"], 100).await;
    for _ in 0..2 {
        let mut worker = system.worker(&settings).await;
        site.busy("/a/", 2).await;
        site.busy("/b/", 2).await;
        site.busy("/poison/", 1).await;
        site.release(&poison);
        assert_eq!(worker.exited().await.signal(), Some(Signal::KILL.as_raw()));
        site.hold(&poison);
    }
    site.release(&poison);
    let mut worker = system.worker(&settings).await;
    assert_eq!(worker.exited().await.signal(), Some(Signal::KILL.as_raw()));

    let _worker = system.worker(&settings).await;
    let failed = |job: &Value| chunks(job, "state")[0] == "failed";
    let shown = system.until(job, "the poisoned part fails", failed).await;
    let error = chunks(&shown, "error")[0].as_str().unwrap();
    assert!(error.contains("died 3 times in a row"), "{error}");
    site.release(&good);
    let shown = system.until_status(job, "completed").await;
    assert_eq!(chunks(&shown, "state"), ["failed", "exhausted", "exhausted"]);
    assert_eq!(kept(&system, job).await, hashes(&good));
}

/// A worker that dies again and again, and each time after it has got on, holds nobody guilty.
#[tokio::test]
async fn deaths_with_progress_before_each_end_nothing() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/gallery", 12, None);
    let job = system.create(&["/gallery"], 100).await;
    // One batch is written in each life, of the one picture that came by then.
    for path in &all[..4] {
        site.hold(&all);
        let settings = [("PIXCRAWLER_KILL_AT", "after-batch")];
        let mut worker = system.worker(&settings).await;
        site.busy(path, 1).await;
        site.release(std::slice::from_ref(path));
        assert_eq!(worker.exited().await.signal(), Some(Signal::KILL.as_raw()));
    }
    site.release(&all);
    let _worker = system.worker(&[]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(&all), "{shown:#}");
}

/// What others of its part achieve does not clear it, nor do they go down with it.
#[tokio::test]
async fn a_picture_that_kills_its_worker_is_found_among_others() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let mut good = site.gallery("/gallery", 8, None);
    let poison = good.remove(3);
    let settings = [("PIXCRAWLER_KILL_AT", "decode@/gallery/3.png")];
    let job = system.create(&["/gallery"], 100).await;
    site.hold(&good);
    let mut deaths = 0;
    let (shown, _worker) = loop {
        let mut worker = system.worker(&settings).await;
        let over = system.until_status(job, "completed");
        tokio::select! {
            status = worker.exited() => assert_eq!(status.signal(), Some(Signal::KILL.as_raw())),
            shown = over => break (shown, worker),
        }
        deaths += 1;
        assert!(deaths < 5, "it kills for ever");
        if deaths == 2 {
            site.release(&good);
        }
    };
    assert_eq!(deaths, 4);
    assert_eq!(chunks(&shown, "state"), ["exhausted"], "{shown:#}");
    assert_eq!(shown["refused"], serde_json::json!({ "decoder-fault": 1 }), "{shown:#}");
    assert_eq!(site.requests(&poison).len(), 4);
    assert_eq!(kept(&system, job).await, hashes(&good));
}
