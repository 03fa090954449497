//! Use cases: what users, operators and other workers have the host do. Each file adds to [`App`]
//! what it is for.
//!
//! [`App`]: crate::app::App

pub mod api_keys;
pub mod backup;
pub mod checks;
pub mod copy;
pub mod create;
pub mod datasets;
pub mod dedupe;
pub mod exports;
pub mod flows;
mod form;
pub mod guard;
pub mod host;
pub mod images;
pub mod inbox;
pub mod jobs;
pub mod keys;
pub mod measure;
pub mod metrics;
pub mod notifications;
pub mod objects;
pub mod presence;
pub mod profiles;
pub mod projects;
pub mod quotas;
pub mod readiness;
pub mod removals;
pub mod search_engines;
pub mod sources;
pub mod users;
mod violation;

pub use violation::{Violation, Violations};
