//! One picture of the backlog: download, check, store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{
    app::App,
    crawl::{Faults, decode::Decoders, kept::Kept, tally::Tally},
    db::{
        chunks::{Wait, Waiting},
        verdicts::{Judged, Refused},
    },
    fetch::{Download, Fetcher, Jar},
    image::{Measured, Refusal, Rules},
    job::UserId,
    source::{Candidate, Grants},
};

/// A picture whose host asked this often to come back later is refused.
const MOST_HOLDS: i32 = 6;

/// After the store failed, chunks come back this much later to see whether it works again.
const STORE_PAUSE: Duration = Duration::from_secs(30);

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
    pub(super) user: UserId,
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
    /// The store fails; nothing is said about the picture.
    StoreFailed { candidate: i64 },
}

impl Bench {
    /// Takes one picture through the pipeline. Dropping the future closes its connection.
    pub(super) async fn judge(&self, waiting: Waiting) -> Tried {
        let (id, said) = (waiting.id, waiting.candidate);
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
        let size = download.bytes.len() as u64;
        self.faults.pass("decode", &url);
        // Another copy may have other bytes.
        let declared = said.checksum.clone().filter(|_| url == said.url);
        let rules = self.rules.clone();
        let measured = match self.decoders.validate(&download.bytes, rules, declared, metrics).await {
            Ok(measured) => measured,
            Err(rejected) => {
                let refused = Refused { reason: rejected.refusal, detail: rejected.detail };
                return judged(id, said, Some((download, size)), Err(refused));
            }
        };
        let put =
            self.app.store.put(self.user, &measured.sha256, measured.format, download.bytes.clone()).await;
        if let Err(error) = put {
            tracing::error!(error = %crate::app::chain(&error), "an image cannot be stored");
            self.store_failed.store(true, Ordering::Relaxed);
            return Tried::StoreFailed { candidate: id };
        }
        self.faults.pass("stored", &url);
        judged(id, said, Some((download, size)), Ok(measured))
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
    Wait {
        until: Utc::now() + STORE_PAUSE,
        reason: "images cannot be stored for now".to_owned(),
        error: false,
    }
}

fn later(after: Duration) -> DateTime<Utc> {
    Utc::now() + chrono::Duration::from_std(after).unwrap_or(chrono::Duration::days(1))
}

fn judged(
    id: i64,
    said: Candidate,
    body: Option<(Download, u64)>,
    outcome: Result<Measured, Refused>,
) -> Tried {
    let url = body.as_ref().map_or_else(|| said.url.clone(), |(download, _)| download.url.clone());
    let size = body.map(|(_, size)| size);
    Tried::Judged(Box::new(Judged { candidate: id, url, size, said, outcome }))
}

/// A job that names licences takes nothing whose licence it does not know.
fn license(said: &Candidate, rules: &Rules) -> Option<Refused> {
    let id = said.license.as_ref().map_or("unknown", |license| license.id.as_str());
    let allowed = rules.licenses.is_empty()
        || rules.licenses.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => id == allowed,
        });
    (!allowed).then(|| Refused { reason: Refusal::LicenseNotAllowed, detail: format!("its licence is {id}") })
}
