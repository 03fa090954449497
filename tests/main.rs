//! The test binary, driven through the front door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod database;
mod embedded;
mod support;
