//! What an entry of a job's log looks like in an answer.

use chrono::{DateTime, Utc};
use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::{Value, json};

use crate::{api::nullable::Nullable, db};

/// Something that happened to a job.
#[derive(Object)]
#[oai(rename = "CrawlJobLogEntry", example)]
pub(super) struct LogEntry {
    /// Id of the entry.
    id: i32,
    /// `START_CRAWL_JOB`, `COMPLETE_CRAWL_JOB`, `CANCEL_CRAWL_JOB`, …
    action: String,
    /// What belongs to it, such as the reason.
    metadata: Nullable<Any<Value>>,
    /// When it happened.
    timestamp: DateTime<Utc>,
}

/// A page of a job's log.
#[derive(Object)]
#[oai(rename = "CrawlJobLogPage", example)]
pub(super) struct LogPage {
    /// Newest first.
    pub(super) items: Vec<LogEntry>,
    /// `after` of the next page; null on the last.
    pub(super) next: Nullable<i32>,
}

impl From<db::activity::ActivityEntry> for LogEntry {
    fn from(row: db::activity::ActivityEntry) -> Self {
        let metadata = row.metadata.map(|metadata| Any(metadata.0)).into();
        Self { id: row.id, action: row.action, metadata, timestamp: row.timestamp.into() }
    }
}

impl Example for LogEntry {
    fn example() -> Self {
        Self {
            id: 7,
            action: "START_CRAWL_JOB".to_owned(),
            metadata: Some(Any(json!({ "name": "Red pandas", "sources": ["openverse"] }))).into(),
            timestamp: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for LogPage {
    fn example() -> Self {
        Self { items: vec![LogEntry::example()], next: None.into() }
    }
}
