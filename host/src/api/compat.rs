//! What is there for the original's frontend only, beside our own: how it asks and what it reads.

pub(super) mod paging;
