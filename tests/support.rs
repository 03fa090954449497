//! What the tests stand on.

pub(crate) mod api;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod site;

pub(crate) use postgres::database;
