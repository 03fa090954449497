//! The domain as plain data, without input or output: jobs and chunks, what sources are asked
//! and what they find, and what becomes of it.

mod address;
mod answers;
mod candidate;
mod chunk;
mod consent;
mod cookies;
mod derivative;
mod exchange;
mod export;
mod groups;
mod id;
mod image;
mod job;
mod level;
mod meant;
mod option;
mod pdq;
mod permission;
mod provenance;
mod refusal;
mod removal;
mod rules;
mod scores;
mod source_info;
mod source_stats;
mod step;

pub use address::{address, encoding_of};
pub use answers::{AnswerBudget, Answers};
pub use candidate::{Candidate, Checksum, Digest, LONGEST_LABEL, License, MOST_LABELS, normalise};
pub use chunk::{ChunkSpec, ChunkState, FinishedChunk, QuotaShare, outcome, shares, shares_of_missing};
pub use consent::{
    ConsentMeaning, ConsentPlace, ConsentPolicy, ConsentSignal, ConsentVocabulary, add_signals,
};
pub use cookies::Cookies;
pub use derivative::{Derivative, DerivedFormat, Fit};
pub use exchange::{Answer, Content, Failure, Method, Request, Response, is_hosts_header};
pub use export::{
    ExportFileKind, ExportFormat, ExportItem, ExportOptions, ExportOrder, ExportRecord, OriginalPicture,
    Split, SplitPart,
};
pub use groups::groups;
pub use id::{ApiKeyId, ChunkId, DatasetId, ExportId, ExportKey, ImageId, JobId, ProjectId, UserId};
pub use image::{AcceptedImage, Decoded, Format, Sha256, Verdict};
pub use job::{Destination, JobSpec, JobState};
pub use level::{Animation, AspectRatio, Level};
pub use meant::meant;
pub use option::plain_text;
pub use pdq::{Pdq, PictureHash, TurnedHash};
pub use permission::Permission;
pub use provenance::Provenance;
pub use refusal::{Refusal, RefusalHelp, Rejection};
pub use removal::{RemovalCriterion, RemovalKey, RemovalScope};
pub use rules::{DuplicateScope, KNOWN_LICENSES, PictureFacts, Rules, license_ids, openness};
pub use scores::Scores;
pub use source_info::{
    CredentialKind, CredentialSpec, GrantedSecret, Grants, HostKind, HostRule, Input, OptionKind, OptionSpec,
    SourceInfo,
};
pub use source_stats::SourceStats;
pub use step::{Next, Query, SourceError, Step};
