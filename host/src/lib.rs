//! The host of `PixCrawler`: keywords in, trustworthy image dataset out.
//!
//! The modules stand in reading order, each with its purpose in its first line.
//! Dependencies point one way; modules on one level do not see each other:
//!
//! ```text
//! cli
//! api crawl
//! dataset
//! services
//! app
//! runner
//! plugins derive
//! sandbox fetch validate store db postgres queue auth
//! config error metrics atomic_write private subprocess consent
//! model
//! ```
//!
//! Within a module a file and those in the folder of its name are one story and may see each other;
//! other files stand in an order. Where they do not, in `fetch`, its head says why.

// Plain data.
pub mod model;
// What everything stands on.
pub mod config;
pub mod error;
pub mod metrics;
pub mod atomic_write;
pub mod private;
pub mod subprocess;
pub mod consent;
// What the host can do, each part alone.
pub mod sandbox;
pub mod fetch;
pub mod validate;
pub mod store;
pub mod db;
pub mod postgres;
pub mod queue;
pub mod auth;
pub mod plugins;
pub mod derive;
// One source, alone.
pub mod runner;
// All parts together.
pub mod app;
pub mod services;
pub mod dataset;
pub mod crawl;
pub mod api;
pub mod cli;
