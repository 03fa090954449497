//! What becomes of a step: written as a whole, put off, or the end of the source.

use super::Slice;
use crate::{
    crawl::{Interrupted, step::StepOutcome},
    db::{
        chunks::Deferral,
        steps::{self, StepRecord, Usage},
    },
    model::{self, Next, Sha256, Step},
};

impl Slice {
    pub(super) async fn stepped(
        &mut self,
        made: Result<Result<StepOutcome, crate::db::Error>, tokio::task::JoinError>,
    ) -> Result<(), Interrupted> {
        let Ok(made) = made else { return Ok(()) };
        let asked = self.chunk.requests.iter().flatten();
        let notes: Vec<_> = asked.map(|request| self.bench.fetcher.crawl_delay_note(&request.url)).collect();
        for note in notes {
            self.note(note);
        }
        match made? {
            StepOutcome::Made { step, digest, answers, spent } => {
                self.record(step, digest, spent).await?;
                self.answers = Some(answers);
                self.bench.failpoint.hit("after-step", &self.chunk.source);
            }
            StepOutcome::Later(wait, spent) => self.wait(wait, spent).await?,
            StepOutcome::Failed(reason) => self.failed = Some(reason),
        }
        Ok(())
    }

    /// The source waits; the backlog goes on meanwhile.
    async fn wait(&mut self, wait: Deferral, spent: Usage) -> Result<(), Interrupted> {
        tracing::info!(event = "source-deferred", chunk = %self.chunk.id, source = self.chunk.source, reason = wait.reason, "the source waits");
        let cookies = self.bench.jar.changes();
        if !steps::defer(&self.bench.app.db, &self.chunk, &wait, spent, cookies.as_ref()).await? {
            return Err(Interrupted::LeaseLost);
        }
        self.spend(spent);
        self.chunk.step_not_before = Some(wait.until);
        self.chunk.errors_in_row += i32::from(wait.error);
        self.waits_for = Some(wait.reason);
        Ok(())
    }

    async fn record(&mut self, step: Step, digest: Sha256, spent: Usage) -> Result<(), Interrupted> {
        let chunk = &self.chunk;
        let (requests, again, done) = match step.next {
            Next::Done => (Vec::new(), false, true),
            Next::Fetch(requests) => (requests, false, false),
            // The answered requests stay open: after a crash they are made anew.
            Next::Again => (chunk.requests.clone().unwrap_or_default(), true, false),
        };
        let candidates: Vec<_> =
            step.candidates.into_iter().map(|found| (digest_of(&found.url), found)).collect();
        let cookies = self.bench.jar.changes();
        let record = StepRecord {
            state: &step.state,
            digest,
            requests: &requests,
            again,
            done,
            candidates: &candidates,
            warnings: &step.warnings,
            cookies: cookies.as_ref(),
            spent,
        };
        if !steps::record(&self.bench.app.db, chunk, &record).await? {
            return Err(Interrupted::LeaseLost);
        }
        self.achieved = true;
        self.again = if again { self.again + 1 } else { 0 };
        self.chunk.plugin_state = step.state;
        self.chunk.plugin_digest = Some(digest.to_string());
        self.chunk.requests = Some(requests);
        self.chunk.again = again;
        self.chunk.source_done = done;
        self.chunk.steps += 1;
        self.spend(spent);
        self.chunk.errors_in_row = 0;
        self.chunk.step_not_before = None;
        self.drained = false;
        Ok(())
    }

    const fn spend(&mut self, spent: Usage) {
        self.chunk.asked = self.chunk.asked.saturating_add(spent.asked);
        self.chunk.received = self.chunk.received.saturating_add(spent.received);
    }
}

/// The same picture under spellings of one address is one candidate.
fn digest_of(url: &str) -> Sha256 {
    let normal = url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| model::normalise(&url));
    Sha256::of(normal.as_bytes())
}
