//! Ids of rows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub i32);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// `crawl_jobs.id`.
    JobId
);
id!(
    /// `job_chunks.id`: one input (keyword or address) at one source.
    ChunkId
);
id!(
    /// `datasets.id`.
    DatasetId
);
id!(
    /// `projects.id`.
    ProjectId
);
id!(
    /// `images.id`.
    ImageId
);

id!(
    /// `pixcrawler.export.id`.
    ExportId
);

macro_rules! uuid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid!(
    /// `profiles.id`, which is the token's `sub`.
    UserId
);
uuid!(
    /// `api_keys.id`.
    ApiKeyId
);
uuid!(
    /// `pixcrawler.export.key`.
    ExportKey
);
