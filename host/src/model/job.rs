//! What a user asked for, and where a job stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ChunkSpec, DatasetId, Pdq, ProjectId, Rules};

/// What a user asked for, checked: every field is within its limits, every
/// source exists, and every input has a source that takes it.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// For people.
    pub name: String,
    /// Where the images go; a dataset is made when neither is given.
    pub destination: Destination,
    /// Trimmed, without repetitions.
    pub keywords: Vec<String>,
    /// Absolute http(s) addresses, without repetitions.
    pub urls: Vec<String>,
    /// Ids of installed sources, in the order of preference.
    pub sources: Vec<String>,
    /// Options per source.
    pub options: BTreeMap<String, BTreeMap<String, String>>,
    /// Images wanted.
    pub max_images: i32,
    /// Nobody said how many: that is the default.
    pub max_is_default: bool,
    /// Leave out what is not safe for work.
    pub safe_search: bool,
    /// BCP 47.
    pub language: Option<String>,
    /// Input to class; the input itself when absent.
    pub labels: BTreeMap<String, String>,
    /// What is accepted.
    pub rules: Rules,
    /// Hashes of pictures that are not wanted, nor what looks like them; each once.
    pub unlike: Vec<Pdq>,
    /// One for each input and source that takes it, in the order in which shares are given.
    pub chunks: Vec<ChunkSpec>,
}

/// Where a job's images go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An existing dataset of the user.
    Dataset(DatasetId),
    /// A new dataset in this project of the user.
    Project(ProjectId),
    /// A new dataset.
    New,
}

/// `crawl_jobs.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "varchar", rename_all = "lowercase")]
pub enum JobState {
    /// Not begun.
    Pending,
    /// At least one chunk was claimed.
    Running,
    /// Over, with something usable or nothing wrong.
    Completed,
    /// Over, with nothing usable and something wrong.
    Failed,
    /// Stopped by the user.
    Cancelled,
}

impl JobState {
    /// All of them, in the order in which a job comes to them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// As stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}
