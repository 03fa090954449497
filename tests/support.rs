//! What the tests stand on.

pub(crate) mod api;
pub(crate) mod document;
pub(crate) mod events;
pub(crate) mod bomb;
pub(crate) mod bucket;
pub(crate) mod film;
pub(crate) mod origin;
pub(crate) mod name_server;
pub(crate) mod plugins;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod site;

pub(crate) use postgres::database;
