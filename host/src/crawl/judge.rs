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

use crate::{
    app::App,
    crawl::{
        Faults,
        decode::{Decoders, NoChild, Owner},
        kept::Kept,
        tally::Tally,
    },
    db::{
        chunks::{MOST_INTERRUPTIONS, Wait, Waiting},
        images,
        verdicts::{Judged, Refused},
    },
    fetch::{Download, Fetcher, Jar},
    image::{Measured, Refusal, Rules, Sha256},
    job::DatasetId,
    source::{Candidate, Checksum, Grants},
    validate::{self, Header, Rejected},
};

/// A picture whose host asked this often to come back later is refused.
const MOST_HOLDS: i32 = 6;

/// After the host failed, chunks come back this much later to see whether it works again.
const HOST_PAUSE: Duration = Duration::from_secs(30);

/// What the pictures of one chunk have in common.
pub(super) struct Bench {
    pub(super) app: App,
    /// The outbound door, with the cookies of the chunk.
    pub(super) fetcher: Fetcher,
    pub(super) jar: Jar,
    pub(super) decoders: Arc<Decoders>,
    pub(super) faults: Arc<Faults>,
    /// Answers that the source will ask for again.
    pub(super) kept: Arc<Kept>,
    /// Set when an object could not be written; the worker then looks before it goes on.
    pub(super) store_failed: Arc<AtomicBool>,
    pub(super) owner: Owner,
    pub(super) dataset: DatasetId,
    pub(super) rules: Rules,
    pub(super) grants: Grants,
    pub(super) tally: Arc<Tally>,
}

/// What became of a picture.
pub(super) enum Tried {
    /// There is a verdict.
    Judged(Box<Judged>),
    /// Its host asks to come back later.
    Held { candidate: i64, until: DateTime<Utc> },
    /// Its host does not accept the source's credential; nothing is said about the picture.
    Unauthorized { candidate: i64, reason: String },
    /// The host fails; nothing is said about the picture.
    HostFailed { candidate: i64, wait: Wait },
}

impl Bench {
    /// Takes one picture through the pipeline. Dropping the future closes its connection.
    pub(super) async fn judge(&self, waiting: Waiting) -> Tried {
        let (id, said) = (waiting.id, waiting.candidate);
        if waiting.interruptions > MOST_INTERRUPTIONS {
            let detail =
                format!("the worker died {} times while it tried this picture", waiting.interruptions);
            return judged(id, said, None, Err(Refused { reason: Refusal::DecoderFault, detail }));
        }
        if let Some(refused) = license(&said, &self.rules) {
            return judged(id, said, None, Err(refused));
        }
        let metrics = &self.app.metrics;
        let (download, url) = match metrics.download(self.download(&said, waiting.holds)).await {
            Ok(found) => found,
            Err(NotThere::Refused(refused)) => return judged(id, said, None, Err(refused)),
            Err(NotThere::Later(until)) => return Tried::Held { candidate: id, until },
            Err(NotThere::Unauthorized(reason)) => return Tried::Unauthorized { candidate: id, reason },
        };
        metrics.received(download.bytes.len());
        self.faults.pass("decode", &url);
        // Another copy may have other bytes.
        let declared = said.checksum.clone().filter(|_| url == said.url);
        let (sha256, checked) = match self.check(&download.bytes, declared, waiting.again).await {
            Ok(checked) => checked,
            Err(error) => {
                tracing::error!(error = %crate::app::chain(&error), "pictures cannot be decoded");
                return Tried::HostFailed {
                    candidate: id,
                    wait: host_fails("images cannot be decoded for now"),
                };
            }
        };
        let body = Body { url: download.url, size: download.bytes.len() as u64, sha256 };
        let measured = match checked {
            Ok(measured) => measured,
            Err(rejected) => {
                let refused = Refused { reason: rejected.refusal, detail: rejected.detail };
                return judged(id, said, Some(body), Err(refused));
            }
        };
        let put = self.app.store.put(self.owner.user, &sha256, measured.format, download.bytes).await;
        if let Err(error) = put {
            tracing::error!(error = %crate::app::chain(&error), "an image cannot be stored");
            self.store_failed.store(true, Ordering::Relaxed);
            return Tried::HostFailed { candidate: id, wait: store_fails() };
        }
        self.faults.pass("stored", &url);
        judged(id, said, Some(body), Ok(measured))
    }

    /// Checks a file completely. Bytes that this process decoded not long ago, or that the dataset
    /// has a row of, are not decoded again, unless they are to be tried `again`.
    async fn check(
        &self,
        bytes: &Bytes,
        declared: Option<Checksum>,
        again: bool,
    ) -> Result<(Sha256, Result<Measured, Rejected>), NoChild> {
        let limits = *self.decoders.limits();
        let file = bytes.clone();
        let inspected = tokio::task::spawn_blocking(move || {
            let header = validate::inspect(&file, &limits);
            let checksum = declared.map_or(Ok(()), |declared| validate::check_checksum(&file, &declared));
            (Sha256::of(&file), header, checksum)
        });
        let (sha256, header, checksum) = inspected.await.map_err(|error| NoChild::new(error.into()))?;
        let header = match header {
            Ok(header) => header,
            Err(rejected) => return Ok((sha256, Err(rejected))),
        };
        if again {
            self.decoders.forget(&sha256);
        }
        let decoded = match self.known(&sha256, &header).await {
            Some(decoded) => decoded,
            None => self.decoders.decode(self.owner, sha256, bytes.clone(), header.clone()).await?,
        };
        let checked = decoded.and_then(|phash| {
            validate::check_rules(&header, &self.rules)?;
            checksum?;
            Ok(header.accept(sha256, phash))
        });
        Ok((sha256, checked))
    }

    /// What is known of these bytes.
    async fn known(&self, sha256: &Sha256, header: &Header) -> Option<Result<u64, Rejected>> {
        if let Some(decoded) = self.decoders.known(sha256) {
            return Some(decoded);
        }
        let seen = images::seen(&self.app.db, self.dataset, sha256).await;
        match seen.inspect_err(|error| tracing::debug!(%error, "known bytes cannot be looked up")).ok()?? {
            images::Seen::Sound { phash } => Some(Ok(phash)),
            images::Seen::Refused { reason, detail } => Some(Err(header.reject(reason, detail))),
        }
    }

    /// The picture from its own address or, when that is gone for good, from the first alternate that has it.
    async fn download(&self, said: &Candidate, holds: i32) -> Result<(Download, String), NotThere> {
        let mut alternates = said.alternates.iter();
        let mut url = &said.url;
        loop {
            let refused = match self.fetcher.download(&self.grants, said, url).await {
                Ok(download) => return Ok((download, url.clone())),
                Err(refused) => refused,
            };
            match (refused.reason, refused.retry_after) {
                (Refusal::NotFound, _) if let Some(next) = alternates.next() => url = next,
                _ if refused.unauthorized => {
                    let name = said.credential.as_deref().unwrap_or_default();
                    let reason = format!("its pictures need another credential `{name}`: {}", refused.detail);
                    return Err(NotThere::Unauthorized(reason));
                }
                (_, Some(after)) if holds < MOST_HOLDS => return Err(NotThere::Later(later(after))),
                (reason, _) => return Err(NotThere::Refused(Refused { reason, detail: refused.detail })),
            }
        }
    }
}

enum NotThere {
    Refused(Refused),
    Later(DateTime<Utc>),
    Unauthorized(String),
}

/// Nothing can be kept for now, by any chunk of this process.
pub(super) fn store_fails() -> Wait {
    host_fails("images cannot be stored for now")
}

fn host_fails(reason: &str) -> Wait {
    Wait { until: Utc::now() + HOST_PAUSE, reason: reason.to_owned(), error: false }
}

fn later(after: Duration) -> DateTime<Utc> {
    Utc::now() + chrono::Duration::from_std(after).unwrap_or(chrono::Duration::days(1))
}

/// What was received of a picture.
struct Body {
    /// Where it came from in the end.
    url: String,
    size: u64,
    sha256: Sha256,
}

fn judged(id: i64, said: Candidate, body: Option<Body>, outcome: Result<Measured, Refused>) -> Tried {
    let (url, size, sha256) = match body {
        Some(body) => (body.url, Some(body.size), Some(body.sha256)),
        None => (said.url.clone(), None, None),
    };
    Tried::Judged(Box::new(Judged { candidate: id, url, size, sha256, said, outcome }))
}

/// A job that names licences takes nothing whose licence it does not know.
fn license(said: &Candidate, rules: &Rules) -> Option<Refused> {
    let id = said.license.as_ref().map_or("unknown", |license| license.id.as_str());
    let allowed = rules.licenses.is_empty() || rules.licenses.iter().any(|allowed| is_covered(id, allowed));
    (!allowed).then(|| Refused { reason: Refusal::LicenseNotAllowed, detail: format!("its licence is {id}") })
}

/// Whether the licence is the allowed one, where `*` at the end stands for a version: who allows
/// `cc-by-*` does not mean `cc-by-nc-4.0`.
fn is_covered(id: &str, allowed: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) => {
            id.strip_prefix(start).is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        }
        None => id == allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_a_version_and_no_restriction() {
        for (allowed, ids, others) in [
            (
                "cc-by-*",
                &["cc-by-4.0", "cc-by-2.0-de"][..],
                &["cc-by-nc-4.0", "cc-by-sa-4.0", "cc-by", "unknown"][..],
            ),
            ("cc-by-nc-*", &["cc-by-nc-2.0"], &["cc-by-nc-nd-2.0", "cc-by-4.0"]),
            ("cc0-1.0", &["cc0-1.0"], &["cc0-1.0-x", "cc-by-1.0"]),
            ("*", &[], &["unknown", "cc0-1.0"]),
        ] {
            assert!(ids.iter().all(|id| is_covered(id, allowed)), "{allowed}");
            assert!(!others.iter().any(|id| is_covered(id, allowed)), "{allowed}");
        }
    }
}
