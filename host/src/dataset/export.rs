//! What an export is made of: the text of each record in each format, tables, and the documents beside the data.
//! But for [`facts`], which the database is asked for, all of it is made of records and facts alone: the same give
//! the same bytes, on whatever machine.

pub mod attribution;
pub mod card;
mod columns;
pub mod croissant;
mod csv;
pub mod facts;
pub mod labels;
pub mod manifest;
pub mod parquet;
