//! One picture of the backlog: download, check, store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use url::Url;

use crate::{
    app::{App, CredentialSet},
    consent,
    crawl::{
        decode::{DecodeResult, DecoderUnavailable, Decoders, Owner},
        failpoint::Failpoint,
        stats::SliceStats,
    },
    db::{
        chunks::{BacklogEntry, Deferral, MOST_INTERRUPTIONS, ReceivedBody, RejectedCopy},
        image_batch::JudgedImage,
        images, removals,
    },
    fetch::{CookieJar, Fetcher},
    model::{
        AcceptedImage, Checksum, ConsentSignal, DatasetId, Decoded, Grants, Refusal, Rejection, RemovalKey,
        Rules, Sha256, add_signals,
    },
    runner::ResponseCache,
    services::objects::KeepError,
    validate,
};

/// A copy whose host asked this often to come back later is refused.
const MOST_HOLDS: i32 = 6;
/// Longer than this no copy is waited for while there is another of another origin.
const WORTH_WAITING: Duration = Duration::from_secs(60);
/// Copies of one picture that are tried, its own address included.
const MOST_COPIES: usize = 16;

/// After the host failed, chunks come back this much later to see whether it works again.
const HOST_PAUSE: Duration = Duration::from_secs(30);

/// What the pictures of one chunk have in common.
pub(super) struct ChunkContext {
    pub(super) app: App,
    /// With the cookies of the chunk.
    pub(super) fetcher: Fetcher,
    pub(super) jar: CookieJar,
    pub(super) decoders: Arc<Decoders>,
    pub(super) failpoint: Arc<Failpoint>,
    /// Answers that the source will ask for again.
    pub(super) responses: ResponseCache,
    /// Set when an object could not be written; the worker then looks before it goes on.
    pub(super) store_failed: Arc<AtomicBool>,
    pub(super) owner: Owner,
    pub(super) dataset: DatasetId,
    pub(super) rules: Rules,
    /// Perceptual hashes of pictures that the job does not want, 32 bytes each.
    pub(super) unlike: Vec<u8>,
    /// Whether anything is kept out of the dataset, as of the beginning of the slice.
    pub(super) keeps_out: bool,
    pub(super) grants: Grants,
    /// Those that are in the grants, so that what is said of them is not said of later ones.
    pub(super) credentials: Arc<CredentialSet>,
    pub(super) stats: Arc<SliceStats>,
}

/// What became of a picture.
pub(super) enum ImageOutcome {
    /// It is accepted or rejected; the verdict is to be written.
    Judged(Box<JudgedImage>),
    /// The copy was refused, and there is another; this is the picture with it.
    NextCopy(Box<BacklogEntry>),
    /// Its host asks to come back later.
    Deferred { until: DateTime<Utc> },
    /// Its host does not accept the source's credential; nothing is said about the picture.
    Unauthorized { reason: String },
    /// This machine cannot go on for now; nothing is said about the picture.
    HostFailed(Deferral),
}

/// A file that was checked.
struct CheckedFile {
    sha256: Sha256,
    /// What it says itself of its use.
    signals: Vec<ConsentSignal>,
    result: Result<AcceptedImage, Rejection>,
}

impl ChunkContext {
    /// Takes one copy of a picture through the pipeline. Dropping the future closes its connection.
    pub(super) async fn process(&self, entry: BacklogEntry) -> ImageOutcome {
        let id = entry.id;
        if entry.interruptions > MOST_INTERRUPTIONS {
            let detail = format!("the worker died {} times while it tried this picture", entry.interruptions);
            return reject(entry, None, Rejection { reason: Refusal::DecoderFault, detail }, Vec::new());
        }
        let mut signals = entry.candidate.consent.clone();
        if let Err(rejection) = self.rules.consent.check(&signals) {
            return reject(entry, None, rejection, signals);
        }
        let license = entry.candidate.license.as_ref().map(|license| license.id.as_str());
        if let Err(rejection) = self.rules.check_license(license) {
            return reject(entry, None, rejection, signals);
        }
        let url = entry.address().to_owned();
        let mut keys = RemovalKey::of_candidate(&entry.candidate);
        keys.extend(RemovalKey::of_address(&url));
        if let Some(rejection) = self.kept_out(&keys).await {
            return reject(entry, None, rejection, signals);
        }
        let metrics = &self.app.metrics;
        let download = self.fetcher.download(&self.grants, &entry.candidate, &url);
        let download = match metrics.download(download).await {
            Ok(download) => download,
            Err(error) if error.is_unauthorized() => {
                let name = entry.candidate.credential.as_deref().unwrap_or_default();
                let reason = format!("its pictures need another credential `{name}`: {error}");
                return ImageOutcome::Unauthorized { reason };
            }
            Err(error) => {
                let rejection = Rejection::new(error.refusal(), error.to_string());
                add_signals(&mut signals, error.signals().iter().cloned());
                return match error.retry_after {
                    Some(after) => defer_or_next_copy(entry, rejection, after, signals),
                    None => next_copy_or_reject(entry, None, rejection, signals),
                };
            }
        };
        metrics.received(download.bytes.len());
        self.failpoint.hit("decode", &url);
        // Another copy may have other bytes.
        let declared = entry.candidate.checksum.clone().filter(|_| url == entry.candidate.url);
        let CheckedFile { sha256, signals: in_file, result } = match self
            .check(&download.bytes, declared, entry.again)
            .await
        {
            Ok(checked) => checked,
            Err(error) => {
                tracing::error!(error = %crate::error::chain(&error), "pictures cannot be decoded");
                return ImageOutcome::HostFailed(host_failed_deferral("images cannot be decoded for now"));
            }
        };
        let body = ReceivedBody { final_url: download.url, size: download.bytes.len() as u64, sha256 };
        add_signals(&mut signals, download.signals.into_iter().chain(in_file));
        let image = match result {
            Ok(image) => image,
            Err(rejection) => return next_copy_or_reject(entry, Some(body), rejection, signals),
        };
        let mut keys = vec![RemovalKey::of_bytes(&sha256)];
        keys.extend(RemovalKey::of_address(&body.final_url));
        if let Some(rejection) = self.kept_out(&keys).await {
            return reject(entry, Some(body), rejection, signals);
        }
        match self.app.keep_object(self.owner.user, &sha256, image.format, download.bytes).await {
            Ok(()) => {}
            Err(KeepError::Deleting) => {
                return ImageOutcome::HostFailed(host_failed_deferral("the same picture is being swept"));
            }
            Err(KeepError::Store(error)) if error.is_too_large() => {
                let detail = format!("the bucket takes no object of {} bytes", body.size);
                let rejection = Rejection::new(Refusal::TooLarge, detail);
                return next_copy_or_reject(entry, Some(body), rejection, signals);
            }
            Err(error) => {
                tracing::error!(error = %crate::error::chain(&error), "an image cannot be stored");
                self.store_failed.store(true, Ordering::Relaxed);
                return ImageOutcome::HostFailed(store_failed_deferral());
            }
        }
        self.failpoint.hit("stored", &url);
        ImageOutcome::Judged(Box::new(JudgedImage {
            id,
            address: url,
            candidate: entry.candidate,
            body: Some(body),
            rejected_copies: entry.refused,
            consent: signals,
            outcome: Ok(image),
        }))
    }

    /// Checks a file completely; what it reserves is not decoded. Bytes that this process decoded not long ago, or that the dataset
    /// has a row of, are not decoded again, unless they are to be tried `again`.
    async fn check(
        &self,
        bytes: &Bytes,
        declared: Option<Checksum>,
        again: bool,
    ) -> Result<CheckedFile, DecoderUnavailable> {
        let limits = *self.decoders.limits();
        let file = bytes.clone();
        let inspected = tokio::task::spawn_blocking(move || {
            let header = validate::inspect(&file, &limits);
            let checksum = declared.map_or(Ok(()), |declared| validate::check_checksum(&file, &declared));
            let signals = header.as_ref().map_or_else(
                |_| Vec::new(),
                |header| {
                    let embedded = validate::embedded(&file, header.format);
                    consent::in_file(&embedded.xmp, embedded.has_c2pa)
                },
            );
            (Sha256::of(&file), crc32fast::hash(&file), header, checksum, signals)
        });
        let (sha256, crc32, header, checksum, signals) =
            inspected.await.map_err(|error| DecoderUnavailable::new(error.into()))?;
        let header = header.and_then(|header| self.rules.consent.check(&signals).map(|()| header));
        let header = match header {
            Ok(header) => header,
            Err(rejected) => return Ok(CheckedFile { sha256, signals, result: Err(rejected) }),
        };
        if again {
            self.decoders.forget(&sha256);
        }
        let decoded = match self.known(&sha256).await {
            Some(decoded) => decoded,
            None => self.decoders.decode(self.owner, sha256, bytes.clone(), header.clone()).await?,
        };
        let result = decoded.and_then(|decoded| {
            self.rules.check_picture(&header.facts(bytes.len() as u64, &decoded))?;
            checksum?;
            self.check_unlike(&decoded)?;
            Ok(header.accept(sha256, crc32, decoded))
        });
        Ok(CheckedFile { sha256, signals, result })
    }

    /// Refuses what looks like a picture that the job does not want.
    fn check_unlike(&self, decoded: &Decoded) -> Result<(), Rejection> {
        let Some(bits) = decoded.hash.nearest(&self.unlike) else { return Ok(()) };
        let detail = format!("it looks like a picture of the list of unwanted ones: {bits} bits differ");
        Err(Rejection::new(Refusal::Unwanted, detail))
    }

    /// Why a picture is not even stored of which one of these was taken out. Where that cannot be seen now, it is
    /// when the verdict is written.
    async fn kept_out(&self, keys: &[RemovalKey]) -> Option<Rejection> {
        if !self.keeps_out {
            return None;
        }
        let found = removals::kept_out(&self.app.db, self.owner.user, self.dataset, keys).await;
        let found = found.inspect_err(|error| tracing::debug!(%error, "what was taken out cannot be seen"));
        found.ok().flatten()
    }

    /// What is known of these bytes.
    async fn known(&self, sha256: &Sha256) -> Option<DecodeResult> {
        if let Some(decoded) = self.decoders.known(sha256) {
            return Some(decoded);
        }
        let known = images::known_bytes(&self.app.db, self.dataset, sha256).await;
        known.inspect_err(|error| tracing::debug!(%error, "known bytes cannot be looked up")).ok()?
    }
}

/// Nothing can be kept for now, by any chunk of this process.
pub(super) fn store_failed_deferral() -> Deferral {
    host_failed_deferral("images cannot be stored for now")
}

fn host_failed_deferral(reason: &str) -> Deferral {
    Deferral { until: Utc::now() + HOST_PAUSE, reason: reason.to_owned(), error: false }
}

fn later(after: Duration) -> DateTime<Utc> {
    Utc::now() + chrono::Duration::from_std(after).unwrap_or(chrono::Duration::days(1))
}

/// Waits for the copy, unless that is long and another origin may have one now. What else its own
/// has is deferred as well.
fn defer_or_next_copy(
    entry: BacklogEntry,
    rejection: Rejection,
    after: Duration,
    signals: Vec<ConsentSignal>,
) -> ImageOutcome {
    if entry.holds >= MOST_HOLDS {
        return next_copy_or_reject(entry, None, rejection, signals);
    }
    match next_copy(&entry, |url| !is_same_origin(url, entry.address())) {
        Some(next) if after > WORTH_WAITING => with_copy(entry, next, None, rejection, signals),
        _ => ImageOutcome::Deferred { until: later(after) },
    }
}

/// Refuses the copy, and goes on to the next one, if there is one.
fn next_copy_or_reject(
    entry: BacklogEntry,
    body: Option<ReceivedBody>,
    rejection: Rejection,
    signals: Vec<ConsentSignal>,
) -> ImageOutcome {
    let may_go_on = !rejection.reason.is_of_all_copies();
    match next_copy(&entry, |_| may_go_on) {
        Some(next) => with_copy(entry, next, body, rejection, signals),
        None => reject(entry, body, rejection, signals),
    }
}

/// Refuses the copy, and goes on to this one. What was read with the one is said of the picture, and recorded with
/// what is read with the next.
fn with_copy(
    mut entry: BacklogEntry,
    next: i16,
    body: Option<ReceivedBody>,
    rejection: Rejection,
    signals: Vec<ConsentSignal>,
) -> ImageOutcome {
    add_signals(&mut entry.candidate.consent, signals);
    let url = entry.address().to_owned();
    entry.refused.push(RejectedCopy { url, rejection, body });
    entry.copy = next;
    // They tell of the origin.
    if entry.refused.last().is_some_and(|before| !is_same_origin(&before.url, entry.address())) {
        entry.holds = 0;
    }
    ImageOutcome::NextCopy(Box::new(entry))
}

/// The number of the first copy whose address was not tried yet, of those that `fits` takes.
fn next_copy(entry: &BacklogEntry, fits: impl Fn(&str) -> bool) -> Option<i16> {
    let BacklogEntry { candidate, refused, .. } = entry;
    let tried = |url: &String| url == entry.address() || refused.iter().any(|copy| copy.url == *url);
    let at = candidate.alternates.iter().position(|url| !tried(url) && fits(url));
    i16::try_from(at.filter(|_| refused.len() + 1 < MOST_COPIES)? + 1).ok()
}

/// Whether scheme, host and port are the same.
fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
    origin(one) == origin(other)
}

/// Rejects a picture of which no copy is left. What is refused of all copies stays refused, whatever became of
/// others. Else the first refusal that may pass tells whether a retry tries again, or the first why the one that
/// was asked for is not there.
fn reject(
    entry: BacklogEntry,
    body: Option<ReceivedBody>,
    rejection: Rejection,
    signals: Vec<ConsentSignal>,
) -> ImageOutcome {
    let url = entry.address().to_owned();
    let mut copies = entry.refused;
    copies.push(RejectedCopy { url, rejection, body });
    let first = |fits: fn(Refusal) -> bool| copies.iter().position(|copy| fits(copy.rejection.reason));
    let shown = first(Refusal::is_of_all_copies).or_else(|| first(Refusal::may_pass)).unwrap_or(0);
    let RejectedCopy { url, rejection, body } = copies.remove(shown);
    ImageOutcome::Judged(Box::new(JudgedImage {
        id: entry.id,
        candidate: entry.candidate,
        address: url,
        body,
        rejected_copies: copies,
        consent: signals,
        outcome: Err(rejection),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConsentMeaning, ConsentPlace, ConsentVocabulary};

    fn entry(alternates: &[&str]) -> BacklogEntry {
        let candidate = serde_json::json!({ "url": "http://a/0", "alternates": alternates });
        BacklogEntry {
            id: 1,
            candidate: serde_json::from_value(candidate).unwrap(),
            copy: 0,
            refused: Vec::new(),
            holds: 3,
            interruptions: 0,
            host: "a".to_owned(),
            again: false,
        }
    }

    /// Refuses copy after copy: the addresses in their order, and what is shown in the end.
    fn refuse_all(mut entry: BacklogEntry, reasons: &[Refusal]) -> (Vec<String>, JudgedImage) {
        let mut reasons = reasons.iter().cycle();
        let mut tried = Vec::new();
        loop {
            tried.push(entry.address().to_owned());
            let rejection = Rejection { reason: *reasons.next().unwrap(), detail: tried.len().to_string() };
            match next_copy_or_reject(entry, None, rejection, Vec::new()) {
                ImageOutcome::NextCopy(next) => entry = *next,
                ImageOutcome::Judged(judged) => return (tried, *judged),
                _ => unreachable!(),
            }
        }
    }

    #[test]
    fn every_copy_has_its_turn_once() {
        let copies = entry(&["http://b/1", "http://a/0", "http://b/1", "http://c/2"]);
        let (tried, judged) = refuse_all(copies, &[Refusal::Truncated, Refusal::NotFound]);
        assert_eq!(tried, ["http://a/0", "http://b/1", "http://c/2"]);
        let refused = judged.outcome.unwrap_err();
        assert_eq!(
            (refused.reason, &*refused.detail, &*judged.address),
            (Refusal::Truncated, "1", "http://a/0")
        );
        let others: Vec<_> =
            judged.rejected_copies.iter().map(|copy| (&*copy.url, copy.rejection.reason)).collect();
        assert_eq!(others, [("http://b/1", Refusal::NotFound), ("http://c/2", Refusal::Truncated)]);

        let many: Vec<String> = (1..99).map(|number| format!("http://b/{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (tried, _) = refuse_all(entry(&many), &[Refusal::HttpStatus]);
        assert_eq!(tried.len(), MOST_COPIES);
    }

    /// Holds what is tried for so many seconds: the number of the copy that is tried next, none where it
    /// is waited for.
    fn defer(entry: BacklogEntry, seconds: u64) -> Option<BacklogEntry> {
        let rejection = Rejection { reason: Refusal::RateLimited, detail: String::new() };
        match defer_or_next_copy(entry, rejection, Duration::from_secs(seconds), Vec::new()) {
            ImageOutcome::NextCopy(next) => Some(*next),
            ImageOutcome::Deferred { .. } => None,
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_closed_origin_is_waited_for_where_no_other_has_a_copy() {
        let same = || entry(&["http://a/1", "http://A:80/2"]);
        assert!(defer(same(), 3600).is_none() && defer(same(), 1).is_none());
        for other in ["http://b/2", "https://a/2", "http://a:8080/2"] {
            let copies = || entry(&["http://a/1", other, "http://a/3"]);
            assert!(defer(copies(), 60).is_none());
            let next = defer(copies(), 61).unwrap();
            assert_eq!((next.address(), next.holds, next.refused.len()), (other, 0, 1));
            // The best of those passed over, and then for as long as it takes.
            let (tried, _) = refuse_all(next.clone(), &[Refusal::NotFound]);
            assert_eq!(tried, [other, "http://a/1", "http://a/3"]);
            let back = defer(next, 3600).unwrap();
            assert_eq!(back.address(), "http://a/1");
            assert!(defer(back, 3600).is_none());
        }
        // However often each is held, the origin is what has had its chances.
        let next = defer(BacklogEntry { holds: MOST_HOLDS, ..same() }, 3600).unwrap();
        assert_eq!((next.address(), next.holds), ("http://a/1", MOST_HOLDS));
    }

    #[test]
    fn what_may_pass_is_told_and_who_opts_out_is_heeded() {
        let copies = || entry(&["http://b/1", "http://b/2"]);
        let reasons = [Refusal::Corrupt, Refusal::Timeout, Refusal::NotFound];
        let (tried, judged) = refuse_all(copies(), &reasons);
        assert_eq!((tried.len(), &*judged.address), (3, "http://b/1"));
        assert_eq!(judged.outcome.unwrap_err().reason, Refusal::Timeout);
        let (tried, judged) = refuse_all(copies(), &[Refusal::OptOut]);
        assert_eq!((tried.len(), judged.outcome.unwrap_err().reason), (1, Refusal::OptOut));
        // Also where another copy was refused for what may pass: no retry opens it again.
        for lasting in [Refusal::OptOut, Refusal::AiGenerated, Refusal::Unwanted, Refusal::Removed] {
            let (tried, judged) = refuse_all(copies(), &[Refusal::Timeout, lasting]);
            assert_eq!((tried.len(), &*judged.address), (2, "http://b/1"));
            assert_eq!(judged.outcome.unwrap_err().reason, lasting);
            assert_eq!(judged.rejected_copies[0].rejection.reason, Refusal::Timeout);
        }
    }

    #[test]
    fn what_was_read_with_one_copy_goes_on_to_the_next() {
        let said = |value: &str| {
            let (place, meaning) = (ConsentPlace::File, ConsentMeaning::Noted);
            ConsentSignal::new(ConsentVocabulary::DataMining, place, None, value, meaning)
        };
        let rejection = |reason| Rejection { reason, detail: String::new() };
        let copies = || entry(&["http://b/1", "http://b/2"]);
        let hour = Duration::from_hours(1);
        let held = BacklogEntry { holds: MOST_HOLDS, ..copies() };
        for outcome in [
            next_copy_or_reject(copies(), None, rejection(Refusal::Truncated), vec![said("a")]),
            defer_or_next_copy(copies(), rejection(Refusal::RateLimited), hour, vec![said("a")]),
            defer_or_next_copy(held, rejection(Refusal::RateLimited), hour, vec![said("a")]),
        ] {
            let ImageOutcome::NextCopy(next) = outcome else { unreachable!() };
            assert_eq!(next.candidate.consent, [said("a")]);
        }
        // The last one, which is held too often.
        let last = BacklogEntry { holds: MOST_HOLDS, ..entry(&[]) };
        let signals = vec![said("a"), said("b")];
        let outcome = defer_or_next_copy(last, rejection(Refusal::RateLimited), hour, signals);
        let ImageOutcome::Judged(judged) = outcome else { unreachable!() };
        assert_eq!(judged.consent, [said("a"), said("b")]);
    }
}
