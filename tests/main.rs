//! The test binary, driven through the front door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod api_keys;
mod authors;
mod backup;
mod bucket;
mod cli;
mod compat;
mod consent;
mod contract;
mod copies;
mod database;
mod deploy;
mod embedded;
mod exports;
mod fairness;
mod frontend;
mod guard;
mod hostile;
mod layouts;
mod live;
mod look_alikes;
mod lost;
mod metrics;
mod notifications;
mod openverse;
mod operator;
mod original;
mod privacy;
mod progress;
mod published_hashes;
mod quotas;
mod recovery;
mod removals;
mod requests;
mod routes;
mod rules;
mod secrets;
mod sources;
mod support;
mod tidy;
mod tokens;
mod users;
