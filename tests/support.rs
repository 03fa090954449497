//! What the tests stand on.

pub(crate) mod api;
<<<<<<< HEAD
pub(crate) mod events;
pub(crate) mod origin;
=======
pub(crate) mod name_server;
>>>>>>> 10cf973 (tests: Send hostile plugins, components and addresses through the front door)
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod site;

pub(crate) use postgres::database;
