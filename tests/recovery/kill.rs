//! `kill -9` at every point that matters.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use super::kept;
use crate::support::{
    process::System,
    site::{Reply, Site, hashes},
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
