//! What the tests stand on.

pub(crate) mod api;
pub(crate) mod postgres;

pub(crate) use postgres::database;
