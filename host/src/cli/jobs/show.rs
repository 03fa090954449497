//! `jobs show`: everything that is known of a job.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;

use super::JobArgs;
use crate::{
    cli::{
        crawl::progress::{Snapshot, refusals},
        say,
        table::table,
    },
    config::Config,
    db::{
        self,
        jobs::{ChunkDetail, JobDetail},
    },
    model::{ChunkState, JobId, UserId},
};

/// Show a crawl job: its counts, its parts, and why it has fewer images than wanted
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler jobs show 12\n  \
    pixcrawler jobs show 12 --json | jq '{kept, refused}'")]
pub(super) struct Show {
    #[command(flatten)]
    job: JobArgs,
}

/// A job as `--json` prints it; what both have is named as in `jobs list`, and as in `crawl --json`.
#[derive(Serialize)]
struct ShownJob {
    id: JobId,
    user: UserId,
    name: String,
    keywords: Vec<String>,
    urls: Vec<String>,
    sources: Vec<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
    #[serde(flatten)]
    now: Snapshot,
    parts: Vec<ShownPart>,
}

/// One input at one source.
#[derive(Serialize)]
struct ShownPart {
    source: String,
    /// The keyword or address.
    input: String,
    label: String,
    state: ChunkState,
    kept: i32,
    /// Images that it may keep for now.
    share: i32,
    /// Why it waits, or how it ended.
    reason: Option<String>,
    waiting_until: Option<DateTime<Utc>>,
}

impl Show {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let id = self.job.job();
        let shown = self.job.with(config, async |db, user| {
            let detail = db::jobs::detail(db, user, id).await?.context("the job was deleted")?;
            let found = db::jobs::found(db, user, id).await?;
            Ok(ShownJob::new(detail, found))
        });
        let shown = shown.await?;
        say(&if self.job.json { serde_json::to_string(&shown)? } else { shown.text() });
        Ok(ExitCode::SUCCESS)
    }
}

impl ShownJob {
    fn new(detail: JobDetail, found: i64) -> Self {
        let now = Snapshot::of(&detail, found);
        let JobDetail { job: row, chunks, .. } = detail;
        Self {
            id: row.id,
            user: row.user_id,
            name: row.name,
            keywords: row.keywords.0.0,
            urls: row.input.map(|input| input.0.urls).unwrap_or_default(),
            sources: row.sources.0.0,
            created_at: row.created_at.into(),
            started_at: row.started_at.map(Into::into),
            completed_at: row.completed_at.map(Into::into),
            now,
            parts: chunks.0.into_iter().map(ShownPart::from).collect(),
        }
    }

    fn text(&self) -> String {
        let time = |at: &DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let Snapshot { status, wanted, kept, found, duplicates, refused, reason, warnings, .. } = &self.now;
        let mut facts = vec![
            ("status", status.name().to_owned()),
            ("kept", format!("{kept} of {wanted}")),
            ("found", format!("{found}, {duplicates} duplicates, {}", refusals(refused))),
            ("reason", reason.clone().unwrap_or_default()),
        ];
        facts.extend(warnings.iter().map(|warning| ("note", warning.clone())));
        facts.extend([
            ("keywords", self.keywords.join(", ")),
            ("sources", self.sources.join(", ")),
            ("user", self.user.to_string()),
            ("created", time(&self.created_at)),
            ("started", self.started_at.as_ref().map(time).unwrap_or_default()),
            ("ended", self.completed_at.as_ref().map(time).unwrap_or_default()),
        ]);
        let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
        let facts: Vec<_> = facts.map(|(name, value)| vec![format!("  {name}"), value]).collect();
        let mut parts = vec![["SOURCE", "STATE", "KEPT", "INPUT", "DETAIL"].map(str::to_owned).to_vec()];
        parts.extend(self.parts.iter().map(ShownPart::cells));
        let mut text = format!("Job {}: {}\n{}", self.id, self.name, table(&facts));
        if !self.parts.is_empty() {
            text += &format!("\n\n{}", table(&parts));
        }
        text
    }
}

impl ShownPart {
    fn cells(&self) -> Vec<String> {
        let state = serde_json::to_value(self.state).ok();
        let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or_default().to_owned();
        let until = self.waiting_until.map(|until| format!(" (until {})", until.format("%H:%M:%S UTC")));
        let detail = self.reason.clone().unwrap_or_default() + &until.unwrap_or_default();
        vec![self.source.clone(), state, format!("{}/{}", self.kept, self.share), self.input.clone(), detail]
    }
}

impl From<ChunkDetail> for ShownPart {
    fn from(chunk: ChunkDetail) -> Self {
        Self {
            source: chunk.source,
            input: chunk.keyword,
            label: chunk.label,
            state: chunk.state,
            kept: chunk.kept,
            share: chunk.share,
            reason: chunk.reason,
            waiting_until: chunk.waiting_until,
        }
    }
}
