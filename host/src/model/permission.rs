//! What an API key may do, in the vocabulary of the frontend.

/// Something that a key may do. There are no others: what a row has besides counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Look at everything.
    Read,
    /// Make and change everything.
    Write,
    /// Delete everything.
    Delete,
    /// All that a key may.
    Admin,
    /// Begin crawl jobs.
    CrawlJobsCreate,
    /// Look at crawl jobs and their images.
    CrawlJobsRead,
    /// Cancel crawl jobs.
    CrawlJobsCancel,
    /// Look at datasets and images.
    DatasetsRead,
    /// Take whole datasets.
    DatasetsExport,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::Admin,
        Self::CrawlJobsCreate,
        Self::CrawlJobsRead,
        Self::CrawlJobsCancel,
        Self::DatasetsRead,
        Self::DatasetsExport,
    ];

    /// As in the column `permissions`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
            Self::CrawlJobsCreate => "crawl_jobs:create",
            Self::CrawlJobsRead => "crawl_jobs:read",
            Self::CrawlJobsCancel => "crawl_jobs:cancel",
            Self::DatasetsRead => "datasets:read",
            Self::DatasetsExport => "datasets:export",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }

    /// The set of this one alone.
    #[must_use]
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Those in a set, which is a sum of [bits](Self::bit).
    pub fn within(set: u16) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |permission| permission.bit() & set != 0)
    }
}
