//! The host of `PixCrawler`: keywords in, trustworthy image dataset out.
//!
//! The modules stand in reading order, each with its purpose in its first line.
//! Dependencies point one way; modules on one level do not see each other:
//!
//! ```text
//! cli → { api, crawl } → { app, trial } → { plugin, fetch, validate, store, db, queue, auth } → { job, image, source }
//! ```

// The domain: plain data, no input or output.
pub mod model;
pub mod config;
pub mod metrics;
pub mod atomic_write;
pub mod private;
pub mod subprocess;
// What the host can do, each part alone.
pub mod plugin;
pub mod fetch;
pub mod validate;
pub mod store;
pub mod db;
pub mod queue;
pub mod auth;
// One source, alone.
pub mod runner;
// All parts together.
pub mod app;
pub mod crawl;
pub mod dataset;
pub mod api;
pub mod cli;
